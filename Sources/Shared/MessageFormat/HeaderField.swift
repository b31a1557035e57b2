import Bytes

/// A header field where it stands: ranges of the bytes that were scanned (RFC 5322 2.2).
package struct HeaderField: Equatable, Sendable {
    /// The name, without the white space that may stand before the colon.
    package let name: Range<Int>
    /// What follows the colon, folds included, without the last line end.
    package let body: Range<Int>
    /// The place after the line end of the last line.
    package let end: Int

    /// The first byte of the name.
    package var offset: Int { name.lowerBound }
    /// Bytes of the whole field, through its last line end.
    package var length: Int { end - name.lowerBound }

    package init(name: Range<Int>, body: Range<Int>, end: Int) {
        self.name = name
        self.body = body
        self.end = end
    }

    /// Whether the name is `name`, the case of letters aside.
    package func isNamed(_ name: StaticString, in bytes: Span<UInt8>) -> Bool {
        guard self.name.count == name.utf8CodeUnitCount, self.name.upperBound <= bytes.count else { return false }
        let start = self.name.lowerBound
        return name.withUTF8Buffer { expected in
            for index in 0..<expected.count
            where bytes[start + index].asciiLowercased != expected[index].asciiLowercased {
                return false
            }
            return true
        }
    }

    /// Whether the name is `name`, the case of letters aside.
    package func isNamed(_ name: Span<UInt8>, in bytes: Span<UInt8>) -> Bool {
        guard self.name.count == name.count, self.name.upperBound <= bytes.count else { return false }
        let start = self.name.lowerBound
        for index in 0..<name.count where bytes[start + index].asciiLowercased != name[index].asciiLowercased {
            return false
        }
        return true
    }

    /// The name as it is written.
    package func nameText(in bytes: Span<UInt8>) -> String { bytes.array(name).text }

    /// The value unfolded: every CRLF or LF that a space or tab follows is removed, and spaces and tabs are trimmed at
    /// both ends. Nothing is decoded.
    package func value(in bytes: Span<UInt8>) -> [UInt8] { HeaderField.unfold(bytes, body) }

    /// The value unfolded, with encoded words decoded where the field may hold them (RFC 2047).
    package func text(in bytes: Span<UInt8>) -> String {
        FieldValue.decode(value(in: bytes), FieldKind(bytes, name)).text
    }

    /// The value as it stands, without white space at its ends, when it is plain text on one line that needs neither
    /// unfolding nor decoding.
    package func plainText(in bytes: Span<UInt8>) -> Range<Int>? {
        var start = body.lowerBound
        var end = body.upperBound
        while start < end, bytes[start].isSpaceOrTab { start += 1 }
        while end > start, bytes[end - 1].isSpaceOrTab { end -= 1 }
        let value = start..<end
        if FieldValue.needsDecoding(bytes, value) || bytes.firstIndex(of: ASCII.lf, in: value) != nil { return nil }
        return value
    }

    /// Whether something in the value looks like an encoded word.
    package func mayHoldEncodedWords(in bytes: Span<UInt8>) -> Bool {
        bytes.firstIndex(of: "=?", in: body) != nil
    }

    static func unfold(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, bytes[start].isMailWhitespace, !isBareCR(bytes, start, end) { start += 1 }
        while end > start, bytes[end - 1].isSpaceOrTab || endsWithLineEnd(bytes, start, end) { end -= 1 }
        guard bytes.firstIndex(of: ASCII.lf, in: start..<end) != nil else { return bytes.array(start..<end) }
        var result: [UInt8] = []
        result.reserveCapacity(end - start)
        var position = start
        while position < end {
            let line = bytes.line(at: position, limit: end)
            result.append(span: bytes.extracting(line.content))
            position = line.next
        }
        return result
    }

    private static func isBareCR(_ bytes: Span<UInt8>, _ place: Int, _ end: Int) -> Bool {
        bytes[place] == ASCII.cr && !(place + 1 < end && bytes[place + 1] == ASCII.lf)
    }

    /// A line end at the very end, left by a continuation line of nothing but white space.
    private static func endsWithLineEnd(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
        bytes[end - 1] == ASCII.lf
            || (bytes[end - 1] == ASCII.cr && end < bytes.count && bytes[end] == ASCII.lf)
    }
}

/// What a header line is.
enum HeaderLine {
    case empty
    case continuation
    /// A field whose name ends at `nameEnd` and whose colon stands at `colon`.
    case field(nameEnd: Int, colon: Int)
    /// Neither: no colon, or characters before it that no name has.
    case other

    init(_ bytes: Span<UInt8>, _ line: Range<Int>) {
        guard let first = line.first else {
            self = .empty
            return
        }
        if bytes[first].isSpaceOrTab {
            self = .continuation
            return
        }
        var place = first
        while place < line.upperBound, bytes[place] &- 0x21 < 0x5E, bytes[place] != ASCII.colon { place += 1 }
        let nameEnd = place
        while place < line.upperBound, bytes[place].isSpaceOrTab { place += 1 }
        if nameEnd > first, place < line.upperBound, bytes[place] == ASCII.colon {
            self = .field(nameEnd: nameEnd, colon: place)
        } else {
            self = .other
        }
    }
}
