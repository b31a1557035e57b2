import Bytes
import Glibc
import Synchronization
import Unix

/// Collects a message whose size is not known beforehand: in memory, and from some size on in a file without a name, of
/// which nothing is left whatever happens.
package struct MessageSpool: ~Copyable, Sendable {
    private let memoryLimit: Int
    private var bytes: [UInt8] = []
    private var file: FileDescriptor?
    /// The size so far, in octets.
    package private(set) var count = 0

    /// `memoryLimit`: octets in memory beyond which they go to the file.
    package init(memoryLimit: Int = 8 << 20) { self.memoryLimit = memoryLimit }

    /// Adds to the message. Blocks when it writes to the file.
    package mutating func append(_ piece: Span<UInt8>) throws(SystemError) {
        if gather(piece) { try writeOut() }
    }

    /// Adds to what is in memory; true when that is to be written out.
    fileprivate mutating func gather(_ piece: Span<UInt8>) -> Bool {
        bytes.append(span: piece)
        count += piece.count
        return bytes.count > memoryLimit
    }

    /// Writes to the file what is in memory. Blocks.
    fileprivate mutating func writeOut() throws(SystemError) {
        if file == nil { file = try FileDescriptor.openUnnamed(in: Files.temporaryDirectory) }
        try file?.writeAll(bytes.span)
        bytes = []
    }

    /// The message collected; the spool is empty then. Blocks when there is a file.
    package mutating func finish() throws(SystemError) -> MessageContent {
        defer {
            bytes = []
            file = nil
            count = 0
        }
        guard file != nil else { return MessageContent(bytes) }
        try writeOut()
        guard let mapping = try Self.map(file) else { return MessageContent([]) }
        return MessageContent(pieces: [.mapped(mapping, 0..<mapping.count)])
    }

    private static func map(_ file: borrowing FileDescriptor?) throws(SystemError) -> SharedMappedFile? {
        switch file {
        case .some(let file): try SharedMappedFile(file)
        case .none: nil
        }
    }
}

/// A spool for tasks that must not block: what goes to its file is written on the pool of threads.
package final class SharedSpool: Sendable {
    private let spool: Mutex<MessageSpool>

    /// `memoryLimit`: octets in memory beyond which they go to a file.
    package init(memoryLimit: Int = 65_536) { spool = Mutex(MessageSpool(memoryLimit: memoryLimit)) }

    /// The size so far, in octets.
    package var count: Int { spool.withLock { $0.count } }

    /// Adds to the message.
    package func append(_ bytes: [UInt8]) async throws(SystemError) {
        let isFull = spool.withLock { $0.gather(bytes.span) }
        guard isFull else { return }
        try await offload { [self] () throws(SystemError) in
            try spool.withLock { spool throws(SystemError) in try spool.writeOut() }
        }
    }

    /// The message collected; the spool is empty then.
    package func finish() async throws(SystemError) -> MessageContent {
        try await offload { [self] () throws(SystemError) in
            try spool.withLock { spool throws(SystemError) in try spool.finish() }
        }
    }
}
