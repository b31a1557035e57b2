import Bytes

/// The type of a resource record (RFC 1035 3.2.2 and the registry).
package struct RecordType: Hashable, Sendable, CustomStringConvertible {
    package let number: UInt16

    package init(_ number: UInt16) { self.number = number }

    package static let a = RecordType(1)
    package static let ns = RecordType(2)
    package static let cname = RecordType(5)
    package static let soa = RecordType(6)
    package static let ptr = RecordType(12)
    package static let mx = RecordType(15)
    package static let txt = RecordType(16)
    package static let aaaa = RecordType(28)
    package static let opt = RecordType(41)
    package static let tlsa = RecordType(52)

    private static let names: [(RecordType, String)] = [
        (.a, "A"), (.ns, "NS"), (.cname, "CNAME"), (.soa, "SOA"), (.ptr, "PTR"), (.mx, "MX"), (.txt, "TXT"),
        (.aaaa, "AAAA"), (.opt, "OPT"), (.tlsa, "TLSA"),
    ]

    /// Reads `MX` or `TYPE15` (RFC 3597), in any case.
    package init?(name: String) {
        if let known = RecordType.names.first(where: { $0.1.equalsIgnoringCase(name) }) {
            self = known.0
        } else if name.asciiLowercased.hasPrefix("type"), let number = UInt16(name.dropFirst(4)) {
            self.init(number)
        } else {
            return nil
        }
    }

    package var description: String {
        RecordType.names.first { $0.0 == self }?.1 ?? "TYPE\(number)"
    }
}

/// The response code of a DNS message, with the upper bits that EDNS adds (RFC 6891 6.1.3).
package struct ResponseCode: Hashable, Sendable, CustomStringConvertible {
    package let number: UInt16

    package init(_ number: UInt16) { self.number = number }

    package static let noError = ResponseCode(0)
    package static let formatError = ResponseCode(1)
    package static let serverFailure = ResponseCode(2)
    package static let noSuchDomain = ResponseCode(3)
    package static let notImplemented = ResponseCode(4)
    package static let refused = ResponseCode(5)
    package static let badVersion = ResponseCode(16)

    package var description: String {
        switch number {
        case 0: "NOERROR"
        case 1: "FORMERR"
        case 2: "SERVFAIL"
        case 3: "NXDOMAIN"
        case 4: "NOTIMP"
        case 5: "REFUSED"
        case 6: "YXDOMAIN"
        case 8: "NXRRSET"
        case 9: "NOTAUTH"
        case 10: "NOTZONE"
        case 16: "BADVERS"
        case 23: "BADCOOKIE"
        default: "RCODE\(number)"
        }
    }
}
