import Bytes
import DNS
import Network
import Unix

/// Why the policy of a domain could not be had, in words.
package struct MTASTSFailure: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Kind: Equatable, Sendable {
        /// The DNS fails for now, or the server does not answer.
        case temporary
        /// This host has no way there.
        case noRoute
        /// There is no such server, it cannot prove its name, or it has no policy.
        case refused
        /// What it has is no policy.
        case invalid
    }

    package let kind: Kind
    package let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}

/// Gets the policies of domains from their servers (RFC 8461 3.3).
package struct MTASTSFetch: Sendable {
    private let resolver: Resolver
    private let fetch: HTTPSFetch

    package static let path = "/.well-known/mta-sts.txt"

    /// `fetch` must verify servers.
    package init(_ resolver: Resolver, _ fetch: HTTPSFetch) {
        self.resolver = resolver
        self.fetch = fetch
    }

    /// The host that has the policy of a domain.
    package static func host(of domain: String) -> String { "mta-sts.\(domain)" }

    /// The policy at `https://mta-sts.DOMAIN/.well-known/mta-sts.txt`: status 200, text/plain, of a host that proves its
    /// name. Redirections are not followed.
    package func policy(of domain: String) async throws(MTASTSFailure) -> MTASTSPolicy {
        let host = Self.host(of: domain)
        let addresses: [IPAddress]
        switch await resolver.addresses(of: host).outcome {
        case .addresses(let found): addresses = found
        case .noData: throw MTASTSFailure(.refused, "\(host) has no address")
        case .noSuchDomain: throw MTASTSFailure(.refused, "\(host) does not exist (NXDOMAIN)")
        case .temporaryFailure(let failure): throw MTASTSFailure(.temporary, "\(host): \(failure)")
        }
        let response: HTTPResponse
        do throws(HTTPSError) {
            response = try await fetch.get(host: host, path: Self.path, addresses: addresses)
        } catch {
            throw Self.failure(error, host)
        }
        guard response.status == 200 else { throw Self.failure(response, host) }
        guard response.mediaType == "text/plain" else {
            throw MTASTSFailure(
                .refused, "\(host) gives \(response.mediaType ?? "a document of no type"), not text/plain")
        }
        do throws(MTASTSPolicyError) {
            return try MTASTSPolicy(parsing: response.body)
        } catch {
            throw MTASTSFailure(.invalid, "the policy of \(host) is not valid: \(error)")
        }
    }

    private static func failure(_ response: HTTPResponse, _ host: String) -> MTASTSFailure {
        let words = response.reason.isEmpty ? "\(response.status)" : "\(response.status) \(response.reason)"
        if (300...399).contains(response.status) {
            let place = response.field("location").map { " to \($0)" } ?? ""
            return MTASTSFailure(.refused, "\(host) redirects\(place) (\(words)): senders do not follow")
        }
        return MTASTSFailure(response.status >= 500 ? .temporary : .refused, "\(host) answers \(words)")
    }

    private static func failure(_ error: HTTPSError, _ host: String) -> MTASTSFailure {
        switch error {
        case .connection(.timedOut, _), .tooSlow: MTASTSFailure(.temporary, "\(host): no answer in time")
        case .connection(let cause, _) where cause.isNoRoute:
            MTASTSFailure(.noRoute, "\(host): no route from this host")
        case .connection, .untrusted, .response: MTASTSFailure(.refused, "\(host): \(error)")
        }
    }
}
