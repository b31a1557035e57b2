import Bytes
import Mailboxes
import Unix

/// Turns messages into the bytes of a mailbox that is one file, in a buffer that the caller empties.
protocol MessageEncoder: AnyObject {
    /// Bytes that were written may have to be patched later.
    var patchesOutput: Bool { get }
    /// What is appended goes behind all that is there; else the end of that is written anew.
    var appendsInPlace: Bool { get }
    /// Writing begins at this place of the file, which lacks so many line ends before another message may follow.
    func start(at offset: Int, missingLineEnds: Int)
    /// A message begins; `canPatch` says whether bytes that were written can be.
    func begin(_ envelope: Envelope, _ head: MessageHead, canPatch: Bool)
    func write(_ bytes: Span<UInt8>)
    func end()
    /// What ends the file.
    func finish()
    /// How many bytes are to be written now.
    var readyCount: Int { get }
    /// Gives them to `write`, with what is to be patched of what was written; they are done with then.
    func drain(_ write: (Span<UInt8>, [MboxWriter.Patch]) throws -> Void) rethrows
    /// Something that was written is to be patched.
    var hasPatches: Bool { get }
}

/// The messages of an mbox.
final class MboxEncoder: MessageEncoder {
    private var writer: MboxWriter
    private let stripsStatus: Bool

    init(format: MboxFormat, crlf: Bool, stripsStatus: Bool) {
        writer = MboxWriter(format: format, crlf: crlf)
        self.stripsStatus = stripsStatus
    }

    var patchesOutput: Bool { writer.format.countsContent }
    var appendsInPlace: Bool { true }
    var readyCount: Int { writer.readyCount }
    var hasPatches: Bool { !writer.patches.isEmpty }

    func start(at offset: Int, missingLineEnds: Int) {
        writer.start(at: offset)
        writer.writeLineEnds(missingLineEnds)
    }

    func begin(_ envelope: Envelope, _ head: MessageHead, canPatch: Bool) {
        let sender = envelope.batch?.reversePath ?? head.sender ?? []
        let fromLine =
            envelope.fromLine
            ?? FromLine.compose(sender: sender, date: envelope.received ?? head.date ?? SystemClock.now.seconds)
        // Between mboxes the fields of the store stay where they are.
        let isFromMbox = envelope.fromLine != nil
        let writesStatus = !isFromMbox && !stripsStatus
        let stored = head.stored(
            removingStatus: !isFromMbox || stripsStatus, adding: writesStatus ? envelope.flags : nil,
            keywords: envelope.keywords, lineEnd: head.lineEnd)
        writer.begin(
            fromLine: fromLine, header: stored.bytes, fieldsEnd: stored.fieldsEnd,
            lastLineEnd: !canPatch && envelope.lastLineEnd == .uncertain ? .present : envelope.lastLineEnd)
    }

    func write(_ bytes: Span<UInt8>) { writer.write(bytes) }
    func end() { writer.end() }
    func finish() {}

    func drain(_ write: (Span<UInt8>, [MboxWriter.Patch]) throws -> Void) rethrows { try writer.drain(write) }
}

/// The messages of batch SMTP: what a client would say. A message whose lines end with LF goes by DATA, with CRLF; one
/// with a CR in it, or without a line end at its end, by BDAT (RFC 3030), which keeps every byte.
final class BatchEncoder: MessageEncoder {
    /// A message is held up to this size until it is known how it can go.
    private static let holdLimit = 4 << 20

    private enum State { case held, chunks }

    private var output: [UInt8] = []
    private(set) var readyCount = 0
    private var message: [UInt8] = []
    private var state = State.held
    private var hasGreeted = false
    private var lines: [UInt8] = []

    var patchesOutput: Bool { false }
    var appendsInPlace: Bool { false }
    var hasPatches: Bool { false }

    func start(at offset: Int, missingLineEnds: Int) { hasGreeted = offset > 0 }

    func begin(_ envelope: Envelope, _ head: MessageHead, canPatch: Bool) {
        greet()
        state = .held
        lines = envelopeLines(envelope, head)
        message = envelope.fromLine == nil ? head.bytes : head.stored(removingStatus: true).bytes
    }

    private func greet() {
        if !hasGreeted { output += Array("EHLO \(Host.name)\r\n".utf8) }
        hasGreeted = true
    }

    private func envelopeLines(_ envelope: Envelope, _ head: MessageHead) -> [UInt8] {
        var notes = envelope.received.map { " arrived=\(BatchTime.text($0))" } ?? ""
        let flags = envelope.flags.maildirLetters
        if envelope.flags.belongsInCur { notes += " flags=\(flags.isEmpty ? "-" : flags.text)" }
        if !envelope.keywords.isEmpty {
            notes += " keywords=\(Array(envelope.keywords.joined(separator: [ASCII.comma])).text)"
        }
        var text = notes.isEmpty ? [] : Array("NOOP\(notes)\r\n".utf8)
        let sender = envelope.batch?.reversePath ?? envelope.sender ?? head.sender ?? []
        text += Array("MAIL FROM:<".utf8) + Self.path(sender) + [ASCII.greater, ASCII.cr, ASCII.lf]
        var recipients = envelope.batch?.recipients ?? []
        if recipients.isEmpty { recipients = head.recipients }
        if recipients.isEmpty { recipients = [Array("postmaster".utf8)] }
        for recipient in recipients {
            text += Array("RCPT TO:<".utf8) + Self.path(recipient) + [ASCII.greater, ASCII.cr, ASCII.lf]
        }
        return text
    }

    /// An address as a path; what cannot be one, as `MAILER-DAEMON` cannot, is the null path.
    private static func path(_ address: [UInt8]) -> [UInt8] {
        if address.equalsIgnoringCase("postmaster") { return address }
        let isPath =
            address.contains(ASCII.at) && address.count <= 254
            && address.allSatisfy { $0 > ASCII.space && $0 != ASCII.delete && $0 != ASCII.less && $0 != ASCII.greater }
        return isPath ? address : []
    }

    func write(_ bytes: Span<UInt8>) {
        message.append(span: bytes)
        guard message.count > Self.holdLimit else { return }
        if state == .held { output += lines }
        state = .chunks
        appendChunk(isLast: false)
    }

    private func appendChunk(isLast: Bool) {
        output += Array("BDAT \(message.count)\(isLast ? " LAST" : "")\r\n".utf8)
        output += message
        message.removeAll(keepingCapacity: true)
        readyCount = output.count
    }

    func end() {
        if state == .held {
            let isText = (message.isEmpty || message.last == ASCII.lf) && !message.contains(ASCII.cr)
            if isText {
                output += lines
                appendData()
            } else {
                output += Self.binary(lines)
                appendChunk(isLast: true)
            }
        } else {
            appendChunk(isLast: true)
        }
        readyCount = output.count
    }

    /// The envelope with the word that lines which do not end with CRLF ask for.
    private static func binary(_ lines: [UInt8]) -> [UInt8] {
        guard let place = lines.span.firstIndex(of: "\r\nRCPT", in: 0..<lines.count) else { return lines }
        return lines[..<place] + Array(" BODY=BINARYMIME".utf8) + lines[place...]
    }

    private func appendData() {
        output += Array("DATA\r\n".utf8)
        let content = message
        message = []
        let span = content.span
        var start = 0
        while let lf = span.firstIndex(of: ASCII.lf, from: start) {
            if span[start] == ASCII.dot { output.append(ASCII.dot) }
            output.append(span: span.extracting(start..<lf))
            output += [ASCII.cr, ASCII.lf]
            start = lf + 1
        }
        output += [ASCII.dot, ASCII.cr, ASCII.lf]
    }

    func finish() {
        guard hasGreeted else { return }
        output += Array("QUIT\r\n".utf8)
        readyCount = output.count
    }

    func drain(_ write: (Span<UInt8>, [MboxWriter.Patch]) throws -> Void) rethrows {
        var taken: [UInt8] = []
        swap(&taken, &output)
        try write(taken.span.extracting(0..<readyCount), [])
        taken.removeFirst(readyCount)
        output = taken
        readyCount = 0
    }
}
