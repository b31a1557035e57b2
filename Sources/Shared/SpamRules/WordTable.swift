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
