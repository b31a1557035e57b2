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
            let hasPairs = RuleSettings.pairs.contains(list)
            let texts = (hasPairs ? [] : settings.words(list)) + (enlisted[list] ?? [])
            let pairs = hasPairs ? settings.lines(list) : []
            let patterns = AddressPatterns(texts.map { [$0] } + pairs)
            known[list] = patterns
            return patterns
        }
    }

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
