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
    }

    package let bytes: [UInt8]
    package private(set) var tags: [Tag] = []

    /// Reads a whole list. White space may hold line ends (FWS). A semicolon at the end is allowed, an empty tag is not.
    package init(_ bytes: [UInt8]) throws(TagListError) {
        self.bytes = bytes
        var start = 0
        while start < bytes.count {
            let end = bytes.span.firstIndex(of: ASCII.semicolon, from: start) ?? bytes.count
            let part = TagList.trimmed(bytes, start..<end)
            if part.isEmpty {
                // What follows the last semicolon may be nothing.
                guard end == bytes.count, !tags.isEmpty else { throw TagListError(description: "an empty tag") }
                return
            }
            try add(part)
            start = end + 1
        }
        if tags.isEmpty { throw TagListError(description: "no tags") }
    }

    private mutating func add(_ part: Range<Int>) throws(TagListError) {
        guard let equals = bytes.span.firstIndex(of: ASCII.equals, in: part) else {
            throw TagListError(description: "a tag without =: \(spfText(bytes[part].prefix(32)))")
        }
        let name = TagList.trimmed(bytes, part.lowerBound..<equals)
        guard let first = name.first, bytes[first].isASCIILetter,
            bytes[name].allSatisfy({ $0.isASCIIAlphanumeric || $0 == ASCII.underscore })
        else { throw TagListError(description: "a tag's name is not valid: \(spfText(bytes[name].prefix(32)))") }
        if let known = tags.first(where: { bytes[$0.name].elementsEqual(bytes[name]) }) {
            throw TagListError(description: "the tag \(bytes[known.name].text) stands more than once")
        }
        guard tags.count < TagList.limit else { throw TagListError(description: "too many tags") }
        let value = TagList.trimmed(bytes, (equals + 1)..<part.upperBound)
        guard bytes[value].allSatisfy({ !$0.isASCIIControl || $0.isMailWhitespace }) else {
            throw TagListError(description: "the tag \(bytes[name].text) holds a control character")
        }
        tags.append(Tag(name: name, value: value))
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
        tags.first { tag in
            tag.name.count == name.utf8CodeUnitCount && bytes.span.matches(name, at: tag.name.lowerBound)
        }?.value
    }

    /// A tag's value as it stands.
    package subscript(_ name: StaticString) -> ArraySlice<UInt8>? { range(name).map { bytes[$0] } }

    /// A tag's value as text.
    package func text(_ name: StaticString) -> String? { self[name].map(\.text) }

    /// A tag's value without any white space, as base64 and names in parts have it.
    package func compact(_ name: StaticString) -> [UInt8]? {
        guard let range = range(name) else { return nil }
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
