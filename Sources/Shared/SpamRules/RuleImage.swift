import Bytes
import Unix

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

    mutating func put(_ texts: StoredTexts) {
        put(texts.bytes)
        put(texts.ends)
    }

    mutating func put(_ block: SIMD8<UInt64>) { for word in 0..<8 { put(block[word]) } }
}

/// Where an image lies: in memory, or in a file of which that is read that is asked for.
package final class RuleImageBytes: Sendable {
    private let file: SharedMappedFile?
    private let array: [UInt8]
    private let range: Range<Int>

    package init(_ bytes: [UInt8]) {
        file = nil
        array = bytes
        range = 0..<bytes.count
    }

    /// `range` lies within the file.
    package init(_ file: SharedMappedFile, _ range: Range<Int>) {
        self.file = file
        array = []
        self.range = range.clamped(to: 0..<file.count)
    }

    var count: Int { range.count }

    /// Bytes of a range within the image.
    func array(_ part: Range<Int>) -> [UInt8] { with(part) { $0.array(0..<$0.count) } }

    func with<Result, Failure: Error>(
        _ part: Range<Int>, _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let start = range.lowerBound
        if let file {
            return try RuleImageBytes.with(file.file, (start + part.lowerBound)..<(start + part.upperBound), body)
        }
        return try RuleImageBytes.with(array, part, body)
    }

    private static func with<Result, Failure: Error>(
        _ array: [UInt8], _ range: Range<Int>, _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(array.span.extracting(range))
    }

    private static func with<Result, Failure: Error>(
        _ file: borrowing MappedFile, _ range: Range<Int>, _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(file.bytes.extracting(range))
    }
}

/// Reads what `RuleImageWriter` has written; takes any bytes.
struct RuleImageReader {
    private let bytes: RuleImageBytes
    private var place = 0

    init(_ bytes: RuleImageBytes) { self.bytes = bytes }

    var isAtEnd: Bool { place == bytes.count }

    private mutating func take(_ count: Int, of size: Int = 1) throws(RuleImageError) -> Range<Int> {
        guard count >= 0, count <= (bytes.count - place) / size else { throw RuleImageError() }
        defer { place += count * size }
        return place..<(place + count * size)
    }

    /// Little-endian numbers.
    private static func words(_ bytes: Span<UInt8>) -> [UInt32] {
        var words: [UInt32] = []
        words.reserveCapacity(bytes.count / 4)
        var place = 0
        while place &+ 3 < bytes.count {
            let low = UInt32(bytes[place]) | UInt32(bytes[place &+ 1]) << 8
            let high = UInt32(bytes[place &+ 2]) | UInt32(bytes[place &+ 3]) << 8
            words.append(low | high << 16)
            place &+= 4
        }
        return words
    }

    private static func longWords(_ bytes: Span<UInt8>) -> [UInt64] {
        var words: [UInt64] = []
        words.reserveCapacity(bytes.count / 8)
        var place = 0
        while place &+ 7 < bytes.count {
            words.append(bytes.word(at: place))
            place &+= 8
        }
        return words
    }

    /// A number from 0 to 2^31 - 1.
    mutating func int() throws(RuleImageError) -> Int {
        let range = try take(4)
        let number = bytes.with(range) { RuleImageReader.words($0).first ?? 0 }
        guard number < 1 << 31 else { throw RuleImageError() }
        return Int(number)
    }

    mutating func int32s() throws(RuleImageError) -> [Int32] {
        let range = try take(try int(), of: 4)
        return bytes.with(range) { RuleImageReader.words($0).map { Int32(bitPattern: $0) } }
    }

    mutating func doubles() throws(RuleImageError) -> [Double] {
        let range = try take(try int(), of: 8)
        return bytes.with(range) { RuleImageReader.longWords($0).map { Double(bitPattern: $0) } }
    }

    /// `count` sets of bits.
    mutating func blocks(_ count: Int) throws(RuleImageError) -> [SIMD8<UInt64>] {
        let range = try take(count, of: 64)
        let words = bytes.with(range) { RuleImageReader.longWords($0) }
        return (0..<count).map { index in
            var block = SIMD8<UInt64>(repeating: 0)
            for word in 0..<8 { block[word] = words[index * 8 + word] }
            return block
        }
    }

    mutating func text() throws(RuleImageError) -> [UInt8] { bytes.array(try take(try int())) }

    mutating func string() throws(RuleImageError) -> String { try text().text }

    mutating func texts() throws(RuleImageError) -> TextTable {
        let bytes = try text()
        guard let table = TextTable(bytes: bytes, ends: try int32s()) else { throw RuleImageError() }
        return table
    }

    /// Texts that stay where they are until they are asked for.
    mutating func storedTexts() throws(RuleImageError) -> StoredTexts {
        let range = try take(try int())
        guard let texts = StoredTexts(bytes, range, ends: try int32s()) else { throw RuleImageError() }
        return texts
    }

    /// Numbers that are places in something of `limit` places.
    mutating func places(below limit: Int) throws(RuleImageError) -> [Int32] {
        let numbers = try int32s()
        for number in numbers where number < 0 || Int(number) >= limit { throw RuleImageError() }
        return numbers
    }
}
