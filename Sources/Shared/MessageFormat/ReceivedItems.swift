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

    /// Whether a comment can speak of encryption: it holds what `TLS`, `SSL` and `cipher` have in common with no host's
    /// address.
    static func mayTellTLS(_ bytes: Span<UInt8>, _ comment: Range<Int>) -> Bool {
        var last: UInt8 = 0
        for place in comment {
            let letter = bytes[place] | 0x20
            if letter == UInt8(ascii: "s"), last == UInt8(ascii: "l") || last == UInt8(ascii: "s") { return true }
            if letter == UInt8(ascii: "i"), last == UInt8(ascii: "c") { return true }
            last = letter
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
    static func words(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [String] {
        bytes.array(range).split {
            $0.isMailWhitespace || $0 == ASCII.openParenthesis || $0 == ASCII.closeParenthesis || $0 == ASCII.comma
                || $0 == ASCII.quote
        }.map { Charset.guess(Array($0).span) }
    }
}

/// What the comments after the `from` word say of the client.
struct ReceivedClient {
    private(set) var helo: String?
    private(set) var address: String?
    private var isBracketed = false

    mutating func read(_ words: [String]) {
        var isName = false
        for (index, word) in words.enumerated() {
            let first = (word.utf8.first ?? 0) | 0x20
            let lower =
                first == UInt8(ascii: "h") || first == UInt8(ascii: "e")
                ? word.prefix(5).description.asciiLowercased : ""
            if isName {
                helo = helo ?? word
                isName = false
            } else if lower.hasPrefix("helo=") || lower.hasPrefix("ehlo=") {
                if word.utf8.count > 5 { helo = helo ?? String(word.dropFirst(5)) }
            } else if word.utf8.count == 4, lower == "helo" || lower == "ehlo" {
                isName = true
            } else {
                readAddress(word, after: index > 0 ? words[index - 1] : nil)
            }
        }
    }

    /// An address in brackets counts wherever it stands; one without only when it stands first, behind a host's name,
    /// or behind `user@`: else it is the version of a program.
    private mutating func readAddress(_ word: String, after previous: String?) {
        let isBracketed = word.utf8.contains(ASCII.openBracket)
        guard !self.isBracketed, isBracketed || address == nil else { return }
        let isPlausible =
            previous.map {
                $0.utf8.contains(ASCII.dot) && !$0.utf8.contains(ASCII.slash) || $0.equalsIgnoringCase("unknown")
            } ?? true
        guard isBracketed || isPlausible || word.utf8.contains(ASCII.at) else { return }
        guard let found = ReceivedClient.address(word) else { return }
        address = found
        self.isBracketed = isBracketed
    }

    /// The IP address in `1.2.3.4`, `[1.2.3.4]`, `[IPv6:::1]`, `[1.2.3.4]:25`, `user@1.2.3.4`, `user@[1.2.3.4]`.
    static func address(_ word: String) -> String? {
        guard word.utf8.count <= 400 else { return nil }
        var bytes = Array(word.utf8)[...]
        if let open = bytes.lastIndex(of: ASCII.openBracket) {
            guard let close = bytes[open...].firstIndex(of: ASCII.closeBracket) else { return nil }
            bytes = bytes[(open + 1)..<close]
        } else if let at = bytes.lastIndex(of: ASCII.at) {
            bytes = bytes[(at + 1)...]
        }
        if bytes.prefix(5).equalsIgnoringCase("IPv6:") { bytes = bytes.dropFirst(5) }
        if bytes.first == ASCII.colon, bytes.dropFirst().first != ASCII.colon { return nil }
        if isIPv4(bytes) || isIPv6(bytes) { return bytes.text }
        // `1.2.3.4:25`
        if let colon = bytes.firstIndex(of: ASCII.colon), bytes[(colon + 1)...].allSatisfy(\.isASCIIDigit),
            isIPv4(bytes[..<colon])
        {
            return bytes[..<colon].text
        }
        return nil
    }

    private static func isIPv4(_ bytes: ArraySlice<UInt8>) -> Bool {
        let parts = bytes.split(separator: ASCII.dot, omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                (1...3).contains(part.count) && part.allSatisfy(\.isASCIIDigit)
                    && part.reduce(0) { $0 * 10 + Int($1 - ASCII.zero) } <= 255
            }
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
                guard isIPv4(part) else { return false }
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
