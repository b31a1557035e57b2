import Bytes

/// Why an image of rules cannot be used. It is made anew then.
struct RuleImageError: Error {}

/// Writes numbers and texts one after the other. Numbers are little-endian.
struct RuleImageWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put(_ number: Int) { put(UInt32(truncatingIfNeeded: number)) }

    private mutating func put(_ number: UInt32) {
        for shift in [UInt32(0), 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
    }

    mutating func put(_ number: UInt64) {
        put(UInt32(truncatingIfNeeded: number))
        put(UInt32(truncatingIfNeeded: number >> 32))
    }

    mutating func put(_ numbers: [Int32]) {
        put(numbers.count)
        for number in numbers { put(UInt32(bitPattern: number)) }
    }

    mutating func put(_ numbers: [Double]) {
        put(numbers.count)
        for number in numbers { put(number.bitPattern) }
    }

    mutating func put(_ text: [UInt8]) {
        put(text.count)
        bytes += text
    }

    mutating func put(_ text: String) { put(Array(text.utf8)) }

    mutating func put(_ texts: TextTable) {
        put(texts.bytes)
        put(texts.ends)
    }
}

/// Reads what `RuleImageWriter` has written; takes any bytes.
struct RuleImageReader {
    private let bytes: [UInt8]
    private var place = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { place == bytes.count }

    private mutating func take(_ count: Int) throws(RuleImageError) -> Range<Int> {
        guard count >= 0, count <= bytes.count - place else { throw RuleImageError() }
        defer { place += count }
        return place..<(place + count)
    }

    /// A number from 0 to 2^31 - 1.
    mutating func int() throws(RuleImageError) -> Int {
        let range = try take(4)
        let number = RuleImageReader.word(bytes, range.lowerBound)
        guard number < 1 << 31 else { throw RuleImageError() }
        return Int(number)
    }

    mutating func uint64() throws(RuleImageError) -> UInt64 {
        let range = try take(8)
        return UInt64(RuleImageReader.word(bytes, range.lowerBound))
            | UInt64(RuleImageReader.word(bytes, range.lowerBound + 4)) << 32
    }

    private static func word(_ bytes: [UInt8], _ place: Int) -> UInt32 {
        UInt32(bytes[place]) | UInt32(bytes[place + 1]) << 8 | UInt32(bytes[place + 2]) << 16
            | UInt32(bytes[place + 3]) << 24
    }

    mutating func int32s() throws(RuleImageError) -> [Int32] {
        let count = try int()
        let range = try take(count * 4)
        let span = bytes.span.extracting(range)
        var numbers: [Int32] = []
        numbers.reserveCapacity(count)
        var place = 0
        while place < span.count {
            let low = UInt32(span[place]) | UInt32(span[place &+ 1]) << 8
            let high = UInt32(span[place &+ 2]) | UInt32(span[place &+ 3]) << 8
            numbers.append(Int32(bitPattern: low | high << 16))
            place &+= 4
        }
        return numbers
    }

    mutating func doubles() throws(RuleImageError) -> [Double] {
        let count = try int()
        guard count <= (bytes.count - place) / 8 else { throw RuleImageError() }
        var numbers: [Double] = []
        for _ in 0..<count { numbers.append(Double(bitPattern: try uint64())) }
        return numbers
    }

    mutating func text() throws(RuleImageError) -> [UInt8] {
        let range = try take(try int())
        return Array(bytes[range])
    }

    mutating func string() throws(RuleImageError) -> String { try text().text }

    mutating func texts() throws(RuleImageError) -> TextTable {
        let bytes = try text()
        guard let table = TextTable(bytes: bytes, ends: try int32s()) else { throw RuleImageError() }
        return table
    }

    /// Numbers that are places in something of `limit` places.
    mutating func places(below limit: Int) throws(RuleImageError) -> [Int32] {
        let numbers = try int32s()
        for number in numbers where number < 0 || Int(number) >= limit { throw RuleImageError() }
        return numbers
    }
}
