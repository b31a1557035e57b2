import Bytes

/// Finds which of many chains of bytes occur in a text, all in one pass: a bit for each link, which is set while the text
/// so far ends with the chain up to that link (shift-and with gaps).
struct ChainIndex: Sendable {
    private typealias Bits = SIMD8<UInt64>
    private static let bitsInBlock = 512

    /// For each block of chains and each byte: the links that the byte may stand for.
    private var links: [SIMD8<UInt64>] = []
    /// For each block and byte: the links after which it may stand in the gap.
    private var gaps: [SIMD8<UInt64>] = []
    /// For each block: first links, and last ones, which stay set to the end.
    private var firsts: [SIMD8<UInt64>] = []
    private var lasts: [SIMD8<UInt64>] = []
    /// For each bit: whose last link it is; -1 for others.
    private var owners: [Int32] = []
    /// Bits that are given away, in the words of the last block.
    private var used = [Int](repeating: 64, count: 8)

    init() {}

    var isEmpty: Bool { firsts.isEmpty }

    /// Adds a chain of 64 links at most.
    mutating func add(_ chain: RequiredChain, owner: Int) {
        let count = chain.links.count
        guard count > 0, count <= 64 else { return }
        if !used.contains(where: { $0 + count <= 64 }) { addBlock() }
        guard let word = used.firstIndex(where: { $0 + count <= 64 }) else { return }
        let block = firsts.count - 1
        for (offset, link) in chain.links.enumerated() {
            let bit = UInt64(1) << UInt64(used[word] + offset)
            let isLast = offset == count - 1
            for byte in 0..<256 {
                if link.byte.contains(UInt8(byte)) { links[block * 256 + byte][word] |= bit }
                if isLast || link.gap.contains(UInt8(byte)) { gaps[block * 256 + byte][word] |= bit }
            }
            if offset == 0 { firsts[block][word] |= bit }
            if isLast {
                lasts[block][word] |= bit
                owners[block * ChainIndex.bitsInBlock + word * 64 + used[word] + offset] = Int32(owner)
            }
        }
        used[word] += count
    }

    private mutating func addBlock() {
        let none = Bits(repeating: 0)
        links += Array(repeating: none, count: 256)
        gaps += Array(repeating: none, count: 256)
        firsts.append(none)
        lasts.append(none)
        owners += Array(repeating: -1, count: ChainIndex.bitsInBlock)
        used = Array(repeating: 0, count: 8)
    }

    /// Marks the owners of chains that occur in `text`.
    func scan(_ text: Span<UInt8>, into found: inout LiteralMarks) {
        let (links, gaps) = (links.span, gaps.span)
        for block in firsts.indices {
            let first = firsts[block]
            let base = block &* 256
            var state = Bits(repeating: 0)
            for place in 0..<text.count {
                let row = base &+ Int(text[place])
                // What is shifted into a chain's first link from the one before it is set there anyway.
                state = (((state &<< 1) | first) & links[row]) | (state & gaps[row])
            }
            let ended = state & lasts[block]
            for word in 0..<8 {
                var bits = ended[word]
                while bits != 0 {
                    let bit = bits.trailingZeroBitCount
                    bits &= bits &- 1
                    let owner = owners[block * ChainIndex.bitsInBlock + word * 64 + bit]
                    if owner >= 0 { found.insert(Int(owner)) }
                }
            }
        }
    }

    // MARK: Image

    func write(to image: inout RuleImageWriter) {
        image.put(owners)
        for table in [links, gaps, firsts, lasts] {
            for bits in table { image.put(bits) }
        }
    }

    /// Owners are below `limit`.
    init(from image: inout RuleImageReader, owners limit: Int) throws(RuleImageError) {
        owners = try image.int32s()
        guard owners.count % ChainIndex.bitsInBlock == 0, owners.allSatisfy({ $0 >= -1 && Int($0) < limit }) else {
            throw RuleImageError()
        }
        let blocks = owners.count / ChainIndex.bitsInBlock
        links = try image.blocks(blocks * 256)
        gaps = try image.blocks(blocks * 256)
        firsts = try image.blocks(blocks)
        lasts = try image.blocks(blocks)
    }
}
