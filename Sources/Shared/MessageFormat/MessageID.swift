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

    /// The first `<...>`, else the trimmed value; nil when it is empty.
    package static func first(_ value: [UInt8]) -> String? {
        if let first = bracketed(value, limit: 1).first { return first }
        let text = UTF8Text.repaired(value.span)
        let trimmed = text.utf8.drop { $0.isMailWhitespace }
        let end = trimmed.lastIndex { !$0.isMailWhitespace }
        return end.map { Array(trimmed[...$0]).text }
    }

    private static func bracketed(_ value: [UInt8], limit: Int = .max) -> [String] {
        let bytes = FieldTokens.withoutComments(value, gap: []).span
        var ids: [String] = []
        var place = 0
        while ids.count < limit, let open = bytes.firstIndex(of: ASCII.less, from: place),
            let close = bytes.firstIndex(of: ASCII.greater, from: open)
        {
            let content = bytes.array((open + 1)..<close).filter { !$0.isMailWhitespace }
            ids.append(UTF8Text.repaired(content.span))
            place = close + 1
        }
        return ids
    }
}
