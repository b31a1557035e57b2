import Bytes

/// A set of bytes that words are made of.
protocol ByteClass {
    /// The high bit of each of eight bytes that belongs to the class. Zero never does.
    static func members(_ eight: UInt64) -> UInt64
}

/// Bytes that are not white space or controls.
enum WordBytes: ByteClass {
    @inline(__always)
    static func members(_ eight: UInt64) -> UInt64 {
        (EightBytes.inRange(eight, 0x21, 0x7F) | eight) & EightBytes.highBits
    }
}

/// Letters, digits and what is within words: bytes of other charsets than ASCII, `'` and, because it is price or
/// disguise, `$`.
enum TermBytes: ByteClass {
    @inline(__always)
    static func members(_ eight: UInt64) -> UInt64 {
        let lowercased = eight | 0x2020_2020_2020_2020
        return
            (EightBytes.inRange(lowercased, UInt8(ascii: "a"), UInt8(ascii: "z"))
            | EightBytes.inRange(eight, UInt8(ascii: "0"), UInt8(ascii: "9"))
            | EightBytes.inRange(eight, UInt8(ascii: "'"), UInt8(ascii: "'"))
            | EightBytes.inRange(eight, UInt8(ascii: "$"), UInt8(ascii: "$")) | eight) & EightBytes.highBits
    }
}

/// Eight bytes at a time.
enum EightBytes {
    static let highBits: UInt64 = 0x8080_8080_8080_8080
    private static let ones: UInt64 = 0x0101_0101_0101_0101

    /// The high bit of each byte that lies in a range within ASCII.
    @inline(__always)
    static func inRange(_ eight: UInt64, _ first: UInt8, _ last: UInt8) -> UInt64 {
        let low = eight & ~highBits
        let reached = low &+ ones &* UInt64(0x80 - first)
        let passed = low &+ ones &* UInt64(0x7F - last)
        return reached & ~passed & ~eight & highBits
    }

    @inline(__always)
    static func lowercased(_ eight: UInt64) -> UInt64 {
        eight | inRange(eight, UInt8(ascii: "A"), UInt8(ascii: "Z")) >> 2
    }
}
