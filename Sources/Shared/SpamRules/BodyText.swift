import Bytes
import MessageFormat

/// A leaf of the message that holds text.
struct TextPart {
    let index: Int
    /// `text/plain` and so on, in lower case.
    let type: String
    /// Transfer-decoded, in the charset of the part.
    let content: [UInt8]
    /// Converted to UTF-8.
    let text: [UInt8]
    /// HTML read; nil for other text.
    let html: RenderedHTML?

    /// So much of the text of a part is looked at (bytes).
    struct Limits {
        let body: Int
        let raw: Int
        static let usual = Limits(body: 50_000, raw: 500_000)
    }

    private let bodyLimit: Int

    /// Shown to `rawbody` rules.
    var isRaw: Bool { type != "text/calendar" }
    /// Shown to `body` rules: what people see.
    var isRendered: Bool { type == "text/plain" || type == "text/html" }

    init?(_ index: Int, _ structure: MessageStructure, _ message: [UInt8], _ limits: Limits) {
        let part = structure.parts[index]
        guard part.isLeaf, part.contentType.isText || part.contentType.name.hasPrefix("message/") else { return nil }
        self.index = index
        bodyLimit = limits.body
        let type = part.contentType.name
        self.type = type
        var decoded = structure.content(of: index, in: message.span).bytes.filter { $0 != ASCII.cr }
        if decoded.count > limits.raw {
            decoded = BodyText.cut(decoded, limits.raw, [ASCII.lf, ASCII.greater, ASCII.space])
        }
        let content = decoded
        self.content = content
        guard type == "text/plain" || type == "text/html" else {
            text = content
            html = nil
            return
        }
        let converted = structure.text(content, of: index).text
        text = converted
        html = type == "text/html" ? RenderedHTML(converted.span) : nil
    }

    /// What people see of it, at most as much as is looked at.
    var rendered: [UInt8] {
        let whole = html?.text ?? text
        return whole.count > bodyLimit
            ? BodyText.cut(whole, bodyLimit, [ASCII.lf, ASCII.space]) : whole
    }
}

/// The lines and chunks in which rules see text.
enum BodyText {
    private static let longest = 2_048

    /// The first `size` bytes and a little more, up to one of the bytes `ends` within the next kibibyte.
    static func cut(_ bytes: [UInt8], _ size: Int, _ ends: [UInt8]) -> [UInt8] {
        for end in ends {
            if let place = bytes[size...].prefix(1_025).firstIndex(of: end) { return Array(bytes[...place]) }
        }
        return Array(bytes.prefix(size))
    }

    /// The subject and the paragraphs of the text, a line each: white space is one space, and an empty line ends a
    /// paragraph. Long lines are split at a space.
    static func lines(subject: [UInt8], _ parts: [TextPart]) -> [[UInt8]] {
        var text: [UInt8] = []
        for part in parts {
            if !text.isEmpty { text.append(ASCII.lf) }
            if part.isRendered { text += part.rendered }
        }
        return split(subject) + split(collapsed(text.span))
    }

    /// White space collapsed: a run with two line ends in it becomes one, any other a space.
    static func collapsed(_ text: Span<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + 1)
        var place = 0
        while place < text.count {
            let length = whitespace(text, place)
            if length == 0 {
                result.append(text[place])
                place += 1
                continue
            }
            var lineEnds = 0
            while place < text.count {
                let length = whitespace(text, place)
                if length == 0 { break }
                if text[place] == ASCII.lf { lineEnds += 1 }
                place += length
            }
            result.append(lineEnds > 1 ? ASCII.lf : ASCII.space)
        }
        return result
    }

    /// The length of the white space character at `place`, Unicode's included; 0 when there is none.
    static func whitespace(_ text: Span<UInt8>, _ place: Int) -> Int {
        let byte = text[place]
        if byte == ASCII.space || (9...13).contains(byte) { return 1 }
        if byte == 0xC2, place + 1 < text.count, text[place + 1] == 0xA0 || text[place + 1] == 0x85 { return 2 }
        guard byte == 0xE1 || byte == 0xE2 || byte == 0xE3, place + 2 < text.count else { return 0 }
        switch (byte, text[place + 1], text[place + 2]) {
        case (0xE1, 0x9A, 0x80), (0xE2, 0x80, 0x80...0x8A), (0xE2, 0x80, 0xA8...0xA9), (0xE2, 0x80, 0xAF),
            (0xE2, 0x81, 0x9F), (0xE3, 0x80, 0x80):
            return 3
        default: return 0
        }
    }

    private static func split(_ text: [UInt8]) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var start = 0
        while start < text.count {
            var end = (text[start...].firstIndex(of: ASCII.lf) ?? text.count - 1) + 1
            if end - start > longest {
                let space = text[start..<(start + longest + 1)].lastIndex(of: ASCII.space)
                end = space.map { $0 + 1 } ?? start + longest
            }
            lines.append(Array(text[start..<end]))
            start = end
        }
        return lines
    }

    /// Text in chunks, cut after a line end, else a `>`, else a space.
    static func chunks(_ text: [UInt8]) -> [[UInt8]] {
        guard text.count > longest else { return text.isEmpty ? [] : [text] }
        var chunks: [[UInt8]] = []
        var start = 0
        while text.count - start > 2 * longest {
            let range = (start + longest)..<(start + 2 * longest)
            let end = [ASCII.lf, ASCII.greater, ASCII.space].lazy.compactMap { text[range].firstIndex(of: $0) }.first
            let last = end ?? range.lowerBound
            chunks.append(Array(text[start...last]))
            start = last + 1
        }
        if start < text.count { chunks.append(Array(text[start...])) }
        return chunks
    }
}
