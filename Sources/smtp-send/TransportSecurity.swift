import DNS
import OpenSSL
import SMTP
import TransportPolicy

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

extension TransportSecurity {
    /// What the TLSA records of a host ask for (RFC 7672 2.2). Only those that a trusted resolver has verified count.
    static func dane(of host: MailHost, port: UInt16, _ resolver: Resolver) async -> TransportSecurity {
        let found = await TLSALookup(of: host, ports: [port], resolver)
        if let failure = found.answer.temporaryFailure {
            // Whoever can suppress the records must not get the mail in clear (RFC 7672 2.1.2).
            return .unusable(
                ClientResult(
                    outcome: .temporary, enhanced: "4.7.5",
                    text: "TLSA of \(host.name) cannot be looked up now: \(failure)", cause: .tls))
        }
        guard found.answer.isAuthenticated, !found.records.isEmpty else { return .opportunistic }
        return found.usable.isEmpty ? .encrypted : .dane(found.usable.map(\.asAssociation))
    }
}
