import Bytes
import MessageFormat

/// The texts of a message that rules look at.
struct RuleTexts {
    /// Decoded text parts, HTML rendered, white space collapsed, a paragraph each; the subject first.
    private(set) var paragraphs: [[UInt8]] = []
    /// Decoded text parts with their HTML, a line each.
    private(set) var rawLines: [[UInt8]] = []
    /// Addresses of pages and mailboxes in text and HTML.
    private(set) var uris: [[UInt8]] = []
    let summary: MessageSummary
    let full: [UInt8]
    /// The head of the message up to the empty line.
    let head: [UInt8]

    /// So much of each part is looked at.
    private static let partLimit = 50_000
    private static let rawLimit = 500_000

    init(_ bytes: Span<UInt8>) {
        let structure = MessageStructure(bytes)
        summary = MessageSummary(structure.fields(of: 0), in: bytes)
        full = bytes.array
        head = bytes.array(0..<(structure.parts.first?.bodyOffset ?? 0))
        if let subject = summary.subject { paragraphs.append(RuleTexts.collapsed(Array(subject.utf8)[...])) }
        for part in structure.walk() where structure.parts[part].isLeaf && structure.parts[part].contentType.isText {
            let rendered = ReadableText.render(part, structure, bytes, limit: RuleTexts.partLimit)
            for paragraph in RuleTexts.paragraphs(rendered.prefix(RuleTexts.partLimit)) { paragraphs.append(paragraph) }
            let raw = structure.text(of: part, in: bytes).text.prefix(RuleTexts.rawLimit)
            for line in raw.split(separator: ASCII.lf) { rawLines.append(Array(line)) }
            collectURIs(Array(raw))
        }
    }

    /// The field values of a name, each decoded as `form` asks; `ALL` is the whole head, `ToCc` both fields.
    func headers(_ name: String, _ form: RuleArea.HeaderForm) -> [[UInt8]] {
        if name == "ALL" { return [head] }
        if name == "ToCc" { return headers("To", form) + headers("Cc", form) }
        if name == "MESSAGEID" { return headers("Message-ID", form) + headers("Resent-Message-ID", form) }
        let fields = summary.fields.filter { $0.name.equalsIgnoringCase(name) }
        switch form {
        case .decoded: return fields.map { Array($0.value.utf8) }
        case .raw: return fields.map { Array($0.raw.utf8) }
        case .address, .displayName:
            let addresses = fields.flatMap { AddressList.parse(Array($0.raw.utf8)).addresses }
            return addresses.compactMap { form == .address ? $0.address : $0.name }.map { Array($0.utf8) }
        }
    }

    private static func collapsed(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        Array(bytes.split(whereSeparator: \.isMailWhitespace).joined(separator: [ASCII.space]))
    }

    private static func paragraphs(_ text: ArraySlice<UInt8>) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var lines: [ArraySlice<UInt8>] = []
        for line in text.split(separator: ASCII.lf, omittingEmptySubsequences: false) + [[]] {
            if line.allSatisfy(\.isMailWhitespace) {
                let paragraph = collapsed(Array(lines.joined(separator: [ASCII.space]))[...])
                if !paragraph.isEmpty { result.append(paragraph) }
                lines = []
            } else {
                lines.append(line)
            }
        }
        return result
    }

    private mutating func collectURIs(_ text: [UInt8]) {
        let bytes = text.span
        var seen = Set(uris)
        var place = 0
        while let colon = bytes.firstIndex(of: ASCII.colon, from: place) {
            place = colon + 1
            for scheme in ["https", "http", "mailto", "ftp"] {
                let start = colon - scheme.utf8.count
                guard start >= 0,
                    bytes.array(start..<colon).elementsEqual(scheme.utf8, by: { $0.asciiLowercased == $1 })
                else { continue }
                var end = place
                while end < bytes.count, !RuleTexts.endsURI(bytes[end]) { end += 1 }
                let uri = bytes.array(start..<end)
                if end > place, uris.count < 1_000, seen.insert(uri).inserted { uris.append(uri) }
                place = max(place, end)
                break
            }
        }
    }

    private static func endsURI(_ byte: UInt8) -> Bool {
        byte <= 0x20 || byte == ASCII.quote || byte == ASCII.less || byte == ASCII.greater || byte == ASCII.apostrophe
    }
}
