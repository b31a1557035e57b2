import DNS
import OpenSSL
import SMTP

/// What the DNS and a domain's policy ask of the connection to one of its mail exchanges.
enum TransportSecurity: Sendable {
    /// TLS when it is offered, whatever the certificate says (RFC 7435).
    case opportunistic
    /// TLS with a certificate that these records name (RFC 7672).
    case dane([TLSAssociation])
    /// TLS, whatever the certificate says: there are TLSA records, and none of a kind that can be used (RFC 7672 2.2).
    case encrypted
    /// TLS with a certificate for the exchange's name, of an authority that is known (RFC 8461 4.2).
    case verified
    /// Whether TLS is asked for cannot be known now, or the exchange is not one that the domain's policy names.
    case unusable(ClientResult)

    /// How the certificate is judged.
    var judgement: ClientTLS.Judgement {
        switch self {
        case .opportunistic, .unusable: .usual
        case .dane: .dane
        case .encrypted: .any
        case .verified: .verified
        }
    }

    var associations: [TLSAssociation] {
        if case .dane(let associations) = self { associations } else { [] }
    }

    /// No mail in clear.
    var isRequired: Bool {
        if case .opportunistic = self { false } else { true }
    }
}

/// TLSA records of mail exchanges (RFC 7672).
enum DANELookup {
    /// What the records of a host say. Only those that a trusted resolver has verified count.
    static func security(of host: MailHost, port: UInt16, _ resolver: Resolver) async -> TransportSecurity {
        // The name at the end of the aliases first, then the host's own (RFC 7672 2.2.2).
        for name in [host.canonicalName, host.name].compactMap({ $0 }) {
            let answer = await resolver.lookup("_\(port)._tcp.\(name)", .tlsa)
            if let failure = answer.temporaryFailure {
                // Whoever can suppress the records must not get the mail in clear (RFC 7672 2.1.2).
                return .unusable(
                    ClientResult(
                        outcome: .temporary, enhanced: "4.7.5",
                        text: "TLSA of \(name) cannot be looked up now: \(failure)",
                        cause: .tls))
            }
            guard answer.isAuthenticated, !answer.records.isEmpty else { continue }
            let records = answer.records.compactMap { record -> TLSAssociation? in
                guard case .certificate(let tlsa) = record.data, tlsa.usage == 2 || tlsa.usage == 3,
                    tlsa.selector <= 1, tlsa.matchingType <= 2
                else { return nil }
                return TLSAssociation(
                    usage: tlsa.usage, selector: tlsa.selector, matchingType: tlsa.matchingType, data: tlsa.association)
            }
            return records.isEmpty ? .encrypted : .dane(records)
        }
        return .opportunistic
    }
}
