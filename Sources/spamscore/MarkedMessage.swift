import Bytes
import CommandLineTool
import MessageFormat
import Unix

/// A message with what was concluded written into it: fields of our own at the top, foreign ones of that name removed at
/// every place of the header, everything else byte for byte.
struct MarkedMessage {
    private let message: [UInt8]
    private let verdict: Verdict
    private let options: MarkingOptions
    private let template: ReportTemplate
    private let lineEnd: [UInt8]
    /// After an mbox line.
    private let start: Int
    /// Where our fields go: after lines that continue nothing and would continue ours.
    private let top: Int
    /// At the empty line, or the end.
    private let headerEnd: Int

    init(_ message: [UInt8], _ verdict: Verdict, _ options: MarkingOptions) {
        self.message = message
        self.verdict = verdict
        self.options = options
        let bytes = message.span
        let first = bytes.line(at: 0)
        lineEnd = first.isTerminated && first.next - first.content.upperBound == 2 ? [ASCII.cr, ASCII.lf] : [ASCII.lf]
        start = MboxLine(bytes)?.next ?? 0
        template = ReportTemplate(
            verdict, options, TemplateSource(start == 0 ? message : Array(message[start...]), options.plan))
        headerEnd = MarkedMessage.headerEnd(bytes, from: start)
        var top = start
        while top < headerEnd, bytes[top].isSpaceOrTab { top = bytes.line(at: top).next }
        self.top = top
    }

    private static func headerEnd(_ bytes: Span<UInt8>, from start: Int) -> Int {
        var place = start
        while place < bytes.count {
            let line = bytes.line(at: place)
            if line.content.isEmpty { break }
            place = line.next
        }
        return place
    }

    /// The whole message, marked; spam wrapped when report_safe asks for it.
    func bytes() -> [UInt8] {
        verdict.isSpam && options.wrapping > 0 ? wrapped() : header(isAlone: false) + message[headerEnd...]
    }

    /// The header of the marked message, with its empty line. Its body is with whoever asks for the header alone, so that
    /// spam is not wrapped.
    func header() -> [UInt8] { header(isAlone: true) }

    /// What goes before the body; `isAlone` with the empty line that the body begins with.
    private func header(isAlone: Bool) -> [UInt8] {
        // A message without a header gets the empty line that tells its text from our fields.
        if headerEnd > start, !hasField {
            return message[..<start] + marks() + lineEnd + (isAlone ? [] : message[start..<headerEnd])
        }
        let fields = message[..<top] + marks() + kept { _ in true }
        guard isAlone, headerEnd < message.count else { return fields }
        return fields + message[headerEnd..<message.span.line(at: headerEnd).next]
    }

    /// Whether the header has a field at all.
    private var hasField: Bool {
        var scan = message.span.extracting(top..<headerEnd)
        while !scan.isEmpty {
            let line = scan.line(at: 0)
            if let colon = scan.firstIndex(of: ASCII.colon, in: line.content), colon > 0 { return true }
            scan = scan.extracting(line.next..<scan.count)
        }
        return false
    }

    // MARK: Fields

    /// Our fields.
    private func marks() -> [UInt8] {
        var result: [UInt8] = []
        for field in options.fields {
            switch field.audience {
            case .all: break
            case .spam: if !verdict.isSpam { continue }
            case .ham: if verdict.isSpam { continue }
            }
            let value = template.filled(field.template)
            result +=
                value.isASCII
                ? MarkedMessage.folded("X-Spam-\(field.name): \(value)", lineEnd)
                : composed("X-Spam-\(field.name)", value) + lineEnd
        }
        return result
    }

    /// A field with encoded words (RFC 2047), without its last line end.
    private func composed(_ name: String, _ value: String) -> [UInt8] {
        let lines = HeaderComposition.field(name, value).split(separator: ASCII.lf).map { $0.filter { $0 != ASCII.cr } }
        return Array(lines.joined(separator: lineEnd))
    }

    /// A field in lines of at most 78 characters where spaces and commas allow it.
    static func folded(_ field: String, _ lineEnd: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        for (number, paragraph) in field.split(separator: "\n", omittingEmptySubsequences: true).enumerated() {
            var line: [UInt8] = number == 0 ? [] : [ASCII.tab]
            for piece in pieces(Array(paragraph.utf8)) {
                if line.count > 1, line.count + piece.count > 78 {
                    while line.last == ASCII.space { line.removeLast() }
                    result += line + lineEnd
                    line = [ASCII.tab]
                }
                line += line == [ASCII.tab] && number == 0 ? Array(piece.drop { $0 == ASCII.space }) : piece
            }
            while line.last == ASCII.space { line.removeLast() }
            if line.contains(where: { !$0.isMailWhitespace }) { result += line + lineEnd }
        }
        return result
    }

    /// A line cut after each space and comma.
    private static func pieces(_ line: [UInt8]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var piece: [UInt8] = []
        for byte in line {
            piece.append(byte.isASCIIControl && byte != ASCII.tab ? ASCII.space : byte)
            if byte == ASCII.space || byte == ASCII.comma {
                result.append(piece)
                piece = []
            }
        }
        return result + [piece]
    }

    /// The fields of the message that `isWanted` takes by their names in lower case, without X-Spam ones, and rewritten.
    private func kept(_ isWanted: (String) -> Bool) -> [UInt8] {
        let bytes = message.span
        var result: [UInt8] = []
        var isDropping = false
        var hasSubject = false
        var place = top
        while place < headerEnd {
            let line = bytes.line(at: place)
            if !bytes[place].isSpaceOrTab {
                let name = MarkedMessage.name(bytes, line.content)
                isDropping = name.hasPrefix("x-spam-") || !isWanted(name)
                if name == "subject" { hasSubject = true }
                if !isDropping, rewriting(name) != nil,
                    let colon = bytes.firstIndex(of: ASCII.colon, in: line.content)
                {
                    append(rewritten: name, line, colon, to: &result)
                    place = line.next
                    continue
                }
            }
            if !isDropping { result.append(span: bytes.extracting(place..<line.next)) }
            place = line.next
        }
        if !hasSubject, let text = rewriting("subject") {
            if let last = result.last, last != ASCII.lf { result += lineEnd }
            result += Array("Subject: \(text)".utf8) + lineEnd
        }
        return result
    }

    private static func name(_ bytes: Span<UInt8>, _ line: Range<Int>) -> String {
        guard let colon = bytes.firstIndex(of: ASCII.colon, in: line) else { return "" }
        var name = bytes.array(line.lowerBound..<colon)
        while let last = name.last, last.isSpaceOrTab { name.removeLast() }
        return name.text.asciiLowercased
    }

    /// `Subject: [SPAM] old`; in an address field the text is a comment.
    private func append(rewritten name: String, _ line: LineRange, _ colon: Int, to result: inout [UInt8]) {
        let bytes = message.span
        result.append(span: bytes.extracting(line.content.lowerBound..<colon + 1))
        var rest = bytes.array(colon + 1..<line.next)
        while let first = rest.first, first.isSpaceOrTab { rest.removeFirst() }
        result += Array(" \(rewriting(name) ?? "") ".utf8) + rest
    }

    /// What goes before the value of a field of spam; nil for fields that stay as they are.
    private func rewriting(_ name: String) -> String? {
        guard verdict.isSpam, let text = options.rewrites[name] else { return nil }
        let filled = template.filled(text).utf8.map { $0.isASCIIControl ? ASCII.space : $0 }
        var value = String(decoding: filled, as: UTF8.self)
        if name != "subject" { value = value.replacing("(", with: "[").replacing(")", with: "]") }
        if !value.isASCII {
            value = String(decoding: composed("X", value).dropFirst("X: ".utf8.count), as: UTF8.self)
        }
        return name == "subject" ? value : "(\(value))"
    }

    // MARK: Wrapping

    /// Fields of the original that the wrapping message has too.
    private static let outerFields: Set<String> = [
        "return-path", "delivered-to", "received", "from", "sender", "to", "cc", "subject", "date", "message-id",
        "list-id",
    ]

    /// The report as a message of its own, with the original inside it, unchanged.
    private func wrapped() -> [UInt8] {
        let original = message[start...]
        let boundary = boundary(original)
        let end = String(decoding: lineEnd, as: UTF8.self)
        let report = reportText()
        let charset = report.utf8.allSatisfy { $0 < 0x80 } ? "us-ascii" : "utf-8"
        var head = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"\(boundary)\"\n\n"
        head += "This is a multi-part message in MIME format.\n\n--\(boundary)\n"
        head += "Content-Type: text/plain; charset=\(charset)\nContent-Disposition: inline\n"
        head += "Content-Transfer-Encoding: 8bit\n\n\(report)\n--\(boundary)\n"
        if options.wrapping == 1 {
            head += "Content-Type: message/rfc822; x-spam-type=original\n"
        } else {
            head += "Content-Type: text/plain; charset=iso-8859-1; name=\"original.txt\"; x-spam-type=original\n"
        }
        head += "Content-Description: original message\nContent-Disposition: attachment\n"
        head += "Content-Transfer-Encoding: 8bit\n\n"
        let lines = head.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: end)
        var result = Array(message[..<start]) + marks()
        result += MarkedMessage.tidied(kept { MarkedMessage.outerFields.contains($0) }, lineEnd)
        result += Array(lines.utf8) + original
        return result + Array("\(end)--\(boundary)--\(end)".utf8)
    }

    /// Fields as they may stand in a header of ours: no space before the colon, no lone CR, no NUL, one kind of line
    /// end, no line of white space.
    private static func tidied(_ fields: [UInt8], _ lineEnd: [UInt8]) -> [UInt8] {
        let bytes = fields.span
        var result: [UInt8] = []
        var place = 0
        while place < bytes.count {
            let line = bytes.line(at: place)
            var content = bytes.array(line.content).filter { $0 != ASCII.cr && $0 != ASCII.nul }
            if !bytes[place].isSpaceOrTab, let colon = content.firstIndex(of: ASCII.colon) {
                let name = content[..<colon].prefix { !$0.isSpaceOrTab }
                content.removeSubrange(name.endIndex..<colon)
            }
            if content.contains(where: { !$0.isMailWhitespace }) { result += content + lineEnd }
            place = line.next
        }
        return result
    }

    /// A boundary that stands nowhere in the original: the same for the same message.
    private func boundary(_ original: ArraySlice<UInt8>) -> String {
        var sum = FNV1a()
        sum.add(original)
        var hash = sum.value
        while true {
            let boundary = "----------=_spamscore_\(String(hash, radix: 16))"
            if !MarkedMessage.contains(original, Array(boundary.utf8)) { return boundary }
            hash = hash &* 0x9E37_79B9_7F4A_7C15 &+ 1
        }
    }

    private static func contains(_ text: ArraySlice<UInt8>, _ word: [UInt8]) -> Bool {
        var place = text.startIndex
        while let start = text[place...].firstIndex(of: word[0]), text.endIndex - start >= word.count {
            if text[start..<start + word.count].elementsEqual(word) { return true }
            place = start + 1
        }
        return false
    }

    // MARK: Report

    /// The report of REPORT and of wrapped messages, with LF line ends.
    func reportText() -> String { template.report }
}
