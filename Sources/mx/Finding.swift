import CommandLineTool
import DNS
import Unix

/// Something about a mail domain that its owner should know.
struct Finding: Equatable, Sendable {
    enum ID: String, CaseIterable, Sendable {
        case implicit = "mx-implicit"
        case duplicate = "mx-duplicate"
        case cname = "mx-cname"
        case literal = "mx-ip-literal"
        case dangling = "mx-dangling"
        case privateAddress = "mx-private-address"
        case nullMixed = "mx-null-mixed"
        case nullPreference = "mx-null-preference"
        case tempfail = "dns-tempfail"
        case ptrMissing = "ptr-missing"
        case ptrMismatch = "ptr-mismatch"
        case spfMissing = "spf-missing"
        case spfMultiple = "spf-multiple"
        case spfPassAll = "spf-pass-all"
        case spfLookups = "spf-lookups"
        case spfVoidLookups = "spf-void-lookups"
        case spfSyntax = "spf-syntax"
        case spfPTR = "spf-ptr"
        case dmarcMissing = "dmarc-missing"
        case dmarcMultiple = "dmarc-multiple"
        case dmarcSyntax = "dmarc-syntax"
        case dmarcNone = "dmarc-none"
        case dmarcRemovedTag = "dmarc-removed-tag"
        case dkimMissing = "dkim-missing"
        case dkimRevoked = "dkim-revoked"
        case dkimWeak = "dkim-weak"
        case dkimSyntax = "dkim-syntax"
        case daneUnsigned = "dane-unsigned"
        case daneUsage = "dane-usage"
        case daneMismatch = "dane-mismatch"
        case dnsblListed = "dnsbl-listed"
        case mtaSTSSyntax = "mta-sts-syntax"
        case mtaSTSPolicy = "mta-sts-policy"
        case mtaSTSHost = "mta-sts-mx"
        case tlsRPTSyntax = "tlsrpt-syntax"
        case bimiMissing = "bimi-missing"
        case bimiSyntax = "bimi-syntax"
        case smtpConnect = "smtp-connect"
        case smtpBanner = "smtp-banner"
        case smtpName = "smtp-name"
        case smtpStartTLSMissing = "smtp-starttls-missing"
        case tlsHandshake = "tls-handshake"
        case tlsName = "tls-name"
        case tlsExpired = "tls-expired"
        case tlsUntrusted = "tls-untrusted"
    }

    enum Severity: String, Sendable {
        case error, warning
        /// Nothing can be said now.
        case unknown
    }

    let id: ID
    let severity: Severity
    /// The name that it is about.
    let subject: String
    let text: String

    init(_ id: ID, _ severity: Severity, _ subject: String, _ text: String) {
        self.id = id
        self.severity = severity
        self.subject = subject
        self.text = text
    }

    /// What a route shows, each kind in the order of the hosts.
    static func all(in route: MailRoute) -> [Finding] {
        ofDomain(in: route) + route.hosts.flatMap { all(of: $0, route) }
    }

    /// What a route shows that is of no host alone.
    static func ofDomain(in route: MailRoute) -> [Finding] {
        let domain = route.ascii ?? route.domain
        var findings: [Finding] = []
        if route.status == .implicit {
            findings.append(
                Finding(.implicit, .warning, domain, "no MX record: the address of the domain itself is used"))
        }
        if route.hasMixedNull {
            findings.append(Finding(.nullMixed, .error, domain, "a null MX stands beside other MX records"))
        }
        if let preference = route.nullPreference {
            findings.append(
                Finding(.nullPreference, .warning, domain, "the null MX has preference \(preference), not 0"))
        }
        for twice in route.duplicates {
            findings.append(
                Finding(
                    .duplicate, .warning, "\(twice.host)", "\(twice.preference) \(twice.host) is there more than once"))
        }
        if route.hosts.isEmpty, let failure = route.failure {
            findings.append(Finding(.tempfail, .unknown, domain, "\(failure)"))
        }
        return findings
    }

    static func all(of host: MailHost, _ route: MailRoute) -> [Finding] {
        var findings: [Finding] = []
        if let target = host.canonicalName, route.status != .implicit {
            findings.append(Finding(.cname, .warning, host.name, "\(host.name) is an alias of \(target)"))
        }
        switch host.problem {
        case .noSuchDomain:
            findings.append(Finding(.dangling, .error, host.name, "\(host.name) does not exist (NXDOMAIN)"))
        case .noData: findings.append(Finding(.dangling, .error, host.name, "\(host.name) has no address"))
        case .isNoHostName: findings.append(Finding(.dangling, .error, host.name, "\(host.name) is not a host name"))
        case .isAddress:
            findings.append(Finding(.literal, .error, host.name, "\(host.name) is an address in place of a host name"))
        case .temporaryFailure(let failure): findings.append(Finding(.tempfail, .unknown, host.name, "\(failure)"))
        case nil: break
        }
        if let failure = host.missingFamily {
            findings.append(Finding(.tempfail, .unknown, host.name, "not all addresses are known: \(failure)"))
        }
        if route.status != .literal {
            for address in host.addresses where address.isPrivate {
                findings.append(
                    Finding(.privateAddress, .warning, host.name, "\(address) cannot be reached from the Internet"))
            }
        }
        return findings
    }
}

extension IPAddress {
    /// An address of no use on the Internet: private, loopback, link-local, shared, multicast, reserved (RFC 6890).
    fileprivate var isPrivate: Bool {
        let bytes = unmapped.bytes
        if bytes.count == 4 {
            switch (bytes[0], bytes[1]) {
            case (0, _), (10, _), (127, _), (169, 254), (192, 168), (100, 64...127), (172, 16...31), (224..., _):
                return true
            default: return false
            }
        }
        if bytes.dropLast().allSatisfy({ $0 == 0 }) { return true }
        return bytes[0] & 0xFE == 0xFC || bytes[0] == 0xFF || (bytes[0] == 0xFE && bytes[1] & 0x80 == 0x80)
    }
}
