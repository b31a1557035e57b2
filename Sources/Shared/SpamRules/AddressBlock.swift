import Unix

/// A block of addresses as `trusted_networks` writes it: `192.0.2.0/24`, `10/8`, `192.0.2.`, `2001:db8::/32`, or one
/// address; with `!` before it, what is taken out of a list.
struct AddressBlock: Equatable, Sendable {
    private let bytes: [UInt8]
    private let prefix: Int
    private let isExcluded: Bool

    init?(_ text: String) {
        isExcluded = text.hasPrefix("!")
        let text = isExcluded ? String(text.dropFirst()) : text
        var base = text
        var length: Int?
        if let slash = text.firstIndex(of: "/") {
            base = String(text[..<slash])
            guard let number = Int(text[text.index(after: slash)...]) else { return nil }
            length = number
            let parts = base.split(separator: ".")
            if !base.contains(":"), parts.count < 4 {
                base = (parts.map(String.init) + Array(repeating: "0", count: 4 - parts.count)).joined(separator: ".")
            }
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

    /// Whether a list has an address: the first block that has it decides.
    static func list(_ blocks: [AddressBlock], contains text: String) -> Bool {
        blocks.first { $0.contains(text) }.map { !$0.isExcluded } ?? false
    }
}
