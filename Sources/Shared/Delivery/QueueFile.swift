import Bytes
import SMTP
import Unix

/// A message with its envelope as batch SMTP (RFC 2442): the commands of a client in one file. NOOP carries what SMTP has
/// no command for, so that the file can still be played to any server.
///
///     EHLO mail.example.org
///     NOOP id=06TF2K8M4Q1-A7F2 arrived=2026-11-24T10:00:00Z
///     MAIL FROM:<a@example.org> BODY=8BITMIME
///     RCPT TO:<b@example.net> NOTIFY=FAILURE,DELAY
///     DATA
///     ...
///     .
///     QUIT
package struct QueueFile: Sendable {
    package let envelope: QueuedEnvelope
    /// Where the message stands in the file: with a dot before each line that begins with one, without the final dot;
    /// or as it is, when `isStuffed` is false (BDAT).
    package let content: Range<Int>
    package let isStuffed: Bool

    /// Why a file cannot be used.
    package struct Problem: Error, Equatable, CustomStringConvertible {
        package let description: String
        init(_ description: String) { self.description = description }
    }

    // MARK: - Writing

    /// What stands before DATA or BDAT.
    static func head(_ envelope: QueuedEnvelope, _ id: QueueID) -> [UInt8] {
        var text = "EHLO \(Host.name)\r\nNOOP id=\(id) arrived=\(QueueTime.text(envelope.arrival))"
        text += envelope.requiresStatus ? " dsn=require\r\n" : "\r\n"
        text += "MAIL FROM:<\(envelope.reversePath)>\(envelope.parameters.text)\r\n"
        for recipient in envelope.recipients { text += "RCPT TO:<\(recipient.path)>\(recipient.parameters.text)\r\n" }
        return Array(text.utf8)
    }

    // MARK: - Reading

    /// Reads a file; `arrival` stands in for a time of arrival that the file does not give. Line ends may be CRLF or LF:
    /// people edit with what they have.
    package init(_ bytes: Span<UInt8>, arrival: Int) throws(Problem) {
        guard let (file, end) = try QueueFile.next(in: bytes, from: 0, arrival: arrival) else {
            throw Problem("ends before DATA")
        }
        guard try QueueFile.next(in: bytes, from: end, arrival: arrival) == nil else {
            throw Problem("has more than one message: queue them with --batch")
        }
        self = file
    }

    private init(envelope: QueuedEnvelope, content: Range<Int>, isStuffed: Bool) {
        self.envelope = envelope
        self.content = content
        self.isStuffed = isStuffed
    }

    /// The next message of a batch, at or after `start`, and the place behind it; nil when there is none.
    package static func next(
        in bytes: Span<UInt8>, from start: Int, arrival: Int
    ) throws(Problem) -> (file: QueueFile, end: Int)? {
        var envelope = QueuedEnvelope(reversePath: "", recipients: [], arrival: arrival)
        var hasSender = false
        var place = start
        while place < bytes.count {
            let line = bytes.line(at: place)
            let text = bytes.array(line.content)
            place = line.next
            let verb = text.prefix { $0 != ASCII.space }.map(\.asciiUppercased).text
            switch verb {
            case "EHLO", "HELO", "LHLO", "QUIT", "": break
            case "RSET":
                envelope = QueuedEnvelope(reversePath: "", recipients: [], arrival: arrival)
                hasSender = false
            case "NOOP": QueueFile.note(text, &envelope)
            case "MAIL":
                guard !hasSender else { throw Problem("has a MAIL within a transaction") }
                hasSender = true
                try QueueFile.readMail(text, &envelope)
            case "RCPT": try QueueFile.readRecipient(text, &envelope)
            case "DATA", "BDAT":
                guard hasSender, !envelope.recipients.isEmpty else {
                    throw Problem("has no MAIL or no RCPT before \(verb)")
                }
                let isStuffed = verb == "DATA"
                let content =
                    isStuffed
                    ? try QueueFile.dataRange(bytes, from: place) : try QueueFile.chunkRange(text, bytes, from: place)
                let end = isStuffed ? bytes.line(at: content.upperBound).next : content.upperBound
                return (QueueFile(envelope: envelope, content: content, isStuffed: isStuffed), end)
            default: throw Problem("has a line that is no command of batch SMTP: \(text.prefix(60).text)")
            }
        }
        if hasSender { throw Problem("ends before DATA") }
        return nil
    }

    private static func note(_ line: [UInt8], _ envelope: inout QueuedEnvelope) {
        for word in line.split(separator: ASCII.space) {
            let text = word.text
            if text.hasPrefix("arrived="), let time = QueueTime.epoch(String(text.dropFirst(8))) {
                envelope.arrival = time
            }
            if text == "dsn=require" { envelope.requiresStatus = true }
        }
    }

    private static func readMail(_ line: [UInt8], _ envelope: inout QueuedEnvelope) throws(Problem) {
        let (path, parameters) = try split(line, "MAIL FROM:")
        envelope.reversePath = path
        for (keyword, value) in parameters where keyword != "SIZE" && keyword != "AUTH" {
            guard envelope.parameters.take(keyword: keyword, value: value) else {
                throw Problem("has a parameter of MAIL that cannot be read: \(keyword)")
            }
        }
    }

    private static func readRecipient(_ line: [UInt8], _ envelope: inout QueuedEnvelope) throws(Problem) {
        let (path, parameters) = try split(line, "RCPT TO:")
        guard !path.isEmpty else { throw Problem("has a recipient without an address") }
        var recipient = QueuedEnvelope.Recipient(path: path)
        for (keyword, value) in parameters {
            guard recipient.parameters.take(keyword: keyword, value: value) else {
                throw Problem("has a parameter of RCPT that cannot be read: \(keyword)")
            }
        }
        envelope.recipients.append(recipient)
    }

    /// The path between the angle brackets, and the parameters behind it.
    private static func split(
        _ line: [UInt8], _ start: StaticString
    ) throws(Problem) -> (path: String, parameters: [(keyword: String, value: String?)]) {
        let count = start.utf8CodeUnitCount
        let rest = line.dropFirst(count).drop { $0 == ASCII.space }
        guard line.prefix(count).equalsIgnoringCase(start), rest.first == ASCII.less,
            let end = endOfPath(rest.dropFirst())
        else { throw Problem("has a line that cannot be read: \(line.prefix(60).text)") }
        let parameters = line[(end + 1)...].split(separator: ASCII.space).map { word in
            let sides = word.split(separator: ASCII.equals, maxSplits: 1, omittingEmptySubsequences: false)
            return (sides[0].map(\.asciiUppercased).text, sides.count == 2 ? sides[1].text : nil)
        }
        return (rest[(rest.startIndex + 1)..<end].text, parameters)
    }

    /// The place of the `>` that is not within quotes.
    private static func endOfPath(_ bytes: ArraySlice<UInt8>) -> Int? {
        var isQuoted = false
        var isEscaped = false
        for (index, byte) in zip(bytes.indices, bytes) {
            if byte == ASCII.quote, !isEscaped { isQuoted.toggle() }
            if byte == ASCII.greater, !isQuoted { return index }
            isEscaped = isQuoted && byte == ASCII.backslash && !isEscaped
        }
        return nil
    }

    /// Up to the line that is a dot alone.
    private static func dataRange(_ bytes: Span<UInt8>, from start: Int) throws(Problem) -> Range<Int> {
        var place = start
        while place < bytes.count {
            guard bytes[place] == ASCII.dot else {
                guard let lf = bytes.firstIndex(of: ASCII.lf, from: place) else { break }
                place = lf + 1
                continue
            }
            let line = bytes.line(at: place)
            if line.content.count == 1, line.isTerminated { return start..<place }
            place = line.next
        }
        throw Problem("ends within the message: the final dot is missing")
    }

    private static func chunkRange(
        _ line: [UInt8], _ bytes: Span<UInt8>, from start: Int
    ) throws(Problem) -> Range<Int> {
        let words = line.split(separator: ASCII.space)
        guard words.count == 3, words[2].equalsIgnoringCase("LAST"), let size = Int(words[1].text), size >= 0,
            size <= bytes.count - start
        else { throw Problem("has a BDAT that is not of one chunk within the file") }
        return start..<(start + size)
    }
}
