import CommandLineTool
import DNS
import Unix

/// What the mail routing of a domain looks like: MX, who answered, and the names of the hosts' addresses.
struct RoutingCheck: Sendable {
    let resolver: Resolver
    let route: MailRoute

    // MARK: MX

    func exchanges() -> CheckSection {
        var items = route.hosts.map(item)
        if route.status == .null {
            items.append(CheckItem(.ok, "null MX: the domain takes no mail (RFC 7505)"))
        } else if route.hosts.isEmpty, route.failure == nil {
            items.append(CheckItem(.error, TerminalText.escape(route.explanation ?? route.status.rawValue)))
        }
        items += Finding.ofDomain(in: route).map { CheckItem($0) }
        return CheckSection(.mx, items)
    }

    private func item(_ host: MailHost) -> CheckItem {
        var evidence = route.status == .literal ? host.name : "\(host.preference) \(host.name)"
        if let target = host.canonicalName { evidence += " (alias of \(target))" }
        if let problem = host.problem {
            evidence += "  \(problem.phrase)"
        } else {
            evidence += "  " + host.addresses.map(\.description).joined(separator: " ")
        }
        if host.isFromHostsFile { evidence += "  (hosts)" }
        return CheckItem(evidence, Finding.all(of: host, route))
    }

    // MARK: DNS

    func authentication() -> CheckSection {
        let server = route.server ?? "nobody"
        let item: CheckItem
        if route.isAuthenticated {
            let isLocal = SocketAddress(server, defaultPort: 53)?.isLocal ?? false
            item = CheckItem(
                .ok,
                "DNSSEC: answers are signed (AD from \(server), trusted: \(isLocal ? "loopback" : "trust-ad"))")
        } else if route.server == nil {
            item = CheckItem(.notApplicable, "no answer to judge")
        } else {
            item = CheckItem(.notApplicable, "DNSSEC: not signed, or not verified by a trusted resolver (\(server))")
        }
        return CheckSection(.dns, [item]) { json in
            json.object { json in
                json.field("secure", route.isAuthenticated)
                json.field("server", route.server)
            }
        }
    }

    // MARK: PTR

    /// The names that an address is known by, and whether one of them has the address (FCrDNS).
    private struct ReverseFacts: Sendable {
        let address: IPAddress
        var names: [String] = []
        var isConfirmed = false
        var error: String?
        var item: CheckItem
    }

    /// More names of an address, and more addresses, than this are not looked at.
    private static let nameLimit = 10
    private static let addressLimit = 64

    func reverseNames() async -> CheckSection {
        let addresses = Array(route.distinctAddresses.prefix(RoutingCheck.addressLimit))
        let resolver = resolver
        let facts = await inOrder(addresses) { await RoutingCheck.reverse($0, resolver) }
        let items = facts.isEmpty ? [CheckItem(.notApplicable, "no address")] : facts.map(\.item)
        return CheckSection(.ptr, items) { json in
            json.array { json in
                for fact in facts {
                    json.object { json in
                        json.field("address", fact.address.description)
                        json.field("names", fact.names)
                        json.field("confirmed", fact.isConfirmed)
                        json.field("error", fact.error)
                    }
                }
            }
        }
    }

    private static func reverse(_ address: IPAddress, _ resolver: Resolver) async -> ReverseFacts {
        let answer = await resolver.names(of: address)
        let subject = address.description
        var names: [DomainName] = []
        for record in answer.records.prefix(nameLimit) {
            if case .name(let name) = record.data { names.append(name) }
        }
        var facts = ReverseFacts(address: address, item: CheckItem(.ok, subject))
        facts.names = names.map(\.description)
        if let failure = answer.temporaryFailure {
            facts.error = "tempfail"
            facts.item = CheckItem(Finding(.tempfail, .unknown, subject, "PTR of \(subject): \(failure)"))
            return facts
        }
        guard !names.isEmpty else {
            facts.error = answer.outcome == .noSuchDomain ? "nxdomain" : "nodata"
            facts.item = CheckItem(Finding(.ptrMissing, .warning, subject, "\(subject) has no name"))
            return facts
        }
        let found = await inOrder(names) { await resolver.addresses(of: $0) }
        let shown = "\(subject) -> \(facts.names.joined(separator: " "))"
        facts.isConfirmed = found.contains { $0.addresses.contains { $0.unmapped == address.unmapped } }
        if facts.isConfirmed {
            facts.item = CheckItem(.ok, shown)
        } else if let failure = found.lazy.compactMap(\.temporaryFailure).first {
            facts.error = "tempfail"
            facts.item = CheckItem(Finding(.tempfail, .unknown, subject, "\(shown): \(failure)"))
        } else {
            let phrase = names.count == 1 ? "which is not \(subject)" : "none of which is \(subject)"
            facts.item = CheckItem(Finding(.ptrMismatch, .warning, subject, "\(shown), \(phrase)"))
        }
        return facts
    }
}

extension MailRoute {
    /// The addresses of all hosts, each once, in the order of the hosts.
    var distinctAddresses: [IPAddress] {
        var addresses: [IPAddress] = []
        for host in hosts {
            for address in host.addresses where !addresses.contains(address) { addresses.append(address) }
        }
        return addresses
    }
}

extension HostAddresses {
    /// Why there are none for now, or why one family is missing.
    var temporaryFailure: TemporaryFailure? {
        if case .temporaryFailure(let failure) = outcome { failure } else { missingFamily }
    }
}

/// Runs `work` for all inputs at the same time; the results are in the order of the inputs.
func inOrder<Input: Sendable, Output: Sendable>(
    _ inputs: [Input], _ work: @escaping @Sendable (Input) async -> Output
) async -> [Output] {
    await withTaskGroup(of: (Int, Output).self) { group in
        for (number, input) in inputs.enumerated() { group.addTask { (number, await work(input)) } }
        var results: [(number: Int, output: Output)] = []
        for await result in group { results.append((result.0, result.1)) }
        return results.sorted { $0.number < $1.number }.map(\.output)
    }
}
