import Bytes
import Glibc
import Unix

/// A message that is gathered whole before it is judged: in memory up to 64 KiB, beyond that in a file without a name,
/// of which nothing is left whatever happens. Used from one task.
package final class MessageSpool {
    private static let memoryLimit = 65_536

    private var memory: [UInt8] = []
    private var file: SpoolFile?
    /// The size of the message, in bytes.
    package private(set) var count = 0

    package init() {}

    /// A message that is there already.
    package init(_ bytes: [UInt8]) {
        memory = bytes
        count = bytes.count
    }

    /// Adds to the message.
    package func append(_ bytes: [UInt8]) async throws(SystemError) {
        count += bytes.count
        memory += bytes
        guard memory.count > MessageSpool.memoryLimit else { return }
        let pending = memory
        memory = []
        let existing = file
        file = try await offload { () throws(SystemError) in
            let file = try existing ?? SpoolFile()
            try file.write(pending)
            return file
        }
    }

    /// Calls `body` with the whole message, mapped when it is large.
    package func withBytes<Value>(
        _ body: (Span<UInt8>) throws -> Value
    ) async throws -> Value {
        guard let file else { return try body(memory.span) }
        let pending = memory
        memory = []
        try await offload { () throws(SystemError) in try file.write(pending) }
        let mapped = try file.map()
        return try body(mapped.bytes)
    }

    /// The whole message in memory.
    package func bytes() async throws(SystemError) -> [UInt8] {
        guard let file else { return memory }
        let pending = memory
        memory = []
        return try await offload { () throws(SystemError) in
            try file.write(pending)
            return try file.read()
        }
    }
}

/// The file of a spool.
private final class SpoolFile: Sendable {
    private let file: FileDescriptor

    init() throws(SystemError) { file = try FileDescriptor.openUnnamed(in: Files.temporaryDirectory) }

    func write(_ bytes: [UInt8]) throws(SystemError) { try file.writeAll(bytes) }
    func map() throws(SystemError) -> MappedFile { try MappedFile(file) }

    func read() throws(SystemError) -> [UInt8] {
        let mapped = try map()
        return mapped.bytes.array
    }
}
