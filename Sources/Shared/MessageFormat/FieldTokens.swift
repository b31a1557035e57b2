import Bytes

/// A token of a structured field (RFC 5322 3.2).
struct FieldToken: Equatable {
    enum Kind: Equatable {
        /// A run of characters that are neither special nor white.
        case atom
        /// A quoted string, quotes included.
        case quoted
        /// A comment, parentheses included, nested ones too.
        case comment
        /// `[...]`, brackets included.
        case literal
        /// One of `<>,;:@.` or another special, by itself.
        case special(UInt8)
    }

    let kind: Kind
    let range: Range<Int>
    /// White space or a comment stood before it.
    let isAfterSpace: Bool

    func isSpecial(_ byte: UInt8) -> Bool { kind == .special(byte) }

    /// A comma, semicolon or colon.
    var isSeparator: Bool { isSpecial(ASCII.comma) || isSpecial(ASCII.semicolon) || isSpecial(ASCII.colon) }
}

enum FieldTokens {
    /// Splits an unfolded value. A quote that is not closed is passed over; a comment or a literal that is not closed
    /// runs to the end. Both are noted in `isBroken`. An encoded word is one atom, or part of one, whatever it holds.
    static func split(_ bytes: Span<UInt8>) -> (tokens: [FieldToken], isBroken: Bool) {
        var tokens: [FieldToken] = []
        var isBroken = false
        var isAfterSpace = false
        var place = 0
        while place < bytes.count {
            let start = place
            let byte = bytes[place]
            let kind: FieldToken.Kind
            switch byte {
            case _ where byte.isMailWhitespace:
                place += 1
                isAfterSpace = true
                continue
            case ASCII.quote:
                kind = .quoted
                guard skipDelimited(bytes, &place, ASCII.quote) else {
                    isBroken = true
                    place = start + 1
                    continue
                }
            case ASCII.openBracket:
                kind = .literal
                isBroken = !skipDelimited(bytes, &place, ASCII.closeBracket) || isBroken
            case ASCII.openParenthesis:
                kind = .comment
                isBroken = !skipComment(bytes, &place) || isBroken
            case _ where isSpecial(byte):
                kind = .special(byte)
                place += 1
            default:
                kind = .atom
                while place < bytes.count, !bytes[place].isMailWhitespace, !isSpecial(bytes[place]),
                    bytes[place] != ASCII.quote, bytes[place] != ASCII.openParenthesis,
                    bytes[place] != ASCII.openBracket
                {
                    if bytes[place] == ASCII.equals, let end = encodedWordEnd(bytes, place) {
                        place = end
                        continue
                    }
                    // A backslash takes the next character with it, as in a quoted pair outside of quotes.
                    place += bytes[place] == ASCII.backslash && place + 1 < bytes.count ? 2 : 1
                }
            }
            tokens.append(FieldToken(kind: kind, range: start..<place, isAfterSpace: isAfterSpace))
            isAfterSpace = kind == .comment
        }
        return (tokens, isBroken)
    }

    /// The end of the encoded word that begins at `place`. What holds an angle bracket is none: it might hide an address.
    private static func encodedWordEnd(_ bytes: Span<UInt8>, _ place: Int) -> Int? {
        guard let word = EncodedWord(bytes, at: place) else { return nil }
        for index in place..<word.end where bytes[index] == ASCII.less || bytes[index] == ASCII.greater { return nil }
        return word.end
    }

    static func isSpecial(_ byte: UInt8) -> Bool {
        switch byte {
        case ASCII.less, ASCII.greater, ASCII.comma, ASCII.semicolon, ASCII.colon, ASCII.at, ASCII.dot,
            ASCII.closeParenthesis, ASCII.closeBracket:
            true
        default: false
        }
    }

    private static func skipDelimited(_ bytes: Span<UInt8>, _ place: inout Int, _ close: UInt8) -> Bool {
        place += 1
        while place < bytes.count {
            let byte = bytes[place]
            place += byte == ASCII.backslash && place + 1 < bytes.count ? 2 : 1
            if byte == close { return true }
        }
        return false
    }

    private static func skipComment(_ bytes: Span<UInt8>, _ place: inout Int) -> Bool {
        var depth = 0
        while place < bytes.count {
            let byte = bytes[place]
            place += byte == ASCII.backslash && place + 1 < bytes.count ? 2 : 1
            if byte == ASCII.openParenthesis { depth += 1 }
            if byte == ASCII.closeParenthesis {
                depth -= 1
                if depth == 0 { return true }
            }
        }
        return false
    }

    /// An unfolded value with `gap` in place of each comment; quoted strings are left alone, and so is a parenthesis that
    /// is not closed.
    static func withoutComments(_ value: [UInt8], gap: [UInt8] = [ASCII.space]) -> [UInt8] {
        guard value.contains(ASCII.openParenthesis) else { return value }
        let bytes = value.span
        var result: [UInt8] = []
        var place = 0
        for token in split(bytes).tokens where token.kind == .comment {
            if token.range.upperBound == value.count, !isClosed(bytes, token) { break }
            result += bytes.array(place..<token.range.lowerBound) + gap
            place = token.range.upperBound
        }
        return result + bytes.array(place..<bytes.count)
    }

    /// Whether a comment that ends with the value ends with its parenthesis.
    private static func isClosed(_ bytes: Span<UInt8>, _ comment: FieldToken) -> Bool {
        var place = comment.range.lowerBound
        return skipComment(bytes, &place)
    }

    /// The content of a quoted string or comment: without its delimiters and backslashes.
    static func content(_ bytes: Span<UInt8>, _ token: FieldToken, _ close: UInt8) -> [UInt8] {
        var result: [UInt8] = []
        var place = token.range.lowerBound + 1
        var end = token.range.upperBound
        if end > place, bytes[end - 1] == close { end -= 1 }
        while place < end {
            if bytes[place] == ASCII.backslash, place + 1 < end { place += 1 }
            result.append(bytes[place])
            place += 1
        }
        return result
    }
}
