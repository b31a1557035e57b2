import Bytes
import OpenSSL

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

    static func key(_ name: some Sequence<UInt8>) -> UInt64 { name.reduce(emptyKey, key) }

    /// The key of no bytes, and that with one byte more (FNV-1a). Names of one key are compared.
    static let emptyKey: UInt64 = 0xCBF2_9CE4_8422_2325
    static func key(_ hash: UInt64, _ byte: UInt8) -> UInt64 {
        (hash ^ UInt64(byte.asciiLowercased)) &* 0x100_0000_01B3
    }

    /// Whether it has the name that stands in `names`.
    func isNamed(_ names: Span<UInt8>, _ range: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        guard nameEnd - start == range.count else { return false }
        for offset in 0..<range.count
        where bytes[start + offset].asciiLowercased != names[range.lowerBound + offset].asciiLowercased {
            return false
        }
        return true
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

/// The names of fields that a signature signs, in their order, repeats among them.
struct SignedNames: Sendable {
    struct Name: Sendable {
        let key: UInt64
        let range: Range<Int>
    }

    /// What the ranges are of.
    let bytes: [UInt8]
    private(set) var names: [Name] = []

    init() { bytes = [] }

    init(_ texts: [String]) {
        bytes = texts.flatMap { Array($0.utf8) }
        var place = 0
        for text in texts {
            names.append(Name(key: SignedField.key(text.utf8), range: place..<(place + text.utf8.count)))
            place += text.utf8.count
        }
    }

    /// Names with colons between them in `range`, white space around each left out; empty ones name nothing. Nil when there
    /// are more than `limit`, or a name holds what none can.
    init?(_ bytes: [UInt8], in range: Range<Int>, limit: Int) {
        self.bytes = bytes
        guard let names = Self.names(bytes.span, range, limit) else { return nil }
        self.names = names
    }

    private static func names(_ bytes: Span<UInt8>, _ range: Range<Int>, _ limit: Int) -> [Name]? {
        var names: [Name] = []
        names.reserveCapacity(24)
        var place = range.lowerBound
        var count = 0
        while true {
            while place < range.upperBound, bytes[place].isMailWhitespace { place += 1 }
            let start = place
            var hash = SignedField.emptyKey
            while place < range.upperBound, bytes[place] > 0x20, bytes[place] < 0x7F, bytes[place] != UInt8(ascii: ":")
            {
                hash = SignedField.key(hash, bytes[place])
                place += 1
            }
            let end = place
            while place < range.upperBound, bytes[place].isMailWhitespace { place += 1 }
            guard place == range.upperBound || bytes[place] == UInt8(ascii: ":") else { return nil }
            count += 1
            if count > limit { return nil }
            if end > start { names.append(Name(key: hash, range: start..<end)) }
            if place == range.upperBound { return names }
            place += 1
        }
    }

    func contains(_ name: StaticString) -> Bool {
        let span = bytes.span
        return names.contains { one in
            one.range.count == name.utf8CodeUnitCount && Self.matches(span, one.range, name)
        }
    }

    private static func matches(_ bytes: Span<UInt8>, _ range: Range<Int>, _ name: StaticString) -> Bool {
        name.withUTF8Buffer { wanted in
            for offset in 0..<range.count where bytes[range.lowerBound + offset].asciiLowercased != wanted[offset] {
                return false
            }
            return true
        }
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
        var hash = SignedField.emptyKey
        while place < line.upperBound {
            let byte = bytes[place]
            if byte == UInt8(ascii: ":") || byte == 0x20 || byte == 0x09 { break }
            hash = SignedField.key(hash, byte)
            place += 1
        }
        let nameEnd = place
        while place < line.upperBound, bytes[place].isSpaceOrTab { place += 1 }
        guard nameEnd > line.lowerBound, place < line.upperBound, bytes[place] == UInt8(ascii: ":") else { return nil }
        return (line.lowerBound, nameEnd, place, line.upperBound, hash)
    }
}

/// The canonical header text that a signature signs, in the making.
struct HeaderText: Sendable {
    private var storage: [UInt8] = []
    private(set) var count = 0

    init() {}

    init(_ bytes: [UInt8]) {
        storage = bytes
        count = bytes.count
    }

    var bytes: [UInt8] { Array(storage[..<count]) }

    /// SHA-256 of it.
    func hash() throws(OpenSSLError) -> [UInt8] {
        let span = storage.span
        return try Digest.hash(.sha256, span.extracting(0..<count))
    }

    /// Empties it; the memory stays.
    mutating func removeAll() { count = 0 }

    /// Appends a header field in canonical form, with CRLF; line ends of LF count as CRLF.
    mutating func append(_ field: SignedField, _ form: Canonicalization, _ bytes: Span<UInt8>) {
        switch form {
        case .simple: appendSimple(bytes, field.start..<field.contentEnd)
        case .relaxed:
            appendRelaxedName(field, bytes)
            _ = appendRelaxed(bytes, field.content, isStart: true)
        }
        append(ASCII.cr, ASCII.lf)
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
            // The white space before the value goes with it.
            let isStart = appendRelaxed(bytes, field.content.lowerBound..<value.lowerBound, isStart: true)
            _ = appendRelaxed(bytes, value.upperBound..<field.content.upperBound, isStart: isStart)
        }
    }

    private mutating func reserve(_ more: Int) {
        let missing = count + more - storage.count
        if missing > 0 { storage.append(contentsOf: repeatElement(0, count: max(missing, storage.count, 1_024))) }
    }

    private mutating func append(_ first: UInt8, _ second: UInt8) {
        reserve(2)
        storage[count] = first
        storage[count + 1] = second
        count += 2
    }

    private mutating func appendRelaxedName(_ field: SignedField, _ bytes: Span<UInt8>) {
        reserve(field.nameEnd - field.start + 1)
        count = Self.write(lowercased: bytes, field.start..<field.nameEnd, to: &storage, at: count)
    }

    /// Writes a name and its colon; where it ends.
    private static func write(
        lowercased bytes: Span<UInt8>, _ range: Range<Int>, to storage: inout [UInt8], at start: Int
    ) -> Int {
        var end = start
        var out = storage.mutableSpan
        for place in range {
            out[end] = bytes[place].asciiLowercased
            end += 1
        }
        out[end] = UInt8(ascii: ":")
        return end + 1
    }

    private mutating func appendSimple(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        guard !range.isEmpty else { return }
        // At worst every byte is a LF without CR.
        reserve(2 * range.count)
        count = Self.write(simple: bytes, range, to: &storage, at: count)
    }

    /// Writes bytes with CRLF for every line end; where they end.
    private static func write(
        simple bytes: Span<UInt8>, _ range: Range<Int>, to storage: inout [UInt8], at start: Int
    ) -> Int {
        var end = start
        var out = storage.mutableSpan
        for place in range {
            let byte = bytes[place]
            if byte == 0x0A, place == range.lowerBound || bytes[place - 1] != 0x0D {
                out[end] = 0x0D
                end += 1
            }
            out[end] = byte
            end += 1
        }
        return end
    }

    /// Unfolded, runs of white space as one space, none at the ends. `isStart`: nothing of the value stands there yet, and
    /// what is returned is that again.
    private mutating func appendRelaxed(_ bytes: Span<UInt8>, _ range: Range<Int>, isStart: Bool) -> Bool {
        guard !range.isEmpty else { return isStart }
        reserve(range.count + 1)
        let (end, isStillStart) = Self.write(relaxed: bytes, range, to: &storage, at: count, isStart: isStart)
        count = end
        return isStillStart
    }

    private static func write(
        relaxed bytes: Span<UInt8>, _ range: Range<Int>, to storage: inout [UInt8], at start: Int, isStart: Bool
    ) -> (end: Int, isStart: Bool) {
        var end = start
        var isStart = isStart
        var hasSpace = false
        var place = range.lowerBound
        var out = storage.mutableSpan
        while place < range.upperBound {
            let byte = bytes[place]
            place += 1
            if byte <= 0x20 {
                if byte == 0x20 || byte == 0x09 {
                    hasSpace = true
                    continue
                }
                if byte == 0x0A || (byte == 0x0D && place < bytes.count && bytes[place] == 0x0A) { continue }
            }
            if hasSpace {
                hasSpace = false
                if !isStart {
                    out[end] = 0x20
                    end += 1
                }
            }
            out[end] = byte
            end += 1
            isStart = false
        }
        return (end, isStart)
    }
}
