import Bytes
import DNS
import Network
import OpenSSL
import SMTP
import Synchronization
import Unix

/// Policies of domains by MTA-STS (RFC 8461), fetched by HTTPS and kept for as long as they say.
final class MTASTSLookup: Sendable {
    private struct Known: Sendable {
        let policy: MTASTSPolicy?
        let end: ContinuousClock.Instant
    }

    private static let port: UInt16 = 443
    private static let sizeLimit = 65_536
    private static let timeout = Duration.seconds(20)
    /// A policy that could not be fetched is not asked for again so soon (RFC 8461 5.1).
    private static let pause = Duration.seconds(300)

    private let resolver: Resolver
    private let tls: ClientTLS
    private let known = Mutex<[String: Known]>([:])

    init(resolver: Resolver, tls: ClientTLS) {
        self.resolver = resolver
        self.tls = tls
    }

    /// The policy of a domain; nil when it has none, or none can be had: then mail goes without (RFC 8461 5).
    func policy(of domain: String) async -> MTASTSPolicy? {
        if let kept = known.withLock({ $0[domain] }), kept.end > .now { return kept.policy }
        let answer = await resolver.lookup("_mta-sts.\(domain)", .txt)
        let announcements = answer.records.compactMap(\.data.joinedText).filter { $0.starts(with: "v=STSv1".utf8) }
        var policy: MTASTSPolicy?
        if announcements.count == 1, MTASTSPolicy.isAnnouncement(announcements[0]) {
            policy = await fetch("mta-sts.\(domain)").flatMap { MTASTSPolicy($0) }
        }
        let age = policy.map { Duration.seconds($0.maximumAge) } ?? Self.pause
        known.withLock { $0[domain] = Known(policy: policy, end: .now + age) }
        return policy
    }

    /// The text of `https://HOST/.well-known/mta-sts.txt`, of a host that proves its name; redirections are not followed
    /// (RFC 8461 3.3).
    private func fetch(_ host: String) async -> [UInt8]? {
        guard case .addresses(let addresses) = await resolver.addresses(of: host).outcome else { return nil }
        for address in addresses {
            do {
                let connection = try await Connection.connect(
                    to: .ip(address, port: Self.port), timeout: Self.timeout)
                defer { connection.close() }
                try await connection.startTLS(
                    client: try tls.context(.verified), serverName: host, timeout: Self.timeout)
                connection.write(
                    "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: Facteur\r\nConnection: close\r\n\r\n"
                )
                try await connection.flush(timeout: Self.timeout)
                let deadline = ContinuousClock.now + Self.timeout
                while connection.input.count < Self.sizeLimit, ContinuousClock.now < deadline,
                    try await connection.receive(timeout: Self.timeout)
                {}
                return MTASTSResponse.body(connection.input.takeAll())
            } catch {
                continue
            }
        }
        return nil
    }
}
