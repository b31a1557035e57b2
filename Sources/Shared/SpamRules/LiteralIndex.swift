import Bytes

/// Finds which of many words occur in a text, in one pass over it: a bit for each three bytes that begin a word, then the
/// words themselves. Words are in lower case, of three bytes at least; case in the text does not matter.
struct LiteralIndex: Sendable {
    private struct Entry: Sendable {
        let word: [UInt8]
        let owner: Int32
    }

    /// A bit for each value of the hash.
    private var filter = [UInt64](repeating: 0, count: buckets / 64)
    /// The first entry of each bucket in `entries`, which is sorted by bucket; one more at the end.
    private var starts: [Int32] = []
    private var entries: [Entry] = []
    private var pending: [(bucket: Int, entry: Entry)] = []
    private(set) var wordCount = 0

    private static let buckets = 1 << 14

    /// Adds words that all belong to `owner`. Call `build` after the last ones.
    mutating func add(_ words: some Sequence<[UInt8]>, owner: Int) {
        for word in words where word.count >= 3 {
            let bucket = LiteralIndex.bucket(word[0], word[1], word[2])
            pending.append((bucket, Entry(word: word, owner: Int32(truncatingIfNeeded: owner))))
            filter[bucket >> 6] |= 1 << UInt64(bucket & 63)
            wordCount += 1
        }
    }

    mutating func build() {
        pending.sort { $0.bucket < $1.bucket }
        entries = pending.map(\.entry)
        starts = [Int32](repeating: 0, count: LiteralIndex.buckets + 1)
        for item in pending { starts[item.bucket + 1] += 1 }
        for bucket in 0..<LiteralIndex.buckets { starts[bucket + 1] += starts[bucket] }
        pending = []
    }

    @inline(__always)
    private static func bucket(_ first: UInt8, _ second: UInt8, _ third: UInt8) -> Int {
        let key = UInt32(first) | UInt32(second) << 8 | UInt32(third) << 16
        return Int((key &* 0x9E37_79B1) >> 18)
    }

    /// Marks the owners of words that occur in `text`, in any case.
    func scan(_ text: [UInt8], into found: inout [Bool]) {
        let lower = text.map(\.asciiLowercased)
        scan(lowercased: lower.span, into: &found)
    }

    private func scan(lowercased text: Span<UInt8>, into found: inout [Bool]) {
        guard text.count >= 3, !entries.isEmpty else { return }
        let filter = filter.span
        var first = text[0]
        var second = text[1]
        var place = 2
        while place < text.count {
            let third = text[place]
            let bucket = LiteralIndex.bucket(first, second, third)
            if filter[bucket >> 6] & (1 << UInt64(bucket & 63)) != 0 { check(bucket, text, place - 2, &found) }
            first = second
            second = third
            place += 1
        }
    }

    private func check(_ bucket: Int, _ text: Span<UInt8>, _ start: Int, _ found: inout [Bool]) {
        for index in Int(starts[bucket])..<Int(starts[bucket + 1]) {
            let owner = Int(entries[index].owner)
            if !found[owner], LiteralIndex.stands(entries[index].word, in: text, at: start) { found[owner] = true }
        }
    }

    private static func stands(_ word: [UInt8], in text: Span<UInt8>, at start: Int) -> Bool {
        guard word.count <= text.count - start else { return false }
        for index in 0..<word.count where word[index] != text[start + index] { return false }
        return true
    }
}
