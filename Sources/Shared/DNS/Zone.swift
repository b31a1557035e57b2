import Bytes
import Unix

/// Answers out of a zone file in place of a server: for tests, examples and what-if questions.
///
/// The lines are those of RFC 1035 5.1, `name [ttl] [class] type data`, without the need for a SOA: `$ORIGIN`, `$TTL`,
/// `@`, parentheses, comments and quoted strings are understood, a line that begins with a space repeats the name before
/// it, and a name without a dot at the end is under `$ORIGIN`, at first the root. Types that are not known are passed
/// over. The types `SERVFAIL`, `REFUSED` and `TIMEOUT` make a name fail for now; types after them limit that to these.
package struct Zone: Sendable {
    /// What is known of one name.
    struct Node: Sendable {
        var records: [Record] = []
        /// The failure of a type; of every type under nil.
        var failures: [RecordType?: Failure] = [:]
    }

    enum Failure: String, Sendable, CaseIterable {
        case serverFailure = "SERVFAIL"
        case refused = "REFUSED"
        case timeout = "TIMEOUT"
    }

    /// What the answers name as their server: the file.
    package let name: String
    private var nodes: [DomainName: Node] = [:]
    /// Names that exist because one below them does (RFC 8020).
    private var emptyNames: Set<DomainName> = []

    /// Reads zone lines; `name` is their file.
    package init(parsing text: [UInt8], name: String) throws(ZoneError) {
        self.name = name
        var parser = ZoneParser(text, name: name)
        while let entry = try parser.nextEntry() { add(entry) }
    }

    /// Reads a zone file.
    package init(path: String) throws(ZoneError) {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try Files.read(path, limit: 256 << 20)
        } catch {
            throw ZoneError(file: path, line: nil, problem: error.reason)
        }
        try self.init(parsing: bytes, name: path)
    }

    private mutating func add(_ entry: ZoneEntry) {
        var parent = entry.owner.parent
        if nodes[entry.owner] == nil {
            while let name = parent, emptyNames.insert(name).inserted { parent = name.parent }
        }
        switch entry.content {
        case .record(let record): nodes[entry.owner, default: Node()].records.append(record)
        case .failure(let failure, let types):
            if types.isEmpty { nodes[entry.owner, default: Node()].failures[nil] = failure }
            for type in types { nodes[entry.owner, default: Node()].failures[type] = failure }
        case .nothing: nodes[entry.owner, default: Node()].records += []
        }
    }

    /// Answers a question as a server would that has these lines.
    package func answer(_ name: DomainName, _ type: RecordType) -> Answer {
        var chain = AliasChain(name)
        while true {
            guard let node = node(chain.end) else {
                let outcome = emptyNames.contains(chain.end) ? Answer.Outcome.noData : .noSuchDomain
                return answer(outcome, chain)
            }
            if let failure = node.failures[type] ?? node.failures[nil] {
                let reason = failure == .timeout ? "no answer from" : "\(failure.rawValue) from"
                return answer(.temporaryFailure(TemporaryFailure("\(reason) \(self.name)", tries: 1)), chain)
            }
            let found = node.records.filter { $0.type == type }
            if !found.isEmpty {
                let owned = found.map { Record(owner: chain.end, type: type, ttl: $0.ttl, data: $0.data) }
                return answer(.records(owned), chain, ttl: found.reduce(.max) { min($0, $1.ttl) })
            }
            guard let alias = node.records.first(where: { $0.type == .cname }), case .name(let target) = alias.data
            else { return answer(.noData, chain) }
            if !chain.follow(target, ttl: alias.ttl) {
                let failure = TemporaryFailure("a loop of CNAME records from \(self.name)", tries: 1)
                return answer(.temporaryFailure(failure), chain)
            }
        }
    }

    private func answer(_ outcome: Answer.Outcome, _ chain: AliasChain, ttl: UInt32 = 0) -> Answer {
        Answer(outcome, canonicalName: chain.end, ttl: min(ttl, chain.ttl), server: name)
    }

    /// The node of a name, or of the wildcard that covers it (RFC 4592).
    private func node(_ name: DomainName) -> Node? {
        if let node = nodes[name] { return node }
        if emptyNames.contains(name) { return nil }
        var current = name
        while let wildcard = current.wildcard, let parent = current.parent {
            if let node = nodes[wildcard] { return node }
            // A name that exists ends the search: wildcards above it do not reach below it.
            if nodes[parent] != nil || emptyNames.contains(parent) { return nil }
            current = parent
        }
        return nil
    }
}

/// Why a zone file cannot be used.
package struct ZoneError: Error, Equatable, CustomStringConvertible {
    package let file: String
    /// Counted from 1; nil when the file cannot be read at all.
    package let line: Int?
    package let problem: String

    package var description: String {
        "\(file)\(line.map { ":\($0)" } ?? ""): \(problem)"
    }
}
