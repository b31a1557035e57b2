import Bytes
import Unix

/// A resource record of class IN.
package struct Record: Hashable, Sendable {
    package let owner: DomainName
    package let type: RecordType
    /// Seconds; a value with the top bit set was taken as 0 (RFC 2181 8).
    package let ttl: UInt32
    package let data: RecordData

    package init(owner: DomainName, type: RecordType, ttl: UInt32, data: RecordData) {
        self.owner = owner
        self.type = type
        self.ttl = ttl
        self.data = data
    }
}

/// What a record says.
package enum RecordData: Hashable, Sendable {
    /// A and AAAA.
    case address(IPAddress)
    /// MX: the preference and the exchange; the root stands for a null MX (RFC 7505).
    case exchange(preference: UInt16, host: DomainName)
    /// CNAME, NS and PTR.
    case name(DomainName)
    /// TXT: its character strings.
    case text([[UInt8]])
    case startOfAuthority(StartOfAuthority)
    case certificate(TLSARecord)
    /// A type that is not looked into: the data as it stands.
    case other([UInt8])

    /// The strings of a TXT record as one, as SPF, DKIM and DMARC read it; nil for other types.
    package var joinedText: [UInt8]? {
        if case .text(let strings) = self { Array(strings.joined()) } else { nil }
    }
}

/// SOA data (RFC 1035 3.3.13). Times are in seconds.
package struct StartOfAuthority: Hashable, Sendable {
    package let primary: DomainName
    package let mailbox: DomainName
    package let serial: UInt32
    package let refresh: UInt32
    package let retry: UInt32
    package let expire: UInt32
    /// The time for which a negative answer holds, at most (RFC 2308 4).
    package let minimum: UInt32
}

/// TLSA data (RFC 6698 2.1).
package struct TLSARecord: Hashable, Sendable {
    package let usage: UInt8
    package let selector: UInt8
    package let matchingType: UInt8
    package let association: [UInt8]
}
