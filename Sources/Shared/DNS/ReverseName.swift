import Bytes
import Unix

extension DomainName {
    /// The name under which the DNS keeps the names of an address: in-addr.arpa (RFC 1035 3.5), ip6.arpa (RFC 3596 2.5).
    package init(reverseOf address: IPAddress) {
        self.init(lowercasedWire: DomainName.reverseWire(address))
    }

    /// The name to look up in a list under `zone` (RFC 5782): the address reversed before it; nil when it gets too long.
    package init?(reverseOf address: IPAddress, under zone: DomainName) {
        let labels = DomainName.reversedLabels(address.unmapped)
        guard labels.count + zone.wire.count <= 255 else { return nil }
        self.init(lowercasedWire: labels + zone.wire)
    }

    private static func reverseWire(_ address: IPAddress) -> [UInt8] {
        var wire = reversedLabels(address)
        for label in [address.isIPv6 ? "ip6" : "in-addr", "arpa"] {
            wire.append(UInt8(truncatingIfNeeded: label.utf8.count))
            wire += label.utf8
        }
        return wire + [0]
    }

    private static func reversedLabels(_ address: IPAddress) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        var wire: [UInt8] = []
        for byte in address.bytes.reversed() {
            if address.isIPv6 {
                wire += [1, digits[Int(byte & 15)], 1, digits[Int(byte >> 4)]]
            } else {
                let text = Array(String(byte).utf8)
                wire.append(UInt8(truncatingIfNeeded: text.count))
                wire += text
            }
        }
        return wire
    }
}
