import Bytes
import DNS

/// A domain's policy as it stands, for no client: every record that it leads to, and what it costs at most.
///
/// What depends on the message (macros) is counted and not followed. The walk is bounded.
package struct SPFSurvey: Sendable {
    /// A term that queries the DNS, or leads to another policy.
    package struct Term: Sendable {
        /// As it is written.
        package let text: String
        /// The policy that it leads to: none or one.
        package var nested: [SPFSurvey] = []
        /// How many of the ten queries it may take, with those of the policies in it.
        package var lookups = 1
        /// Whether its own name has neither an address nor what else it asks for.
        package var isVoid = false
        /// Why the DNS could not say, for now.
        package var failure: TemporaryFailure?
        /// Of `mx`: how many hosts it names; more than 10 are an error (RFC 7208 4.6.4).
        package var hosts = 0
    }

    package let domain: String
    /// The record as it is written; nil when there is none, or several.
    package private(set) var text: String?
    package private(set) var record: SPFRecord?
    /// All SPF records of the domain; more than one is an error.
    package private(set) var records: [String] = []
    package private(set) var syntaxError: SPFSyntaxError?
    package private(set) var failure: TemporaryFailure?
    /// This policy is one that led to itself.
    package private(set) var isLoop = false
    package private(set) var terms: [Term] = []

    /// All terms that query the DNS, through every policy; more than 10 are an error (RFC 7208 4.6.4).
    package var lookups: Int { terms.reduce(0) { $0 + $1.lookups } }
    /// Of them, those that find nothing; more than 2 are an error.
    package var void: Int {
        terms.reduce(0) { $0 + ($1.isVoid ? 1 : 0) + $1.nested.reduce(0) { $0 + $1.void } }
    }
    /// What is wrong first, in this policy or in one that it leads to: the domain and the reason.
    package var firstError: (domain: String, problem: String)? {
        if records.count > 1 { return (domain, "more than one SPF record") }
        if let syntaxError { return (domain, "\(syntaxError)") }
        if isLoop { return (domain, "the policy leads to itself") }
        for term in terms {
            for nested in term.nested {
                if nested.text == nil, nested.failure == nil, nested.records.isEmpty, !nested.isLoop, !nested.isCut {
                    return (domain, "\(term.text): there is no SPF record")
                }
                if let error = nested.firstError { return error }
            }
        }
        return nil
    }
    /// The first failure of the DNS, in this policy or in one that it leads to.
    package var firstFailure: TemporaryFailure? {
        failure ?? terms.lazy.compactMap { $0.failure ?? $0.nested.lazy.compactMap(\.firstFailure).first }.first
    }
    /// The walk ended here because it had read enough.
    private(set) var isCut = false

    /// Reads the policy of `domain` and of every domain that it leads to.
    package init(of domain: String, _ resolver: Resolver) async {
        var budget = SPFSurvey.policyLimit
        self.domain = domain
        if let checked = SPFDomain(checking: domain) { await read(checked, resolver, [], &budget) }
    }

    private init(_ domain: SPFDomain, _ resolver: Resolver, _ above: [DomainName], _ budget: inout Int) async {
        self.domain = spfText(domain.text)
        await read(domain, resolver, above, &budget)
    }

    /// A policy that reads more records than this has failed long before.
    private static let policyLimit = 64

    private mutating func read(
        _ domain: SPFDomain, _ resolver: Resolver, _ above: [DomainName], _ budget: inout Int
    ) async {
        guard !above.contains(domain.name) else {
            isLoop = true
            return
        }
        budget -= 1
        guard budget >= 0 else {
            isCut = true
            return
        }
        let answer = await resolver.lookup(domain.name, .txt)
        failure = answer.temporaryFailure
        let texts = answer.records.compactMap(\.data.joinedText).filter(SPFRecord.isRecord)
        records = texts.map { spfText($0) }
        guard texts.count == 1 else { return }
        text = records[0]
        do throws(SPFSyntaxError) {
            let record = try SPFRecord(parsing: texts[0])
            self.record = record
            for directive in record.directives where directive.mechanism.queries {
                terms.append(await term(directive, domain, resolver, above, &budget))
            }
            if let redirect = record.redirect, !record.directives.contains(where: { $0.mechanism == .all }) {
                var term = Term(text: record.redirectText ?? "redirect")
                await follow(redirect, &term, domain, resolver, above, &budget)
                terms.append(term)
            }
        } catch {
            syntaxError = error
        }
    }

    private func follow(
        _ text: SPFMacroString, _ term: inout Term, _ domain: SPFDomain, _ resolver: Resolver, _ above: [DomainName],
        _ budget: inout Int
    ) async {
        guard let target = SPFSurvey.fixed(text, domain) else { return }
        let nested = await SPFSurvey(target, resolver, above + [domain.name], &budget)
        term.lookups += nested.lookups
        term.nested = [nested]
    }

    private func term(
        _ directive: SPFRecord.Directive, _ domain: SPFDomain, _ resolver: Resolver, _ above: [DomainName],
        _ budget: inout Int
    ) async -> Term {
        var term = Term(text: directive.text)
        switch directive.mechanism {
        case .include(let text): await follow(text, &term, domain, resolver, above, &budget)
        case .a(let text, _): await look(text, [.a, .aaaa], &term, domain, resolver)
        case .mx(let text, _): await look(text, [.mx], &term, domain, resolver)
        case .exists(let text): await look(text, [.a], &term, domain, resolver)
        case .ptr, .all, .ip: break
        }
        return term
    }

    private func look(
        _ text: SPFMacroString?, _ types: [RecordType], _ term: inout Term, _ domain: SPFDomain, _ resolver: Resolver
    ) async {
        guard let target = text.map({ SPFSurvey.fixed($0, domain) }) ?? domain else { return }
        var isVoid = true
        for type in types {
            let answer = await resolver.lookup(target.name, type)
            term.failure = term.failure ?? answer.temporaryFailure
            if type == .mx { term.hosts = answer.records.count }
            if !answer.records.isEmpty || answer.temporaryFailure != nil { isVoid = false }
        }
        term.isVoid = isVoid
    }

    /// The name of a term that is the same for every message.
    private static func fixed(_ text: SPFMacroString, _ domain: SPFDomain) -> SPFDomain? {
        var bytes: [UInt8] = []
        for piece in text.pieces {
            switch piece {
            case .literal(let literal): bytes += literal
            case .macro(let macro):
                guard macro.letter == UInt8(ascii: "d") else { return nil }
                macro.expand(SPFMacroValues(domain: domain.text), into: &bytes)
            }
        }
        return SPFDomain(expanded: bytes)
    }
}

extension SPFMacroValues {
    /// Values of which only the domain is known.
    fileprivate init(domain: [UInt8]) {
        self.init(
            localPart: [], senderDomain: [], domain: domain, dottedAddress: [], address: [], isIPv6: false, helo: [],
            receiver: [], time: 0)
    }
}
