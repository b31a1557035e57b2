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
        guard TextTable.areEnds(ends, of: bytes.count) else { return nil }
        self.bytes = bytes
        self.ends = ends
    }

    static func areEnds(_ ends: [Int32], of count: Int) -> Bool {
        var last: Int32 = 0
        for end in ends {
            guard end >= last else { return false }
            last = end
        }
        return Int(last) == count
    }

    var count: Int { ends.count }

    mutating func append(_ text: some Sequence<UInt8>) {
        bytes.append(contentsOf: text)
        ends.append(Int32(clamping: bytes.count))
    }

    func range(_ index: Int) -> Range<Int> { (index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index]) }

    subscript(_ index: Int) -> ArraySlice<UInt8> { bytes[range(index)] }

    func text(_ index: Int) -> String { self[index].text }

    /// Whether a text, which is in lower case, stands at a place of another in any case.
    func stands(_ index: Int, in text: Span<UInt8>, at start: Int) -> Bool {
        let range = range(index)
        guard range.count <= text.count - start else { return false }
        for place in 0..<range.count where bytes[range.lowerBound + place] != text[start + place].asciiLowercased {
            return false
        }
        return true
    }
}

/// Many texts by number, few of which are ever looked at: they stay in the image that they lie in.
struct StoredTexts: Sendable {
    private let image: RuleImageBytes
    private let start: Int
    /// Where each text ends, from `start` on.
    let ends: [Int32]

    init(_ texts: TextTable) {
        image = RuleImageBytes(texts.bytes)
        start = 0
        ends = texts.ends
    }

    /// Nil when the ends are none of `range`, which lies within the image.
    init?(_ image: RuleImageBytes, _ range: Range<Int>, ends: [Int32]) {
        guard TextTable.areEnds(ends, of: range.count) else { return nil }
        self.image = image
        start = range.lowerBound
        self.ends = ends
    }

    var count: Int { ends.count }

    /// All texts as one.
    var bytes: [UInt8] { image.array(start..<(start + Int(ends.last ?? 0))) }

    private func range(_ index: Int) -> Range<Int> {
        (start + (index == 0 ? 0 : Int(ends[index - 1])))..<(start + Int(ends[index]))
    }

    func isEmpty(_ index: Int) -> Bool { range(index).isEmpty }

    subscript(_ index: Int) -> [UInt8] { image.array(range(index)) }

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
