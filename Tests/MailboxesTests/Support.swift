import Bytes
import Mailboxes

/// A mailbox taken apart: each message with its From_ line, and what the scanner found.
struct Scanned: Equatable {
    var messages: [[UInt8]] = []
    var fromLines: [String] = []
    var findings: [String: Int] = [:]

    var texts: [String] { messages.map(\.text) }
}

/// Scans `mailbox` given in pieces of `step` bytes (all at once when 0), answering looks as a reader of files does when
/// `looks` is set.
func scan(_ mailbox: [UInt8], _ format: MboxFormat, step: Int = 0, looks: Bool = true) throws -> Scanned {
    var scanner = MboxScanner(format: format)
    var result = Scanned()
    var buffer: [UInt8] = []
    var given = 0
    var isOpen = false
    // The end is told after the last bytes, or with them.
    var ended = step == 0
    while true {
        let end = step == 0 ? mailbox.count : min(given + step, mailbox.count)
        buffer += mailbox[given..<end]
        given = end
        while let event = try scanner.next(in: buffer.span, isFinal: ended) {
            switch event {
            case .begin(let line, let offset):
                precondition(!isOpen && mailbox[offset...].starts(with: buffer[line]))
                isOpen = true
                result.messages.append([])
                result.fromLines.append(buffer[line].text)
            case .content(let range): result.messages[result.messages.count - 1] += buffer[range]
            case .end:
                precondition(isOpen)
                isOpen = false
            case .look(let offset):
                if !looks {
                    scanner.waitForContent()
                } else if offset > mailbox.count {
                    scanner.answer(nil)
                } else {
                    let end = min(offset + MboxScanner.lookLength, mailbox.count)
                    let bytes = Array(mailbox[offset..<end])
                    scanner.answer(bytes.span)
                }
            }
        }
        buffer.removeFirst(scanner.consumed)
        scanner.dropConsumed()
        if given == mailbox.count, ended { break }
        ended = given == mailbox.count
    }
    precondition(!isOpen && buffer.isEmpty)
    for finding in scanner.findings.sorted { result.findings[finding.id.rawValue] = finding.places.count }
    return result
}

/// The header of a message that is all there.
func wholeHead(_ message: [UInt8]) -> MessageHead {
    guard let head = MessageHead(start: message, isComplete: true) else { preconditionFailure("a head needs no more") }
    return head
}

/// Writes messages as an mbox, each given in pieces of `step` bytes.
func write(_ messages: [[UInt8]], _ format: MboxFormat, crlf: Bool = false, step: Int = 0) -> [UInt8] {
    var writer = MboxWriter(format: format, crlf: crlf)
    var file: [UInt8] = []
    for message in messages {
        let head = wholeHead(message)
        writer.begin(
            fromLine: FromLine.compose(sender: Array("a@example.org".utf8), date: 1_093_084_063),
            header: head.bytes, fieldsEnd: head.fieldsEnd)
        var rest = message[head.bytes.count...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(step == 0 ? rest.count : step))
            writer.write(piece.span)
            rest = rest.dropFirst(piece.count)
        }
        writer.end()
        file += writer.output[..<writer.readyCount]
        for patch in writer.patches {
            file.replaceSubrange(patch.offset..<patch.offset + patch.bytes.count, with: patch.bytes)
        }
        writer.removeReady()
    }
    return file
}

/// A small generator with a fixed seed (xorshift64*).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
}

/// A message made of the lines that trouble mailboxes.
func randomMessage(_ generator: inout SeededGenerator) -> [UInt8] {
    let lines = [
        "From ", "From x@y Thu Jan  1 00:00:00 1970", "From here on", ">From a", ">>>From a@b", ">", ">>", "Fro", "F",
        "", "", "a", "Subject: x", "X: y", "\u{0}", "From: a@b", "\r", "x\rFrom ", ">From", " From ", "Received: z",
    ]
    var message: [UInt8] = []
    if Bool.random(using: &generator) { message += Array("Subject: t\nX-A: b\n\n".utf8) }
    for _ in 0..<Int.random(in: 0...8, using: &generator) {
        message += Array((lines.randomElement(using: &generator) ?? "").utf8)
        switch Int.random(in: 0...9, using: &generator) {
        case 0: message += [13, 10]
        case 1: break
        default: message += [10]
        }
    }
    return message
}
