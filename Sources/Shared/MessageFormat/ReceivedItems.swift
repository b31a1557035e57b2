import Bytes

/// A word or a comment of a Received field.
struct ReceivedItem {
    let range: Range<Int>
    /// The range is that between the outermost parentheses.
    let isComment: Bool
    /// The word is `from`, `by`, `via`, `with`, `id` or `for`.
    let isKeyword: Bool
    /// A semicolon stands before it: no clause goes on there.
    let isAfterSemicolon: Bool

    /// Splits a value; `dateStart` is the place after the last semicolon outside of comments. Nothing is read behind it.
    static func split(_ bytes: Span<UInt8>) -> (items: [ReceivedItem], dateStart: Int?) {
        var items: [ReceivedItem] = []
        items.reserveCapacity(16)
        var dateStart: Int?
        var itemsAtSemicolon = 0
        var lastGreater = bytes.count - 1
        while lastGreater >= 0, bytes[lastGreater] != ASCII.greater { lastGreater -= 1 }
        var place = 0
        while place < bytes.count {
            let byte = bytes[place]
            if byte.isMailWhitespace {
                place += 1
            } else if byte == ASCII.semicolon {
                place += 1
                dateStart = place
                itemsAtSemicolon = items.count
            } else if byte == ASCII.openParenthesis {
                let end = commentEnd(bytes, place)
                items.append(
                    ReceivedItem(
                        range: (place + 1)..<end.content, isComment: true, isKeyword: false,
                        isAfterSemicolon: dateStart != nil && itemsAtSemicolon == items.count))
                place = end.next
            } else {
                let start = place
                while place < bytes.count, !bytes[place].isMailWhitespace, bytes[place] != ASCII.semicolon,
                    bytes[place] != ASCII.openParenthesis
                {
                    if bytes[place] == ASCII.less, place < lastGreater,
                        let close = bytes.firstIndex(of: ASCII.greater, from: place)
                    {
                        place = close
                    }
                    place += 1
                }
                let isKeyword = isKeyword(bytes, start..<place)
                items.append(
                    ReceivedItem(
                        range: start..<place, isComment: false, isKeyword: isKeyword,
                        isAfterSemicolon: dateStart != nil && itemsAtSemicolon == items.count))
            }
        }
        if dateStart != nil { items.removeSubrange(itemsAtSemicolon...) }
        return (items, dateStart)
    }

    private static func isKeyword(_ bytes: Span<UInt8>, _ word: Range<Int>) -> Bool {
        func isWord(_ text: StaticString) -> Bool { bytes.equalsIgnoringCase(word, text) }
        switch word.count {
        case 2: return isWord("by") || isWord("id")
        case 3: return isWord("for") || isWord("via")
        case 4: return isWord("from") || isWord("with")
        default: return false
        }
    }

    /// Whether a comment can speak of encryption: it holds `TLS`, `SSL` or `cipher`.
    static func mayTellTLS(_ bytes: Span<UInt8>, _ comment: Range<Int>) -> Bool {
        var letters: UInt32 = 0
        for place in comment {
            letters = letters << 8 & 0xFF_FFFF | UInt32(bytes[place] | 0x20)
            if letters == 0x74_6C_73 || letters == 0x73_73_6C || letters == 0x63_69_70 { return true }
        }
        return false
    }

    private static func commentEnd(_ bytes: Span<UInt8>, _ start: Int) -> (content: Int, next: Int) {
        var depth = 0
        var place = start
        while place < bytes.count {
            switch bytes[place] {
            case ASCII.backslash: place += 1
            case ASCII.openParenthesis: depth += 1
            case ASCII.closeParenthesis:
                depth -= 1
                if depth == 0 { return (place, place + 1) }
            default: break
            }
            place += 1
        }
        return (bytes.count, bytes.count)
    }

    /// The words of a comment, nested ones too: split at white space, parentheses, commas and quotes.
    static func words(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [Range<Int>] {
        var words: [Range<Int>] = []
        var start: Int?
        for place in range {
            switch bytes[place] {
            case ASCII.space, ASCII.tab, ASCII.cr, ASCII.lf, ASCII.openParenthesis, ASCII.closeParenthesis, ASCII.comma,
                ASCII.quote:
                if let begun = start { words.append(begun..<place) }
                start = nil
            default: if start == nil { start = place }
            }
        }
        if let start { words.append(start..<range.upperBound) }
        return words
    }
}

extension ReceivedItem {
    static func texts(_ bytes: Span<UInt8>, _ words: [Range<Int>]) -> [String] {
        var texts: [String] = []
        for word in words { texts.append(Charset.guess(bytes.extracting(word))) }
        return texts
    }
}

/// What the comments after the `from` word say of the client.
struct ReceivedClient {
    private(set) var helo: String?
    private(set) var address: String?
    private var isBracketed = false

    mutating func read(_ bytes: Span<UInt8>, _ words: [Range<Int>]) {
        var isName = false
        for (index, word) in words.enumerated() {
            if isName {
                helo = helo ?? Charset.guess(bytes.extracting(word))
                isName = false
            } else if word.count >= 5, ReceivedClient.isGreeting(bytes, word.lowerBound),
                bytes[word.lowerBound + 4] == ASCII.equals
            {
                if word.count > 5 {
                    helo = helo ?? Charset.guess(bytes.extracting((word.lowerBound + 5)..<word.upperBound))
                }
            } else if word.count == 4, ReceivedClient.isGreeting(bytes, word.lowerBound) {
                isName = true
            } else {
                readAddress(bytes, word, after: index > 0 ? words[index - 1] : nil)
            }
        }
    }

    /// `helo`, `ehlo`, in any case.
    private static func isGreeting(_ bytes: Span<UInt8>, _ place: Int) -> Bool {
        bytes.equalsIgnoringCase(place..<(place + 4), "helo") || bytes.equalsIgnoringCase(place..<(place + 4), "ehlo")
    }

    /// An address in brackets counts wherever it stands; one without only when it stands first, behind a host's name,
    /// or behind `user@`: else it is the version of a program.
    private mutating func readAddress(_ bytes: Span<UInt8>, _ word: Range<Int>, after previous: Range<Int>?) {
        let isBracketed = bytes.firstIndex(of: ASCII.openBracket, in: word) != nil
        guard !self.isBracketed, isBracketed || address == nil else { return }
        guard
            isBracketed || ReceivedClient.isPlausible(bytes, previous)
                || bytes.firstIndex(of: ASCII.at, in: word) != nil,
            let found = ReceivedClient.address(bytes, word)
        else { return }
        address = UTF8Text.repaired(bytes.extracting(found))
        self.isBracketed = isBracketed
    }

    /// Whether an address without brackets may follow that word.
    private static func isPlausible(_ bytes: Span<UInt8>, _ previous: Range<Int>?) -> Bool {
        guard let previous else { return true }
        return bytes.firstIndex(of: ASCII.dot, in: previous) != nil
            && bytes.firstIndex(of: ASCII.slash, in: previous) == nil
            || bytes.equalsIgnoringCase(previous, "unknown")
    }

    /// The IP address in a word.
    static func address(_ word: String) -> String? {
        let bytes = Array(word.utf8)
        let span = bytes.span
        return address(span, 0..<span.count).map { bytes[$0].text }
    }

    /// The place of the IP address in `1.2.3.4`, `[1.2.3.4]`, `[IPv6:::1]`, `[1.2.3.4]:25`, `user@1.2.3.4`, `user@[1.2.3.4]`.
    static func address(_ bytes: Span<UInt8>, _ word: Range<Int>) -> Range<Int>? {
        guard word.count <= 400 else { return nil }
        var start = word.lowerBound
        var end = word.upperBound
        if let open = bytes.lastIndex(of: ASCII.openBracket, in: word) {
            guard let close = bytes.firstIndex(of: ASCII.closeBracket, in: open..<end) else { return nil }
            start = open + 1
            end = close
        } else if let at = bytes.lastIndex(of: ASCII.at, in: word) {
            start = at + 1
        }
        if end - start >= 5, bytes.equalsIgnoringCase(start..<(start + 5), "ipv6:") { start += 5 }
        guard start < end, bytes[start].hexadecimalValue != nil || bytes[start] == ASCII.colon else { return nil }
        if bytes[start] == ASCII.colon, start + 1 >= end || bytes[start + 1] != ASCII.colon { return nil }
        if isIPv4(bytes, start..<end) { return start..<end }
        guard let colon = bytes.firstIndex(of: ASCII.colon, in: start..<end) else { return nil }
        let text = bytes.array(start..<end)
        if isIPv6(text[...]) { return start..<end }
        // `1.2.3.4:25`
        return bytes.array((colon + 1)..<end).allSatisfy(\.isASCIIDigit) && isIPv4(bytes, start..<colon)
            ? start..<colon : nil
    }

    private static func isIPv4(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var dots = 0
        var digits = 0
        var number = 0
        for place in range {
            let byte = bytes[place]
            if byte == ASCII.dot {
                guard digits > 0 else { return false }
                dots += 1
                digits = 0
                number = 0
            } else {
                guard byte.isASCIIDigit, digits < 3 else { return false }
                digits += 1
                number = number * 10 + Int(byte &- ASCII.zero)
                guard number <= 255 else { return false }
            }
        }
        return dots == 3 && digits > 0
    }

    private static func isIPv6(_ bytes: ArraySlice<UInt8>) -> Bool {
        let address = bytes.prefix { $0 != ASCII.percent }
        guard address.count >= 2, address.contains(ASCII.colon) else { return false }
        var groups = 0
        var hasGap = false
        let parts = address.split(separator: ASCII.colon, omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if part.isEmpty {
                let isEdge = index == 0 || index == parts.count - 1
                if !isEdge {
                    if hasGap { return false }
                    hasGap = true
                }
                continue
            }
            if index == parts.count - 1, part.contains(ASCII.dot) {
                guard isIPv4(Array(part).span, 0..<part.count) else { return false }
                groups += 2
                continue
            }
            guard part.count <= 4, part.allSatisfy({ $0.hexadecimalValue != nil }) else { return false }
            groups += 1
        }
        if address.first == ASCII.colon, address.dropFirst().first != ASCII.colon { return false }
        if address.last == ASCII.colon, address.dropLast().last != ASCII.colon { return false }
        return hasGap ? groups <= 7 : groups == 8
    }
}
