import Bytes

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
