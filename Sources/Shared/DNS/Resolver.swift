import Bytes
import Synchronization
import Unix

/// A stub resolver: asks servers, or a zone file in their place. Use it on the event loop.
///
/// It remembers answers for as long as they hold, asks each question once at a time however many tasks want it, and
/// keeps what it learned of its servers for the whole run.
package final class Resolver: Sendable {
    /// Where answers come from.
    package enum Source: Sendable {
        case servers(ResolverConfiguration)
        case zone(Zone)
    }

    private enum Answerer {
        case servers(ServerSource)
        case zone(Zone)
    }

    /// What is known, and who waits for what is being asked.
    private struct State {
        var cache = AnswerCache(limit: 16_384)
        var waiting: [Question: [UnsafeContinuation<Answer?, Never>]] = [:]
    }

    private enum Step {
        case known(Answer)
        case underWay
        case mine
    }

    private let answerer: Answerer
    private let hosts: HostsFile?
    private let families: Families
    private let state = Mutex(State())

    /// Which addresses of hosts are looked for.
    package enum Families: Sendable {
        case both, ipv4, ipv6
    }

    /// Asks `source`. With `hosts`, the addresses of hosts are looked for there first. After `deadline` every question
    /// that is open fails for now. `trace` is told of every query to a server.
    package init(
        _ source: Source, hosts: HostsFile? = nil, families: Families = .both,
        deadline: ContinuousClock.Instant? = nil, trace: (@Sendable (QueryTrace) -> Void)? = nil
    ) {
        self.hosts = hosts
        switch source {
        case .servers(let configuration):
            answerer = .servers(ServerSource(configuration, deadline: deadline, trace: trace))
            self.families = configuration.omitsIPv6 && families == .both ? .ipv4 : families
        case .zone(let zone):
            answerer = .zone(zone)
            self.families = families
        }
    }

    /// How many queries were sent to servers.
    package var queryCount: Int {
        if case .servers(let source) = answerer { source.queryCount } else { 0 }
    }

    /// The answer to a question when that needs no waiting: from a zone, or remembered; nil else.
    package func known(_ name: DomainName, _ type: RecordType) -> KnownAnswer? {
        switch answerer {
        case .zone(let zone): KnownAnswer(answer: zone.answer(name, type), lifetime: .forever)
        case .servers:
            state.withLock { $0.cache.known(Question(name: name, type: type), at: .now) }
        }
    }

    /// The answer to one question, its CNAME chain followed.
    package nonisolated(nonsending) func lookup(_ name: DomainName, _ type: RecordType) async -> Answer {
        switch answerer {
        case .zone(let zone): return zone.answer(name, type)
        case .servers(let source):
            let question = Question(name: name, type: type)
            let step = state.withLock { state -> Step in
                if let answer = state.cache.answer(to: question, at: .now) { return .known(answer) }
                if state.waiting[question] != nil { return .underWay }
                state.waiting[question] = []
                return .mine
            }
            switch step {
            case .known(let answer): return answer
            case .underWay:
                if let answer = await answerUnderWay(question) { return answer }
                return await source.answer(name, type)
            case .mine: return await ask(question, source)
            }
        }
    }

    private nonisolated(nonsending) func ask(_ question: Question, _ source: ServerSource) async -> Answer {
        let answer = await source.answer(question.name, question.type)
        let waiting = state.withLock { state in
            state.cache.store(answer, for: question, at: .now)
            return state.waiting.removeValue(forKey: question) ?? []
        }
        for continuation in waiting { continuation.resume(returning: answer) }
        return answer
    }

    /// Waits for the answer that another task asks for; nil when that task has ended meanwhile.
    private nonisolated(nonsending) func answerUnderWay(_ question: Question) async -> Answer? {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Answer?, Never>) in
            let isWaiting = state.withLock { $0.waiting[question]?.append(continuation) != nil }
            if !isWaiting { continuation.resume(returning: nil) }
        }
    }

    /// The answer to a question about a name as text, such as `_dmarc.example.org`; a name that is none does not exist.
    package func lookup(_ name: String, _ type: RecordType) async -> Answer {
        guard let name = try? DomainName(name) else { return Answer(.noSuchDomain, canonicalName: .root) }
        return await lookup(name, type)
    }

    /// The names that an address is known by (PTR).
    package func names(of address: IPAddress) async -> Answer {
        await lookup(DomainName(reverseOf: address), .ptr)
    }

    // MARK: Addresses

    /// The addresses of a host: /etc/hosts first, then A and AAAA at the same time.
    package func addresses(of host: String) async -> HostAddresses {
        let ascii = (try? InternationalName.ascii(host)) ?? host
        guard let name = try? DomainName(ascii) else { return HostAddresses(outcome: .noSuchDomain) }
        return await addresses(of: name)
    }

    /// The addresses of a host, IPv4 before IPv6.
    package nonisolated(nonsending) func addresses(of name: DomainName) async -> HostAddresses {
        if let known = hosts?.addresses(of: name).filter(wants), !known.isEmpty {
            return HostAddresses(outcome: .addresses(known), isFromHostsFile: true)
        }
        if hosts != nil, name.labels.last?.elementsEqual("localhost".utf8) == true {
            // RFC 6761 6.3: never a question for a server.
            let loopback = ["127.0.0.1", "::1"].compactMap { IPAddress($0) }.filter(wants)
            return HostAddresses(outcome: .addresses(loopback), isFromHostsFile: true)
        }
        switch families {
        case .ipv4: return HostAddresses([await lookup(name, .a)], of: name)
        case .ipv6: return HostAddresses([await lookup(name, .aaaa)], of: name)
        case .both:
            async let v6 = lookup(name, .aaaa)
            let v4 = await lookup(name, .a)
            return HostAddresses([v4, await v6], of: name)
        }
    }

    private func wants(_ address: IPAddress) -> Bool {
        switch families {
        case .both: true
        case .ipv4: !address.isIPv6
        case .ipv6: address.isIPv6
        }
    }
}

/// An answer that is known already, and for how long.
package struct KnownAnswer: Sendable {
    package enum Lifetime: Comparable, Sendable {
        /// What was made of it is not to be kept.
        case over
        case until(ContinuousClock.Instant)
        case forever

        package func contains(_ instant: @autoclosure () -> ContinuousClock.Instant) -> Bool {
            switch self {
            case .over: false
            case .until(let end): instant() < end
            case .forever: true
            }
        }
    }

    package let answer: Answer
    package let lifetime: Lifetime
}

/// The addresses of a host, or why there are none.
package struct HostAddresses: Equatable, Sendable {
    package enum Outcome: Equatable, Sendable {
        case addresses([IPAddress])
        case noData
        case noSuchDomain
        case temporaryFailure(TemporaryFailure)
    }

    package let outcome: Outcome
    /// The name that the host is an alias of (CNAME); nil when it is none.
    package var canonicalName: DomainName?
    package var isFromHostsFile = false
    /// Seconds for which they hold.
    package var ttl: UInt32 = 0
    package var server: String?
    /// Why one of the two families could not be asked for now, though the other has addresses.
    package var missingFamily: TemporaryFailure?

    init(outcome: Outcome, isFromHostsFile: Bool = false) {
        self.outcome = outcome
        self.isFromHostsFile = isFromHostsFile
    }

    /// Takes the answers for A and AAAA together: an address of either is one; without any, a failure for now of either
    /// counts before "there is none".
    init(_ answers: [Answer], of name: DomainName) {
        var found: [IPAddress] = []
        var failure: TemporaryFailure?
        var hasName = false
        var lifetime = UInt32.max
        for answer in answers {
            server = server ?? answer.server
            if canonicalName == nil, answer.canonicalName != name { canonicalName = answer.canonicalName }
            switch answer.outcome {
            case .records(let records):
                lifetime = min(lifetime, answer.ttl)
                for record in records {
                    if case .address(let address) = record.data, !found.contains(address) { found.append(address) }
                }
            case .temporaryFailure(let reason): failure = failure ?? reason
            case .noData: hasName = true
            case .noSuchDomain: break
            }
        }
        ttl = found.isEmpty ? 0 : lifetime
        if !found.isEmpty {
            missingFamily = failure
            outcome = .addresses(found)
        } else if let failure {
            outcome = .temporaryFailure(failure)
        } else {
            outcome = hasName ? .noData : .noSuchDomain
        }
    }

    /// The addresses, or none.
    package var addresses: [IPAddress] {
        if case .addresses(let addresses) = outcome { addresses } else { [] }
    }
}
