import Bytes

/// How text is brought into one form before it is hashed (RFC 6376 3.4).
package enum Canonicalization: String, Sendable {
    case simple, relaxed
}

/// A header field where it stands in a message.
struct SignedField: Sendable {
    let start: Int
    let nameEnd: Int
    let colon: Int
    /// The end without the last line end.
    let contentEnd: Int
    /// A hash of the name in lower case.
    let key: UInt64

    var content: Range<Int> { (colon + 1)..<contentEnd }

    static func key(_ name: some Sequence<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name { hash = (hash ^ UInt64(byte.asciiLowercased)) &* 0x100_0000_01B3 }
        return hash
    }

    func isNamed(_ name: some Collection<UInt8>, _ bytes: Span<UInt8>) -> Bool {
        guard nameEnd - start == name.count else { return false }
        var place = start
        for byte in name {
            if bytes[place].asciiLowercased != byte.asciiLowercased { return false }
            place += 1
        }
        return true
    }
}

/// The header of a message as DKIM sees it: every field as it stands, and where the body begins.
struct SignedHeader: Sendable {
    private(set) var fields: [SignedField] = []
    private(set) var bodyStart: Int

    /// Reads up to the first empty line. A line that is no field and goes on with none is passed over; so is the
    /// `From ` line of an mbox at the start.
    init(_ bytes: Span<UInt8>) {
        fields.reserveCapacity(40)
        var place = 0
        var open: (start: Int, nameEnd: Int, colon: Int, contentEnd: Int, key: UInt64)?
        bodyStart = bytes.count
        while place < bytes.count {
            let line = bytes.line(at: place)
            guard let first = line.content.first else {
                bodyStart = line.next
                break
            }
            if bytes[first].isSpaceOrTab {
                open?.contentEnd = line.content.upperBound
            } else {
                if let open { append(open) }
                open = SignedHeader.field(bytes, line.content)
            }
            place = line.next
        }
        if let open { append(open) }
    }

    private mutating func append(_ field: (start: Int, nameEnd: Int, colon: Int, contentEnd: Int, key: UInt64)) {
        fields.append(
            SignedField(
                start: field.start, nameEnd: field.nameEnd, colon: field.colon, contentEnd: field.contentEnd,
                key: field.key))
    }

    /// Reads the first line of a field; nil for what is none. White space may stand before the colon (RFC 5322 4.5).
    private static func field(
        _ bytes: Span<UInt8>, _ line: Range<Int>
    ) -> (start: Int, nameEnd: Int, colon: Int, contentEnd: Int, key: UInt64)? {
        var place = line.lowerBound
        var hash = SignedField.key([])
        while place < line.upperBound, bytes[place] != ASCII.colon, !bytes[place].isSpaceOrTab {
            hash = (hash ^ UInt64(bytes[place].asciiLowercased)) &* 0x100_0000_01B3
            place += 1
        }
        let nameEnd = place
        while place < line.upperBound, bytes[place].isSpaceOrTab { place += 1 }
        guard nameEnd > line.lowerBound, place < line.upperBound, bytes[place] == ASCII.colon else { return nil }
        return (line.lowerBound, nameEnd, place, line.upperBound, hash)
    }
}

extension [UInt8] {
    /// Appends a header field in canonical form, with CRLF; line ends of LF count as CRLF.
    mutating func append(_ field: SignedField, _ form: Canonicalization, _ bytes: Span<UInt8>) {
        switch form {
        case .simple: appendSimple(bytes, field.start..<field.contentEnd)
        case .relaxed:
            appendRelaxedName(field, bytes)
            appendRelaxed(bytes, field.content, omitting: nil)
        }
        append(ASCII.cr)
        append(ASCII.lf)
    }

    /// Appends a signature's own field: without the value of `b=` and without the last CRLF (RFC 6376 3.7).
    mutating func append(
        signature field: SignedField, _ form: Canonicalization, _ bytes: Span<UInt8>, omitting value: Range<Int>
    ) {
        switch form {
        case .simple:
            appendSimple(bytes, field.start..<value.lowerBound)
            appendSimple(bytes, value.upperBound..<field.contentEnd)
        case .relaxed:
            appendRelaxedName(field, bytes)
            appendRelaxed(bytes, field.content, omitting: value)
        }
    }

    private mutating func appendRelaxedName(_ field: SignedField, _ bytes: Span<UInt8>) {
        for place in field.start..<field.nameEnd { append(bytes[place].asciiLowercased) }
        append(ASCII.colon)
    }

    private mutating func appendSimple(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        var place = range.lowerBound
        while let lf = bytes.firstIndex(of: ASCII.lf, in: place..<range.upperBound) {
            append(span: bytes.extracting(place..<lf))
            if lf == range.lowerBound || bytes[lf - 1] != ASCII.cr { append(ASCII.cr) }
            append(ASCII.lf)
            place = lf + 1
        }
        append(span: bytes.extracting(place..<Swift.max(place, range.upperBound)))
    }

    /// Unfolded, runs of white space as one space, none at the ends.
    private mutating func appendRelaxed(_ bytes: Span<UInt8>, _ range: Range<Int>, omitting gap: Range<Int>?) {
        let start = count
        var hasSpace = false
        var place = range.lowerBound
        while place < range.upperBound {
            if let gap, place == gap.lowerBound, !gap.isEmpty {
                // The white space before the value went with it.
                hasSpace = false
                place = gap.upperBound
                continue
            }
            let byte = bytes[place]
            place += 1
            if byte.isSpaceOrTab {
                hasSpace = true
            } else if byte == ASCII.lf || (byte == ASCII.cr && place < bytes.count && bytes[place] == ASCII.lf) {
                continue
            } else {
                if hasSpace, count > start { append(ASCII.space) }
                hasSpace = false
                append(byte)
            }
        }
    }
}
