import Bytes
import CommandLineTool
import Delivery
import Glibc
import Mailboxes
import SMTP
import Synchronization
import Unix

/// Messages written to standard output, whole ones one after the other, before they are answered; to a file, synced.
final class Capture: Sendable {
    enum Format: String, Sendable { case mboxrd, bsmtp }

    private struct State {
        var hasBegun = false
        /// A part of a message stands at the end, which cannot be taken back: nothing may follow it.
        var damage: SystemError?
    }

    private let format: Format
    private let hostName: String
    private let state = Mutex(State())

    init(_ format: Format, hostName: String) {
        self.format = format
        self.hostName = hostName
    }

    /// Writes a message; of one that cannot be written, nothing stays in a file. Blocks.
    func write(_ message: MessageContent, _ envelope: Envelope) throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            if let damage = state.damage { throw damage }
            let place = StandardOutput.place
            do throws(SystemError) {
                if format == .mboxrd {
                    try writeMboxrd(message, envelope)
                } else {
                    let start = state.hasBegun ? [] : Array("EHLO \(hostName)\r\n".utf8)
                    try writeBatch(start, message, envelope)
                }
                if place != nil { try StandardOutput.synchronize() }
                state.hasBegun = true
            } catch {
                if !StandardOutput.cut(to: place) { state.damage = error }
                throw error
            }
        }
    }

    /// Ends the stream.
    func end() {
        let isWhole = state.withLock { $0.hasBegun && $0.damage == nil }
        if format == .bsmtp, isWhole { try? StandardOutput.write(Array("QUIT\r\n".utf8)) }
    }

    private func writeMboxrd(_ message: MessageContent, _ envelope: Envelope) throws(SystemError) {
        let sender = envelope.reversePath.isNull ? "MAILER-DAEMON" : "\(envelope.reversePath)"
        var text = FromLine.compose(sender: Array(sender.utf8), date: SystemClock.now.seconds)
        if text.last != ASCII.lf { text.append(ASCII.lf) }
        text += TraceFields.returnPath(envelope.reversePath)
        for recipient in envelope.recipients { text += TraceFields.deliveredTo(recipient.path) }
        var quoting = LineQuoting(.fromAndQuoted)
        var last = ASCII.lf
        var parts = message.withoutReturnPath.parts
        while let part = parts.next() {
            quoting.write(part.span, into: &text)
            last = part.last ?? last
            if text.count >= MessageContent.partSize { try Capture.writeOut(&text) }
        }
        quoting.finish(into: &text)
        if last != ASCII.lf { text.append(ASCII.lf) }
        text.append(ASCII.lf)
        try Capture.writeOut(&text)
    }

    private static func writeOut(_ text: inout [UInt8]) throws(SystemError) {
        try StandardOutput.write(text)
        text.removeAll(keepingCapacity: true)
    }

    private func writeBatch(
        _ start: [UInt8], _ message: MessageContent, _ envelope: Envelope
    ) throws(SystemError) {
        var text = start + Array("MAIL FROM:<\(envelope.reversePath)>\(envelope.parameters.text)\r\n".utf8)
        for recipient in envelope.recipients {
            text += Array("RCPT TO:<\(recipient.path)>\(recipient.parameters.text)\r\n".utf8)
        }
        if envelope.parameters.body == .binary {
            text += Array("BDAT \(message.count) LAST\r\n".utf8)
            var parts = message.parts
            while let part = parts.next() {
                text += part
                try Capture.writeOut(&text)
            }
            return try Capture.writeOut(&text)
        }
        text += Array("DATA\r\n".utf8)
        var encoder = ClientDataEncoder()
        var parts = message.parts
        while let part = parts.next() {
            encoder.encode(part.span, into: &text)
            if text.count >= MessageContent.partSize { try Capture.writeOut(&text) }
        }
        encoder.finish(into: &text)
        try Capture.writeOut(&text)
    }
}

/// Standard output without a buffer, for what must be out before it is answered for.
private enum StandardOutput {
    /// Where the next byte goes in a file; nil when standard output is none.
    static var place: off_t? {
        var status = stat()
        guard fstat(1, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return fcntl(1, F_GETFL) & O_APPEND != 0 ? status.st_size : lseek(1, 0, SEEK_CUR)
    }

    /// Takes back what was written to a file after `place`; false when that cannot be.
    static func cut(to place: off_t?) -> Bool {
        guard let place else { return false }
        return ftruncate(1, place) == 0 && lseek(1, place, SEEK_SET) >= 0
    }

    static func synchronize() throws(SystemError) {
        guard fdatasync(1) == 0 else { throw .last("synchronize", "standard output") }
    }

    static func write(_ bytes: [UInt8]) throws(SystemError) {
        var sent = 0
        while sent < bytes.count {
            // Safe: the part lies within the array.
            let count = bytes[sent...].withUnsafeBytes { part in
                retryingOnInterrupt { Glibc.write(1, part.baseAddress, part.count) }
            }
            guard count >= 0 else { throw .last("write to", "standard output") }
            sent += count
        }
    }
}
