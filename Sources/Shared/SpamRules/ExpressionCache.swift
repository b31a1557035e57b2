import Unix

/// Expressions that tests use, compiled once for a scorer. For one thread.
final class ExpressionCache {
    private struct Key: Hashable {
        let pattern: String
        let options: UInt32
    }

    private struct Entry {
        var pattern: PerlPattern?
        var uses = 0
    }

    /// The first group of each match of an expression in a text.
    func groups(of pattern: String, in text: [UInt8]) -> [[UInt8]] {
        if groupScratch == nil { groupScratch = try? PerlMatchScratch(groups: 1) }
        guard let pattern = compiledPattern(pattern, [.dotMatchesLineEnd]), let scratch = groupScratch else {
            return []
        }
        var groups: [[UInt8]] = []
        var place = 0
        while groups.count < ExpressionCache.mostGroups,
            case .match(let range) = pattern.firstMatch(in: text.span, from: place, scratch)
        {
            if let group = scratch.range(ofGroup: 1), !group.isEmpty { groups.append(Array(text[group])) }
            place = range.isEmpty ? range.upperBound + 1 : range.upperBound
        }
        return groups
    }

    private static let mostGroups = 1_000
    private static let mostPatterns = 2_000

    /// A header subject by how tests write it.
    func subject(_ text: String) -> HeaderSubject {
        if let known = subjects[text] { return known }
        let subject = HeaderSubject(text)
        subjects[text] = subject
        return subject
    }

    private var subjects: [String: HeaderSubject] = [:]

    private var compiled: [Key: Entry] = [:]
    private var scratch: PerlMatchScratch?
    private var groupScratch: PerlMatchScratch?

    /// What is run more often than this is worth machine code.
    private static let fastAfter = 20

    private func compiledPattern(_ pattern: String, _ options: PerlRegex.Options) -> PerlPattern? {
        let key = Key(pattern: pattern, options: options.rawValue)
        // Some are made of words of the message.
        if compiled.count >= ExpressionCache.mostPatterns { compiled.removeAll(keepingCapacity: true) }
        var entry = compiled[key] ?? Entry(pattern: try? PerlPattern(Array(pattern.utf8), options, isFast: false))
        entry.uses += 1
        if entry.uses == ExpressionCache.fastAfter { entry.pattern = entry.pattern?.fast }
        compiled[key] = entry
        return entry.pattern
    }

    func matches(_ pattern: String, _ text: [UInt8], _ options: PerlRegex.Options) -> Bool {
        if scratch == nil { scratch = try? PerlMatchScratch() }
        guard let pattern = compiledPattern(pattern, options), let scratch,
            case .match = pattern.firstMatch(in: text.span, scratch)
        else {
            return false
        }
        return true
    }
}
