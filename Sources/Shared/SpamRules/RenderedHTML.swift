import Bytes

/// HTML read: the text that it shows, and what rules ask of how it shows it.
struct RenderedHTML {
    private(set) var text: [UInt8] = []
    /// How deep the reading was in each element at its end; 0 for those that were closed.
    private(set) var inside: [String: Int] = [:]
    /// Characters of the HTML.
    private(set) var length = 0
    /// Square pixels of images that tell their size.
    private(set) var imageArea = 0.0
    private(set) var largestSize = 3
    private(set) var comments: [[UInt8]] = []
    private(set) var titles: [[UInt8]] = []
    /// The text of links, in which `<img>` stands for an image.
    private(set) var anchors: [[UInt8]] = []
    /// What it links to, with the element that does, and the place of its text in `anchors`.
    private(set) var links: [(element: String, target: String, anchor: Int?)] = []
    /// Charsets that it says it is in.
    private(set) var charsets: [String] = []
    private(set) var hasBadFontFace = false
    private(set) var hasLowContrast = false
    private(set) var hasInvalidColor = false
    private(set) var mailsForm = false
    private(set) var hasEmbedded = false

    private var tagCount = 0
    private var elementCount = 0
    private var tagNames = 0
    private var elementNames = 0
    private var extraClosings = 0
    private var splitWords = 0

    private struct Style {
        var tag = ""
        var foreground = HTMLColor.black
        var background = HTMLColor.white
        var size = 3
        var isHidden = false
    }

    private var styles = [Style()]
    private var baseSize = 3
    private var lastPiece = Piece.none
    private enum Piece { case none, text, whitespace, invisible }

    init(_ html: Span<UInt8>) {
        length = RenderedHTML.characters(html)
        var tokens = HTMLTokens(html)
        while let token = tokens.next() {
            switch token {
            case .open(let name, let attributes): tag(name, attributes, isOpening: true)
            case .close(let name): tag(name, [], isOpening: false)
            case .comment(let bytes): if comments.count < 1_000 { comments.append(bytes) }
            case .text(let bytes): show(bytes)
            }
        }
    }

    private static func characters(_ bytes: Span<UInt8>) -> Int {
        var count = 0
        for index in 0..<bytes.count where bytes[index] & 0xC0 != 0x80 { count += 1 }
        return count
    }

    /// The characters of the text that are no white space.
    var visibleLength: Int {
        text.reduce(0) { $0 + ($1 & 0xC0 != 0x80 && !$1.isMailWhitespace && $1 != 11 && $1 != 12 ? 1 : 0) }
    }

    /// A figure by the name that rules call it by; nil when there is none.
    func figure(_ name: String) -> Double? {
        func share(_ part: Int, _ whole: Int) -> Double? { whole > 0 ? Double(part) / Double(whole) : nil }
        switch name {
        case "length": return Double(length)
        case "max_size": return Double(largestSize)
        case "closed_extra_ratio": return share(extraClosings, tagCount)
        case "bad_tag_ratio": return elementCount > 0 ? share(tagCount - elementCount, tagCount) : nil
        case "non_element_ratio": return elementNames > 0 ? share(tagNames - elementNames, tagNames) : nil
        case "obfuscation_ratio": return splitWords > 0 ? share(splitWords, tagCount) : nil
        case "image_area": return imageArea
        default: return nil
        }
    }

    // MARK: Tags

    private typealias Attributes = [(name: String, value: String)]

    private static func value(_ name: String, _ attributes: Attributes) -> String? {
        attributes.first { $0.name == name }?.value
    }

    private mutating func tag(_ name: String, _ attributes: Attributes, isOpening: Bool) {
        let isNamespaced = name.hasPrefix("o:") || (name.hasPrefix("st") && name.contains(":"))
        let isElement = HTMLElements.known.contains(name)
        if isElement || isNamespaced {
            elementCount += 1
            if inside[name] == nil { elementNames += 1 }
        }
        tagCount += 1
        if inside[name] == nil { tagNames += 1 }
        let depth = (inside[name] ?? 0) + (isOpening ? 1 : -1)
        if depth < 0 { extraClosings += 1 }
        inside[name] = max(0, depth)
        guard !isNamespaced, isElement || HTMLElements.tricks.contains(name) else { return }
        if HTMLElements.styled.contains(name) { style(name, attributes, isOpening) }
        if let space = HTMLElements.whitespace(name) { show(whitespace: space) }
        guard isOpening else { return }
        link(name, attributes)
        look(name, attributes)
    }

    private mutating func link(_ name: String, _ attributes: Attributes) {
        let key: String
        switch name {
        case "a", "area", "link", "base": key = "href"
        case "img", "frame", "iframe", "embed", "script", "bgsound": key = "src"
        case "form": key = "action"
        case "body", "table", "tr", "td": key = "background"
        default: return
        }
        guard let target = RenderedHTML.value(key, attributes), links.count < 2_000 else { return }
        let trimmed = target.split(whereSeparator: { "\n\r\t ".contains($0) })
        guard let first = trimmed.first, let last = trimmed.last else { return }
        let anchor = name == "a" ? anchors.count : nil
        links.append((name, String(target[first.startIndex..<last.endIndex]), anchor))
    }

    private mutating func look(_ name: String, _ attributes: Attributes) {
        switch name {
        case "font":
            if let face = RenderedHTML.value("face", attributes), !RenderedHTML.isFontFace(face) {
                hasBadFontFace = true
            }
        case "img":
            if inside["a"] ?? 0 > 0, !anchors.isEmpty { anchors[anchors.count - 1] += Array("<img>\n".utf8) }
            guard let width = RenderedHTML.value("width", attributes),
                let height = RenderedHTML.value("height", attributes)
            else { return }
            imageArea += RenderedHTML.pixels(width, percent: 8) * RenderedHTML.pixels(height, percent: 6)
        case "form":
            if RenderedHTML.value("action", attributes)?.asciiLowercased.contains("mailto:") == true {
                mailsForm = true
            }
        case "object", "embed": hasEmbedded = true
        case "meta":
            guard let content = RenderedHTML.value("content", attributes)?.asciiLowercased,
                RenderedHTML.value("http-equiv", attributes)?.asciiLowercased == "content-type",
                let place = content.utf8.firstRange(of: Array("charset=".utf8)), charsets.count < 100
            else { break }
            let name = content[place.upperBound...].drop { "\"' ".contains($0) }.prefix { !"\"'; ".contains($0) }
            if !name.isEmpty { charsets.append(String(name)) }
        case "a": if anchors.count < 2_000 { anchors.append([]) }
        case "title": if titles.count < 100 { titles.append([]) }
        default: break
        }
    }

    /// `width` and `height`: pixels, or a share of a window of 800 by 600; 200 when they tell nothing.
    private static func pixels(_ text: String, percent: Double) -> Double {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Double(digits), number > 0 else { return 200 }
        let rest = text.dropFirst(digits.count)
        return rest.isEmpty ? number : rest == "%" ? number * percent : 200
    }

    /// A list of names of letters, blanks and dashes.
    private static func isFontFace(_ face: String) -> Bool {
        let names = face.hasSuffix(";") ? face.dropLast() : face[...]
        let parts = names.split(separator: ",", omittingEmptySubsequences: false)
        return !parts.isEmpty
            && parts.enumerated().allSatisfy { index, part in
                var name = part.drop { $0 == " " || $0 == "\t" }
                if let first = name.first, first == "\"" || first == "'" || (first == "." && index == 0) {
                    name = name.dropFirst()
                }
                if let last = name.last, last == "\"" || last == "'" { name = name.dropLast() }
                if let last = name.last, last.isASCII, last.isNumber { name = name.dropLast() }
                guard name.utf8.count >= 2, let first = name.utf8.first, let last = name.utf8.last else { return false }
                return (first.isASCIILetter || (first == ASCII.space && index == 0)) && last.isASCIILetter
                    && name.utf8.allSatisfy { $0.isASCIILetter || $0 == ASCII.space || $0 == ASCII.dash }
            }
    }

    // MARK: Styles

    private mutating func style(_ written: String, _ attributes: Attributes, _ isOpening: Bool) {
        let name = written == "th" ? "td" : written
        guard isOpening else {
            if name != "body", let place = styles.lastIndex(where: { $0.tag == name }) {
                styles.removeSubrange(place...)
            }
            if styles.isEmpty { styles = [Style()] }
            return
        }
        if name == "basefont",
            let size = RenderedHTML.value("size", attributes).flatMap({ Int($0.prefix { $0.isNumber }) })
        {
            baseSize = min(size, 100)
            return
        }
        if name == "td" || name == "tr" { closeCells(name) }
        var style = styles.last ?? Style()
        style.tag = name
        switch name {
        case "big": style.size += 1
        case "small": style.size -= 1
        default:
            for (key, value) in attributes { apply(key, value, name, &style) }
        }
        if styles.count < 1_000 { styles.append(style) }
    }

    private mutating func closeCells(_ name: String) {
        guard styles.contains(where: { $0.tag == name }) else { return }
        while let top = styles.last?.tag, top == "font" || top == "td" || (name == "tr" && top == "tr") {
            styles.removeLast()
        }
        if styles.isEmpty { styles = [Style()] }
    }

    private mutating func apply(_ key: String, _ value: String, _ name: String, _ style: inout Style) {
        switch (key, name) {
        case ("text", "body"), ("color", "font"), ("color", "basefont"): style.foreground = HTMLColor(value)
        case ("size", "font"):
            let text = value.drop { $0 == " " }
            let isRelative = text.hasPrefix("+") || text.hasPrefix("-")
            let digits = text.dropFirst(isRelative ? 1 : 0).prefix { $0.isASCII && $0.isNumber }.prefix(4)
            guard let number = Int(digits) else { break }
            style.size = isRelative ? baseSize + (text.hasPrefix("-") ? -number : number) : number
        case ("style", "table"), ("style", "td"), ("style", "tr"), ("style", "span"), ("style", "p"), ("style", "div"),
            ("style", "a"):
            css(value, &style)
        case ("bgcolor", _), ("face", "font"), ("link", "body"), ("alink", "body"), ("vlink", "body"),
            ("background", "body"):
            break
        default: return
        }
        largestSize = max(largestSize, style.size)
    }

    private func css(_ text: String, _ style: inout Style) {
        for declaration in text.split(separator: ";") {
            let parts = declaration.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let property = parts[0].filter { !" \t\n\r".contains($0) }.lowercased()
            let words = parts[1].split(whereSeparator: { " \t\n\r".contains($0) }).map { $0.lowercased() }
            let value = words.filter { $0 != "!important" }.joined(separator: " ")
            switch property {
            case "color":
                if value == "transparent" {
                    style.foreground = style.background
                } else if value != "inherit" {
                    style.foreground = HTMLColor(value)
                }
            case "background-color":
                if value != "transparent", value != "inherit" { style.background = HTMLColor(value) }
            case "background":
                for word in words {
                    let color = HTMLColor(word)
                    if color != .invalid {
                        style.background = color
                        break
                    }
                }
            case "display": style.isHidden = value == "none"
            case "visibility": style.isHidden = value == "hidden"
            default: break
            }
        }
    }

    /// Whether text of the current style cannot be seen.
    private mutating func isInvisible() -> Bool {
        guard let style = styles.last else { return false }
        if style.foreground == .invalid || style.background == .invalid {
            if style.foreground == style.background {
                hasLowContrast = true
            } else {
                hasInvalidColor = true
            }
            return true
        }
        if style.foreground.isLike(style.background) {
            hasLowContrast = true
            return true
        }
        return style.size <= 1 || style.isHidden
    }

    // MARK: Text

    private mutating func show(_ bytes: [UInt8]) {
        if inside["script"] ?? 0 > 0 || inside["style"] ?? 0 > 0 { return }
        if inside["a"] ?? 0 > 0, !anchors.isEmpty { anchors[anchors.count - 1] += bytes }
        if inside["title"] ?? 0 > 0, !titles.isEmpty { titles[titles.count - 1] += bytes }
        var isHidden = false
        if bytes.contains(where: { !$0.isMailWhitespace && $0 != 0xC2 && $0 != 0xA0 }) { isHidden = isInvisible() }
        if lastPiece != .none, let first = bytes.first, let last = text.last, RenderedHTML.isWordByte(first),
            RenderedHTML.isWordByte(last)
        {
            splitWords += 1
        }
        var piece = RenderedHTML.singleSpaced(bytes)
        if lastPiece == .whitespace, !isHidden, piece.first == ASCII.space { piece.removeFirst() }
        text += piece
        lastPiece = isHidden ? .invisible : .text
    }

    private mutating func show(whitespace: StaticString) {
        if lastPiece == .text, text.last == ASCII.space { text.removeLast() }
        whitespace.withUTF8Buffer { text.append(contentsOf: $0) }
        lastPiece = .whitespace
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || byte >= 0x80 || byte == ASCII.delete
    }

    /// Runs of white space as one space, the no-break space among them.
    private static func singleSpaced(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var isInSpace = false
        var place = 0
        while place < bytes.count {
            let byte = bytes[place]
            if byte == 0xC2, place + 1 < bytes.count, bytes[place + 1] == 0xA0 {
                result.append(ASCII.space)
                isInSpace = false
                place += 2
                continue
            }
            if byte.isMailWhitespace || byte == 11 || byte == 12 {
                if !isInSpace { result.append(ASCII.space) }
                isInSpace = true
            } else {
                result.append(byte)
                isInSpace = false
            }
            place += 1
        }
        return result
    }
}
