import Bytes

/// An Authentication-Results field: what a server says it found about a message (RFC 8601). Anyone can write one: it
/// is worth what its `server` is worth.
package struct AuthenticationResults: Equatable, Sendable {
    /// One method's result.
    package struct Result: Equatable, Sendable {
        /// `dkim`, `spf`, `dmarc`, ...: in lower case, without its version.
        package var method: String
        /// `pass`, `fail`, ...: in lower case.
        package var result: String
        package var reason: String?
        /// `ptype.property` in lower case and its value, in order; each name once.
        package var properties: [Property]
    }

    /// What a result rests on: `header.d` and `example.org`.
    package struct Property: Equatable, Sendable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The authserv-id; nil when the field begins with a result.
    package var server: String?
    /// Empty for `none`.
    package var results: [Result] = []

    /// Reads an unfolded value; never fails. Comments are removed.
    package init(_ value: [UInt8]) {
        let bytes = AuthenticationResults.withoutComments(value)
        var isFirst = true
        for segment in AuthenticationResults.segments(bytes) {
            let pairs = AuthenticationResults.pairs(segment)
            if isFirst, pairs.isEmpty {
                let words = segment.split(whereSeparator: \.isMailWhitespace)
                server = words.first.map { AuthenticationResults.unquoted(Array($0)) }
            } else if let result = AuthenticationResults.result(pairs) {
                results.append(result)
            }
            isFirst = false
        }
    }

    private static func result(_ pairs: [(name: String, value: String)]) -> Result? {
        guard let first = pairs.first else { return nil }
        let method = first.name.split(separator: "/", maxSplits: 1).first.map(String.init) ?? first.name
        var result = Result(
            method: method.asciiLowercased, result: first.value.asciiLowercased, reason: nil, properties: [])
        var names: Set<String> = []
        for (name, value) in pairs.dropFirst() {
            let name = name.asciiLowercased
            if name == "reason" {
                result.reason = result.reason ?? value
            } else if names.insert(name).inserted {
                result.properties.append(Property(name: name, value: value))
            }
        }
        return result
    }

    /// Each comment becomes a space; quoted strings are left alone.
    private static func withoutComments(_ value: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(value.count)
        var depth = 0
        var isQuoted = false
        var place = 0
        while place < value.count {
            let byte = value[place]
            let isPair = byte == ASCII.backslash && place + 1 < value.count && (depth > 0 || isQuoted)
            if depth == 0, byte == ASCII.quote { isQuoted.toggle() }
            if !isQuoted, byte == ASCII.openParenthesis { depth += 1 }
            if depth == 0 {
                result.append(byte)
                if isPair { result.append(value[place + 1]) }
            } else if !isQuoted, byte == ASCII.closeParenthesis {
                depth -= 1
                if depth == 0 { result.append(ASCII.space) }
            }
            place += isPair ? 2 : 1
        }
        return result
    }

    private static func segments(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        var segments: [ArraySlice<UInt8>] = []
        var start = 0
        var isQuoted = false
        var place = 0
        while place < bytes.count {
            switch bytes[place] {
            case ASCII.backslash where isQuoted: place += 1
            case ASCII.quote: isQuoted.toggle()
            case ASCII.semicolon where !isQuoted:
                segments.append(bytes[start..<place])
                start = place + 1
            default: break
            }
            place += 1
        }
        if start < bytes.count { segments.append(bytes[start...]) }
        return segments
    }

    /// `name=value` pairs; white space may stand around the dot and the equals sign.
    private static func pairs(_ segment: ArraySlice<UInt8>) -> [(name: String, value: String)] {
        var pairs: [(name: String, value: String)] = []
        var name: [UInt8] = []
        var isAfterSpace = false
        var place = segment.startIndex
        while place < segment.endIndex {
            let byte = segment[place]
            if byte == ASCII.equals {
                place += 1
                let value = value(segment, &place)
                if !name.isEmpty { pairs.append((Charset.guess(name.span), value)) }
                name = []
                isAfterSpace = false
                continue
            }
            if byte.isMailWhitespace {
                isAfterSpace = true
            } else {
                // A word that no equals sign follows is none of ours.
                if isAfterSpace, byte != ASCII.dot, byte != ASCII.slash, name.last != ASCII.dot,
                    name.last != ASCII.slash
                {
                    name = []
                }
                name.append(byte)
                isAfterSpace = false
            }
            place += 1
        }
        return pairs
    }

    private static func value(_ segment: ArraySlice<UInt8>, _ place: inout Int) -> String {
        while place < segment.endIndex, segment[place].isMailWhitespace { place += 1 }
        let start = place
        var isQuoted = false
        while place < segment.endIndex, isQuoted || !segment[place].isMailWhitespace {
            if segment[place] == ASCII.quote { isQuoted.toggle() }
            place += isQuoted && segment[place] == ASCII.backslash && place + 1 < segment.endIndex ? 2 : 1
        }
        return unquoted(Array(segment[start..<place]))
    }

    /// Without quotes and backslashes when the whole is one quoted string.
    private static func unquoted(_ word: [UInt8]) -> String {
        guard word.count >= 2, word.first == ASCII.quote else { return Charset.guess(word.span) }
        var result: [UInt8] = []
        var place = 1
        while place < word.count, word[place] != ASCII.quote {
            if word[place] == ASCII.backslash, place + 1 < word.count { place += 1 }
            result.append(word[place])
            place += 1
        }
        return place >= word.count - 1 ? Charset.guess(result.span) : Charset.guess(word.span)
    }
}
