import Bytes
import Unix

extension Resolver {
    /// Where mail for `domain` goes: the text of a domain, a mail address or a literal. Never fails: what is wrong is
    /// in the route. Without `withAddresses` the hosts of MX records are not looked up.
    package nonisolated(nonsending) func mailRoute(for domain: String, withAddresses: Bool = true) async -> MailRoute {
        let target: MailDomain
        do throws(MailDomainError) {
            target = try MailDomain(domain)
        } catch {
            var route = MailRoute(domain: domain, ascii: nil, status: .invalid)
            route.problem = error.description
            return route
        }
        switch target {
        case .literal(let address):
            var route = MailRoute(domain: domain, ascii: target.ascii, status: .literal)
            var host = MailHost(preference: 0, name: target.ascii)
            host.addresses = [address]
            route.hosts = [host]
            return route
        case .name(let name):
            return await mailRoute(to: name, as: domain, withAddresses: withAddresses)
        }
    }

    private nonisolated(nonsending) func mailRoute(to name: DomainName, as domain: String, withAddresses: Bool) async
        -> MailRoute
    {
        let answer = await lookup(name, .mx)
        var route = MailRoute(domain: domain, ascii: name.description, status: .mx)
        route.server = answer.server
        route.isAuthenticated = answer.isAuthenticated
        switch answer.outcome {
        case .records(let records):
            route.ttl = answer.ttl
            await fill(&route, from: records, withAddresses: withAddresses)
        case .noSuchDomain:
            route.status = .nxdomain
            route.ttl = answer.ttl
        case .noData:
            route.ttl = answer.ttl
            await fillImplicit(&route, name)
        case .temporaryFailure(let failure):
            // Never an implicit MX: the MX records may only be out of sight (RFC 5321 5.1).
            route.status = .tempfail
            route.failure = failure
        }
        return route
    }

    /// The implicit MX: the domain itself, with preference 0 (RFC 5321 5.1).
    private nonisolated(nonsending) func fillImplicit(_ route: inout MailRoute, _ name: DomainName) async {
        let found = await addresses(of: name)
        route.server = route.server ?? found.server
        switch found.outcome {
        case .addresses(let addresses):
            var host = MailHost(preference: 0, name: name.description)
            host.addresses = addresses
            host.canonicalName = found.canonicalName?.description
            host.isFromHostsFile = found.isFromHostsFile
            host.missingFamily = found.missingFamily
            route.status = .implicit
            route.hosts = [host]
            route.ttl = found.ttl
            route.isAuthenticated = false
        case .noData: route.status = .nodata
        // The name was there a moment ago: no address is what is known of it.
        case .noSuchDomain: route.status = .nodata
        case .temporaryFailure(let failure):
            route.status = .tempfail
            route.failure = failure
        }
    }

    private nonisolated(nonsending) func fill(_ route: inout MailRoute, from records: [Record], withAddresses: Bool)
        async
    {
        let list = MailExchangeList(records)
        route.duplicates = list.duplicates
        route.hasMixedNull = list.hasMixedNull
        guard !list.exchanges.isEmpty else {
            route.status = .null
            route.nullPreference = list.nullPreference
            return
        }
        let problems = zip(list.exchanges, list.names).map { MailExchangeList.problem(of: $0.host, named: $1) }
        var found: [DomainName: HostAddresses] = [:]
        if withAddresses {
            let names = Set(zip(list.exchanges, problems).lazy.filter { $1 == nil }.map(\.0.host))
            found = await withTaskGroup(of: (DomainName, HostAddresses).self) { group in
                for name in names { group.addTask { (name, await self.addresses(of: name)) } }
                return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
        }
        for (index, exchange) in list.exchanges.enumerated() {
            var host = MailHost(preference: exchange.preference, name: list.names[index])
            host.problem = problems[index]
            if let result = found[exchange.host] { host.take(result) }
            route.hosts.append(host)
        }
        settle(&route, withAddresses: withAddresses)
    }

    /// What the hosts together mean: one usable host is enough; a failure for now counts before "there is none".
    private func settle(_ route: inout MailRoute, withAddresses: Bool) {
        if route.hosts.contains(where: { withAddresses ? !$0.addresses.isEmpty : $0.problem == nil }) { return }
        route.status = .unreachable
        for host in route.hosts {
            guard case .temporaryFailure(let failure) = host.problem else { continue }
            route.status = .tempfail
            route.failure = failure
            return
        }
    }
}

extension MailHost {
    fileprivate mutating func take(_ result: HostAddresses) {
        canonicalName = result.canonicalName?.description
        isFromHostsFile = result.isFromHostsFile
        missingFamily = result.missingFamily
        switch result.outcome {
        case .addresses(let found): addresses = found
        case .noData: problem = .noData
        case .noSuchDomain: problem = .noSuchDomain
        case .temporaryFailure(let failure): problem = .temporaryFailure(failure)
        }
    }
}

/// What was seen before: a few are compared one by one, which is faster than a table for them.
private struct Known<Element: Hashable> {
    private var few: [Element] = []
    private var many: Set<Element> = []
    private let areFew: Bool

    init(_ count: Int) { areFew = count <= 8 }

    /// False when it was there.
    mutating func insert(_ element: Element) -> Bool {
        guard areFew else { return many.insert(element).inserted }
        if few.contains(element) { return false }
        few.append(element)
        return true
    }
}

/// MX records put in order, and what is odd about them.
struct MailExchangeList: Equatable {
    /// By preference, equal ones by name; without null records.
    private(set) var exchanges: [MailExchange] = []
    /// The hosts of `exchanges` as text.
    private(set) var names: [String] = []
    private(set) var duplicates: [MailExchange] = []
    private(set) var hasMixedNull = false
    private(set) var nullPreference: UInt16?

    init(_ records: [Record]) {
        var nulls: [MailExchange] = []
        var named: [(exchange: MailExchange, name: String)] = []
        named.reserveCapacity(records.count)
        var known = Known<MailExchange>(records.count)
        for record in records {
            guard case .exchange(let preference, let host) = record.data else { continue }
            let exchange = MailExchange(preference: preference, host: host)
            if !known.insert(exchange) {
                duplicates.append(exchange)
            } else if host.isRoot {
                nulls.append(exchange)
            } else {
                named.append((exchange, host.description))
            }
        }
        named.sort { ($0.exchange.preference, $0.name) < ($1.exchange.preference, $1.name) }
        exchanges = named.map(\.exchange)
        names = named.map(\.name)
        if named.count > 1 {
            var hosts = Known<DomainName>(named.count)
            for exchange in exchanges where !hosts.insert(exchange.host) { duplicates.append(exchange) }
        }
        hasMixedNull = !nulls.isEmpty && !exchanges.isEmpty
        if exchanges.isEmpty { nullPreference = nulls.first { $0.preference != 0 }?.preference }
    }

    /// Why a host cannot be used, whatever the DNS says of it.
    static func problem(of host: DomainName, named name: String) -> MailHost.Problem? {
        if !host.isPlain { return .isNoHostName }
        // What is no address neither ends with a digit or a bracket nor holds a colon.
        guard let last = name.utf8.last,
            last.isASCIIDigit || last == ASCII.closeBracket || name.utf8.contains(ASCII.colon)
        else { return nil }
        var text = name
        if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
        if text.utf8.prefix(5).equalsIgnoringCase("ipv6:") { text = String(text.dropFirst(5)) }
        return IPAddress(text) == nil ? nil : .isAddress
    }
}
