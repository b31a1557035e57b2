import Bytes
import DNS

/// Judges a message by DMARC: who passed, does it align with From, and what does the domain want (RFC 9989).
struct DMARCEvaluation: Sendable {
    let discovery: DMARCDiscovery
    let known: KnownAnswers
    /// Signatures that leave a part of the body unsigned do not count.
    var refusesUnsignedBody = false

    /// An identifier that SPF or DKIM spoke of.
    private struct Identifier {
        let method: String
        let domain: String
        let isPass: Bool
        let isStrict: Bool
        let leavesBodyUnsigned: Bool
    }

    private enum Alignment {
        case aligned, apart
        case unknown(String)
    }

    func evaluate(
        _ authors: MessageAuthors, spf: SPFOutcome?, dkim: [DKIMResult]
    ) throws(KnownAnswers.Missing) -> DMARCOutcome {
        var outcome = DMARCOutcome(domain: authors.domain)
        guard let domain = authors.domain else {
            outcome.verdict = .permerror
            outcome.reason = authors.problem
            return outcome
        }
        let knowledge = try discovery.knowledge(of: domain, known)
        outcome.organizational = knowledge.organizational
        outcome.organizationalBy = knowledge.organizationalBy
        guard let found = knowledge.own ?? knowledge.inherited else {
            outcome.verdict = knowledge.failure == nil ? .none : .temperror
            outcome.reason = knowledge.failure ?? "\(domain) has no DMARC record"
            return outcome
        }
        // A record further up does not speak for the domain while a nearer one may exist.
        if knowledge.own == nil, let failure = knowledge.failure {
            outcome.verdict = .temperror
            outcome.reason = failure
            return outcome
        }
        outcome.record = found.record.text
        outcome.recordDomain = found.domain
        guard found.record.policy != nil else {
            outcome.reason = "the record of \(found.domain) has no valid policy and no rua"
            return outcome
        }
        outcome.policy = try policy(found, for: domain)
        try judge(domain, found.record, knowledge, spf, dkim, &outcome)
        return outcome
    }

    /// `p` for the domain of the record itself, `sp` below it, `np` for what does not exist (RFC 9989 4.7).
    private func policy(
        _ found: DMARCDiscovery.Found, for domain: String
    ) throws(KnownAnswers.Missing) -> DMARCPolicy? {
        let record = found.record
        if found.domain == domain { return record.policy }
        if let policy = record.nonexistentPolicy, case .rfc9989 = discovery.algorithm, try doesNotExist(domain) {
            return policy
        }
        return record.subdomainPolicy ?? record.policy
    }

    private func doesNotExist(_ domain: String) throws(KnownAnswers.Missing) -> Bool {
        guard let name = try? DomainName(domain) else { return false }
        return try known.answer(name, .a).outcome == .noSuchDomain
    }

    // MARK: Alignment

    private func judge(
        _ domain: String, _ record: DMARCRecord, _ knowledge: DMARCDiscovery.Knowledge, _ spf: SPFOutcome?,
        _ dkim: [DKIMResult], _ outcome: inout DMARCOutcome
    ) throws(KnownAnswers.Missing) {
        var onlyPartly = true
        var unknown: String?
        for identifier in identifiers(record, spf, dkim) {
            if identifier.leavesBodyUnsigned, refusesUnsignedBody { continue }
            switch try alignment(identifier, domain, knowledge) {
            case .apart: continue
            case .unknown(let reason): unknown = unknown ?? reason
            case .aligned:
                guard identifier.isPass else {
                    unknown = unknown ?? "\(identifier.method) of \(identifier.domain) could not be decided for now"
                    continue
                }
                if !outcome.alignedBy.contains(identifier.method) { outcome.alignedBy.append(identifier.method) }
                if !identifier.leavesBodyUnsigned { onlyPartly = false }
            }
        }
        if !outcome.alignedBy.isEmpty {
            outcome.verdict = .pass
            if onlyPartly { outcome.reason = "the signature that aligns leaves a part of the body unsigned (l=)" }
        } else if let unknown {
            outcome.verdict = .temperror
            outcome.reason = unknown
        } else {
            outcome.verdict = .fail
            outcome.reason = "neither SPF nor DKIM passes for \(domain)"
            let policy = outcome.policy ?? .none
            outcome.disposition = isWeakened(record) ? policy.weakened : policy
        }
    }

    private func isWeakened(_ record: DMARCRecord) -> Bool {
        if case .rfc9989 = discovery.algorithm { return record.isTesting }
        return record.percentage == 0
    }

    /// Who passed, and who might have: what failed for now counts as not decided.
    private func identifiers(_ record: DMARCRecord, _ spf: SPFOutcome?, _ dkim: [DKIMResult]) -> [Identifier] {
        var identifiers: [Identifier] = []
        if let spf, spf.result == .pass || spf.result == .temperror {
            let domain = MessageAuthors.domain(of: "@" + spf.domain) ?? spf.domain
            identifiers.append(
                Identifier(
                    method: "spf", domain: domain, isPass: spf.result == .pass, isStrict: record.hasStrictSPF,
                    leavesBodyUnsigned: false))
        }
        for result in dkim where result.verdict == .pass || result.verdict == .temperror {
            let domain = MessageAuthors.domain(of: "@" + result.domain) ?? result.domain
            identifiers.append(
                Identifier(
                    method: "dkim", domain: domain, isPass: result.verdict == .pass, isStrict: record.hasStrictDKIM,
                    leavesBodyUnsigned: result.findings.contains(.unsignedBody)))
        }
        return identifiers
    }

    /// RFC 9989 4.4: the same domain, or when that suffices the same organizational domain.
    private func alignment(
        _ identifier: Identifier, _ domain: String, _ knowledge: DMARCDiscovery.Knowledge
    ) throws(KnownAnswers.Missing) -> Alignment {
        if identifier.domain == domain { return .aligned }
        guard !identifier.isStrict, DKIMSignature.isWithin(identifier.domain, knowledge.organizational) else {
            return .apart
        }
        // What could not be looked up may make another domain the organizational one.
        if let failure = knowledge.failure { return .unknown(failure) }
        let other = try discovery.knowledge(of: identifier.domain, known)
        if let failure = other.failure { return .unknown(failure) }
        return other.organizational == knowledge.organizational ? .aligned : .apart
    }
}
