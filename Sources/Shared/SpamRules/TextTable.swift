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
