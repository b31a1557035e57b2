import Bytes
import CommandLineTool
import Delivery
import Glibc
import Mailboxes
import SMTP
import Synchronization
import Unix

/// Messages written to standard output, whole ones one after the other, before they are answered.
final class Capture: Sendable {
    enum Format: String, Sendable { case mboxrd, bsmtp }

    private let format: Format
    private let hostName: String
    private let hasBegun = Mutex(false)

    init(_ format: Format, hostName: String) {
        self.format = format
        self.hostName = hostName
    }

    /// Writes a message. Blocks.
    func write(_ message: MessageContent, _ envelope: Envelope) throws(SystemError) {
        try hasBegun.withLock { hasBegun throws(SystemError) in
            let start = format == .bsmtp && !hasBegun ? Array("EHLO \(hostName)\r\n".utf8) : []
            hasBegun = true
            if format == .mboxrd {
                try writeMboxrd(message, envelope)
            } else {
                try writeBatch(start, message, envelope)
            }
        }
    }

    /// Ends the stream.
    func end() {
        let hasBegun = hasBegun.withLock { $0 }
        if format == .bsmtp, hasBegun { try? StandardOutput.write(Array("QUIT\r\n".utf8)) }
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
