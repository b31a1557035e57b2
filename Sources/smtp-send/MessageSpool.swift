import Bytes
import Glibc
import Unix

/// Collects a message whose size is not known beforehand: in memory, and from some size on in a file that has no name
/// any more.
struct MessageSpool: ~Copyable {
    private static let memoryLimit = 8 << 20

    private var bytes: [UInt8] = []
    private var file: FileDescriptor?

    mutating func append(_ piece: Span<UInt8>) throws(SystemError) {
        bytes.append(span: piece)
        if bytes.count > Self.memoryLimit { try writeOut() }
    }

    /// The message collected.
    consuming func finish() throws(SystemError) -> MessageContent {
        if file == nil { return MessageContent(bytes) }
        try writeOut()
        return try Self.mapped(file)
    }

    private mutating func writeOut() throws(SystemError) {
        if file == nil {
            let directory = try TemporaryDirectory()
            file = try FileDescriptor.open("\(directory.path)/message", O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        }
        try file?.writeAll(bytes.span)
        bytes.removeAll(keepingCapacity: true)
    }

    private static func mapped(_ file: borrowing FileDescriptor?) throws(SystemError) -> MessageContent {
        guard let mapping = try map(file) else { return MessageContent([]) }
        return MessageContent(pieces: [.mapped(mapping, 0..<mapping.file.count)])
    }

    private static func map(_ file: borrowing FileDescriptor?) throws(SystemError) -> SharedMappedFile? {
        switch file {
        case .some(let file): try SharedMappedFile(file)
        case .none: nil
        }
    }
}
