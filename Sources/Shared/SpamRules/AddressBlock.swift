import Unix

/// A block of addresses as `trusted_networks` writes it: `192.0.2.0/24`, `192.0.2.`, `2001:db8::/32`, or one address.
struct AddressBlock: Equatable, Sendable {
    private let bytes: [UInt8]
    private let prefix: Int

    init?(_ text: String) {
        var base = text
        var length: Int?
        if let slash = text.firstIndex(of: "/") {
            base = String(text[..<slash])
            guard let number = Int(text[text.index(after: slash)...]) else { return nil }
            length = number
        } else if text.hasSuffix(".") {
            let parts = text.split(separator: ".")
            length = parts.count * 8
            base = (parts.map(String.init) + Array(repeating: "0", count: max(0, 4 - parts.count))).joined(
                separator: ".")
        }
        guard let address = IPAddress(base) else { return nil }
        bytes = address.bytes
        prefix = min(max(length ?? bytes.count * 8, 0), bytes.count * 8)
    }

    func contains(_ text: String) -> Bool {
        guard let other = IPAddress(text)?.bytes, other.count == bytes.count else { return false }
        for index in bytes.indices {
            let bits = min(max(prefix - index * 8, 0), 8)
            let mask = UInt8(truncatingIfNeeded: 0xFF00 >> bits)
            if (bytes[index] ^ other[index]) & mask != 0 { return false }
        }
        return true
    }
}
