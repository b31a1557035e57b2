import Unix

/// Addresses that begin with the same bits: `192.0.2.0/24`, `2001:db8::/32`, or one address.
package struct AddressRange: Equatable, Sendable {
    private let address: IPAddress
    private let bits: Int

    /// Nil for what is neither an address nor a range.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(String(first)) else { return nil }
        let width = address.bytes.count * 8
        guard parts.count == 1 || Int(parts[1]).map({ (0...width).contains($0) }) ?? false else { return nil }
        self.address = address
        bits = parts.count == 1 ? width : Int(parts[1]) ?? width
    }

    package func contains(_ other: IPAddress) -> Bool {
        let other = address.isIPv6 ? other : other.unmapped
        guard other.bytes.count == address.bytes.count else { return false }
        let whole = bits / 8
        guard other.bytes[..<whole].elementsEqual(address.bytes[..<whole]) else { return false }
        let rest = bits % 8
        return rest == 0 || (other.bytes[whole] ^ address.bytes[whole]) >> (8 - UInt8(rest)) == 0
    }
}
