import Bytes

/// Where a feature stands in the table of weights. Part of `FeatureExtractor.definition`.
enum FeatureHash {
    /// The place of a byte 4-gram.
    @inline(__always)
    static func index(gram: UInt32) -> UInt32 { index(UInt64(gram) &* 8 &+ 4) }

    /// The place of a word, by its hash.
    @inline(__always)
    static func index(word: UInt64) -> UInt32 { index(word &* 3 &+ 1) }

    /// The place of a run of letters and digits, by its hash.
    @inline(__always)
    static func index(term: UInt64) -> UInt32 { index(term &* 5 &+ 2) }

    /// Relations beside the distances of two words: a field and the one after it, a field and a word of it.
    static let nextField: UInt64 = 5
    static let fieldWord: UInt64 = 6

    /// The place of two hashes in this order. `relation` is the distance of two words of a text, or what else the pair
    /// stands for.
    @inline(__always)
    static func index(_ first: UInt64, _ second: UInt64, _ relation: UInt64) -> UInt32 {
        index((first &* 0x9E37_79B9_7F4A_7C15 &+ second) &* (2 &* relation &+ 1) &+ relation)
    }

    @inline(__always)
    private static func index(_ hash: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: (hash &* 0x9E37_79B9_7F4A_7C15) >> UInt64(64 - FeatureExtractor.tableBits))
    }

    /// The next run of bytes of a class, with the hash of its lower case; nil when none begins before `end`. A run goes
    /// on to its own end, which may be after `end`.
    @inline(__always)
    static func next<Class: ByteClass>(
        _ class: Class.Type, in text: Span<UInt8>, _ place: inout Int, end: Int
    ) -> (range: Range<Int>, hash: UInt64)? {
        var eight: UInt64 = 0
        var members: UInt64 = 0
        while place < end {
            eight = load(text, place)
            members = Class.members(eight)
            if members != 0 { break }
            place &+= 8
        }
        guard members != 0 else { return nil }
        place &+= members.trailingZeroBitCount >> 3
        guard place < end else { return nil }
        let start = place
        var hash = seed
        while true {
            eight = load(text, place)
            let others = ~Class.members(eight) & EightBytes.highBits
            if others == 0 {
                hash = added(EightBytes.lowercased(eight), to: hash)
                place &+= 8
                continue
            }
            let count = others.trailingZeroBitCount >> 3
            if count > 0 {
                hash = added(EightBytes.lowercased(eight & (1 << UInt64(count * 8) &- 1)), to: hash)
                place &+= count
            }
            return (start..<place, hash)
        }
    }

    /// Eight bytes, the first one lowest; zeros stand for those behind the end.
    @inline(__always)
    private static func load(_ text: Span<UInt8>, _ place: Int) -> UInt64 {
        if place &+ 8 <= text.count { return text.word(at: place) }
        var eight: UInt64 = 0
        var from = text.count
        while from > place {
            from &-= 1
            eight = eight << 8 | UInt64(text[from])
        }
        return eight
    }

    /// The hash of a whole text in lower case.
    static func hash(_ text: Span<UInt8>) -> UInt64 {
        var hash = seed
        var place = 0
        while place < text.count {
            hash = added(EightBytes.lowercased(load(text, place)), to: hash)
            place += 8
        }
        return hash
    }

    private static let seed: UInt64 = 0xCBF2_9CE4_8422_2325
    @inline(__always)
    private static func added(_ eight: UInt64, to hash: UInt64) -> UInt64 {
        let product = (hash ^ eight) &* 0x9E37_79B9_7F4A_7C15
        return product ^ product >> 32
    }
}
