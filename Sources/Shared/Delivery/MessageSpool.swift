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
        file = try await offload { () throws(SystemError) -> SpoolFile in
            let file = if let existing { existing } else { try SpoolFile() }
            try file.write(pending)
            return file
        }
    }

    /// The whole message in memory.
    package func bytes() async throws(SystemError) -> [UInt8] {
        guard let file else { return memory }
        let pending = memory
        memory = []
        return try await offload { () throws(SystemError) -> [UInt8] in
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

    func read() throws(SystemError) -> [UInt8] {
        try file.seek(to: 0)
        return try file.readAll()
    }
}
