import Bytes

/// A set of bytes.
struct ByteSet: Equatable, Hashable, Sendable {
    private var words: SIMD4<UInt64>

    static let none = ByteSet(words: SIMD4(repeating: 0))
    static let all = ByteSet(words: SIMD4(repeating: .max))

    private init(words: SIMD4<UInt64>) { self.words = words }

    init(_ bytes: some Sequence<UInt8>) {
        self = .none
        for byte in bytes { insert(byte) }
    }

    mutating func insert(_ byte: UInt8) { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }

    func contains(_ byte: UInt8) -> Bool { words[Int(byte >> 6)] & 1 << UInt64(byte & 63) != 0 }

    func union(_ other: ByteSet) -> ByteSet { ByteSet(words: words | other.words) }

    var inverted: ByteSet { ByteSet(words: ~words) }

    var isEmpty: Bool { self == .none }

    var count: Int { (0..<4).reduce(0) { $0 + words[$1].nonzeroBitCount } }

    var members: [UInt8] {
        var members: [UInt8] = []
        for word in 0..<4 {
            var bits = words[word]
            while bits != 0 {
                members.append(UInt8(word * 64 + bits.trailingZeroBitCount))
                bits &= bits &- 1
            }
        }
        return members
    }

    /// With both cases of each letter that it has in one.
    var caseless: ByteSet {
        var result = self
        for upper in UInt8(ascii: "A")...UInt8(ascii: "Z") {
            let lower = upper | 0x20
            if contains(upper) { result.insert(lower) }
            if contains(lower) { result.insert(upper) }
        }
        return result
    }
}
