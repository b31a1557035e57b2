import Bytes
import MessageFormat

/// Tests of the parts of a message.
extension EvalTests {
    static let mimeTests: [String: Test] = [
        "check_for_mime_html": { facts, _ in facts.isHTML || facts.parts.htmlCount > 0 ? 1 : 0 },
        "check_for_mime_html_only": { facts, _ in
            facts.isHTML || (facts.parts.htmlCount > 0 && facts.parts.textCount == 0) ? 1 : 0
        },
        "check_for_mime": { facts, arguments in
            let parts = facts.parts
            switch arguments.first {
            case "mime_base64_count": return parts.base64Count > 0 ? 1 : 0
            case "mime_base64_encoded_text": return parts.hasEncodedText ? 1 : 0
            case "mime_qp_count": return parts.qpCount > 0 ? 1 : 0
            case "mime_qp_long_line": return parts.hasLongQPLine ? 1 : 0
            case "mime_missing_boundary": return parts.lacksBoundary ? 1 : 0
            case "mime_multipart_alternative": return parts.hasAlternative ? 1 : 0
            case "mime_ascii_text_illegal": return parts.illegalLines > 0 ? 1 : 0
            case "mime_attachment": return parts.hasAttachment ? 1 : 0
            case "mime_body_html_count": return parts.htmlCount > 0 ? 1 : 0
            case "mime_body_text_count": return parts.textCount > 0 ? 1 : 0
            case "mime_bad_iso_charset": return parts.charsets.contains { isBadISO($0, facts) } ? 1 : 0
            case "mime_faraway_charset":
                guard let locales = facts.locales else { return 0 }
                return parts.charsets.contains { !CharsetLocale.isUsed($0, in: locales) } ? 1 : 0
            default: return 0
            }
        },
        "check_for_ascii_text_illegal": { facts, _ in facts.parts.illegalLines > 0 ? 1 : 0 },
        "check_qp_ratio": { facts, arguments in
            guard let least = arguments.first.flatMap({ Double($0) }) else { return 0 }
            return facts.parts.qpBytes > 0 && Double(facts.parts.qpCount) / Double(facts.parts.qpBytes) >= least ? 1 : 0
        },
        "check_abundant_unicode_ratio": { facts, arguments in
            guard let least = arguments.first.flatMap({ Double($0) }), facts.parts.plainBytes > 0 else { return 0 }
            return Double(facts.parts.entityCount) / Double(facts.parts.plainBytes) >= least ? 1 : 0
        },
        "check_msg_parse_flags": { facts, arguments in
            switch arguments.first {
            case "missing_head_body_separator": return facts.lacksSeparator ? 1 : 0
            case "mime_epilogue_exists": return facts.hasEpilogue ? 1 : 0
            case "missing_mime_headers": return facts.lacksPartHeader ? 1 : 0
            case "missing_mime_head_body_separator": return facts.lacksPartSeparator ? 1 : 0
            default: return 0
            }
        },
        "check_base64_length": { facts, arguments in
            guard let least = arguments.first.flatMap({ Int($0) }) else { return 0 }
            let longest = facts.parts.longestBase64
            if arguments.count > 1, let most = Int(arguments[1]), longest > most { return 0 }
            return longest >= least ? 1 : 0
        },
    ]
}

/// A charset that looks like one of ISO's and is none that mail uses.
private func isBadISO(_ charset: String, _ facts: MessageFacts) -> Bool {
    facts.matches("iso-\\S+-\\S+\\b", charset)
        && !facts.matches("iso-(?:8859-\\d{1,2}|2022-(?:jp|kr))\\b", charset)
}

extension MessageFacts {
    var isHTML: Bool { text("Content-Type").asciiLowercased.hasPrefix("text/html") }

    /// Something but dots follows the last boundary.
    var hasEpilogue: Bool {
        guard let root = structure.parts.first, root.isMultipart, let last = root.children.last else { return false }
        var place = structure.parts[last].bodyEnd
        while place < bytes.count, bytes[place].isMailWhitespace { place += 1 }
        guard place < bytes.count else { return false }
        let rest = bytes[place...]
        let end = rest.firstIndex(of: ASCII.lf) ?? rest.endIndex
        return bytes[end...].contains { !$0.isMailWhitespace && $0 != ASCII.dot }
    }

    /// What follows a boundary is no header field.
    var lacksPartHeader: Bool {
        structure.parts.contains { part in
            guard part.parent.map({ structure.parts[$0].isMultipart }) ?? false, part.headerOffset < bytes.count else {
                return false
            }
            let name = bytes[part.headerOffset...].prefix { (0x21...0x7E).contains($0) && $0 != ASCII.colon }
            return name.isEmpty || name.endIndex == bytes.count || bytes[name.endIndex] != ASCII.colon
        }
    }

    /// The header runs into the body without an empty line.
    var lacksSeparator: Bool { lacksSeparator(before: structure.parts.first?.bodyOffset ?? 0) }

    /// The same of a part.
    var lacksPartSeparator: Bool {
        structure.parts.contains { part in
            part.parent != nil && part.source == 0 && part.bodyOffset > part.headerOffset
                && lacksSeparator(before: part.bodyOffset)
        }
    }

    private func lacksSeparator(before end: Int) -> Bool {
        guard end > 0, end < bytes.count else { return false }
        return
            !(bytes[end - 1] == ASCII.lf
            && (end < 2 || bytes[end - 2] == ASCII.lf
                || (end > 2 && bytes[end - 2] == ASCII.cr && bytes[end - 3] == ASCII.lf)))
    }
}

/// What the parts of a message are, counted.
struct PartCounts {
    private(set) var htmlCount = 0
    private(set) var textCount = 0
    private(set) var base64Count = 0
    private(set) var longestBase64 = 0
    private(set) var hasEncodedText = false
    private(set) var hasAttachment = false
    /// Of all parts, in lower case.
    private(set) var charsets: [String] = []
    private(set) var hasAlternative = false
    private(set) var lacksBoundary = false
    private(set) var hasLongQPLine = false
    private(set) var qpBytes = 0
    private(set) var qpCount = 0
    /// Lines of ASCII text with bytes that ASCII does not have.
    private(set) var illegalLines = 0
    private(set) var plainBytes = 0
    private(set) var entityCount = 0
    /// Bytes of the last plain text for each of the last HTML, in a message with alternatives; 1 else.
    var plainShare: Double {
        guard hasAlternative, let plain = lastPlain, let html = lastHTML, html > 0 else { return 1 }
        return Double(plain) / Double(html)
    }
    private var lastPlain: Int?
    private var lastHTML: Int?

    init(_ facts: MessageFacts) {
        let structure = facts.structure
        let bytes = facts.bytes
        for index in structure.walk() {
            let part = structure.parts[index]
            let type = part.contentType.name
            if type == "multipart/alternative" { hasAlternative = true }
            if part.isMultipart, part.children.isEmpty { lacksBoundary = true }
            guard part.isLeaf else { continue }
            let header = structure.header(of: index, in: bytes.span)
            let encoding = part.encodingName.asciiLowercased
            let isAttachment = header.disposition == "attachment"
            if encoding == "base64" { base64Count += 1 }
            let charset = part.contentType["charset"]?.asciiLowercased
            if isAttachment { hasAttachment = true }
            if let charset, charset.contains(where: \.isLetter), charsets.count < 100 { charsets.append(charset) }
            if type.hasPrefix("text/"), encoding == "base64", !isAttachment,
                ["", "us-ascii", "iso-8859-1", "utf-8"].contains(charset ?? "")
            {
                hasEncodedText = hasEncodedText || (charset ?? "us-ascii") == "us-ascii"
            }
            if !isAttachment {
                if type == "text/html" {
                    htmlCount += 1
                    lastHTML = part.body.count
                }
                if type == "text/plain" {
                    textCount += 1
                    lastPlain = part.body.count
                }
            }
            countLines(bytes, part.body, type, encoding, charset)
        }
    }

    private mutating func countLines(
        _ bytes: [UInt8], _ body: Range<Int>, _ type: String, _ encoding: String, _ charset: String?
    ) {
        guard body.upperBound <= bytes.count else { return }
        let isPlain = type == "text/plain"
        for line in bytes[body].split(separator: ASCII.lf) {
            let line = line.last == ASCII.cr ? line.dropLast() : line
            if encoding == "base64" { longestBase64 = max(longestBase64, line.count) }
            if encoding == "quoted-printable" {
                if line.count > 78 { hasLongQPLine = true }
                qpBytes += line.count + 1
                qpCount += PartCounts.encodedOctets(line)
            }
            if isPlain, charset == nil || charset == "us-ascii",
                line.contains(where: { $0 == 0 || $0 == 13 || $0 >= 0x80 })
            {
                illegalLines += 1
            }
            if isPlain, ["7bit", "8bit"].contains(encoding) {
                let entities = PartCounts.entities(line)
                plainBytes += line.count + 1 - 8 * entities
                entityCount += entities
            }
        }
    }

    /// `=XX` of characters that need no encoding, but for white space at the end of the line.
    private static func encodedOctets(_ line: ArraySlice<UInt8>) -> Int {
        var line = line
        while line.count >= 3, ["=20", "=09"].contains(line.suffix(3).text) { line = line.dropLast(3) }
        var count = 0
        var place = line.startIndex
        while place + 2 < line.endIndex {
            if line[place] == ASCII.equals, let high = line[place + 1].hexadecimalValue,
                let low = line[place + 2].hexadecimalValue
            {
                let value = high << 4 | low
                let isUpper = [line[place + 1], line[place + 2]].allSatisfy { $0 < 0x61 }
                if isUpper, value == 9 || ((0x20...0x7E).contains(value) && value != 0x3D) { count += 1 }
            }
            place += 1
        }
        return count
    }

    /// `&#xHHHH;`
    private static func entities(_ line: ArraySlice<UInt8>) -> Int {
        var count = 0
        var place = line.startIndex
        while place + 7 < line.endIndex {
            if line[place] == UInt8(ascii: "&"), line[place + 1] == UInt8(ascii: "#"),
                line[place + 2] == UInt8(ascii: "x"),
                line[place + 7] == ASCII.semicolon,
                line[(place + 3)..<(place + 7)].allSatisfy({ $0.hexadecimalValue != nil })
            {
                count += 1
                place += 7
            }
            place += 1
        }
        return count
    }
}
