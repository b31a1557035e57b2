import Bytes
import Unix

/// Who sent a message, as reputations are kept: the address of From and the network that handed the message over.
package struct Correspondent: Hashable, Sendable {
    /// In lower case.
    package let address: String
    /// The first two numbers of an IPv4 address, the first 48 bits of an IPv6 one; `none` when nothing is known.
    package let network: String

    /// Nil without an address.
    init?(_ facts: MessageFacts) {
        let from = facts.address("From").asciiLowercased
        guard from.contains("@") else { return nil }
        address = from
        let relay = facts.relays.all.last { !$0.isPrivate && IPAddress($0.address) != nil }
        guard let bytes = relay.flatMap({ IPAddress($0.address)?.bytes }) else {
            network = "none"
            return
        }
        if bytes.count == 4 {
            network = "\(bytes[0]).\(bytes[1])"
        } else {
            let words = stride(from: 0, to: 6, by: 2).map {
                String(Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]), radix: 16)
            }
            network = words.joined(separator: ":")
        }
    }
}
