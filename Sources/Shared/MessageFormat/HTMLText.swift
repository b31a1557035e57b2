import Bytes

/// HTML made readable as plain text: no scripts, styles or head; entities resolved; block elements break lines; a link
/// is its text with the address behind it.
///
/// No tree is built: one pass over the bytes, whatever they are. What is never closed ends at the end.
package struct HTMLText {
    /// Renders UTF-8 HTML to UTF-8 text of about `limit` bytes at most.
    package static func render(_ html: Span<UInt8>, limit: Int = 1 << 20) -> [UInt8] {
        var renderer = HTMLText(limit: limit)
        renderer.run(html)
        return renderer.finish()
    }

    private let limit: Int
    private var output: [UInt8] = []
    /// Line ends that must come before the next text.
    private var pendingBreaks = 0
    private var pendingSpace = false
    private var preformatted = 0
    private var quoteDepth = 0
    private var link: (address: [UInt8], start: Int)?
    /// Elements whose end was looked for and is not there.
    private var endless: Set<HTMLName> = []

    private init(limit: Int) { self.limit = limit }

    private mutating func run(_ html: Span<UInt8>) {
        var position = 0
        while position < html.count, output.count < limit {
            switch html[position] {
            case ASCII.less: position = markup(html, position)
            case UInt8(ascii: "&"):
                let entity = HTMLEntity.read(html, at: position)
                text(entity.text)
                position = entity.end
            default:
                let start = position
                while position < html.count, html[position] != ASCII.less, html[position] != UInt8(ascii: "&") {
                    position += 1
                }
                // No more than is wanted of one long run.
                let end = min(position, start + (limit - output.count) + 4)
                text(html, start..<end)
            }
        }
    }

    private mutating func finish() -> [UInt8] {
        closeLink()
        while output.last?.isMailWhitespace ?? false { output.removeLast() }
        if output.count > limit { output = UTF8Cut.prefix(output, limit) }
        return output
    }

    // MARK: Text

    /// Text without markup, word by word.
    private mutating func text(_ html: Span<UInt8>, _ range: Range<Int>) {
        var place = range.lowerBound
        while place < range.upperBound {
            if preformatted > 0 || HTMLText.isWhite(html[place]) {
                character(html[place])
                place += 1
                continue
            }
            let start = place
            while place < range.upperBound, !HTMLText.isWhite(html[place]) { place += 1 }
            write(html[start])
            if place > start + 1 { output.append(span: html.extracting((start + 1)..<place)) }
        }
    }

    private static func isWhite(_ byte: UInt8) -> Bool { byte.isMailWhitespace || byte == 0x0C }

    private mutating func text(_ bytes: [UInt8]) { for byte in bytes { character(byte) } }

    private mutating func character(_ byte: UInt8) {
        if HTMLText.isWhite(byte) {
            if preformatted > 0, byte != ASCII.cr {
                if byte == ASCII.lf {
                    pendingBreaks += 1
                } else {
                    write(byte)
                }
            } else {
                pendingSpace = true
            }
            return
        }
        write(byte)
    }

    private mutating func write(_ byte: UInt8) {
        if pendingBreaks > 0 {
            if !output.isEmpty {
                // More blank lines than these tell a reader nothing.
                for _ in 0..<min(pendingBreaks, 3) { output.append(ASCII.lf) }
            }
            pendingBreaks = 0
            pendingSpace = false
            for _ in 0..<min(quoteDepth, 20) { output.append(ASCII.greater) }
            if quoteDepth > 0 { output.append(ASCII.space) }
        } else if pendingSpace {
            if let last = output.last, last != ASCII.lf, last != ASCII.space { output.append(ASCII.space) }
            pendingSpace = false
        }
        output.append(byte)
    }

    private mutating func breakLine(_ count: Int) { pendingBreaks = max(pendingBreaks, count) }

    // MARK: Markup

    /// Reads what begins with the `<` at `place`; returns where it ends.
    private mutating func markup(_ html: Span<UInt8>, _ place: Int) -> Int {
        guard place + 1 < html.count else {
            character(ASCII.less)
            return place + 1
        }
        let next = html[place + 1]
        if html.matches("<!--", at: place) {
            return HTMLText.commentEnd(html, place)
        }
        if next == UInt8(ascii: "!") || next == UInt8(ascii: "?") {
            return html.firstIndex(of: ASCII.greater, from: place).map { $0 + 1 } ?? html.count
        }
        let isEnd = next == ASCII.slash
        let nameStart = isEnd ? place + 2 : place + 1
        guard nameStart < html.count, html[nameStart].isASCIILetter else {
            character(ASCII.less)
            return place + 1
        }
        let tag = HTMLTag(html, nameStart: nameStart)
        return isEnd ? close(tag) : open(tag, html)
    }

    /// A comment ends with `-->` or `--!>`; `<!-->` and `<!--->` are whole.
    private static func commentEnd(_ html: Span<UInt8>, _ start: Int) -> Int {
        if html.matches("<!-->", at: start) { return start + 5 }
        var place = start + 4
        if html.matches("->", at: place) { return place + 2 }
        while let dashes = html.firstIndex(of: "--", in: place..<html.count) {
            if html.matches("-->", at: dashes) { return dashes + 3 }
            if html.matches("--!>", at: dashes) { return dashes + 4 }
            place = dashes + 1
        }
        return html.count
    }

    private mutating func open(_ tag: HTMLTag, _ html: Span<UInt8>) -> Int {
        switch tag.element {
        case .hidden, .code: return skip(tag, html)
        case .lineBreak: pendingBreaks += 1
        case .rule: breakLine(2)
        case .item:
            breakLine(1)
            text(Array("- ".utf8))
        case .cell: pendingSpace = true
        case .preformatted:
            breakLine(2)
            preformatted += 1
        case .quote:
            breakLine(2)
            quoteDepth += 1
        case .link:
            closeLink()
            if let address = tag.attribute("href", in: html) { link = (address, output.count) }
        case .image:
            if let text = tag.attribute("alt", in: html) { self.text(text) }
        case .block(let breaks): breakLine(breaks)
        case .inline: break
        }
        return tag.end
    }

    private mutating func close(_ tag: HTMLTag) -> Int {
        switch tag.element {
        case .link: closeLink()
        case .preformatted:
            breakLine(2)
            preformatted = max(0, preformatted - 1)
        case .quote:
            breakLine(2)
            quoteDepth = max(0, quoteDepth - 1)
        case .item: breakLine(1)
        case .block(let breaks): breakLine(breaks)
        case .hidden, .code, .lineBreak, .rule, .cell, .image, .inline: break
        }
        return tag.end
    }

    /// Passes over an element with all that is in it. A head that is never closed is not passed over.
    private mutating func skip(_ tag: HTMLTag, _ html: Span<UInt8>) -> Int {
        if endless.contains(tag.name) { return tag.end }
        let name = html.array(tag.nameRange)
        var position = tag.end
        while let place = html.firstIndex(of: "</", in: position..<html.count) {
            position = place + 2
            let end = position + name.count
            guard end <= html.count else { break }
            var isSame = true
            for index in 0..<name.count where html[position + index].asciiLowercased != name[index].asciiLowercased {
                isSame = false
                break
            }
            if isSame, end == html.count || !html[end].isASCIIAlphanumeric {
                return html.firstIndex(of: ASCII.greater, from: end).map { $0 + 1 } ?? html.count
            }
        }
        endless.insert(tag.name)
        if case .code = tag.element { return html.count }
        return tag.end
    }

    /// Puts the address of a link behind its text, unless the text says it.
    private mutating func closeLink() {
        guard let link else { return }
        self.link = nil
        let isAddress = ["http:", "https:", "ftp:"].contains { link.address.starts(with: $0.utf8) }
        guard isAddress, link.start < output.count else { return }
        var shown = output[link.start...]
        while shown.first?.isMailWhitespace ?? false { shown = shown.dropFirst() }
        guard !link.address.starts(with: shown), link.address.count <= 2_048 else { return }
        pendingSpace = true
        write(ASCII.less)
        text(link.address)
        write(ASCII.greater)
    }
}

/// A tag: its name in lower case, and where its attributes stand.
struct HTMLTag {
    let name: HTMLName
    let nameRange: Range<Int>
    let element: HTMLElement
    let attributes: Range<Int>
    /// The place after the `>`, or the end of the data.
    let end: Int

    init(_ html: Span<UInt8>, nameStart: Int) {
        var place = nameStart
        while place < html.count, !html[place].isMailWhitespace, html[place] != ASCII.greater,
            html[place] != ASCII.slash
        {
            place += 1
        }
        nameRange = nameStart..<place
        name = HTMLName(html, nameRange)
        element = HTMLElement(name)
        let start = place
        while place < html.count, html[place] != ASCII.greater {
            let byte = html[place]
            if byte == ASCII.equals {
                place += 1
                while place < html.count, html[place].isMailWhitespace { place += 1 }
                guard place < html.count else { break }
                if html[place] == ASCII.quote || html[place] == ASCII.apostrophe {
                    place = html.firstIndex(of: html[place], from: place + 1).map { $0 + 1 } ?? html.count
                }
            } else {
                place += 1
            }
        }
        attributes = start..<min(place, html.count)
        end = min(place + 1, html.count)
    }

    /// The value of an attribute, entities resolved; nil when it is not there. `wanted` is in lower case.
    func attribute(_ wanted: StaticString, in html: Span<UInt8>) -> [UInt8]? {
        var place = attributes.lowerBound
        let limit = attributes.upperBound
        while place < limit {
            while place < limit, html[place].isMailWhitespace || html[place] == ASCII.slash { place += 1 }
            let nameStart = place
            while place < limit, !html[place].isMailWhitespace, html[place] != ASCII.equals { place += 1 }
            let name = html.array(nameStart..<place)
            while place < limit, html[place].isMailWhitespace { place += 1 }
            guard place < limit, html[place] == ASCII.equals else {
                if place == nameStart { place += 1 }
                continue
            }
            place += 1
            while place < limit, html[place].isMailWhitespace { place += 1 }
            guard place < limit else { return nil }
            let value: Range<Int>
            if html[place] == ASCII.quote || html[place] == ASCII.apostrophe {
                let close = html.firstIndex(of: html[place], in: (place + 1)..<limit) ?? limit
                value = (place + 1)..<close
                place = min(close + 1, limit)
            } else {
                let start = place
                while place < limit, !html[place].isMailWhitespace { place += 1 }
                value = start..<place
            }
            if name.equalsIgnoringCase(wanted) { return HTMLEntity.resolve(html.array(value)) }
        }
        return nil
    }
}
