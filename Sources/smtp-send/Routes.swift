import Bytes
import CommandLineTool
import DNS
import Network
import SMTP
import TransportPolicy
import Unix

/// A host that takes the mail, with the addresses to try in their order.
struct Exchange: Sendable {
    let server: ServerName
    let addresses: [SocketAddress]
    var security = TransportSecurity.opportunistic
    /// The name is the one that was asked for, or the DNS or a policy of the domain vouches for it (RFC 8689 4.2.1).
    var isNameSure = false

    /// The same for a message that must stay encrypted: where it is sure who is to answer, who answers is verified.
    var forRequiredTLS: Exchange {
        var exchange = self
        switch security {
        case .opportunistic where isNameSure, .encrypted where isNameSure: exchange.security = .verified
        case .opportunistic, .encrypted, .dane, .verified, .unusable: break
        }
        return exchange
    }
}

/// Where messages go.
struct Routes: Sendable {
    enum Destination: Sendable {
        /// Everything to one server.
        case server(ServerName)
        /// To the hosts that the domain of each recipient names, on this port.
        case mailExchanges(port: UInt16)

        var isOneServer: Bool {
            if case .server = self { true } else { false }
        }
    }

    let destination: Destination
    let families: Resolver.Families
    let resolver: Resolver
    let path: ConnectionPath
    /// TLSA records of mail exchanges are looked up and kept to (RFC 7672).
    let keepsDANE: Bool
    /// Policies of domains are fetched and kept to (RFC 8461); nil: not.
    let policies: MTASTSLookup?
    /// What this host is called in MX records.
    let ownNames: [String]

    /// The same, but everything to one server, `HOST:PORT`.
    func toServer(_ text: String) throws(ToolFailure) -> Routes {
        Routes(
            destination: .server(try ServerName(text, defaultPort: 25)), families: families, resolver: resolver,
            path: path, keepsDANE: false, policies: nil, ownNames: ownNames)
    }

    /// Recipients that go the same way, in the order of the first of each group.
    func groups(_ recipients: [EnvelopeAddress]) -> [(domain: String?, recipients: [EnvelopeAddress])] {
        if destination.isOneServer { return recipients.isEmpty ? [] : [(nil, recipients)] }
        var places: [String?: Int] = [:]
        var groups: [(domain: String?, recipients: [EnvelopeAddress])] = []
        for recipient in recipients {
            if let place = places[recipient.domain] {
                groups[place].recipients.append(recipient)
            } else {
                places[recipient.domain] = groups.count
                groups.append((recipient.domain, [recipient]))
            }
        }
        return groups
    }

    /// The hosts to try for a domain, in their order.
    func exchanges(for domain: String?) async throws(ClientResult) -> [Exchange] {
        switch destination {
        // A proxy or a program looks the name up itself.
        case .server(let server) where path.leadsElsewhere:
            [
                Exchange(
                    server: server,
                    addresses: [
                        IPAddress(server.name).map { .ip($0, port: server.port ?? 25) } ?? ConnectionPath.elsewhere
                    ], isNameSure: true)
            ]
        case .server(let server):
            [Exchange(server: server, addresses: try await addresses(of: server), isNameSure: true)]
        case .mailExchanges(let port): try await exchanges(for: domain ?? "", port: port)
        }
    }

    /// Where the SOCKS5 proxy is; nil without one.
    func proxyAddress() async throws(ClientResult) -> SocketAddress? {
        guard let proxy = path.proxy else { return nil }
        return try await addresses(of: proxy).first
    }

    // MARK: - One server

    private func addresses(of server: ServerName) async throws(ClientResult) -> [SocketAddress] {
        guard let port = server.port else { return [.unix(server.name)] }
        let found: [IPAddress]
        if let literal = IPAddress(server.name) {
            found = [literal]
        } else if server.name.equalsIgnoringCase("localhost") {
            found = loopback
        } else {
            switch await resolver.addresses(of: server.name).outcome {
            case .addresses(let addresses): found = addresses
            case .noSuchDomain: throw .noRoute("5.1.2", "there is no host \(server.name)")
            case .noData: throw .noRoute("5.4.4", "\(server.name) has no address")
            case .temporaryFailure(let failure): throw .unknownRoute(server.name, failure)
            }
        }
        return found.map { .ip($0, port: port) }
    }

    private var loopback: [IPAddress] {
        ["127.0.0.1", "::1"].compactMap { IPAddress($0) }.filter { address in
            switch families {
            case .both: true
            case .ipv4: !address.isIPv6
            case .ipv6: address.isIPv6
            }
        }
    }

    // MARK: - Mail exchanges (RFC 5321 5.1, RFC 7505)

    private func exchanges(for domain: String, port: UInt16) async throws(ClientResult) -> [Exchange] {
        var generator = SystemRandomNumberGenerator()
        let whole = await resolver.mailRoute(for: domain)
        // A host that is itself one of the exchanges hands on to those that are preferred to it (RFC 5321 5.1).
        let route = whole.excludingSelf(names: ownNames, addresses: []).shuffled(using: &generator)
        if route.usableHosts.isEmpty, !whole.usableHosts.isEmpty {
            throw .noRoute("5.4.6", "mail for \(domain) would come back to this host")
        }
        switch route.status {
        case .mx, .implicit, .literal: return await exchanges(of: route, port: port)
        // RFC 7505 4.1: the code that a server would give.
        case .null: throw .noRoute("5.1.10", "\(domain) takes no mail (null MX)", code: 556)
        case .nxdomain: throw .noRoute("5.1.2", "there is no domain \(domain)")
        case .nodata: throw .noRoute("5.4.4", "\(domain) has neither a mail exchange nor an address")
        case .unreachable: throw .noRoute("5.4.4", "no mail exchange of \(domain) has an address")
        case .tempfail: throw .unknownRoute(domain, route.failure)
        case .invalid: throw .noRoute("5.1.2", "\(domain): \(route.problem ?? "is no mail domain")")
        }
    }

    /// The hosts of a route, with what is asked of the connections to them. Of two rules for a host DANE is the stronger
    /// (RFC 8461 2).
    private func exchanges(of route: MailRoute, port: UInt16) async -> [Exchange] {
        var policy: MTASTSPolicy?
        if let policies, let domain = route.ascii, route.status == .mx { policy = await policies.policy(of: domain) }
        var exchanges: [Exchange] = []
        for host in route.usableHosts {
            var exchange = Exchange(
                server: ServerName(name: host.name, port: port), addresses: host.addresses.map { .ip($0, port: port) },
                isNameSure: route.isAuthenticated)
            if keepsDANE, route.isAuthenticated {
                exchange.security = await TransportSecurity.dane(of: host, port: port, resolver)
            }
            if case .opportunistic = exchange.security, let policy, policy.mode == .enforce {
                let isNamed = policy.names(host.name)
                exchange.security = isNamed ? .verified : .unusable(.notNamed(host.name, route.domain))
                exchange.isNameSure = isNamed
            }
            exchanges.append(exchange)
        }
        return exchanges
    }
}

extension ClientResult {
    /// The DNS says that there is nowhere to go.
    fileprivate static func noRoute(_ enhanced: String, _ text: String, code: Int? = nil) -> ClientResult {
        ClientResult(outcome: .refused, code: code, enhanced: enhanced, text: text, cause: .domain)
    }

    /// RFC 8461 4.1, 5: a failure for now, because the policy may change.
    fileprivate static func notNamed(_ host: String, _ domain: String) -> ClientResult {
        ClientResult(
            outcome: .temporary, enhanced: "4.7.5",
            text: "\(host) is none of the hosts that the policy of \(domain) names (MTA-STS)", cause: .tls)
    }

    /// The DNS says nothing for now, which is never "no".
    fileprivate static func unknownRoute(_ name: String, _ failure: TemporaryFailure?) -> ClientResult {
        ClientResult(
            outcome: .temporary, enhanced: "4.4.3",
            text: "\(name) cannot be looked up now\(failure.map { ": \($0)" } ?? "")", cause: .connection)
    }
}
