import Bytes
import DNS
import Unix

/// Why a check ends before a term decided.
enum SPFStop: Error {
    case temperror(String)
    case permerror(String)
}

/// One check under way: check_host() with its limits (RFC 7208 4, 5).
struct SPFCheck {
    private let evaluator: SPFEvaluator
    private let address: IPAddress
    private var values: SPFMacroValues
    private let deadline: ContinuousClock.Instant?
    private(set) var lookups = 0
    private(set) var voids = 0
    /// The names of the client that lead back to it; nil until they are needed.
    private var validatedNames: [DomainName]?

    static let lookupLimit = 10
    static let voidLimit = 2
    static let hostLimit = 10

    init(
        _ evaluator: SPFEvaluator, _ request: SPFRequest, _ sender: SPFSender, deadline: ContinuousClock.Instant?,
        time: Int
    ) {
        self.evaluator = evaluator
        address = request.address.unmapped
        self.deadline = deadline
        let readable = Array(address.description.utf8)
        values = SPFMacroValues(
            localPart: Array(sender.localPart.utf8), senderDomain: Array(sender.domain.utf8), domain: [],
            dottedAddress: address.isIPv6 ? SPFCheck.nibbles(address) : readable, address: readable,
            isIPv6: address.isIPv6, helo: Array((request.helo ?? sender.domain).utf8),
            receiver: Array(request.receiver.utf8), time: time)
    }

    /// In capitals, as the openspf suite has them.
    private static func nibbles(_ address: IPAddress) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return Array(
            address.bytes.flatMap { [[digits[Int($0 >> 4)]], [digits[Int($0 & 15)]]] }.joined(separator: [ASCII.dot]))
    }

    private var addressType: RecordType { address.isIPv6 ? .aaaa : .a }

    // MARK: Policies

    /// Reads the policy of a domain for the client.
    mutating func policy(of domain: SPFDomain) async -> SPFTrace {
        var trace = SPFTrace(domain: spfText(domain.text))
        do throws(SPFStop) {
            guard let text = try await recordText(domain, &trace) else { return trace }
            trace.record = spfText(text)
            let record: SPFRecord
            do throws(SPFSyntaxError) {
                record = try evaluator.record(text)
            } catch {
                throw .permerror("the record of \(trace.domain) is not valid: \(error)")
            }
            try await evaluate(record, domain, &trace)
        } catch {
            switch error {
            case .temperror(let problem): (trace.result, trace.problem) = (.temperror, problem)
            case .permerror(let problem): (trace.result, trace.problem) = (.permerror, problem)
            }
        }
        return trace
    }

    private mutating func recordText(_ domain: SPFDomain, _ trace: inout SPFTrace) async throws(SPFStop) -> [UInt8]? {
        let answer = try await lookup(domain.name, .txt)
        switch SPFRecord.select(answer.records.lazy.compactMap(\.data.joinedText)) {
        case .record(let text): return text
        case .several: throw .permerror("\(trace.domain) has more than one SPF record")
        case .none:
            let why = answer.outcome == .noSuchDomain ? "does not exist" : "has no SPF record"
            trace.problem = "\(trace.domain) \(why)"
            return nil
        }
    }

    private mutating func evaluate(
        _ record: SPFRecord, _ domain: SPFDomain, _ trace: inout SPFTrace
    ) async throws(SPFStop) {
        for directive in record.directives {
            var term = SPFTraceTerm(text: directive.text)
            guard try await matches(directive.mechanism, domain, &term, &trace) else { continue }
            trace.result = directive.qualifier.result
            trace.mechanism = directive.text
            trace.decidingRecord = record.text
            if let explanation = record.explanation { trace.explanation = (explanation, domain) }
            return
        }
        guard let redirect = record.redirect else {
            trace.result = .neutral
            return
        }
        var term = SPFTraceTerm(text: record.redirectText ?? "redirect")
        try await follow(redirect, domain, &term, &trace)
    }

    /// Goes on with another domain's policy in place of this one's (RFC 7208 6.1).
    private mutating func follow(
        _ redirect: SPFMacroString, _ domain: SPFDomain, _ term: inout SPFTraceTerm, _ trace: inout SPFTrace
    ) async throws(SPFStop) {
        let (lookupsBefore, voidsBefore) = (lookups, voids)
        defer { finish(&term, lookupsBefore, voidsBefore, &trace) }
        do throws(SPFStop) {
            try countLookup(term)
            guard let target = try await target(redirect, domain, &term) else {
                throw .permerror("\(term.text) leads to no domain")
            }
            let nested = await policy(of: target)
            term.nested = [nested]
            switch nested.result {
            case .none: throw .permerror("\(term.text): \(nested.problem ?? "there is no policy")")
            case .temperror: throw .temperror(nested.problem ?? term.text)
            case .permerror: throw .permerror(nested.problem ?? term.text)
            default: break
            }
            term.outcome = .match
            trace.result = nested.result
            trace.mechanism = nested.mechanism
            trace.decidingRecord = nested.decidingRecord ?? nested.record
            trace.explanation = nested.explanation
        } catch {
            note(error, &term)
            throw error
        }
    }

    // MARK: Terms

    private mutating func matches(
        _ mechanism: SPFRecord.Mechanism, _ domain: SPFDomain, _ term: inout SPFTraceTerm, _ trace: inout SPFTrace
    ) async throws(SPFStop) -> Bool {
        let (lookupsBefore, voidsBefore) = (lookups, voids)
        defer { finish(&term, lookupsBefore, voidsBefore, &trace) }
        do throws(SPFStop) {
            if mechanism.queries { try countLookup(term) }
            let isMatch = try await isMatch(mechanism, domain, &term)
            term.outcome = isMatch ? .match : .noMatch
            return isMatch
        } catch {
            note(error, &term)
            throw error
        }
    }

    private func finish(_ term: inout SPFTraceTerm, _ lookupsBefore: Int, _ voidsBefore: Int, _ trace: inout SPFTrace) {
        term.lookups = lookups - lookupsBefore
        term.void = voids - voidsBefore
        trace.terms.append(term)
    }

    private func note(_ stop: SPFStop, _ term: inout SPFTraceTerm) {
        switch stop {
        case .temperror(let problem): (term.outcome, term.note) = (.temperror, problem)
        case .permerror(let problem): (term.outcome, term.note) = (.permerror, problem)
        }
    }

    private mutating func isMatch(
        _ mechanism: SPFRecord.Mechanism, _ domain: SPFDomain, _ term: inout SPFTraceTerm
    ) async throws(SPFStop) -> Bool {
        switch mechanism {
        case .all: return true
        case .ip(let network, let bits): return address.matches(network, bits: bits)
        case .include(let text): return try await includes(text, domain, &term)
        case .a(let text, let prefix):
            guard let target = try await target(text, domain, &term) else { return false }
            return holdsClient(try await lookup(target.name, addressType, for: term), prefix)
        case .mx(let text, let prefix):
            guard let target = try await target(text, domain, &term) else { return false }
            return try await exchangesHoldClient(target, prefix, term)
        case .ptr(let text):
            guard let target = try await target(text, domain, &term) else { return false }
            return try await namesHold(target, term)
        case .exists(let text):
            guard let target = try await target(text, domain, &term) else { return false }
            return !(try await lookup(target.name, .a, for: term).records.isEmpty)
        }
    }

    /// RFC 7208 5.2: whether the other policy passes the client.
    private mutating func includes(
        _ text: SPFMacroString, _ domain: SPFDomain, _ term: inout SPFTraceTerm
    ) async throws(SPFStop) -> Bool {
        guard let target = try await target(text, domain, &term) else {
            throw .permerror("\(term.text) leads to no domain")
        }
        let nested = await policy(of: target)
        term.nested = [nested]
        switch nested.result {
        case .pass: return true
        case .fail, .softfail, .neutral: return false
        case .temperror: throw .temperror(nested.problem ?? term.text)
        case .permerror: throw .permerror(nested.problem ?? term.text)
        case .none: throw .permerror("\(term.text): \(nested.problem ?? "there is no policy")")
        }
    }

    private func holdsClient(_ answer: Answer, _ prefix: SPFRecord.Prefix) -> Bool {
        let bits = address.isIPv6 ? prefix.ipv6 : prefix.ipv4
        return answer.records.contains { record in
            if case .address(let known) = record.data { address.matches(known, bits: bits) } else { false }
        }
    }

    /// RFC 7208 5.4: the addresses of the mail exchanges. More than ten exchanges are an error (4.6.4).
    private mutating func exchangesHoldClient(
        _ target: SPFDomain, _ prefix: SPFRecord.Prefix, _ term: SPFTraceTerm
    ) async throws(SPFStop) -> Bool {
        let records = try await lookup(target.name, .mx, for: term).records
        guard records.count <= SPFCheck.hostLimit else {
            throw .permerror("\(term.text): \(spfText(target.text)) has more than \(SPFCheck.hostLimit) mail exchanges")
        }
        let hosts = records.compactMap { record -> (UInt16, DomainName)? in
            if case .exchange(let preference, let host) = record.data { (preference, host) } else { nil }
        }
        let names = hosts.sorted { $0.0 < $1.0 }.map(\.1).filter { !$0.isRoot }
        for answer in await answers(names, addressType) {
            if let failure = answer.temporaryFailure {
                throw .temperror("\(term.text): \(addressType) of \(answer.canonicalName): \(failure)")
            }
            if holdsClient(answer, prefix) { return true }
        }
        return false
    }

    /// RFC 7208 5.5: whether a name of the client is the target or below it. Failures of the DNS are no match here.
    private mutating func namesHold(_ target: SPFDomain, _ term: SPFTraceTerm) async throws(SPFStop) -> Bool {
        if validatedNames == nil {
            try checkDeadline()
            let answer = await evaluator.resolver.names(of: address)
            if answer.isVoid { try countVoid(term) }
            validatedNames = await validated(answer)
        }
        return validatedNames?.contains { SPFCheck.isName($0, within: target.name) } ?? false
    }

    /// Of the client's names those whose addresses hold the client: at most ten are looked at.
    private func validated(_ answer: Answer) async -> [DomainName] {
        let names = answer.records.compactMap { record -> DomainName? in
            if case .name(let name) = record.data { name } else { nil }
        }
        let tried = Array(names.prefix(SPFCheck.hostLimit))
        let answers = await answers(tried, addressType)
        return zip(tried, answers).filter { holdsClient($1, SPFRecord.Prefix()) }.map(\.0)
    }

    private static func isName(_ name: DomainName, within parent: DomainName) -> Bool {
        let extra = name.wire.count - parent.wire.count
        guard extra >= 0 else { return false }
        var current: DomainName? = name
        while let candidate = current, candidate.wire.count > parent.wire.count { current = candidate.parent }
        return current == parent
    }

    // MARK: Names

    /// The name that a term speaks of; nil when macros made none of it (RFC 7208 4.8).
    private mutating func target(
        _ text: SPFMacroString?, _ domain: SPFDomain, _ term: inout SPFTraceTerm
    ) async throws(SPFStop) -> SPFDomain? {
        guard let text else { return domain }
        try checkDeadline()
        let expanded = await expand(text, domain)
        term.target = spfText(expanded)
        return SPFDomain(expanded: expanded)
    }

    private mutating func expand(_ text: SPFMacroString, _ domain: SPFDomain) async -> [UInt8] {
        values.domain = domain.text
        if text.usesValidatedName { values.validatedName = await validatedName(domain) }
        return text.expanded(values)
    }

    /// `%{p}`: the domain itself before a name within it before any other (RFC 7208 7.3).
    private mutating func validatedName(_ domain: SPFDomain) async -> [UInt8] {
        if validatedNames == nil { validatedNames = await validated(await evaluator.resolver.names(of: address)) }
        let names = validatedNames ?? []
        let best =
            names.first { $0 == domain.name } ?? names.first { SPFCheck.isName($0, within: domain.name) } ?? names.first
        return Array((best?.description ?? "unknown").utf8)
    }

    // MARK: Queries

    private mutating func countLookup(_ term: SPFTraceTerm) throws(SPFStop) {
        lookups += 1
        guard lookups <= SPFCheck.lookupLimit else {
            throw .permerror("\(term.text): more than \(SPFCheck.lookupLimit) terms query the DNS")
        }
    }

    private mutating func countVoid(_ term: SPFTraceTerm) throws(SPFStop) {
        voids += 1
        guard voids <= SPFCheck.voidLimit else {
            throw .permerror("\(term.text): more than \(SPFCheck.voidLimit) terms find nothing in the DNS")
        }
    }

    private func checkDeadline() throws(SPFStop) {
        if let deadline, ContinuousClock.now >= deadline { throw .temperror("the time for the check is over") }
    }

    private func lookup(_ name: DomainName, _ type: RecordType) async throws(SPFStop) -> Answer {
        try checkDeadline()
        let answer = await evaluator.resolver.lookup(name, type)
        if let failure = answer.temporaryFailure { throw .temperror("\(type) of \(name): \(failure)") }
        return answer
    }

    /// The query of a term for its own name: it is void when it finds nothing (RFC 7208 4.6.4).
    private mutating func lookup(
        _ name: DomainName, _ type: RecordType, for term: SPFTraceTerm
    ) async throws(SPFStop) -> Answer {
        let answer = try await lookup(name, type)
        if answer.isVoid { try countVoid(term) }
        return answer
    }

    /// The answers for several names, asked at the same time, in the order of the names.
    private func answers(_ names: [DomainName], _ type: RecordType) async -> [Answer] {
        let resolver = evaluator.resolver
        if names.count == 1 { return [await resolver.lookup(names[0], type)] }
        return await withTaskGroup(of: (Int, Answer).self) { group in
            for (number, name) in names.enumerated() { group.addTask { (number, await resolver.lookup(name, type)) } }
            var answers: [(Int, Answer)] = []
            for await answer in group { answers.append(answer) }
            return answers.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    // MARK: Explanation

    /// What the domain says to a client that fails (RFC 7208 6.2); nil when that cannot be found or is not valid.
    mutating func explanation(_ trace: SPFTrace) async -> String? {
        guard let (text, domain) = trace.explanation, (try? checkDeadline()) != nil,
            let target = SPFDomain(expanded: await expand(text, domain))
        else { return nil }
        let texts = await evaluator.resolver.lookup(target.name, .txt).records.compactMap(\.data.joinedText)
        guard texts.count == 1, let content = try? SPFMacroString(texts[0][...], .explanation) else { return nil }
        // Macros may bring in what the sender or the client chose: no line end, no control character leaves here.
        let line = await expand(content, domain).prefix { $0 != ASCII.cr && $0 != ASCII.lf }.filter {
            0x20...0x7E ~= $0
        }
        return line.isEmpty ? nil : String(decoding: line.prefix(SPFCheck.explanationLimit), as: UTF8.self)
    }

    /// What still fits a line of an SMTP reply (RFC 5321 4.5.3.1.5).
    private static let explanationLimit = 450
}

extension Answer {
    /// Whether the DNS said that there is nothing.
    fileprivate var isVoid: Bool { outcome == .noData || outcome == .noSuchDomain }
}
