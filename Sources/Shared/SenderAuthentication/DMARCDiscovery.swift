import Bytes
import DNS

/// Finds DMARC records and organizational domains in the DNS, and keeps what it found for as long as the answers hold.
package final class DMARCDiscovery: Sendable {
    /// Records by their texts.
    private let records = TextCache<DMARCRecord?>()
    private let found = LimitedCache<String, Knowledge>()
    let algorithm: DMARCAlgorithm

    init(_ algorithm: DMARCAlgorithm) { self.algorithm = algorithm }

    /// A record and the domain at which it stands.
    struct Found: Sendable {
        let domain: String
        let record: DMARCRecord
    }

    /// What is known of one domain.
    struct Knowledge: Sendable {
        /// The record of the domain itself.
        var own: Found?
        /// The record that stands for it when it has none: of its organizational domain, or of the public suffix above.
        var inherited: Found?
        var organizational: String
        var organizationalBy: DMARCOutcome.Method
        /// Why a record could not be looked up for now.
        var failure: String?
    }

    func knowledge(of domain: String, _ known: KnownAnswers) throws(KnownAnswers.Missing) -> Knowledge {
        if let found = found.value(domain) { return found }
        let (knowledge, lifetime) =
            switch algorithm {
            case .rfc9989: try walk(domain, known)
            case .rfc7489(let list): if let list { try lookUp(domain, list, known) } else { try walk(domain, known) }
            }
        if knowledge.failure == nil { found.keep(knowledge, domain, lifetime) }
        return knowledge
    }

    /// The one DMARC record of each of several domains; several at one are none (RFC 9989 4.10).
    private func records(
        of domains: [String], _ known: KnownAnswers
    ) throws(KnownAnswers.Missing) -> ([Result<Found?, TemporaryFailure>], KnownAnswer.Lifetime) {
        // What is too long for a name has no record.
        let names = domains.map { try? DomainName("_dmarc.\($0)") }
        let questions = names.compactMap { name in name.map { KnownAnswers.Question(name: $0, type: .txt) } }
        let (answers, lifetime) = try known.answers(questions)
        var next = answers.makeIterator()
        let results = zip(domains, names).map { domain, name -> Result<Found?, TemporaryFailure> in
            guard name != nil, let answer = next.next() else { return .success(nil) }
            return record(answer, of: domain)
        }
        return (results, lifetime)
    }

    private func record(_ answer: Answer, of domain: String) -> Result<Found?, TemporaryFailure> {
        if let failure = answer.temporaryFailure { return .failure(failure) }
        if answer.records.isEmpty { return .success(nil) }
        let found = answer.records.compactMap(\.data.joinedText).compactMap { text in
            records.value(text) { DMARCRecord(parsing: $0) }
        }
        return .success(found.count == 1 ? Found(domain: domain, record: found[0]) : nil)
    }

    // MARK: The tree walk

    /// The names of the tree walk (RFC 9989 4.10): the domain, then from seven labels upward.
    package static func names(_ domain: String) -> [String] {
        let labels = domain.split(separator: ".")
        var names = [domain]
        var count = min(labels.count - 1, 7)
        while count > 0 {
            names.append(labels.suffix(count).joined(separator: "."))
            count -= 1
        }
        return names
    }

    private func walk(
        _ domain: String, _ known: KnownAnswers
    ) throws(KnownAnswers.Missing) -> (Knowledge, KnownAnswer.Lifetime) {
        let names = DMARCDiscovery.names(domain)
        let (results, lifetime) = try records(of: names, known)
        var knowledge = Knowledge(organizational: domain, organizationalBy: .treeWalk)
        var found: [Found] = []
        for (name, result) in zip(names, results) {
            switch result {
            case .failure(let failure):
                knowledge.failure = knowledge.failure ?? "TXT of _dmarc.\(name): \(failure)"
            case .success(let record):
                guard let record else { continue }
                found.append(record)
                // What lies above does not matter any more.
                if record.record.publicSuffix != .unknown {
                    conclude(found, names, &knowledge)
                    return (knowledge, lifetime)
                }
            }
        }
        conclude(found, names, &knowledge)
        return (knowledge, lifetime)
    }

    /// RFC 9989 4.10.2: which of the names is the organizational domain, and which record speaks for the domain.
    private func conclude(_ found: [Found], _ names: [String], _ knowledge: inout Knowledge) {
        let domain = names[0]
        knowledge.own = found.first { $0.domain == domain }
        guard let last = found.last else { return }
        if last.record.publicSuffix == .yes, last.domain != domain {
            let labels = domain.split(separator: ".")
            let count = last.domain.split(separator: ".").count
            knowledge.organizational = labels.suffix(count + 1).joined(separator: ".")
            knowledge.inherited = found.first { $0.domain == knowledge.organizational } ?? last
        } else {
            knowledge.organizational = last.domain
            knowledge.inherited = last
        }
    }

    // MARK: The public suffix list

    private func lookUp(
        _ domain: String, _ list: PublicSuffixList, _ known: KnownAnswers
    ) throws(KnownAnswers.Missing) -> (Knowledge, KnownAnswer.Lifetime) {
        let organizational = list.registrableDomain(of: domain) ?? domain
        let method: DMARCOutcome.Method = list.source == .library ? .library : .list
        var knowledge = Knowledge(organizational: organizational, organizationalBy: method)
        var (results, lifetime) = try records(of: [domain], known)
        switch results[0] {
        case .failure(let failure): knowledge.failure = "TXT of _dmarc.\(domain): \(failure)"
        case .success(let record): knowledge.own = record
        }
        if knowledge.own == nil, knowledge.failure == nil, organizational != domain {
            let other: KnownAnswer.Lifetime
            (results, other) = try records(of: [organizational], known)
            lifetime = min(lifetime, other)
            switch results[0] {
            case .failure(let failure): knowledge.failure = "TXT of _dmarc.\(organizational): \(failure)"
            case .success(let record): knowledge.inherited = record
            }
        }
        return (knowledge, lifetime)
    }
}
