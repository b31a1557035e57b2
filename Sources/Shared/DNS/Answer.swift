import Bytes

/// What the DNS says to a question. A failure for now is a case of its own: it never passes for "there is none".
package struct Answer: Equatable, Sendable {
    package enum Outcome: Equatable, Sendable {
        /// The records of the type asked for, at least one.
        case records([Record])
        /// The name exists, but has no record of this type (RFC 2308 2.2).
        case noData
        /// The name does not exist (RFC 2308 2.1).
        case noSuchDomain
        /// Nobody could say now.
        case temporaryFailure(TemporaryFailure)
    }

    package let outcome: Outcome
    /// The name at the end of the CNAME chain; the name asked for when there is none.
    package let canonicalName: DomainName
    /// Seconds for which the answer holds.
    package let ttl: UInt32
    /// The answer was verified with DNSSEC, by a resolver that is trusted to say so.
    package let isAuthenticated: Bool
    /// Who answered: an address, with its port when that is not 53, or the zone file.
    package let server: String?

    package init(
        _ outcome: Outcome, canonicalName: DomainName, ttl: UInt32 = 0, isAuthenticated: Bool = false,
        server: String? = nil
    ) {
        self.outcome = outcome
        self.canonicalName = canonicalName
        self.ttl = ttl
        self.isAuthenticated = isAuthenticated
        self.server = server
    }

    /// The records, or none.
    package var records: [Record] {
        if case .records(let records) = outcome { records } else { [] }
    }

    /// The reason, when the DNS failed for now.
    package var temporaryFailure: TemporaryFailure? {
        if case .temporaryFailure(let failure) = outcome { failure } else { nil }
    }
}

/// Why the DNS could not answer for now.
package struct TemporaryFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// What happened last: `SERVFAIL from 192.0.2.53`, `no answer from 192.0.2.53`.
    package let reason: String
    /// How many times a server was asked; 0 when asking would have been of no use.
    package let tries: Int

    package init(_ reason: String, tries: Int) {
        self.reason = reason
        self.tries = tries
    }

    package var description: String {
        switch tries {
        case 0: reason
        case 1: "\(reason), 1 try"
        default: "\(reason), \(tries) tries"
        }
    }
}

/// What a message says to a question, once it is known to be its answer.
enum Verdict: Equatable {
    case final(Answer.Outcome, AliasChain, ttl: UInt32)
    /// The chain of aliases leads to a name that the message says nothing about.
    case askNext(AliasChain)
    /// Not an answer that can be used; the reason without the server.
    case useless(String)
}

/// A chain of CNAME records that is being followed: bounded, and without loops.
struct AliasChain: Equatable {
    /// More aliases than this are taken for a fault.
    static let limit = 16

    private(set) var end: DomainName
    private var visited: [DomainName] = []
    /// The lowest TTL on the way.
    private(set) var ttl: UInt32 = .max

    init(_ start: DomainName) { end = start }

    /// Goes one step; false for a loop or a chain that is too long.
    mutating func follow(_ target: DomainName, ttl: UInt32) -> Bool {
        guard visited.count < AliasChain.limit, target != end, !visited.contains(target) else { return false }
        visited.append(end)
        end = target
        self.ttl = min(self.ttl, ttl)
        return true
    }
}

extension Message {
    /// Takes from the message what it says to the question at the chain's end, and follows the chain within it.
    ///
    /// Only records of the question's name or of the end of its aliases count (RFC 2181 5.4.1); a negative answer
    /// needs its code (RFC 2308 2), and a referral is none.
    func verdict(_ start: AliasChain, _ type: RecordType) -> Verdict {
        guard responseCode == .noError || responseCode == .noSuchDomain else { return .useless("\(responseCode)") }
        var chain = start
        while true {
            let end = chain.end
            let isAnswer: (Record) -> Bool = { $0.type == type && $0.owner == end }
            let found = answers.allSatisfy(isAnswer) ? answers : answers.filter(isAnswer)
            if !found.isEmpty, responseCode == .noError {
                return .final(.records(found), chain, ttl: found.reduce(chain.ttl) { min($0, $1.ttl) })
            }
            guard type != .cname, let alias = answers.first(where: { $0.type == .cname && $0.owner == chain.end }),
                case .name(let target) = alias.data
            else { break }
            guard chain.follow(target, ttl: alias.ttl) else { return .useless("a loop of CNAME records") }
        }
        let negativeTime = min(chain.ttl, negativeLifetime ?? 0)
        if responseCode == .noSuchDomain { return .final(.noSuchDomain, chain, ttl: negativeTime) }
        if negativeLifetime != nil { return .final(.noData, chain, ttl: negativeTime) }
        if chain != start { return .askNext(chain) }
        let isReferral = !header.isAuthoritative && authority.contains { $0.type == .ns }
        if isReferral || !(header.isAuthoritative || header.isRecursionAvailable) { return .useless("a lame answer") }
        return .final(.noData, chain, ttl: 0)
    }

    /// How long a negative answer holds (RFC 2308 5); nil without an SOA record.
    private var negativeLifetime: UInt32? {
        for record in authority {
            if case .startOfAuthority(let data) = record.data {
                return min(record.ttl, data.minimum >> 31 == 0 ? data.minimum : 0)
            }
        }
        return nil
    }
}
