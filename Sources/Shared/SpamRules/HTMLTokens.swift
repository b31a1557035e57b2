import Bytes
import MessageFormat

/// HTML taken apart as forgivingly as mail programs do: tags with attributes, comments, declarations, text.
struct HTMLTokens: ~Escapable {
    enum Token {
        /// The name and those of the attributes in lower case; values with their entities decoded.
        case open(name: String, attributes: [(name: String, value: String)])
        case close(name: String)
        /// A comment or declaration as it stands, `<!` and `>` included.
        case comment([UInt8])
        /// Text with its entities decoded.
        case text([UInt8])
    }

    private let html: Span<UInt8>
    private var place = 0
    /// The element whose content is no HTML, until it is closed.
    private var rawElement: String?

    @_lifetime(copy html)
    init(_ html: Span<UInt8>) { self.html = html }

    mutating func next() -> Token? {
        guard place < html.count else { return nil }
        if let element = rawElement { return rawText(element) }
        if html[place] == ASCII.less, let token = markup() { return token }
        let start = place
        place += 1
        while place < html.count, !(html[place] == ASCII.less && beginsMarkup(place)) { place += 1 }
        return .text(decoded(start..<place))
    }

    private func beginsMarkup(_ place: Int) -> Bool {
        guard place + 1 < html.count else { return false }
        let byte = html[place + 1]
        return byte.isASCIILetter || byte == UInt8(ascii: "!") || byte == ASCII.slash || byte == ASCII.question
    }

    private mutating func markup() -> Token? {
        guard beginsMarkup(place) else { return nil }
        let start = place
        if html.matches("<!--", at: place) {
            let end = find("-->", from: place + 4).map { $0 + 3 } ?? html.count
            place = end
            return .comment(html.array(start..<end))
        }
        let isDeclaration = html[place + 1] == UInt8(ascii: "!") || html[place + 1] == ASCII.question
        if isDeclaration {
            place = (html.firstIndex(of: ASCII.greater, from: place) ?? html.count - 1) + 1
            return .comment(html.array(start..<place))
        }
        let isClosing = html[place + 1] == ASCII.slash
        var cursor = place + (isClosing ? 2 : 1)
        let nameStart = cursor
        while cursor < html.count, HTMLTokens.isNameByte(html[cursor]) { cursor += 1 }
        let name = html.array(nameStart..<cursor).map(\.asciiLowercased).text
        if name.isEmpty {
            place = (html.firstIndex(of: ASCII.greater, from: place) ?? html.count - 1) + 1
            return .comment(html.array(start..<place))
        }
        place = cursor
        let attributes = self.attributes()
        if isClosing { return .close(name: name) }
        if name == "script" || name == "style" { rawElement = name }
        return .open(name: name, attributes: attributes)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || byte == ASCII.colon || byte == ASCII.dash || byte == ASCII.underscore
            || byte == ASCII.dot
    }

    /// Reads attributes up to the `>` that ends the tag.
    private mutating func attributes() -> [(name: String, value: String)] {
        var attributes: [(name: String, value: String)] = []
        while place < html.count {
            let byte = html[place]
            if byte == ASCII.greater {
                place += 1
                break
            }
            // A new tag begins where the end of this one is missing.
            if byte == ASCII.less { break }
            if byte.isMailWhitespace || byte == ASCII.slash || byte == ASCII.equals || byte == ASCII.quote
                || byte == ASCII.apostrophe
            {
                place += 1
                continue
            }
            let start = place
            while place < html.count, !HTMLTokens.endsAttributeName(html[place]) { place += 1 }
            if place == start { place += 1 }
            let name = html.array(start..<place).map(\.asciiLowercased).text
            skipWhitespace()
            var value = ""
            if place < html.count, html[place] == ASCII.equals {
                place += 1
                skipWhitespace()
                value = attributeValue()
            }
            if attributes.count < 200 { attributes.append((name, value)) }
        }
        return attributes
    }

    private static func endsAttributeName(_ byte: UInt8) -> Bool {
        byte.isMailWhitespace || byte == ASCII.equals || byte == ASCII.greater || byte == ASCII.less
    }

    private mutating func skipWhitespace() {
        while place < html.count, html[place].isMailWhitespace { place += 1 }
    }

    private mutating func attributeValue() -> String {
        guard place < html.count else { return "" }
        let quote = html[place]
        if quote == ASCII.quote || quote == ASCII.apostrophe, let end = html.firstIndex(of: quote, from: place + 1) {
            let value = decoded((place + 1)..<end)
            place = end + 1
            return value.text
        }
        let start = place
        while place < html.count, !html[place].isMailWhitespace, html[place] != ASCII.greater { place += 1 }
        return decoded(start..<place).text
    }

    /// What stands in a script or style element.
    private mutating func rawText(_ element: String) -> Token? {
        rawElement = nil
        let start = place
        var cursor = place
        while let less = html.firstIndex(of: ASCII.less, from: cursor) {
            cursor = less + 1
            guard less + 1 < html.count, html[less + 1] == ASCII.slash else { continue }
            let end = less + 2 + element.utf8.count
            guard end <= html.count,
                html.array((less + 2)..<end).elementsEqual(element.utf8, by: { $0.asciiLowercased == $1 })
            else { continue }
            place = less
            if less == start { return next() }
            return .text(html.array(start..<less))
        }
        place = html.count
        return .text(html.array(start..<html.count))
    }

    private func find(_ text: StaticString, from start: Int) -> Int? {
        guard start <= html.count else { return nil }
        return html.firstIndex(of: text, in: start..<html.count)
    }

    private func decoded(_ range: Range<Int>) -> [UInt8] {
        guard html.firstIndex(of: UInt8(ascii: "&"), in: range) != nil else { return html.array(range) }
        var result: [UInt8] = []
        var cursor = range.lowerBound
        while cursor < range.upperBound {
            guard html[cursor] == UInt8(ascii: "&") else {
                result.append(html[cursor])
                cursor += 1
                continue
            }
            let entity = HTMLEntity.read(html, at: cursor)
            let end = max(cursor + 1, min(entity.end, range.upperBound))
            result += entity.text
            cursor = end
        }
        return result
    }
}
