import Bytes

/// Reads address lists in the forms that nearly all mail has: `name@example.org`, `Plain Words <name@example.org>`,
/// `"Plain words" <name@example.org>`, with commas between them. What it reads, it reads as `AddressList` does.
struct PlainAddressList {
    private var place = 0

    /// The addresses of an unfolded value; nil when anything else stands in it.
    static func parse(_ bytes: Span<UInt8>) -> [Address]? {
        var list = PlainAddressList()
        var addresses: [Address] = []
        while true {
            list.skipSpace(bytes)
            if list.place < bytes.count, bytes[list.place] != ASCII.comma {
                guard let address = list.address(bytes) else { return nil }
                addresses.append(address)
                list.skipSpace(bytes)
            }
            if list.place == bytes.count { return addresses }
            guard bytes[list.place] == ASCII.comma else { return nil }
            list.place += 1
        }
    }

    private mutating func address(_ bytes: Span<UInt8>) -> Address? {
        let start = place
        if bytes[place] == ASCII.less { return angle(bytes).map { Address(name: nil, address: $0) } }
        if bytes[place] == ASCII.quote {
            place += 1
            let content = place
            while place < bytes.count, PlainAddressList.isQuotable(bytes[place]) { place += 1 }
            guard place < bytes.count, bytes[place] == ASCII.quote else { return nil }
            let name = PlainAddressList.name(bytes, content..<place)
            place += 1
            skipSpace(bytes)
            return angle(bytes).map { Address(name: name, address: $0) }
        }
        // The place of the at sign, when there is one before anything else that is no word.
        var hasSpace = false
        var end = place
        while place < bytes.count {
            let byte = bytes[place]
            if byte == ASCII.space {
                hasSpace = true
            } else if PlainAddressList.isWord(byte) {
                // An encoded word may begin with it.
                if byte == ASCII.equals { return nil }
                end = place + 1
            } else if byte == ASCII.less {
                let name = PlainAddressList.name(bytes, start..<end)
                return angle(bytes).map { Address(name: name, address: $0) }
            } else {
                guard byte == ASCII.at, !hasSpace else { return nil }
                place = start
                return spec(bytes).map { Address(name: nil, address: $0) }
            }
            place += 1
        }
        return nil
    }

    /// `<local-part@domain>`
    private mutating func angle(_ bytes: Span<UInt8>) -> String? {
        guard place < bytes.count, bytes[place] == ASCII.less else { return nil }
        place += 1
        guard let address = spec(bytes), place < bytes.count, bytes[place] == ASCII.greater else { return nil }
        place += 1
        return address
    }

    /// `local-part@domain`, of words and dots alone.
    private mutating func spec(_ bytes: Span<UInt8>) -> String? {
        let start = place
        while place < bytes.count, PlainAddressList.isWord(bytes[place]) { place += 1 }
        guard place > start, place < bytes.count, bytes[place] == ASCII.at else { return nil }
        place += 1
        let domain = place
        while place < bytes.count, PlainAddressList.isWord(bytes[place]) { place += 1 }
        return place > domain ? UTF8Text.repaired(bytes.extracting(start..<place)) : nil
    }

    private mutating func skipSpace(_ bytes: Span<UInt8>) {
        while place < bytes.count, bytes[place].isSpaceOrTab { place += 1 }
    }

    /// Words, one space between them; nil when there is none.
    private static func name(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String? {
        var needsWork =
            range.isEmpty || bytes[range.lowerBound] == ASCII.space || bytes[range.upperBound - 1] == ASCII.space
        var wasSpace = false
        for index in range {
            let isSpace = bytes[index].isSpaceOrTab
            if isSpace, wasSpace || bytes[index] == ASCII.tab { needsWork = true }
            wasSpace = isSpace
        }
        if !needsWork { return UTF8Text.repaired(bytes.extracting(range)) }
        let words = bytes.array(range).split(whereSeparator: \.isSpaceOrTab)
        return words.isEmpty ? nil : words.joined(separator: [ASCII.space]).text
    }

    /// A printable character of ASCII that is no special (RFC 5322 3.2.3), or a dot.
    private static func isWord(_ byte: UInt8) -> Bool {
        guard byte > 0x20, byte < 0x7F else { return false }
        switch byte {
        case ASCII.openParenthesis, ASCII.closeParenthesis, ASCII.less, ASCII.greater, ASCII.openBracket,
            ASCII.closeBracket, ASCII.colon, ASCII.semicolon, ASCII.at, ASCII.backslash, ASCII.comma, ASCII.quote:
            return false
        default: return true
        }
    }

    /// May stand in a quoted string that needs no work: neither quoted pairs nor encoded words.
    private static func isQuotable(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte < 0x7F && byte != ASCII.quote && byte != ASCII.backslash && byte != ASCII.equals
    }
}
