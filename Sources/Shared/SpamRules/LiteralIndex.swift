import Bytes

/// Finds which of many words occur in a text, in one pass over it: a bit for each four (or three) bytes that begin a
/// word, then the words themselves. Words are in lower case, of three bytes at least; case in the text does not matter.
struct LiteralIndex: Sendable {
    /// Words by the bytes that they begin with.
    private struct Table: Sendable {
        /// The bits of these bytes.
        let mask: UInt32
        /// A bit for each value of the hash.
        var filter: [UInt64]
        /// The first entry of each bucket; one more at the end.
        var starts: [Int32] = []
        var grams: [UInt32] = []
        var words = TextTable()
        var owners: [Int32] = []
        private var pending: [(gram: UInt32, word: [UInt8], owner: Int)] = []

        static let filterBits: UInt32 = 16
        static let bucketBits: UInt32 = 10

        init(mask: UInt32) {
            self.mask = mask
            filter = Array(repeating: 0, count: (1 << Int(Self.filterBits)) / 64)
        }

        var isEmpty: Bool { owners.isEmpty }

        @inline(__always)
        static func hash(_ gram: UInt32, _ bits: UInt32) -> Int { Int((gram &* 0x9E37_79B1) >> (32 &- bits)) }

        mutating func add(_ word: [UInt8], owner: Int) {
            var gram: UInt32 = 0
            for byte in word.prefix(4) { gram = gram << 8 | UInt32(byte) }
            pending.append((gram & mask, word, owner))
        }

        mutating func build() {
            func bucket(_ gram: UInt32) -> Int { Table.hash(gram, Table.bucketBits) }
            pending.sort { (bucket($0.gram), $0.owner) < (bucket($1.gram), $1.owner) }
            fill(
                pending.map(\.gram), TextTable(pending.map(\.word)), pending.map { Int32(truncatingIfNeeded: $0.owner) }
            )
            pending = []
        }

        /// Takes entries that are in the order of their buckets.
        mutating func fill(_ grams: [UInt32], _ words: TextTable, _ owners: [Int32]) {
            self.grams = grams
            self.words = words
            self.owners = owners
            starts = Array(repeating: 0, count: (1 << Int(Table.bucketBits)) + 1)
            for gram in grams {
                let bit = Table.hash(gram, Table.filterBits)
                filter[bit >> 6] |= 1 << UInt64(bit & 63)
                starts[Table.hash(gram, Table.bucketBits) + 1] += 1
            }
            for bucket in 1..<starts.count { starts[bucket] += starts[bucket - 1] }
        }

        /// The first bytes of words again, for an image.
        static func grams(of words: TextTable, mask: UInt32) -> [UInt32] {
            (0..<words.count).map { index in
                words[index].prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & mask
            }
        }
    }

    private var threes = Table(mask: 0x00FF_FFFF)
    private var fours = Table(mask: 0xFFFF_FFFF)

    /// Adds words that all belong to `owner`. Call `build` after the last ones.
    mutating func add(_ words: some Sequence<[UInt8]>, owner: Int) {
        for word in words where word.count >= 3 {
            if word.count == 3 { threes.add(word, owner: owner) } else { fours.add(word, owner: owner) }
        }
    }

    mutating func build() {
        threes.build()
        fours.build()
    }

    /// Marks the owners of words that occur in `text`, in any case.
    func scan(_ text: Span<UInt8>, into found: inout LiteralMarks) {
        if !fours.isEmpty { LiteralIndex.scan(text, fours, 4, &found) }
        if !threes.isEmpty { LiteralIndex.scan(text, threes, 3, &found) }
    }

    private static func scan(_ text: Span<UInt8>, _ table: Table, _ length: Int, _ found: inout LiteralMarks) {
        guard text.count >= length else { return }
        let filter = table.filter.span
        let mask = table.mask
        var gram: UInt32 = 0
        var place = 0
        while place < length &- 1 {
            gram = gram << 8 | UInt32(text[place].asciiLowercased)
            place &+= 1
        }
        while place < text.count {
            gram = (gram << 8 | UInt32(text[place].asciiLowercased)) & mask
            let bit = Table.hash(gram, Table.filterBits)
            if filter[bit >> 6] & (1 << UInt64(bit & 63)) != 0 {
                check(table, gram, text, place &- length &+ 1, &found)
            }
            place &+= 1
        }
    }

    private static func check(
        _ table: Table, _ gram: UInt32, _ text: Span<UInt8>, _ start: Int, _ found: inout LiteralMarks
    ) {
        let bucket = Table.hash(gram, Table.bucketBits)
        for index in Int(table.starts[bucket])..<Int(table.starts[bucket + 1]) where table.grams[index] == gram {
            let owner = Int(table.owners[index])
            if !found.contains(owner), table.words.stands(index, in: text, at: start) { found.insert(owner) }
        }
    }

    // MARK: Image

    func write(to image: inout RuleImageWriter) {
        for table in [threes, fours] {
            image.put(table.words)
            image.put(table.owners)
        }
    }

    /// Owners are below `limit`.
    init(from image: inout RuleImageReader, owners limit: Int) throws(RuleImageError) {
        threes = try LiteralIndex.table(0x00FF_FFFF, 3...3, &image, limit)
        fours = try LiteralIndex.table(0xFFFF_FFFF, 4...Int.max, &image, limit)
    }

    private static func table(
        _ mask: UInt32, _ lengths: ClosedRange<Int>, _ image: inout RuleImageReader, _ limit: Int
    ) throws(RuleImageError) -> Table {
        var table = Table(mask: mask)
        let words = try image.texts()
        let owners = try image.places(below: limit)
        guard owners.count == words.count else { throw RuleImageError() }
        for index in 0..<words.count where !lengths.contains(words.range(index).count) { throw RuleImageError() }
        let grams = Table.grams(of: words, mask: mask)
        var last = 0
        for gram in grams {
            let bucket = Table.hash(gram, Table.bucketBits)
            guard bucket >= last else { throw RuleImageError() }
            last = bucket
        }
        table.fill(grams, words, owners)
        return table
    }

    init() {}
}

/// The owners of words that were found in one text, each once.
struct LiteralMarks {
    private var stamps: [UInt32]
    private var stamp: UInt32 = 1
    private(set) var owners: [Int] = []

    init(count: Int) { stamps = Array(repeating: 0, count: count) }

    /// Forgets what was found.
    mutating func clear() {
        stamp &+= 1
        owners.removeAll(keepingCapacity: true)
        if stamp == 0 {
            stamp = 1
            for index in stamps.indices { stamps[index] = 0 }
        }
    }

    func contains(_ owner: Int) -> Bool { stamps[owner] == stamp }

    /// Takes back what was inserted.
    mutating func remove(_ owner: Int) {
        guard stamps[owner] == stamp else { return }
        stamps[owner] = stamp &- 1
        owners.removeAll { $0 == owner }
    }

    mutating func insert(_ owner: Int) {
        guard stamps[owner] != stamp else { return }
        stamps[owner] = stamp
        owners.append(owner)
    }
}
