import CommandLineTool

extension Finding {
    /// `--explain`: prints what a finding means, where the rule stands, and what to do.
    static func explain(_ name: String) throws(ToolFailure) -> ExitCode {
        guard let id = ID(rawValue: name) else {
            let known = ID.allCases.map(\.rawValue).joined(separator: " ")
            throw ToolFailure(.usage, "--explain \(TerminalText.escape(name)): is not a finding: \(known)")
        }
        let text = explanation(of: id)
        Output.standard.writeLine("\(id.rawValue): \(text.meaning)")
        Output.standard.writeLine("Rule: \(text.rule)")
        Output.standard.writeLine("Remedy: \(text.remedy)")
        return .ok
    }

    private typealias Text = (meaning: String, rule: String, remedy: String)

    private static func explanation(of id: ID) -> Text {
        explanationOfRouting(id) ?? explanationOfPolicy(id) ?? explanationOfKeys(id) ?? explanationOfServer(id)
            ?? ("This finding has no explanation.", "none", "none")
    }

    private static func explanationOfRouting(_ id: ID) -> Text? {
        switch id {
        case .implicit:
            (
                "The domain has no MX record, but an address of its own, so mail goes to that address.",
                "RFC 5321 5.1",
                "Publish an MX record that names the host, or \"MX 0 .\" when the domain takes no mail."
            )
        case .duplicate:
            (
                "The same host is named by more than one MX record.",
                "RFC 2181 5.5, RFC 5321 5.1",
                "Keep one record for each host, with the preference that is meant."
            )
        case .cname:
            (
                "The host of an MX record is an alias (CNAME). Some senders refuse to follow it.",
                "RFC 2181 10.3, RFC 5321 5.1",
                "Name the host itself in the MX record, or give the alias address records in place of the CNAME."
            )
        case .literal:
            (
                "An MX record holds an IP address where a host name belongs. Nobody delivers to it.",
                "RFC 1035 3.3.9, RFC 5321 5.1",
                "Give the address a name with an A or AAAA record, and put that name into the MX record."
            )
        case .dangling:
            (
                "The host of an MX record does not exist or has no address. Senders lose time with it, and whoever can "
                    + "register the name gets the mail.",
                "RFC 5321 5.1, RFC 2181 10.3",
                "Remove the MX record, or give its host an A or AAAA record."
            )
        case .privateAddress:
            (
                "A mail host has an address that cannot be reached from the Internet.",
                "RFC 1918, RFC 6890",
                "Publish the public address, or show the private one to the inner network only (split DNS)."
            )
        case .nullMixed:
            (
                "A null MX, which says that the domain takes no mail, stands beside other MX records.",
                "RFC 7505 3",
                "Remove \"MX 0 .\" when the domain takes mail; remove the others when it takes none."
            )
        case .nullPreference:
            (
                "The preference of the null MX is not 0.",
                "RFC 7505 3",
                "Publish it as \"MX 0 .\"."
            )
        case .tempfail:
            (
                "The DNS could not answer now: nothing can be said about what was asked for. It may well exist.",
                "RFC 5321 5.1, RFC 2308 7",
                "Try again later; when it stays, check the name servers of the domain, its delegation and its DNSSEC."
            )
        case .ptrMissing:
            (
                "The address of a mail host has no name (PTR record). Many servers refuse mail from such an address.",
                "RFC 1912 2.1",
                "Ask the provider of the address for a PTR record that names the host."
            )
        case .ptrMismatch:
            (
                "The name of the address (PTR record) has not that address itself, so the name proves nothing.",
                "RFC 1912 2.1, RFC 8601 2.7.3 (iprev)",
                "Let the PTR record and the A or AAAA record name each other."
            )
        case .dnsblListed:
            (
                "A blocklist (DNSBL) holds the address: servers that ask the list refuse or downgrade its mail.",
                "RFC 5782 2",
                "Mend the cause that the list tells of (its TXT record), then ask the list to remove the address."
            )
        default: nil
        }
    }

    private static func explanationOfPolicy(_ id: ID) -> Text? {
        switch id {
        case .spfMissing:
            (
                "There is no SPF record, so nobody can tell which hosts may send mail for the domain. An include or "
                    + "redirect to a domain without one makes the whole policy an error.",
                "RFC 7208 3.1, 5.2",
                "Publish one TXT record: \"v=spf1 mx -all\", or \"v=spf1 -all\" when the domain sends no mail."
            )
        case .spfMultiple:
            (
                "The domain has more than one SPF record: every check ends with permerror.",
                "RFC 7208 3.2, 4.5",
                "Put all mechanisms into one record."
            )
        case .spfPassAll:
            (
                "The policy lets every host of the Internet send mail for the domain.",
                "RFC 7208 5.1",
                "End the record with -all or ~all."
            )
        case .spfLookups:
            (
                "The policy needs more DNS queries than a check may make: it ends with permerror.",
                "RFC 7208 4.6.4",
                "Bring the terms include, a, mx, ptr, exists and redirect down to 10, counting those of the policies that "
                    + "are included: replace them by ip4 and ip6."
            )
        case .spfVoidLookups:
            (
                "More than two terms ask for names that do not exist or have no record: the check ends with permerror.",
                "RFC 7208 4.6.4",
                "Remove the terms whose names are gone."
            )
        case .spfSyntax:
            (
                "The SPF record cannot be read, or leads to itself: every check ends with permerror.",
                "RFC 7208 4.6, 12",
                "Mend the term that is named."
            )
        case .spfPTR:
            (
                "The policy uses ptr, which is slow and unreliable, and should not be published.",
                "RFC 7208 5.5",
                "Name the hosts or their networks: a, mx, ip4, ip6."
            )
        case .dmarcMissing:
            (
                "Neither the domain nor its organizational domain has a DMARC record: mail that forges it is not known "
                    + "as such.",
                "RFC 9989 4.10",
                "Publish a TXT record at _dmarc: \"v=DMARC1; p=none; rua=mailto:...\" to begin with."
            )
        case .dmarcMultiple:
            (
                "There is more than one DMARC record at one name: all of them are discarded.",
                "RFC 9989 4.10",
                "Keep one record."
            )
        case .dmarcSyntax:
            (
                "The DMARC record holds what is not valid. Such tags are as if they were not there, and without a valid "
                    + "policy there is none.",
                "RFC 9989 4.7, 4.8",
                "Mend the tag that is named."
            )
        case .dmarcNone:
            (
                "The policy is p=none: mail that fails is delivered like any other.",
                "RFC 9989 4.7",
                "Read the reports, mend what fails of your own mail, then go to p=quarantine or p=reject."
            )
        case .dmarcRemovedTag:
            (
                "The record has tags that the standard no longer knows: pct, rf, ri. They mean nothing.",
                "RFC 9989 4.7",
                "Remove them; t=y takes the place of pct for a time of testing."
            )
        case .mtaSTSSyntax:
            (
                "The MTA-STS record or the policy behind it is not valid, or there is more than one record: senders act "
                    + "as if there was no policy.",
                "RFC 8461 3.1, 3.2",
                "Publish one TXT record at _mta-sts: \"v=STSv1; id=20260101;\" (id: 1 to 32 letters and digits), and a "
                    + "policy with the lines version, mode, mx and max_age; change the id whenever the policy changes."
            )
        case .mtaSTSPolicy:
            (
                "The MTA-STS record announces a policy that cannot be had: senders that have none from before deliver "
                    + "without it.",
                "RFC 8461 3.3",
                "Serve https://mta-sts.DOMAIN/.well-known/mta-sts.txt as text/plain with status 200, without redirection, "
                    + "with a certificate for mta-sts.DOMAIN of a public authority."
            )
        case .mtaSTSHost:
            (
                "A mail host is not among those that the MTA-STS policy names: in mode enforce, senders that keep to the "
                    + "policy do not deliver to it.",
                "RFC 8461 4.1, 5",
                "Add an mx line for the host to the policy and change the id of the record, or remove the MX record."
            )
        case .tlsRPTSyntax:
            (
                "The TLS reporting record is not valid, or there is more than one: nobody sends reports.",
                "RFC 8460 3",
                "Publish one TXT record at _smtp._tls: \"v=TLSRPTv1; rua=mailto:...\"."
            )
        case .bimiMissing:
            (
                "There is no BIMI record for the selector.",
                "BIMI (draft-brand-indicators-for-message-identification) 4.2",
                "Publish a TXT record at SELECTOR._bimi: \"v=BIMI1; l=https://...; a=https://...\"."
            )
        case .bimiSyntax:
            (
                "The BIMI record is not valid, or there is more than one.",
                "BIMI (draft-brand-indicators-for-message-identification) 4.2",
                "Write it as \"v=BIMI1; l=https://...; a=https://...\"; both places are https."
            )
        default: nil
        }
    }

    private static func explanationOfKeys(_ id: ID) -> Text? {
        switch id {
        case .dkimMissing:
            (
                "There is no DKIM key for the selector: signatures that name it fail.",
                "RFC 6376 3.6.2",
                "Publish the key as a TXT record at SELECTOR._domainkey, or sign with another selector."
            )
        case .dkimRevoked:
            (
                "The key was revoked (p= is empty): signatures that name the selector fail.",
                "RFC 6376 3.6.1",
                "Sign with another selector."
            )
        case .dkimWeak:
            (
                "The RSA key is shorter than 2048 bits. Under 1024 bits no signature passes.",
                "RFC 8301 3.2",
                "Make a key of 2048 bits, or an Ed25519 key besides, under a new selector."
            )
        case .dkimSyntax:
            (
                "The key record cannot be read, or there are several: signatures that name the selector may fail.",
                "RFC 6376 3.6.1",
                "Publish one record: \"v=DKIM1; k=rsa; p=...\"."
            )
        case .daneUnsigned:
            (
                "There are TLSA records, but the answer was not verified with DNSSEC: senders do not use them.",
                "RFC 7672 2.1, 2.2",
                "Sign the zone of the mail host. If it is signed, ask a resolver that verifies and is trusted."
            )
        case .daneUsage:
            (
                "A TLSA record has a usage that SMTP does not support: only 3 (DANE-EE) and 2 (DANE-TA) are used.",
                "RFC 7672 3.1.3",
                "Publish \"3 1 1\" with the SHA-256 digest of the public key."
            )
        case .daneMismatch:
            (
                "No TLSA record matches the certificate of the mail host: senders that use DANE do not deliver.",
                "RFC 7672 2.2, 3.1",
                "Publish the digest of the key in use; for a new key both records, until the old one is out of all caches."
            )
        default: nil
        }
    }

    private static func explanationOfServer(_ id: ID) -> Text? {
        switch id {
        case .smtpConnect:
            (
                "No connection to the mail host at this address.",
                "RFC 5321 4.5.4.1",
                "See that the server runs and listens at the address, and that no firewall is before it."
            )
        case .smtpBanner:
            (
                "The host does not greet as a mail server that takes mail: not with code 220, or not in time.",
                "RFC 5321 3.1, 4.3.1",
                "See the log of the server; tell a host that takes no mail from the MX records."
            )
        case .smtpName:
            (
                "The server calls itself by a name that is neither its own in the DNS nor leads to its address.",
                "RFC 5321 4.1.1.1, 4.3.1",
                "Give the server its host name (in Postfix: myhostname)."
            )
        case .smtpStartTLSMissing:
            (
                "The server does not offer STARTTLS: mail to it goes in clear over the network.",
                "RFC 3207 4, RFC 7435",
                "Give the server a certificate and let it offer STARTTLS."
            )
        case .tlsHandshake:
            (
                "The server offers STARTTLS, but no encrypted connection comes about.",
                "RFC 3207 4.1, RFC 8996",
                "See that it speaks TLS 1.2 or 1.3, and that certificate and key are in place."
            )
        case .tlsName:
            (
                "The certificate is for other names than that of the mail host. Senders that verify do not deliver.",
                "RFC 9525 6, RFC 8461 4.1",
                "Get a certificate with the name of the MX record in it."
            )
        case .tlsExpired:
            (
                "The certificate has expired, or is not valid yet.",
                "RFC 5280 4.1.2.5",
                "Renew it, and let that be done by itself (ACME, RFC 8555)."
            )
        case .tlsUntrusted:
            (
                "The certificate leads to no authority that is trusted here: self-signed, or the chain is not whole.",
                "RFC 5280 6, RFC 8461 4.2",
                "Send the intermediate certificates, or get one of a public authority; or publish TLSA records (DANE)."
            )
        default: nil
        }
    }
}
