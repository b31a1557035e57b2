import Bytes

/// The domains that `freemail_domains` lists, some of them with wildcards.
struct FreemailDomains: Sendable {
    let names: WordTable
    /// The parts of a pattern between its `*`.
    private let patterns: [[String]]

    init(_ settings: RuleSettings) {
        let all = settings.words("freemail_domains").map(\.asciiLowercased)
        self.init(settings, names: WordTable(all.filter { !$0.contains("*") && !$0.contains("?") }))
    }

    /// With the names without wildcards as they were made ready before.
    init(_ settings: RuleSettings, names: WordTable) {
        self.names = names
        let lines = settings.texts("freemail_domains").filter { $0.contains(ASCII.asterisk) }
        let words = lines.flatMap { $0.split(whereSeparator: \.isMailWhitespace) }.filter {
            $0.contains(ASCII.asterisk)
        }
        patterns = words.map { word in
            word.map(\.asciiLowercased).split(separator: ASCII.asterisk, omittingEmptySubsequences: false).map(\.text)
        }
    }

    func contains(_ domain: String) -> Bool {
        names.contains(domain) || patterns.contains { FreemailDomains.matches(domain, $0) }
    }

    /// `*` stands for a part of a label: no dot is in it.
    private static func matches(_ domain: String, _ parts: [String]) -> Bool {
        guard let first = parts.first, let last = parts.last, parts.count > 1, domain.hasPrefix(first),
            domain.hasSuffix(last),
            domain.utf8.count >= first.utf8.count + last.utf8.count
        else { return false }
        let middle = domain.dropFirst(first.count).dropLast(last.count)
        return parts.count == 2 && !middle.contains(".") || parts.count > 2
    }
}
