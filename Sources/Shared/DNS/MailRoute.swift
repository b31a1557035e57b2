import Bytes
import Unix

/// Where mail for a domain goes (RFC 5321 5.1, RFC 7505).
package struct MailRoute: Equatable, Sendable {
    package enum Status: String, Equatable, Sendable {
        /// MX records name hosts, of which at least one has an address.
        case mx
        /// There is no MX record; the domain has an address itself.
        case implicit
        /// An address literal.
        case literal
        /// A null MX: the domain takes no mail (RFC 7505).
        case null
        case nxdomain
        /// The domain exists, but has neither MX nor address records.
        case nodata
        /// MX records name hosts, but none of them has an address.
        case unreachable
        /// The DNS failed for now: nothing can be said.
        case tempfail
        /// The text is no mail domain.
        case invalid
    }

    /// The text that was asked for.
    package var domain: String
    /// The domain in ASCII; nil when it is invalid.
    package var ascii: String?
    package var status: Status
    /// In the order of delivery: by preference, equal ones by name. Hosts without an address are among them.
    package var hosts: [MailHost] = []
    /// Seconds for which the route holds; nil when nobody said.
    package var ttl: UInt32?
    /// The MX records were verified with DNSSEC.
    package var isAuthenticated = false
    /// Who answered the question for MX.
    package var server: String?
    /// Why the status is `tempfail`.
    package var failure: TemporaryFailure?
    /// Why the status is `invalid`.
    package var problem: String?
    /// Records that were dropped because they say the same twice.
    package var duplicates: [MailExchange] = []
    /// A null MX stands beside other records, and was dropped.
    package var hasMixedNull = false
    /// The preference of a null MX when it is not 0.
    package var nullPreference: UInt16?

    package init(domain: String, ascii: String?, status: Status) {
        self.domain = domain
        self.ascii = ascii
        self.status = status
    }

    /// The hosts that have addresses, in the order in which to try them.
    package var usableHosts: [MailHost] { hosts.filter { !$0.addresses.isEmpty } }

    /// The route with hosts of equal preference in random order, as delivery spreads load (RFC 5321 5.1).
    package func shuffled(using generator: inout some RandomNumberGenerator) -> MailRoute {
        var route = self
        route.hosts = route.hosts.shuffled(using: &generator)
        route.hosts = route.hosts.enumerated().sorted {
            ($0.element.preference, $0.offset) < ($1.element.preference, $1.offset)
        }.map(\.element)
        return route
    }

    /// The route as it is for one of its own hosts: that host and all that are not preferred to it are left out, so
    /// that mail does not go in a loop (RFC 5321 5.1). `names` are compared case-blind.
    package func excludingSelf(names: [String], addresses: [IPAddress]) -> MailRoute {
        func isSelf(_ host: MailHost) -> Bool {
            names.contains { $0.equalsIgnoringCase(host.name) } || host.addresses.contains(where: addresses.contains)
        }
        guard let own = hosts.filter(isSelf).map(\.preference).min() else { return self }
        var route = self
        route.hosts.removeAll { $0.preference >= own }
        return route
    }
}

/// An MX record.
package struct MailExchange: Hashable, Sendable {
    package let preference: UInt16
    package let host: DomainName
}

/// A host that takes mail for a domain.
package struct MailHost: Equatable, Sendable {
    package enum Problem: Equatable, Sendable {
        case noSuchDomain
        case noData
        case temporaryFailure(TemporaryFailure)
        /// The MX record holds an address in place of a name: not used (RFC 5321 5.1, RFC 1035 3.3.9).
        case isAddress
        /// The name holds bytes that no host name has: shown escaped, not used.
        case isNoHostName
    }

    package let preference: UInt16
    /// In ASCII, without a dot at the end; a literal in brackets.
    package let name: String
    package var addresses: [IPAddress] = []
    /// The name that the host is an alias of; nil when it is none.
    package var canonicalName: String?
    /// The addresses are those of /etc/hosts.
    package var isFromHostsFile = false
    /// Why the addresses of one family are not known for now.
    package var missingFamily: TemporaryFailure?
    /// Why there are no addresses; also set when they were not looked up because the name cannot be used.
    package var problem: Problem?

    package init(preference: UInt16, name: String) {
        self.preference = preference
        self.name = name
    }
}
