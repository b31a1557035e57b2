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

    /// The next run of bytes that are not white space or controls, with the hash of its lower case; nil at the end.
    @inline(__always)
    static func nextWord(_ text: Span<UInt8>, _ place: inout Int) -> (range: Range<Int>, hash: UInt64)? {
        while place < text.count, text[place] <= 0x20 { place &+= 1 }
        let start = place
        var hash = seed
        while place < text.count {
            let byte = text[place]
            if byte <= 0x20 { break }
            hash = (hash ^ UInt64(byte.asciiLowercased)) &* prime
            place &+= 1
        }
        return place == start ? nil : (start..<place, mixed(hash))
    }

    /// The hash of the lower case of the next run of letters, digits and what is within words: bytes of other charsets
    /// than ASCII, `'` and, because it is price or disguise, `$`; nil at the end.
    @inline(__always)
    static func nextTerm(_ text: Span<UInt8>, _ place: inout Int) -> UInt64? {
        while place < text.count, !isTermByte(text[place]) { place &+= 1 }
        guard place < text.count else { return nil }
        var hash = seed
        while place < text.count {
            let byte = text[place]
            if !isTermByte(byte) { break }
            hash = (hash ^ UInt64(byte.asciiLowercased)) &* prime
            place &+= 1
        }
        return mixed(hash)
    }

    @inline(__always)
    private static func isTermByte(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || byte >= 0x80 || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "$")
    }

    /// The hash of a whole text in lower case.
    static func hash(_ text: Span<UInt8>) -> UInt64 {
        var hash = seed
        for place in 0..<text.count { hash = (hash ^ UInt64(text[place].asciiLowercased)) &* prime }
        return mixed(hash)
    }

    /// FNV-1a over 64 bits, whose upper bits are folded onto the lower ones.
    private static let seed: UInt64 = 0xCBF2_9CE4_8422_2325
    private static let prime: UInt64 = 0x0000_0100_0000_01B3
    @inline(__always)
    private static func mixed(_ hash: UInt64) -> UInt64 { hash ^ hash >> 29 }
}
