import Bytes
import Synchronization

/// What rule files list, made ready to look up, for all scorers of a plan.
final class ListTables: Sendable {
    let freemail: FreemailDomains
    let domains: DomainTables
    let trust: RelayTrust
    private let settings: RuleSettings
    private let enlisted: [String: [String]]
    private let addresses = Mutex<[String: AddressPatterns]>([:])
    private let hosts = Mutex<[String: [String: Bool]]?>(nil)

    init(_ settings: RuleSettings) {
        freemail = FreemailDomains(settings)
        domains = DomainTables(settings)
        trust = RelayTrust(settings)
        enlisted = ListTables.enlisted(settings)
        self.settings = settings
    }

    /// The addresses of `enlist_addrlist (NAME)`, by name.
    private static func enlisted(_ settings: RuleSettings) -> [String: [String]] {
        var lists: [String: [String]] = [:]
        for line in settings.lines("enlist_addrlist") {
            guard let name = line.first, name.hasPrefix("("), name.hasSuffix(")") else { continue }
            lists[String(name.dropFirst().dropLast()), default: []] += line.dropFirst()
        }
        return lists
    }

    func write(to image: inout RuleImageWriter) {
        image.put(freemail.names.sorted)
        for table in domains.all { image.put(table.sorted) }
    }

    init(_ settings: RuleSettings, _ image: inout RuleImageReader) throws(RuleImageError) {
        freemail = FreemailDomains(settings, names: WordTable(sorted: try image.texts()))
        domains = DomainTables(
            top: WordTable(sorted: try image.texts()), second: WordTable(sorted: try image.texts()),
            third: WordTable(sorted: try image.texts()))
        trust = RelayTrust(settings)
        enlisted = ListTables.enlisted(settings)
        self.settings = settings
    }

    /// The addresses of a list: of a directive such as `welcomelist_from`, and of `enlist_addrlist (NAME)`.
    func addresses(of list: String) -> AddressPatterns {
        addresses.withLock { known in
            if let patterns = known[list] { return patterns }
            let texts = (ListTables.pairs.contains(list) ? [] : settings.words(list)) + (enlisted[list] ?? [])
            let pairs = ListTables.pairs.contains(list) ? settings.lines(list) : []
            let patterns = AddressPatterns(texts.map { [$0] } + pairs)
            known[list] = patterns
            return patterns
        }
    }

    /// Lists whose lines are an address and what has to stand with it.
    private static let pairs: Set<String> = [
        "welcomelist_from_rcvd", "def_welcomelist_from_rcvd", "welcomelist_from_dkim", "def_welcomelist_from_dkim",
    ]

    /// Whether hosts are in a list of `enlist_uri_host (NAME)`, or, by their domains, taken out of it with `!`.
    func hosts(of list: String) -> [String: Bool] {
        hosts.withLock { known in
            if let lists = known { return lists[list] ?? [:] }
            var lists: [String: [String: Bool]] = [:]
            func add(_ list: String, _ hosts: some Sequence<String>) {
                for host in hosts {
                    let isOut = host.hasPrefix("!")
                    lists[list, default: [:]][String(host.dropFirst(isOut ? 1 : 0)).asciiLowercased] = !isOut
                }
            }
            for line in settings.lines("enlist_uri_host") {
                guard let name = line.first, name.hasPrefix("("), name.hasSuffix(")") else { continue }
                add(String(name.dropFirst().dropLast()), line.dropFirst())
            }
            add("BLOCK", settings.words("blocklist_uri_host"))
            add("WELCOME", settings.words("welcomelist_uri_host"))
            for line in settings.lines("delist_uri_host") {
                let isNamed = line.first?.hasPrefix("(") == true
                let named = isNamed ? [String((line.first ?? "").dropFirst().dropLast())] : Array(lists.keys)
                for list in named {
                    for host in line.dropFirst(isNamed ? 1 : 0) { lists[list]?[host.asciiLowercased] = nil }
                }
            }
            known = lists
            return lists[list] ?? [:]
        }
    }
}

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
