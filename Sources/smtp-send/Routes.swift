import Bytes
import Network
import SMTP
import Unix

/// A host that takes the mail, with the addresses to try in their order.
struct Exchange: Sendable {
    let server: ServerName
    let addresses: [SocketAddress]
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

    /// Which addresses are used.
    enum Family: Sendable {
        case any, ipv4, ipv6

        func accepts(_ address: IPAddress) -> Bool {
            switch self {
            case .any: true
            case .ipv4: !address.isIPv6
            case .ipv6: address.isIPv6
            }
        }
    }

    let destination: Destination
    let family: Family

    /// Recipients that go the same way, in the order of the first of each group.
    func groups(_ recipients: [EnvelopeAddress]) -> [(domain: String?, recipients: [EnvelopeAddress])] {
        if case .server = destination { return recipients.isEmpty ? [] : [(nil, recipients)] }
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
    func exchanges(for domain: String?) async -> Result<[Exchange], ClientResult> {
        switch destination {
        case .server(let server): return addresses(of: server)
        case .mailExchanges: return .failure(.noAddress("no route for \(domain ?? "an address without domain")"))
        }
    }

    private func addresses(of server: ServerName) -> Result<[Exchange], ClientResult> {
        guard let port = server.port else {
            return .success([Exchange(server: server, addresses: [.unix(server.name)])])
        }
        var found: [IPAddress] = []
        if let literal = IPAddress(server.name) {
            found = [literal]
        } else if server.name.asciiLowercased == "localhost" {
            found = ["127.0.0.1", "::1"].compactMap { IPAddress($0) }.filter(family.accepts)
        }
        if found.isEmpty { return .failure(.noAddress("\(server.name) has no address")) }
        return .success([Exchange(server: server, addresses: found.map { .ip($0, port: port) })])
    }
}

extension ClientResult {
    fileprivate static func noAddress(_ text: String) -> ClientResult {
        ClientResult(outcome: .refused, enhanced: "5.1.2", text: text, cause: .domain)
    }
}
