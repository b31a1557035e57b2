import Bytes

/// Bytes of some sets, one after the other with gaps of other sets between them, which a text must hold for a regular
/// expression to match it: what tells of expressions that require no word. Only what is sure is said.
struct RequiredChain: Sendable {
    struct Link: Equatable, Sendable {
        /// The byte that must stand there.
        var byte: ByteSet
        /// Bytes of which any number may follow before the next link.
        var gap = ByteSet.none
    }

    let links: [Link]
    /// How often it occurs for a byte of common text, by estimation.
    let likelihood: Double

    private static let longest = 14
    private static let rareEnough = 1e-8
    private static let mostForms = 32
    /// A longer row says no more: what is rare stands in its beginning too.
    private static let longestRow = 512
    private static let mostCopies = 12
    /// What occurs more often says nothing.
    private static let tooLikely = 2e-3

    /// Chains of which a text must hold one; nil when none is known that is rare.
    static func chains(of tree: PatternTree) -> [RequiredChain]? {
        var chains: [RequiredChain] = []
        for form in forms(tree, mostForms) {
            guard let chain = rarest(form), chain.likelihood <= tooLikely else { return nil }
            chains.append(chain)
        }
        return chains
    }

    // MARK: Making

    private enum Piece {
        case byte(ByteSet)
        case gap(ByteSet)
    }

    /// A tree as one row of pieces, which allows more than the tree.
    private static func row(_ tree: PatternTree) -> [Piece] {
        switch tree {
        case .byte(let set): return [.byte(set)]
        case .sequence(let parts):
            var pieces: [Piece] = []
            for part in parts {
                pieces += row(part)
                if pieces.count > longestRow { return shortened(pieces) }
            }
            return pieces
        case .repeated(let part, let least, let most):
            let one = least > 0 ? row(part) : []
            let copies = min(least, mostCopies, max(1, longestRow / max(1, one.count)))
            let more = most.map { $0 > copies } ?? true
            return Array(repeatElement(one, count: copies).joined()) + (more ? [.gap(part.allBytes)] : [])
        case .alternatives(let parts): return either(parts.map(row))
        case .nothing: return []
        case .anything: return [.gap(.all)]
        }
    }

    /// The beginning of a row, whatever follows it.
    private static func shortened(_ row: [Piece]) -> [Piece] { row.prefix(longestRow) + [.gap(.all)] }

    /// One row for what one of several stands for: how they begin, and what else they hold.
    private static func either(_ rows: [[Piece]]) -> [Piece] {
        var first = ByteSet.none
        var rest = ByteSet.none
        var isSure = true
        for row in rows {
            var hasBegun = false
            var isGapped = false
            for piece in row {
                switch piece {
                case .gap(let set):
                    if !hasBegun {
                        first = first.union(set)
                        isGapped = true
                    }
                    if hasBegun || isGapped { rest = rest.union(set) }
                case .byte(let set):
                    if !hasBegun { first = first.union(set) }
                    if hasBegun || isGapped { rest = rest.union(set) }
                    hasBegun = true
                }
            }
            isSure = isSure && hasBegun
        }
        guard isSure else { return [.gap(first.union(rest))] }
        return rest.isEmpty ? [.byte(first)] : [.byte(first), .gap(rest)]
    }

    /// At most `limit` rows of which one stands for what the tree matches: alternatives of some length each get a row of
    /// their own.
    private static func forms(_ tree: PatternTree, _ limit: Int) -> [[Piece]] {
        switch tree {
        case .alternatives(let parts):
            guard parts.count <= limit else { return [row(tree)] }
            let rows = parts.flatMap { forms($0, limit / parts.count) }
            return rows.allSatisfy { sureBytes($0) >= 3 } ? rows : [row(tree)]
        case .sequence(let parts):
            var result: [[Piece]] = [[]]
            for part in parts {
                let next = forms(part, limit / result.count)
                result = result.flatMap { left in next.map { left + $0 } }
                if result.contains(where: { $0.count > longestRow }) { return result.map(shortened) }
            }
            return result
        case .repeated(let part, let least, let most):
            guard least == 1 else { return [row(tree)] }
            return forms(part, limit).map { $0 + (most == 1 ? [] : [.gap(part.allBytes)]) }
        case .byte, .nothing, .anything: return [row(tree)]
        }
    }

    private static func sureBytes(_ row: [Piece]) -> Int {
        row.reduce(0) { if case .byte = $1 { $0 + 1 } else { $0 } }
    }

    /// The piece of a row that is the least likely.
    private static func rarest(_ row: [Piece]) -> RequiredChain? {
        var links: [Link] = []
        for piece in row {
            switch piece {
            case .byte(let set): links.append(Link(byte: set))
            case .gap(let set):
                if let last = links.indices.last { links[last].gap = links[last].gap.union(set) }
            }
        }
        let bytes = links.map { ByteFrequency.share($0.byte) }
        // In a long gap, the next link has many places to stand at.
        let places = links.map { min(40, 1 / max(1e-9, 1 - ByteFrequency.share($0.gap))) }
        var best: (range: Range<Int>, likelihood: Double)?
        for start in links.indices {
            var likelihood = 1.0
            for end in start..<min(links.count, start + longest) {
                if end > start { likelihood *= places[end - 1] }
                likelihood *= bytes[end]
                if likelihood < (best?.likelihood ?? 1) * 0.99 { best = (start..<(end + 1), likelihood) }
                if likelihood < rareEnough { break }
            }
        }
        guard let best else { return nil }
        return RequiredChain(links: Array(links[best.range]), likelihood: best.likelihood)
    }
}

/// How often bytes stand in mail, roughly: in 10,000.
private enum ByteFrequency {
    private static let table: [Double] = {
        var table = [Double](repeating: 1, count: 256)
        let letters = [
            600, 110, 250, 300, 950, 160, 150, 400, 550, 15, 50, 330, 230, 550, 600, 170, 10, 500, 500, 700, 210, 80,
            140, 20, 140, 10,
        ]
        for (offset, count) in letters.enumerated() {
            table[0x61 + offset] = Double(count)
            table[0x41 + offset] = 5 + Double(count) / 20
        }
        for digit in 0x30...0x39 { table[digit] = 60 }
        for byte in 0x80...0xFF { table[byte] = 2 }
        for byte in 0x21...0x2F { table[byte] = 15 }
        for (byte, count) in [
            (0x20, 1_500.0), (0x0A, 150), (0x2E, 120), (0x2C, 90), (0x2D, 90), (0x2F, 70), (0x3D, 40),
        ] {
            table[byte] = count
        }
        let sum = table.reduce(0, +)
        return table.map { $0 / sum }
    }()

    static func share(_ set: ByteSet) -> Double {
        var share = 0.0
        for byte in 0..<256 where set.contains(UInt8(byte)) { share += table[byte] }
        return min(share, 1)
    }
}
