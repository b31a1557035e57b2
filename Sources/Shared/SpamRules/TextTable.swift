import Bytes

/// Many texts in one array, by number: what a table of thousands of small arrays would be, in two.
struct TextTable: Equatable, Sendable {
    private(set) var bytes: [UInt8] = []
    /// Where each text ends.
    private(set) var ends: [Int32] = []

    init() {}

    init(_ texts: some Sequence<[UInt8]>) { for text in texts { append(text) } }

    /// Nil when the ends are none of `bytes`.
    init?(bytes: [UInt8], ends: [Int32]) {
        var last: Int32 = 0
        for end in ends {
            guard end >= last else { return nil }
            last = end
        }
        guard Int(last) == bytes.count else { return nil }
        self.bytes = bytes
        self.ends = ends
    }

    var count: Int { ends.count }

    mutating func append(_ text: some Sequence<UInt8>) {
        bytes.append(contentsOf: text)
        ends.append(Int32(clamping: bytes.count))
    }

    func range(_ index: Int) -> Range<Int> { (index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index]) }

    subscript(_ index: Int) -> ArraySlice<UInt8> { bytes[range(index)] }

    func text(_ index: Int) -> String { self[index].text }
}

/// A set of words, of which one is looked up now and then: sorted in one array, so that it is read in a moment.
struct WordTable: Equatable, Sendable {
    private let words: TextTable

    init(_ words: some Sequence<String>) {
        let sorted = Set(words.map { Array($0.utf8) }).sorted { $0.lexicographicallyPrecedes($1) }
        self.words = TextTable(sorted)
    }

    init(sorted words: TextTable) { self.words = words }

    var sorted: TextTable { words }
    var isEmpty: Bool { words.count == 0 }

    func contains(_ word: some Collection<UInt8>) -> Bool {
        var low = 0
        var high = words.count
        while low < high {
            let middle = (low + high) / 2
            if words[middle].lexicographicallyPrecedes(word) { low = middle + 1 } else { high = middle }
        }
        return low < words.count && words[low].elementsEqual(word)
    }

    func contains(_ word: some StringProtocol) -> Bool { contains(Array(word.utf8)) }
}
