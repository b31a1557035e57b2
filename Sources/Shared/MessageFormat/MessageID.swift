import Bytes

/// Message identifiers (RFC 5322 3.6.4).
package enum MessageIDs {
    /// Every `<...>` of an unfolded value, without the brackets, white space and comments; words without brackets only
    /// when no bracket is there.
    package static func list(_ value: [UInt8]) -> [String] {
        let bracketed = bracketed(value)
        if !bracketed.isEmpty { return bracketed }
        return FieldTokens.withoutComments(value, gap: []).split(whereSeparator: {
            $0.isMailWhitespace || $0 == ASCII.comma
        }).map {
            // A bracket that is not closed, or was not opened.
            $0.filter { $0 != ASCII.less && $0 != ASCII.greater }.text
        }.filter { !$0.isEmpty }
    }

    /// The first `<...>`, else the trimmed value without a bracket that has no partner.
    package static func first(_ value: [UInt8]) -> String {
        if let first = bracketed(value, limit: 1).first { return first }
        var trimmed = value.filter { $0 != ASCII.less && $0 != ASCII.greater }
        while trimmed.last?.isMailWhitespace ?? false { trimmed.removeLast() }
        let text = Array(trimmed.drop { $0.isMailWhitespace })
        return UTF8Text.repaired(text.span)
    }

    /// The content of every `<...>`, without white space and comments.
    static func bracketed(_ value: [UInt8], limit: Int = .max) -> [String] {
        let plain = FieldTokens.withoutComments(value, gap: [])
        let bytes = plain.span
        var ids: [String] = []
        var place = 0
        while ids.count < limit, let open = bytes.firstIndex(of: ASCII.less, from: place),
            let close = bytes.firstIndex(of: ASCII.greater, from: open)
        {
            let (content, end) = content(bytes, open, close)
            ids.append(UTF8Text.repaired(content.span))
            place = end + 1
        }
        return ids
    }

    /// What stands between the brackets, without white space; a quoted string is left alone, whatever it holds.
    private static func content(_ bytes: Span<UInt8>, _ open: Int, _ close: Int) -> (content: [UInt8], close: Int) {
        guard let quote = bytes.firstIndex(of: ASCII.quote, in: open..<close) else {
            return (bytes.array((open + 1)..<close).filter { !$0.isMailWhitespace }, close)
        }
        // RFC 5322 lets only the left side be quoted, which then is all of it.
        var content: [UInt8] = []
        var isQuoted = false
        var place = open + 1
        while place < bytes.count, place - quote < longestQuoted, isQuoted || bytes[place] != ASCII.greater {
            let byte = bytes[place]
            if byte == ASCII.quote { isQuoted.toggle() }
            if isQuoted, byte == ASCII.backslash, place + 1 < bytes.count {
                content += [byte, bytes[place + 1]]
                place += 2
                continue
            }
            if isQuoted || !byte.isMailWhitespace { content.append(byte) }
            place += 1
        }
        if place < bytes.count, !isQuoted, bytes[place] == ASCII.greater { return (content, place) }
        return (bytes.array((open + 1)..<close).filter { !$0.isMailWhitespace }, close)
    }

    /// A quoted string that goes on longer is taken for a stray quote, in bytes.
    private static let longestQuoted = 1_000
}
