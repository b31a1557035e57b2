import Bytes
import DNS

/// Finds DMARC records and organizational domains in the DNS.
package struct DMARCDiscovery: Sendable {
    let resolver: Resolver
    /// Records by their texts.
    let records: TextCache<DMARCRecord?>
    let deadline: Deadline
    let algorithm: DMARCAlgorithm

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

    func knowledge(of domain: String) async -> Knowledge {
        switch algorithm {
        case .rfc9989: await walk(domain)
        case .rfc7489(let list): if let list { await lookUp(domain, list) } else { await walk(domain) }
        }
    }

    /// The one DMARC record of a name; several are none (RFC 9989 4.10).
    private func record(of domain: String) async -> Result<Found?, TemporaryFailure> {
        guard let name = try? DomainName("_dmarc.\(domain)") else { return .success(nil) }
        return record(await deadline.lookup(resolver, name, .txt), of: domain)
    }

    private func record(_ answer: Answer?, of domain: String) -> Result<Found?, TemporaryFailure> {
        guard let answer else { return .failure(TemporaryFailure("no answer in time", tries: 0)) }
        if let failure = answer.temporaryFailure { return .failure(failure) }
        if answer.records.isEmpty { return .success(nil) }
        let found = answer.records.compactMap(\.data.joinedText).compactMap { text in
            records.value(text) { DMARCRecord(parsing: $0) }
        }
        return .success(found.count == 1 ? Found(domain: domain, record: found[0]) : nil)
    }

    /// The records of several names, asked for at the same time.
    private func records(of names: [String]) async -> [Result<Found?, TemporaryFailure>] {
        let answers = names.map { name in (try? DomainName("_dmarc.\(name)")).flatMap { resolver.known($0, .txt) } }
        if answers.allSatisfy({ $0 != nil }) { return zip(answers, names).map { record($0, of: $1) } }
        return await withTaskGroup(of: (Int, Result<Found?, TemporaryFailure>).self) { group in
            for (number, name) in names.enumerated() { group.addTask { (number, await record(of: name)) } }
            var results: [(Int, Result<Found?, TemporaryFailure>)] = []
            for await result in group { results.append(result) }
            return results.sorted { $0.0 < $1.0 }.map(\.1)
        }
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

    private func walk(_ domain: String) async -> Knowledge {
        let names = DMARCDiscovery.names(domain)
        let results = await records(of: names)
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
                    return knowledge
                }
            }
        }
        conclude(found, names, &knowledge)
        return knowledge
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

    private func lookUp(_ domain: String, _ list: PublicSuffixList) async -> Knowledge {
        let organizational = list.registrableDomain(of: domain) ?? domain
        let method: DMARCOutcome.Method = list.source == .library ? .library : .list
        var knowledge = Knowledge(organizational: organizational, organizationalBy: method)
        switch await record(of: domain) {
        case .failure(let failure): knowledge.failure = "TXT of _dmarc.\(domain): \(failure)"
        case .success(let record): knowledge.own = record
        }
        if knowledge.own == nil, knowledge.failure == nil, organizational != domain {
            switch await record(of: organizational) {
            case .failure(let failure): knowledge.failure = "TXT of _dmarc.\(organizational): \(failure)"
            case .success(let record): knowledge.inherited = record
            }
        }
        return knowledge
    }
}
