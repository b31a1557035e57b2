import Bytes

/// A field that has a value and parameters: Content-Type, Content-Disposition (RFC 2045 5.1, RFC 2183, RFC 2231).
package struct ParameterizedField: Equatable, Sendable {
    package struct Parameter: Equatable, Sendable {
        /// In lower case, without RFC 2231's stars.
        package let name: String
        /// Decoded.
        package let value: String
        /// The bytes of a value that stands whole, not decoded.
        let raw: [UInt8]?
    }

    /// What stands before the first semicolon, in lower case, without comments and white space: `text/plain`.
    package let value: String
    /// Each name once, in the order of their first appearance.
    package let parameters: [Parameter]
    package let defects: Set<FindingID>

    /// The value of a parameter by its lower-case name.
    package subscript(_ name: String) -> String? { parameters.first { $0.name == name }?.value }

    /// Reads an unfolded value; never fails.
    package init(_ value: [UInt8]) {
        let bytes = value.span
        var collector = ParameterCollector()
        var place = 0
        let first = ParameterizedField.section(bytes, &place)
        self.value = ParameterizedField.plain(bytes, first).map(\.asciiLowercased).text
        while place < bytes.count {
            let range = ParameterizedField.section(bytes, &place)
            collector.add(bytes, range)
        }
        (parameters, defects) = collector.finish()
    }

    /// The next section up to a semicolon outside of quotes and comments.
    private static func section(_ bytes: Span<UInt8>, _ place: inout Int) -> Range<Int> {
        let start = place
        var isQuoted = false
        var depth = 0
        while place < bytes.count {
            let byte = bytes[place]
            switch byte {
            case ASCII.backslash where isQuoted || depth > 0: place += 1
            case ASCII.quote where depth == 0: isQuoted.toggle()
            case ASCII.openParenthesis where !isQuoted: depth += 1
            case ASCII.closeParenthesis where !isQuoted && depth > 0: depth -= 1
            case ASCII.semicolon where !isQuoted && depth == 0:
                place += 1
                return start..<(place - 1)
            default: break
            }
            place += 1
        }
        place = bytes.count
        return start..<bytes.count
    }

    /// A section without comments and white space.
    static func plain(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var result: [UInt8] = []
        var depth = 0
        var isQuoted = false
        var place = range.lowerBound
        while place < range.upperBound {
            let byte = bytes[place]
            if byte == ASCII.quote, depth == 0 { isQuoted.toggle() }
            if byte == ASCII.openParenthesis, !isQuoted {
                depth += 1
            } else if byte == ASCII.closeParenthesis, !isQuoted, depth > 0 {
                depth -= 1
            } else if depth == 0, isQuoted || !byte.isMailWhitespace {
                result.append(byte)
            }
            place += 1
        }
        return result
    }
}

/// Gathers the sections of parameters and joins those that continue each other (RFC 2231 3 and 4).
private struct ParameterCollector {
    private struct Piece {
        let bytes: [UInt8]
        let isExtended: Bool
    }

    private struct Pieces {
        var plain: Piece?
        var extended: Piece?
        var numbered: [Int: Piece] = [:]

        /// Keeps the first of each kind.
        mutating func add(_ piece: Piece, isWhole: Bool, isUnnumbered: Bool, _ number: Int?) {
            if isWhole {
                plain = plain ?? piece
            } else if isUnnumbered {
                extended = extended ?? piece
            } else if let number, number >= 0, numbered[number] == nil {
                numbered[number] = piece
            }
        }
    }

    private var order: [String] = []
    private var pieces: [String: Pieces] = [:]
    private var defects: Set<FindingID> = []

    mutating func add(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        guard let equals = bytes.firstIndex(of: ASCII.equals, in: range) else { return }
        let name = ParameterizedField.plain(bytes, range.lowerBound..<equals).map(\.asciiLowercased)
        guard !name.isEmpty else { return }
        let value = ParameterCollector.value(bytes, (equals + 1)..<range.upperBound)
        let parts = name.split(separator: ASCII.asterisk, omittingEmptySubsequences: false)
        let base = UTF8Text.repaired(Array(parts[0]).span)
        guard !base.isEmpty else { return }
        let isExtended = name.last == ASCII.asterisk
        let piece = Piece(bytes: value, isExtended: isExtended)
        if pieces[base] == nil { order.append(base) }
        let number = parts.count > 1 && parts[1].allSatisfy(\.isASCIIDigit) ? Int(Array(parts[1]).text) : nil
        pieces[base, default: Pieces()].add(
            piece, isWhole: parts.count == 1, isUnnumbered: parts.count > 1 && parts[1].isEmpty, number)
    }

    /// A token or a quoted string, unquoted; white space and comments around it are dropped.
    private static func value(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var place = range.lowerBound
        while place < range.upperBound {
            if bytes[place].isMailWhitespace {
                place += 1
            } else if bytes[place] == ASCII.openParenthesis, let end = commentEnd(bytes, place, range.upperBound) {
                place = end
            } else {
                break
            }
        }
        var result: [UInt8] = []
        if place < range.upperBound, bytes[place] == ASCII.quote {
            place += 1
            while place < range.upperBound, bytes[place] != ASCII.quote {
                if bytes[place] == ASCII.backslash, place + 1 < range.upperBound { place += 1 }
                result.append(bytes[place])
                place += 1
            }
            return result
        }
        result = ParameterizedField.unquoted(bytes, place..<range.upperBound)
        return result
    }

    private static func commentEnd(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Int? {
        var depth = 0
        var place = start
        while place < end {
            switch bytes[place] {
            case ASCII.backslash: place += 1
            case ASCII.openParenthesis: depth += 1
            case ASCII.closeParenthesis:
                depth -= 1
                if depth == 0 { return place + 1 }
            default: break
            }
            place += 1
        }
        return nil
    }

    mutating func finish() -> ([ParameterizedField.Parameter], Set<FindingID>) {
        var result: [ParameterizedField.Parameter] = []
        for name in order {
            guard let known = pieces[name], let value = join(known) else { continue }
            let isWhole = known.extended == nil && known.numbered.isEmpty
            result.append(.init(name: name, value: value, raw: isWhole ? known.plain?.bytes : nil))
        }
        return (result, defects)
    }

    private mutating func join(_ known: Pieces) -> String? {
        if let extended = known.extended { return decode([extended]) }
        if !known.numbered.isEmpty {
            // A section that is missing takes no other with it.
            return decode(known.numbered.sorted { $0.key < $1.key }.map(\.value))
        }
        guard let plain = known.plain else { return nil }
        // RFC 2047 in a parameter is forbidden and common.
        if HeaderText.hasEncodedWord(plain.bytes) { defects.insert(.encodedWordInParameter) }
        let decoded = HeaderText.decode(plain.bytes)
        defects.formUnion(decoded.defects)
        return decoded.text
    }

    /// Percent-decodes the extended sections and applies the charset of the first to all bytes together.
    private mutating func decode(_ sections: [Piece]) -> String {
        var charset: String?
        var bytes: [UInt8] = []
        for (index, section) in sections.enumerated() {
            var content = section.bytes[...]
            if index == 0, section.isExtended {
                let parts = content.split(
                    separator: ASCII.apostrophe, maxSplits: 2, omittingEmptySubsequences: false)
                if parts.count == 3 {
                    charset = Array(parts[0]).text
                    content = parts[2]
                }
            }
            bytes += section.isExtended ? Array(content).percentDecoded() : Array(content)
        }
        guard let charset, !charset.isEmpty else { return Charset.guess(bytes.span) }
        let decoded = Charset.decode(bytes.span, label: charset)
        switch decoded.problem {
        case .unknownLabel: defects.insert(.unknownCharset)
        case .badBytes: defects.insert(.badCharsetBytes)
        case nil: break
        }
        return decoded.text
    }
}

extension ParameterizedField {
    /// A token: up to a comment, without white space at its end. Spaces inside are kept, as in unquoted file names.
    fileprivate static func unquoted(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var end = range.lowerBound
        var place = range.lowerBound
        while place < range.upperBound {
            if bytes[place] == ASCII.openParenthesis, place == range.lowerBound || bytes[place - 1].isMailWhitespace {
                break
            }
            if !bytes[place].isMailWhitespace { end = place + 1 }
            place += 1
        }
        return bytes.array(range.lowerBound..<max(range.lowerBound, end))
    }
}
