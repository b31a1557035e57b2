import Bytes

/// Single lines of a header, as far as mailboxes need to know them.
enum HeaderLine {
    /// The place after the colon when the line `range` is the field `name` (white space before the colon is tolerated).
    static func value(of name: StaticString, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int>? {
        let length = name.utf8CodeUnitCount
        guard range.count > length else { return nil }
        let isNamed = name.withUTF8Buffer { expected in
            for index in 0..<length {
                guard bytes[range.lowerBound + index].asciiLowercased == expected[index].asciiLowercased else {
                    return false
                }
            }
            return true
        }
        guard isNamed else { return nil }
        var index = range.lowerBound + length
        while index < range.upperBound, bytes[index].isSpaceOrTab { index += 1 }
        guard index < range.upperBound, bytes[index] == ASCII.colon else { return nil }
        return index + 1..<range.upperBound
    }

    /// `range` without white space at both ends.
    static func trimmed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        var lower = range.lowerBound
        var upper = range.upperBound
        while lower < upper, bytes[lower].isMailWhitespace { lower += 1 }
        while upper > lower, bytes[upper - 1].isMailWhitespace { upper -= 1 }
        return lower..<upper
    }

    /// The number that the line holds when it is a `Content-Length` field.
    static func contentLength(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        guard let value = value(of: "Content-Length", bytes, range) else { return nil }
        let digits = trimmed(bytes, value)
        guard 1...18 ~= digits.count else { return nil }
        var number = 0
        for index in digits {
            guard bytes[index].isASCIIDigit else { return nil }
            number = number * 10 + Int(bytes[index] - ASCII.zero)
        }
        return number
    }

    /// The length of the name when a header field begins at `start` (RFC 5322 2.2); nil otherwise.
    static func nameLength(_ bytes: Span<UInt8>, at start: Int, limit: Int) -> Int? {
        var index = start
        while index < limit, bytes[index] > ASCII.space, bytes[index] < ASCII.delete, bytes[index] != ASCII.colon {
            index += 1
        }
        let length = index - start
        while index < limit, bytes[index].isSpaceOrTab { index += 1 }
        return length > 0 && index < limit && bytes[index] == ASCII.colon ? length : nil
    }

    /// Whether one of the header fields that messages begin with stands at `start`; nil when the bytes end too soon to
    /// tell and `isFinal` is not set.
    static func beginsWellKnownField(_ bytes: Span<UInt8>, at start: Int, isFinal: Bool) -> Bool? {
        let limit = Swift.min(start + 64, bytes.count)
        guard let length = nameLength(bytes, at: start, limit: limit) else {
            if isFinal || limit == start + 64 || bytes.firstIndex(of: ASCII.lf, in: start..<limit) != nil {
                return false
            }
            return nil
        }
        let name = bytes.array(start..<start + length).map(\.asciiLowercased)
        if name.starts(with: "x-".utf8) || name.starts(with: "content-".utf8) || name.starts(with: "resent-".utf8) {
            return true
        }
        return wellKnownFields.contains(name.text)
    }

    private static let wellKnownFields: Set<String> = [
        "return-path", "received", "delivered-to", "from", "sender", "reply-to", "to", "cc", "bcc", "subject", "date",
        "message-id", "in-reply-to", "references", "mime-version", "status", "errors-to", "precedence", "list-id",
        "dkim-signature", "domainkey-signature", "authentication-results", "arc-seal", "organization", "newsgroups",
        "path", "lines", "envelope-to", "delivery-date", "user-agent", "importance", "comments", "keywords",
    ]
}
