import Bytes

/// Patterns of addresses as lists have them, where `*` stands for anything and `?` for a character, in any case; each with
/// what stands beside it.
struct AddressPatterns: Sendable {
    private struct Entry: Sendable {
        let pattern: [UInt8]
        let beside: [String]
    }

    private var entries: [Entry] = []
    /// Patterns by the last two labels of the domain that they end with.
    private var byDomain: [[UInt8]: [Int]] = [:]
    private var general: [Int] = []

    /// Lines: a pattern, and what stands beside it.
    init(_ lines: [[String]]) {
        for line in lines {
            guard let pattern = line.first?.asciiLowercased else { continue }
            let index = entries.count
            entries.append(Entry(pattern: Array(pattern.utf8), beside: Array(line.dropFirst())))
            if let domain = AddressPatterns.domain(entries[index].pattern) {
                byDomain[domain, default: []].append(index)
            } else {
                general.append(index)
            }
        }
    }

    var isEmpty: Bool { entries.isEmpty }

    /// The last two labels, when they are told in full.
    private static func domain(_ pattern: [UInt8]) -> [UInt8]? {
        let start = pattern.lastIndex { $0 == ASCII.asterisk || $0 == ASCII.question }.map { $0 + 1 } ?? 0
        let tail = pattern[start...]
        guard let last = tail.lastIndex(of: ASCII.dot),
            let first = tail[..<last].lastIndex(where: { $0 == ASCII.dot || $0 == ASCII.at })
        else { return nil }
        return Array(tail[(first + 1)...])
    }

    private static func domain(of address: [UInt8]) -> [UInt8]? {
        guard let last = address.lastIndex(of: ASCII.dot) else { return nil }
        let first = address[..<last].lastIndex { $0 == ASCII.dot || $0 == ASCII.at }
        return Array(address[(first.map { $0 + 1 } ?? 0)...])
    }

    /// What stands beside the patterns that an address matches.
    func matches(_ address: String) -> [[String]] {
        guard !entries.isEmpty else { return [] }
        let address = Array(address.asciiLowercased.utf8)
        let candidates = general + (AddressPatterns.domain(of: address).flatMap { byDomain[$0] } ?? [])
        return candidates.filter { AddressPatterns.matches(entries[$0].pattern, address) }.map { entries[$0].beside }
    }

    func contains(_ address: String) -> Bool { !matches(address).isEmpty }

    /// In time that is the product of both lengths at most.
    static func matches(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
        var (place, at) = (0, 0)
        var star: (pattern: Int, text: Int)?
        while at < text.count {
            if place < pattern.count, pattern[place] == ASCII.asterisk {
                star = (place, at)
                place += 1
            } else if place < pattern.count, pattern[place] == ASCII.question || pattern[place] == text[at] {
                place += 1
                at += 1
            } else if let last = star {
                place = last.pattern + 1
                at = last.text + 1
                star = (last.pattern, at)
            } else {
                return false
            }
        }
        while place < pattern.count, pattern[place] == ASCII.asterisk { place += 1 }
        return place == pattern.count
    }
}
