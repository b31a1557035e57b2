import Bytes
import Glibc
import Mailboxes
import Synchronization
import Unix

/// One message on its way into an mbox: gathered in a file of its own, then appended under the mailbox's locks and synced.
final class MboxDelivery {
    private let path: String
    private let file: FileDescriptor
    private var quoting = LineQuoting(.fromAndQuoted)
    private var lastByte = ASCII.lf
    private var buffer: [UInt8] = []

    private static let bufferLimit = 65_536
    /// `sender` is who the From_ line names, `time` when the message came, in seconds since 1970.
    init(_ path: String, sender: String, time: Int) throws(SystemError) {
        self.path = path
        let folder = Files.parent(of: path) ?? "/"
        try Files.makeDirectoryDurably(folder, mode: 0o700)
        file = try FileDescriptor.openUnnamed(in: folder)
        buffer = FromLine.compose(sender: Array((sender.isEmpty ? "MAILER-DAEMON" : sender).utf8), date: time)
        if buffer.last != ASCII.lf { buffer.append(ASCII.lf) }
    }

    func write(_ bytes: Span<UInt8>) throws(SystemError) {
        guard !bytes.isEmpty else { return }
        quoting.write(bytes, into: &buffer)
        lastByte = bytes[bytes.count - 1]
        if buffer.count >= MboxDelivery.bufferLimit { try writeOut() }
    }

    /// The message is whole.
    func end() throws(SystemError) {
        quoting.finish(into: &buffer)
        if lastByte != ASCII.lf { buffer.append(ASCII.lf) }
        buffer.append(ASCII.lf)
        try writeOut()
    }

    private func writeOut() throws(SystemError) {
        try file.writeAll(buffer)
        buffer.removeAll(keepingCapacity: true)
    }

    /// Appends it to the mailbox, and returns when it is on the disk; false when another program has the mailbox. What
    /// fails leaves the mailbox as it was.
    func publish() throws(SystemError) -> Bool {
        // The locks of files are for other processes: within this one there is a turn for each.
        try MboxTurn.turn(of: path).lock.withLock { _ throws(SystemError) in try append() }
    }

    /// That another program has the mailbox for too long.
    var locked: SystemError { SystemError(code: EAGAIN, operation: "lock", subject: path) }

    private func append() throws(SystemError) -> Bool {
        let isNew = !Files.exists(path)
        do throws(MboxAppender.Failure) {
            var appender = try MboxAppender.open(path, timeout: .zero)
            try append(to: &appender)
            do throws(SystemError) {
                try appender.commit(synchronizing: true)
            } catch {
                throw .system(error)
            }
        } catch {
            switch error {
            case .system(let error): throw error
            case .locked: return false
            case .changed: throw SystemError(code: ESTALE, operation: "append to", subject: path)
            case .notMailbox:
                throw SystemError(code: EINVAL, operation: "append, since it is no mbox, to", subject: path)
            }
        }
        if isNew { try Files.synchronizeDirectory(Files.parent(of: path) ?? "/") }
        return true
    }

    private func append(to appender: inout MboxAppender) throws(MboxAppender.Failure) {
        do throws(SystemError) { try file.seek(to: 0) } catch { throw .system(error) }
        var piece = [UInt8](repeating: ASCII.lf, count: appender.missingLineEnds)
        var isAtEnd = false
        while !isAtEnd {
            try appender.write(piece.span)
            piece.removeAll(keepingCapacity: true)
            do throws(SystemError) { isAtEnd = try file.read(into: &piece) == 0 } catch { throw .system(error) }
        }
    }
}

/// Whose turn it is to append: mailboxes are shared out over a few locks.
private final class MboxTurn: Sendable {
    let lock = Mutex(())

    private static let all = (0..<64).map { _ in MboxTurn() }

    static func turn(of path: String) -> MboxTurn { all[Int(UInt(bitPattern: path.hashValue) % 64)] }
}
