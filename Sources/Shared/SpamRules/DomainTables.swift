import Bytes

/// Which names can be domains of mail and pages, and where registered names begin: `util_rb_tld`, `util_rb_2tld`,
/// `util_rb_3tld`.
struct DomainTables: Sendable {
    private let top: WordTable
    private let second: WordTable
    private let third: WordTable

    /// Without a list: the old generic ones, and all of two letters.
    private static let generic: Set<String> = [
        "com", "net", "org", "edu", "gov", "mil", "int", "info", "biz", "name", "arpa",
    ]
    /// Names under which countries register others, where nothing lists them.
    private static let kinds: Set<String> = ["co", "com", "net", "org", "ac", "edu", "gov", "or", "ne", "go"]

    init(_ settings: RuleSettings) {
        func table(_ name: String) -> WordTable { WordTable(settings.words(name).map(\.asciiLowercased)) }
        self.init(top: table("util_rb_tld"), second: table("util_rb_2tld"), third: table("util_rb_3tld"))
    }

    init(top: WordTable, second: WordTable, third: WordTable) {
        self.top = top
        self.second = second
        self.third = third
    }

    var all: [WordTable] { [top, second, third] }

    func isDomain(_ host: ArraySlice<UInt8>) -> Bool {
        let labels = host.split(separator: ASCII.dot, omittingEmptySubsequences: false)
        guard labels.count > 1, let last = labels.last, !labels.contains(where: { $0.isEmpty || $0.count > 63 }) else {
            return false
        }
        let name = last.map(\.asciiLowercased)
        if top.isEmpty {
            return DomainTables.generic.contains(name.text) || (name.count == 2 && name.allSatisfy(\.isASCIILetter))
        }
        return top.contains(name)
    }

    /// The part of a name in lower case that somebody has registered.
    func registered(_ name: String) -> String {
        let labels = name.split(separator: ".")
        func tail(_ count: Int) -> String { labels.suffix(count).joined(separator: ".") }
        guard labels.count > 2 else { return tail(2) }
        if labels.count > 3, third.contains(tail(3)) { return tail(4) }
        if second.contains(tail(2)) { return tail(3) }
        let isKind =
            labels[labels.count - 1].count == 2 && DomainTables.kinds.contains(String(labels[labels.count - 2]))
        return tail(isKind ? 3 : 2)
    }
}
