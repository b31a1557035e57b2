import Bytes

/// What a text must hold for a regular expression to match it.
enum Requirement {
    case words(RequiredLiterals)
    /// One of these.
    case chains([RequiredChain])

    /// A longer expression is more than PCRE2 takes.
    private static let longest = 131_072

    /// Nil when nothing that is rare is sure.
    init?(_ pattern: RulePattern) {
        guard pattern.text.count <= Requirement.longest, let tree = PatternTree(pattern.text, pattern.options) else {
            return nil
        }
        if let words = RequiredLiterals(tree) {
            self = .words(words)
        } else if let chains = RequiredChain.chains(of: tree) {
            self = .chains(chains)
        } else {
            return nil
        }
    }
}

/// Finds which of many requirements a text meets.
struct RequirementIndex: Sendable {
    private var words = LiteralIndex()
    private var chains = ChainIndex()
    /// Words that must occur more than once.
    private var repeated: [Int: RepeatedWords] = [:]

    init() {}

    mutating func add(_ requirement: Requirement, owner: Int) {
        switch requirement {
        case .words(let required):
            words.add(required.words, owner: owner)
            if required.times > 1 { repeated[owner] = RepeatedWords(required.words, times: required.times) }
        case .chains(let all): for chain in all { chains.add(chain, owner: owner) }
        }
    }

    /// To be called after the last `add`.
    mutating func build() { words.build() }

    /// Marks the owners of what is met.
    func scan(_ text: Span<UInt8>, into found: inout LiteralMarks) {
        words.scan(text, into: &found)
        for (owner, words) in repeated where found.contains(owner) && !words.occur(in: text) { found.remove(owner) }
        chains.scan(text, into: &found)
    }

    // MARK: Image

    func write(to image: inout RuleImageWriter) {
        words.write(to: &image)
        chains.write(to: &image)
        image.put(repeated.count)
        for (owner, words) in repeated.sorted(by: { $0.key < $1.key }) {
            image.put(owner)
            image.put(words.times)
            image.put(words.words)
        }
    }

    /// Owners are below `limit`.
    init(from image: inout RuleImageReader, owners limit: Int) throws(RuleImageError) {
        words = try LiteralIndex(from: &image, owners: limit)
        chains = try ChainIndex(from: &image, owners: limit)
        for _ in 0..<(try image.int()) {
            let owner = try image.int()
            guard owner < limit else { throw RuleImageError() }
            let times = try image.int()
            repeated[owner] = RepeatedWords(try image.texts(), times: times)
        }
    }
}

/// Words of which one must begin in several places of a text.
struct RepeatedWords: Sendable {
    /// In lower case.
    let words: TextTable
    let times: Int
    /// The words that begin with each byte.
    private let byFirst: [[Int]]

    init(_ words: Set<[UInt8]>, times: Int) {
        self.init(TextTable(words.sorted { $0.lexicographicallyPrecedes($1) }), times: times)
    }

    init(_ words: TextTable, times: Int) {
        self.words = words
        self.times = times
        var byFirst = [[Int]](repeating: [], count: 256)
        for index in 0..<words.count { if let first = words[index].first { byFirst[Int(first)].append(index) } }
        self.byFirst = byFirst
    }

    func occur(in text: Span<UInt8>) -> Bool {
        var count = 0
        for place in 0..<text.count {
            for index in byFirst[Int(text[place].asciiLowercased)] where words.stands(index, in: text, at: place) {
                count += 1
                if count == times { return true }
                break
            }
        }
        return times == 0
    }
}
