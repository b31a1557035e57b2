import Bytes

/// Why a tag-list is none.
package struct TagListError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String
}

/// A DKIM tag-list, `name=value; name=value` (RFC 6376 3.2). Names are case-sensitive and stand once.
package struct TagList: Sendable {
    package struct Tag: Sendable {
        /// Ranges of the list's bytes; white space around both is left out.
        package let name: Range<Int>
        package let value: Range<Int>
        /// The name as a number when it is short, as nearly all are; else 0.
        fileprivate let code: UInt32
    }

    package let bytes: [UInt8]
    package let tags: [Tag]

    /// Reads a whole list. White space may hold line ends (FWS). A semicolon at the end is allowed, an empty tag is not.
    package init(_ bytes: [UInt8]) throws(TagListError) {
        self.bytes = bytes
        tags = try TagList.tags(bytes.span)
    }

    private static func tags(_ bytes: Span<UInt8>) throws(TagListError) -> [Tag] {
        var tags: [Tag] = []
        tags.reserveCapacity(14)
        var place = 0
        while place < bytes.count {
            let start = place
            while place < bytes.count, bytes[place].isMailWhitespace { place += 1 }
            let nameStart = place
            while place < bytes.count, bytes[place].isASCIIAlphanumeric || bytes[place] == UInt8(ascii: "_") {
                place += 1
            }
            let name = nameStart..<place
            while place < bytes.count, bytes[place].isMailWhitespace { place += 1 }
            if name.isEmpty, place == bytes.count, !tags.isEmpty {
                // What follows the last semicolon may be nothing.
                return tags
            }
            guard place < bytes.count, bytes[place] == UInt8(ascii: "="), !name.isEmpty,
                bytes[nameStart].isASCIILetter, !tags.contains(where: { matches(bytes, $0.name, name) }),
                tags.count < limit
            else { throw flaw(bytes, from: start, tags) }
            place += 1
            while place < bytes.count, bytes[place].isMailWhitespace { place += 1 }
            let valueStart = place
            var valueEnd = place
            while place < bytes.count, bytes[place] != UInt8(ascii: ";") {
                let byte = bytes[place]
                place += 1
                if byte > 0x20, byte != 0x7F {
                    valueEnd = place
                } else if !byte.isMailWhitespace {
                    throw TagListError(
                        description: "the tag \(bytes.array(name).text) holds a control character")
                }
            }
            tags.append(Tag(name: name, value: valueStart..<valueEnd, code: code(bytes, name)))
            place += 1
        }
        if tags.isEmpty { throw TagListError(description: "no tags") }
        return tags
    }

    private static func matches(_ bytes: Span<UInt8>, _ left: Range<Int>, _ right: Range<Int>) -> Bool {
        guard left.count == right.count else { return false }
        for offset in 0..<left.count where bytes[left.lowerBound + offset] != bytes[right.lowerBound + offset] {
            return false
        }
        return true
    }

    /// What is wrong with the tag that begins at `start`.
    private static func flaw(_ bytes: Span<UInt8>, from start: Int, _ tags: [Tag]) -> TagListError {
        let end = bytes.firstIndex(of: ASCII.semicolon, from: start) ?? bytes.count
        let all = bytes.array
        let part = trimmed(all, start..<end)
        if part.isEmpty {
            return TagListError(description: tags.isEmpty && end == bytes.count ? "no tags" : "an empty tag")
        }
        guard let equals = bytes.firstIndex(of: ASCII.equals, in: part) else {
            return TagListError(description: "a tag without =: \(spfText(all[part].prefix(32)))")
        }
        let name = trimmed(all, part.lowerBound..<equals)
        guard let first = name.first, all[first].isASCIILetter,
            all[name].allSatisfy({ $0.isASCIIAlphanumeric || $0 == ASCII.underscore })
        else { return TagListError(description: "a tag's name is not valid: \(spfText(all[name].prefix(32)))") }
        if tags.contains(where: { matches(bytes, $0.name, name) }) {
            return TagListError(description: "the tag \(all[name].text) stands more than once")
        }
        return TagListError(description: "too many tags")
    }

    /// No list of use has more tags.
    private static let limit = 100

    private static func trimmed(_ bytes: [UInt8], _ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, bytes[start].isMailWhitespace { start += 1 }
        while end > start, bytes[end - 1].isMailWhitespace { end -= 1 }
        return start..<end
    }

    /// The place of a tag's value; nil when there is no such tag.
    package func range(_ name: StaticString) -> Range<Int>? {
        let code = TagList.code(name)
        for tag in tags where tag.code == code {
            if code != 0
                || bytes.span.matches(name, at: tag.name.lowerBound) && tag.name.count == name.utf8CodeUnitCount
            {
                return tag.value
            }
        }
        return nil
    }

    private static func code(_ bytes: Span<UInt8>, _ name: Range<Int>) -> UInt32 {
        if name.count > 4 { return 0 }
        var code: UInt32 = 0
        for place in name { code = code << 8 | UInt32(bytes[place]) }
        return code
    }

    private static func code(_ name: StaticString) -> UInt32 {
        name.withUTF8Buffer { bytes in
            bytes.count > 4 ? 0 : bytes.reduce(0) { $0 << 8 | UInt32($1) }
        }
    }

    /// Whether a tag has this value, the case of letters aside.
    func hasValue(_ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        let span = bytes.span
        return text.withUTF8Buffer { wanted in
            for offset in 0..<wanted.count where span[range.lowerBound + offset].asciiLowercased != wanted[offset] {
                return false
            }
            return true
        }
    }

    /// A tag's value as it stands.
    package subscript(_ name: StaticString) -> ArraySlice<UInt8>? { range(name).map { bytes[$0] } }

    /// A tag's value as text.
    package func text(_ name: StaticString) -> String? { self[name].map(\.text) }

    /// A tag's value without any white space, as base64 and names in parts have it.
    package func compact(_ name: StaticString) -> [UInt8]? { range(name).map { TagList.compact(bytes, $0) } }

    static func compact(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        for place in range where !bytes[place].isMailWhitespace { result.append(bytes[place]) }
        return result
    }

    /// A tag's value as a list with colons: each part trimmed.
    package func list(_ name: StaticString) -> [ArraySlice<UInt8>]? {
        guard let range = range(name) else { return nil }
        var parts: [ArraySlice<UInt8>] = []
        var start = range.lowerBound
        while true {
            let end = bytes.span.firstIndex(of: ASCII.colon, in: start..<range.upperBound) ?? range.upperBound
            parts.append(bytes[TagList.trimmed(bytes, start..<end)])
            if end == range.upperBound { return parts }
            start = end + 1
        }
    }
}
