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
    /// The mailbox is a file whose last line has no line end.
    private let endsWithoutLineEnd: Bool
    private var atEnd = false

    /// Reads from `file`, a regular file at its start or a pipe. `start` is what was read of a pipe before.
    package init(
        _ file: consuming FileDescriptor, format: MboxFormat, start: [UInt8] = []
    ) throws(SystemError) {
        let look = try Self.look(file)
        isFile = look.isFile
        endsWithoutLineEnd = look.endsWithoutLineEnd
        self.file = file
        scanner = MboxScanner(format: format)
        buffer = start
        bytesRead = start.count
        buffer.reserveCapacity(2 * Self.step)
    }

    private static func look(
        _ file: borrowing FileDescriptor
    ) throws(SystemError) -> (isFile: Bool, endsWithoutLineEnd: Bool) {
        let status = try file.status()
        guard Files.kind(of: status) == .file else { return (false, false) }
        let size = Int(status.st_size)
        guard size > 0, let last = try file.read(at: size - 1, atMost: 1).first else { return (true, false) }
        return (true, last != ASCII.lf)
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

    /// Whether the message that the first content was given of lacks a line end at its end, as far as that can be told.
    package func lastLineEnd() throws(MailboxError) -> MboxWriter.LastLineEnd {
        if let end = scanner.countedEnd { return try endsWithoutLineEnd(at: end) ? .missing : .present }
        if scanner.lacksLineEnd { return .missing }
        // Only the last message of the mailbox can lack it then.
        return endsWithoutLineEnd ? .uncertain : .present
    }

    private func endsWithoutLineEnd(at place: Int) throws(MailboxError) -> Bool {
        guard isFile, place > 0 else { return false }
        do throws(SystemError) {
            return try file.read(at: place - 1, atMost: 1).first.map { $0 != ASCII.lf } ?? false
        } catch {
            throw .system(error)
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
