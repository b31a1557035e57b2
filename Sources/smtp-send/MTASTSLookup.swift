import DNS
import Network
import OpenSSL
import Synchronization
import TransportPolicy

/// Policies of domains by MTA-STS (RFC 8461), fetched by HTTPS and kept for as long as they say.
final class MTASTSLookup: Sendable {
    private struct Known: Sendable {
        let id: String
        /// Nil when it could not be had.
        let policy: MTASTSPolicy?
        let end: ContinuousClock.Instant
    }

    /// A policy that could not be fetched is not asked for again so soon (RFC 8461 5.1).
    private static let pause = Duration.seconds(300)
    /// Policies of more domains are not kept.
    private static let limit = 10_000

    private let resolver: Resolver
    private let tls: ClientTLS
    private let port: UInt16
    private let known = Mutex<[String: Known]>([:])

    /// `port` is that of the servers that have the policies.
    init(resolver: Resolver, tls: ClientTLS, port: UInt16) {
        self.resolver = resolver
        self.tls = tls
        self.port = port
    }

    /// The policy of a domain; nil when it has none, or none can be had: then mail goes without (RFC 8461 5).
    ///
    /// A policy that was had stays good while it lasts, though the domain announces none or the new one cannot be had
    /// (RFC 8461 5.1): whoever can suppress them must not get the mail in clear.
    func policy(of domain: String) async -> MTASTSPolicy? {
        let kept = known.withLock { $0[domain] }.flatMap { $0.end > .now ? $0 : nil }
        guard let id = await announcedID(of: domain) else { return kept?.policy }
        if let kept, kept.id == id { return kept.policy }
        guard let policy = await fetch(domain) else {
            if kept?.policy == nil { keep(Known(id: id, policy: nil, end: .now + Self.pause), domain) }
            return kept?.policy
        }
        keep(Known(id: id, policy: policy, end: .now + .seconds(policy.maximumAge)), domain)
        return policy
    }

    private func keep(_ new: Known, _ domain: String) {
        known.withLock { known in
            if known.count >= Self.limit { known = known.filter { $0.value.end > .now } }
            if known.count < Self.limit || known[domain] != nil { known[domain] = new }
        }
    }

    private func announcedID(of domain: String) async -> String? {
        let answer = await resolver.lookup("_mta-sts.\(domain)", .txt)
        let texts = answer.records.compactMap(\.data.joinedText).filter { $0.starts(with: "v=STSv1".utf8) }
        return texts.count == 1 ? MTASTSPolicy.announcedID(texts[0]) : nil
    }

    private func fetch(_ domain: String) async -> MTASTSPolicy? {
        guard let context = try? tls.context(.verified) else { return nil }
        var fetch = HTTPSFetch(context: context)
        fetch.port = port
        return try? await MTASTSFetch(resolver, fetch).policy(of: domain)
    }
}
