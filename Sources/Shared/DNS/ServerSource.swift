import Bytes
import Network
import Synchronization
import Unix

/// One query as it went, for those who want to watch.
package struct QueryTrace: Sendable {
    package let name: DomainName
    package let type: RecordType
    package let server: String
    /// `udp` or `tcp`.
    package let transport: String
    package let milliseconds: Double
    /// The response code, or what went wrong.
    package let result: String
    /// `aa ra ad`, and how many answer records.
    package let details: String
}

/// Asks servers: rounds, timeouts, falling back from EDNS, from UDP to TCP, from one server to the next.
final class ServerSource: Sendable {
    let configuration: ResolverConfiguration
    private let pool: ServerPool
    /// Connections take descriptors, of which there are few.
    private let gate = Slots(400)
    private let trace: (@Sendable (QueryTrace) -> Void)?
    private let sent = Atomic<Int>(0)
    private let deadline: ContinuousClock.Instant?

    init(
        _ configuration: ResolverConfiguration, deadline: ContinuousClock.Instant?,
        trace: (@Sendable (QueryTrace) -> Void)?
    ) {
        self.configuration = configuration
        self.deadline = deadline
        self.trace = trace
        pool = ServerPool(configuration)
    }

    /// How many queries were sent.
    var queryCount: Int { sent.load(ordering: .relaxed) }

    /// The answer to a question, its aliases followed.
    nonisolated(nonsending) func answer(_ name: DomainName, _ type: RecordType) async -> Answer {
        var chain = AliasChain(name)
        while true {
            switch await ask(chain, type) {
            case .success(let reply):
                switch reply.verdict {
                case .final(let outcome, let end, let ttl):
                    return Answer(
                        outcome, canonicalName: end.end, ttl: ttl,
                        isAuthenticated: reply.isAuthenticated && trusts(pool.servers[reply.server]),
                        server: pool.names[reply.server])
                case .askNext(let next): chain = next
                case .useless: return failure(TemporaryFailure("no usable answer", tries: 1), chain)
                }
            case .failure(let error): return failure(error, chain)
            }
        }
    }

    private func failure(_ failure: TemporaryFailure, _ chain: AliasChain) -> Answer {
        Answer(.temporaryFailure(failure), canonicalName: chain.end)
    }

    private func trusts(_ server: SocketAddress) -> Bool { configuration.trustsAuthentication || server.isLocal }

    private struct Reply {
        let verdict: Verdict
        let server: Int
        let isAuthenticated: Bool
    }

    // MARK: Rounds

    /// Asks for the name at the chain's end until a server says something final.
    private nonisolated(nonsending) func ask(_ chain: AliasChain, _ type: RecordType) async -> Result<
        Reply, TemporaryFailure
    > {
        var lastReason = "no server"
        var tries = 0
        var silent: Set<Int> = []
        var truncating: Set<Int> = []
        var timeout = configuration.timeout
        for round in 0..<max(1, configuration.attempts) {
            for server in pool.order() {
                guard !Task.isCancelled else { return .failure(TemporaryFailure("interrupted", tries: tries)) }
                guard let wait = cut(timeout) else {
                    return .failure(TemporaryFailure("the time for the run is over", tries: tries))
                }
                tries += 1
                let mayRepeatSilence = configuration.attempts <= 1 && round == 0
                let attempt = Attempt(
                    name: chain.end, type: type, server: server, timeout: wait,
                    usesEDNS: configuration.usesEDNS && !silent.contains(server) && !pool.lacksEDNS(server),
                    repeatsSilence: mayRepeatSilence,
                    overTCP: configuration.usesTCP || truncating.contains(server))
                let (outcome, overTCP) = await attempt.run(self)
                if overTCP { truncating.insert(server) }
                var reason = "no answer from"
                switch outcome {
                case .answer(let message):
                    switch message.verdict(chain, type) {
                    case .useless(let problem):
                        reason = "\(problem) from"
                        // One domain's failure says nothing of the server; a refusal or a referral does.
                        if message.responseCode != .serverFailure, problem != "a loop of CNAME records" {
                            pool.hasFailed(server)
                        }
                    case let verdict:
                        pool.hasAnswered(server)
                        let isAuthenticated = message.header.isAuthenticated
                        return .success(Reply(verdict: verdict, server: server, isAuthenticated: isAuthenticated))
                    }
                case .timedOut:
                    silent.insert(server)
                    pool.hasFailed(server)
                case .failed(let problem):
                    reason = "\(problem):"
                    pool.hasFailed(server)
                case .malformed, .truncated, .otherCase: reason = "a malformed answer from"
                case .cancelled: return .failure(TemporaryFailure("interrupted", tries: tries))
                }
                lastReason = "\(reason) \(pool.names[server])"
            }
            timeout = timeout * 2
        }
        return .failure(TemporaryFailure(lastReason, tries: tries))
    }

    /// The wait, cut to the end of the run; nil when that is over.
    private func cut(_ timeout: Duration) -> Duration? {
        guard let deadline else { return timeout }
        let left = deadline - .now
        return left > .zero ? min(left, timeout) : nil
    }

    // MARK: One server

    /// One try at one server, with what belongs to it: without EDNS, in plain case, over TCP.
    private struct Attempt {
        let name: DomainName
        let type: RecordType
        let server: Int
        let timeout: Duration
        var usesEDNS: Bool
        let repeatsSilence: Bool
        let overTCP: Bool

        /// The result, and whether it came over TCP: a server that cut an answer short is not asked over UDP again.
        nonisolated(nonsending) func run(_ source: ServerSource) async -> (ExchangeResult, overTCP: Bool) {
            var usesEDNS = self.usesEDNS
            var mixesCase = source.configuration.mixesCase
            var overTCP = self.overTCP
            while true {
                let result = await source.exchange(
                    self, usesEDNS: usesEDNS, mixesCase: mixesCase, overTCP: overTCP)
                switch result {
                case .truncated where !overTCP: overTCP = true
                case .otherCase where mixesCase: mixesCase = false
                case .answer(let message) where usesEDNS && isRefusalOfEDNS(message.responseCode):
                    usesEDNS = false
                    source.pool.noteLackOfEDNS(server)
                case .malformed where usesEDNS && !overTCP: usesEDNS = false
                case .timedOut where usesEDNS && repeatsSilence: usesEDNS = false
                default: return (result, overTCP)
                }
            }
        }

        private func isRefusalOfEDNS(_ code: ResponseCode) -> Bool {
            code == .formatError || code == .notImplemented || code == .badVersion
        }
    }

    private nonisolated(nonsending) func exchange(
        _ attempt: Attempt, usesEDNS: Bool, mixesCase: Bool, overTCP: Bool
    ) async -> ExchangeResult {
        // The id of a query over UDP is chosen with its socket.
        let query = Query(
            id: overTCP ? .random(in: 0 ... .max) : 0, name: attempt.name, type: attempt.type, hasOptions: usesEDNS,
            asksAuthentication: trusts(pool.servers[attempt.server]),
            letterCase: mixesCase ? { .random(in: 0 ... .max) } : nil)
        sent.add(1, ordering: .relaxed)
        let start = ContinuousClock.now
        let result =
            await overTCP
            ? askOverTCP(query, attempt) : askOverUDP(query, attempt)
        if let trace {
            let (text, details) = ServerSource.words(for: result)
            trace(
                QueryTrace(
                    name: attempt.name, type: attempt.type, server: pool.names[attempt.server],
                    transport: overTCP ? "tcp" : "udp",
                    milliseconds: Double((ContinuousClock.now - start) / .microseconds(1)) / 1_000, result: text,
                    details: details))
        }
        return result
    }

    private nonisolated(nonsending) func askOverUDP(_ query: Query, _ attempt: Attempt) async -> ExchangeResult {
        guard let transport = pool.transport(attempt.server) else { return .failed("no event loop") }
        return await transport.exchange(query, timeout: attempt.timeout)
    }

    private nonisolated(nonsending) func askOverTCP(_ query: Query, _ attempt: Attempt) async -> ExchangeResult {
        let place = await gate.take()
        defer { gate.give(place) }
        return await Exchange.overTCP(query, to: pool.servers[attempt.server], timeout: attempt.timeout)
    }

    private static func words(for result: ExchangeResult) -> (result: String, details: String) {
        switch result {
        case .answer(let message):
            let count = message.answers.count
            let flags = message.header.flagNames
            let answers = "\(count) \(count == 1 ? "answer" : "answers")"
            return ("\(message.responseCode)", flags.isEmpty ? answers : "\(flags), \(answers)")
        case .truncated: return ("truncated", "asking over TCP")
        case .otherCase: return ("other case", "asking in plain case")
        case .malformed: return ("malformed", "")
        case .timedOut: return ("no answer", "")
        case .failed(let reason): return (reason, "")
        case .cancelled: return ("interrupted", "")
        }
    }
}
