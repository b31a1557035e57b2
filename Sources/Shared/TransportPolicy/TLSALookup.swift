import DNS
import OpenSSL

/// The TLSA records of a mail host, where they were found (RFC 7672 2.2).
package struct TLSALookup: Sendable {
    /// The name that was asked: `_25._tcp.mx.example.org`. Without records, the first one.
    package let name: String
    package let answer: Answer

    /// The records, whether they can be used or not.
    package var records: [TLSARecord] {
        answer.records.compactMap { if case .certificate(let record) = $0.data { record } else { nil } }
    }

    /// The records that senders of mail use: DANE-TA and DANE-EE (RFC 7672 3.1), of selectors and matching types that are
    /// known.
    package var usable: [TLSARecord] { records.filter(\.isUsableForMail) }

    /// Asks for the records of a host of a route: those of the name at the end of its aliases first, then its own
    /// (RFC 7672 2.2.2), on each of these ports. A failure for now ends the search, for the records that cannot be had
    /// may be those that count.
    package init(of host: MailHost, ports: [UInt16], _ resolver: Resolver) async {
        var first: TLSALookup?
        for base in [host.canonicalName, host.name].compactMap({ $0 }) {
            for port in ports {
                let name = "_\(port)._tcp.\(base)"
                let found = TLSALookup(name: name, answer: await resolver.lookup(name, .tlsa))
                if !found.answer.records.isEmpty || found.answer.temporaryFailure != nil {
                    self = found
                    return
                }
                first = first ?? found
            }
        }
        self = first ?? TLSALookup(name: "", answer: Answer(.noSuchDomain, canonicalName: .root))
    }

    private init(name: String, answer: Answer) {
        self.name = name
        self.answer = answer
    }
}

extension TLSARecord {
    /// DANE-TA or DANE-EE, with a selector and a matching type that are known.
    package var isUsableForMail: Bool { (usage == 2 || usage == 3) && selector <= 1 && matchingType <= 2 }

    /// As OpenSSL is told it.
    package var asAssociation: TLSAssociation {
        TLSAssociation(usage: usage, selector: selector, matchingType: matchingType, data: association)
    }
}
