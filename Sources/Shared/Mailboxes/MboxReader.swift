import Bytes
import Glibc
import Unix

/// The messages of an mbox in a file or a pipe, in memory that does not depend on their size.
///
/// A `Content-Length` is proved by looking ahead in the file; of a pipe, a message that has one is held until its end.
/// Programs that read large pipes with such messages put them into a file first.
package struct MboxReader: ~Copyable {
    private static let step = 256 << 10

    /// What the ranges of the last event count from.
    package private(set) var buffer: [UInt8] = []
    /// Bytes of the mailbox read so far.
    package private(set) var bytesRead = 0
    /// The finder of messages: findings, counts.
    package private(set) var scanner: MboxScanner

    private let file: FileDescriptor
    private let isFile: Bool
    private var atEnd = false

    /// Reads from `file`, a regular file at its start or a pipe.
    package init(_ file: consuming FileDescriptor, format: MboxFormat) throws(SystemError) {
        isFile = Files.kind(of: try file.status()) == .file
        self.file = file
        scanner = MboxScanner(format: format)
        buffer.reserveCapacity(2 * Self.step)
    }

    /// The next event; nil at the end. Its ranges count in `buffer`, until the next call.
    package mutating func next() throws(MailboxError) -> MboxEvent? {
        while true {
            if let event = try scan() {
                guard case .look(let offset) = event else { return event }
                do throws(SystemError) { try look(at: offset) } catch { throw .system(error) }
                continue
            }
            if atEnd { return nil }
            buffer.removeFirst(scanner.consumed)
            scanner.dropConsumed()
            try fill()
        }
    }

    private mutating func scan() throws(MailboxError) -> MboxEvent? {
        let bytes = buffer
        do throws(MboxError) {
            return try scanner.next(in: bytes.span, isFinal: atEnd)
        } catch {
            let start = scanner.consumed
            throw .notMailbox(firstBytes: Array(buffer[start...].prefix(16)))
        }
    }

    private mutating func look(at offset: Int) throws(SystemError) {
        guard isFile else { return scanner.waitForContent() }
        guard offset <= Int(try file.status().st_size) else { return scanner.answer(nil) }
        let bytes = try file.read(at: offset, atMost: MboxScanner.lookLength)
        scanner.answer(bytes.span)
    }

    private mutating func fill() throws(MailboxError) {
        guard isFile ? Interruption.signal == nil : file.waitForInput() else { throw .interrupted }
        do throws(SystemError) {
            let count = try file.read(into: &buffer, atMost: Self.step)
            bytesRead += count
            atEnd = count == 0
        } catch {
            throw .system(error)
        }
    }
}
