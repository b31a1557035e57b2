import Bytes
import Unix

/// What a look at the whole of an mbox tells: its variant, how surely and why, and how much it holds.
package struct MboxSurvey: Equatable, Sendable {
    /// The variant that it is read as.
    package let format: MboxFormat
    /// Why that variant, for people: `41 lines ">>From", no Content-Length`.
    package let reason: String
    /// False when another variant would fit as well.
    package let isCertain: Bool
    package let messages: Int
    /// The bytes of all messages, without From_ lines and the blank lines between messages.
    package let bytes: Int
    package let findings: MboxFindings

    /// Reads `file`, a regular file at its start or a pipe, to its end.
    package init(_ file: consuming FileDescriptor) throws(MailboxError) {
        var reader: MboxReader
        // Read as mboxcl, all that tells the variants apart comes to light.
        do throws(SystemError) { reader = try MboxReader(file, format: .mboxcl) } catch { throw .system(error) }
        var bytes = 0
        var lines = CountedLines()
        var counted = 0
        var first = FirstMessage()
        while let event = try reader.next() {
            switch event {
            case .begin: counted = reader.scanner.countedMessages
            case .content(let range):
                bytes += range.count
                if reader.scanner.messageCount == 1 { first.add(reader.buffer.span, range) }
                if reader.scanner.countedMessages > counted { lines.look(at: reader.buffer.span, range) }
            case .end, .look: break
            }
        }
        self.init(reader.scanner, bytes: bytes, lines: lines, first: first)
    }

    /// Looks at the start of a mailbox that can be read only once. Nil when that does not tell the variant: a message in
    /// it has a `Content-Length`, and `isWhole` does not say that nothing follows.
    package init?(start bytes: [UInt8], isWhole: Bool) throws(MailboxError) {
        var scanner = MboxScanner(format: .mboxcl)
        var size = 0
        var lines = CountedLines()
        var counted = 0
        var first = FirstMessage()
        do throws(MboxError) {
            while let event = try scanner.next(in: bytes.span, isFinal: isWhole) {
                switch event {
                case .begin: counted = scanner.countedMessages
                case .content(let range):
                    size += range.count
                    if scanner.messageCount == 1 { first.add(bytes.span, range) }
                    if scanner.countedMessages > counted { lines.look(at: bytes.span, range) }
                case .look: return nil
                case .end: break
                }
            }
        } catch {
            throw .notMailbox(firstBytes: Array(bytes[scanner.consumed...].prefix(16)))
        }
        if !isWhole, scanner.countedMessages > 0 || scanner.findings.places[.badContentLength] != nil { return nil }
        self.init(scanner, bytes: size, lines: lines, first: first)
    }

    /// The variant as far as the start of a mailbox tells it, for those who cannot look at all of it.
    package static func format(ofStart bytes: [UInt8], isWhole: Bool) -> MboxFormat {
        var scanner = MboxScanner(format: .mboxcl)
        var lines = CountedLines()
        var counted = 0
        while let event = try? scanner.next(in: bytes.span, isFinal: isWhole) {
            switch event {
            case .begin: counted = scanner.countedMessages
            case .content(let range): if scanner.countedMessages > counted { lines.look(at: bytes.span, range) }
            case .look: scanner.waitForContent()
            case .end: break
            }
        }
        return MboxSurvey(scanner, bytes: 0, lines: lines, first: FirstMessage()).format
    }

    /// The first message of a mailbox, which may be a mail program's own data.
    private struct FirstMessage {
        private var start: [UInt8] = []
        var size = 0

        mutating func add(_ bytes: Span<UInt8>, _ range: Range<Int>) {
            size += range.count
            if start.count < MessageHead.limit { start.append(span: bytes.extracting(range)) }
        }

        var isInternalData: Bool { MessageHead(start: start, isComplete: true)?.isInternalData ?? false }
    }

    /// Lines in counted bodies that tell whether these are quoted.
    private struct CountedLines {
        var unquoted = 0
        var quoted = 0

        mutating func look(at bytes: Span<UInt8>, _ range: Range<Int>) {
            var start = range.lowerBound
            while let place = bytes.firstIndex(of: "From ", in: start..<range.upperBound) {
                start = place + 5
                guard place > range.lowerBound else { continue }
                if bytes[place - 1] == ASCII.lf { unquoted += 1 }
                if bytes[place - 1] == ASCII.greater, place - 1 == range.lowerBound || bytes[place - 2] == ASCII.lf {
                    quoted += 1
                }
            }
        }
    }

    private init(_ scanner: MboxScanner, bytes: Int, lines: CountedLines, first: FirstMessage) {
        var findings = scanner.findings
        var messages = scanner.messageCount
        var bytes = bytes
        if messages > 0, first.isInternalData {
            findings.add(.internalData, at: 0)
            messages -= 1
            bytes -= first.size
        }
        self.messages = messages
        let counted = scanner.countedMessages
        let wrong = scanner.findings.places[.badContentLength]?.count ?? 0
        let quoted = scanner.quotedOnce + scanner.quotedTwice
        if counted > 0, Self.isCounted(lines, counted: counted, wrong: wrong, of: messages, quotedElsewhere: quoted) {
            let right = "Content-Length right in \(counted) of \(messages) message\(messages == 1 ? "" : "s")"
            if lines.quoted > 0, lines.unquoted == 0 {
                format = .mboxcl
                // What is quoted elsewhere may be so as mboxrd does it.
                isCertain = quoted == 0
                reason =
                    "\(right), \(Self.count(lines.quoted, "line")) \">From\" in them"
                    + (isCertain ? "" : ", \(quoted) elsewhere")
            } else {
                format = .mboxcl2
                isCertain = lines.unquoted > 0
                reason =
                    isCertain
                    ? "\(right), \(Self.count(lines.unquoted, "line")) \"From\" in them"
                    : "\(right), no \"From\" lines; mboxcl is possible"
            }
            self.bytes = bytes
        } else {
            findings.remove(.missingContentLength)
            let lengths = counted + wrong == 0 ? "no Content-Length" : "Content-Length wrong or rare"
            format = .mboxrd
            isCertain = scanner.quotedTwice > 0
            if scanner.quotedTwice > 0 {
                reason = "\(Self.count(scanner.quotedTwice, "line")) \">>From\", \(lengths)"
            } else if quoted > 0 {
                reason = "\(Self.count(quoted, "line")) \">From\", \(lengths); mboxo is possible"
            } else {
                reason = "no quoted lines, \(lengths)"
            }
            self.bytes = bytes - quoted
        }
        self.findings = findings
    }

    /// Whether the lengths are those of the variants that count. A From_ line within a body whose length is right stands in
    /// no other variant; a quoted one there shows that the quotes were counted, and so added before.
    private static func isCounted(
        _ lines: CountedLines, counted: Int, wrong: Int, of messages: Int, quotedElsewhere: Int
    ) -> Bool {
        lines.unquoted > 0 || (lines.quoted > 0 && lines.quoted >= quotedElsewhere)
            || (counted >= wrong && counted * 2 >= messages)
    }

    private static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
