import Bytes
import DNS
import SMTP
import Unix

/// What the DNS says about a client: lists it stands on (RFC 5782), its name, the name it gave.
struct ClientReputation: Sendable {
    /// A DNS list and how much it counts.
    struct List: Sendable, Equatable {
        let zone: String
        let weight: Double

        /// Reads `ZONE` or `ZONE=WEIGHT`.
        init?(_ text: String) {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard !parts[0].isEmpty, (try? DomainName(parts[0])) != nil else { return nil }
            zone = parts[0]
            guard parts.count == 2 else {
                weight = 1
                return
            }
            guard let weight = Double(parts[1]), weight.isFinite else { return nil }
            self.weight = weight
        }
    }

    /// How much a client without a name that leads back to it counts, and one that greets with a name that is not its
    /// own: never enough to be refused alone (RFC 5321 4.1.4).
    private static let namelessWeight = 0.4
    private static let falseHelloWeight = 0.2

    private(set) var score = 0.0
    private(set) var reasons: [String] = []
    /// The client's name, when it leads back to its address.
    private(set) var name: String?

    static func look(
        _ address: IPAddress, helloName: String, _ lists: [List], _ resolver: Resolver
    ) async -> ClientReputation {
        var reputation = ClientReputation()
        await withTaskGroup(of: (List, Bool).self) { group in
            for list in lists { group.addTask { (list, await isListed(address, list.zone, resolver)) } }
            for await (list, isListed) in group where isListed {
                reputation.add(list.weight, "listed by \(list.zone)")
            }
        }
        reputation.name = await verifiedName(address, resolver)
        if reputation.name == nil { reputation.add(namelessWeight, "no name that leads back to it") }
        if await !belongs(helloName, to: address, resolver) {
            reputation.add(falseHelloWeight, "greets with a name that is not its own")
        }
        return reputation
    }

    private mutating func add(_ weight: Double, _ reason: String) {
        score += weight
        reasons.append(reason)
    }

    /// Answers in 127.255.255.0/24 tell of errors in asking, not of listings.
    private static func isListed(_ address: IPAddress, _ zone: String, _ resolver: Resolver) async -> Bool {
        guard let zone = try? DomainName(zone), let name = DomainName(reverseOf: address, under: zone) else {
            return false
        }
        return await resolver.lookup(name, .a).records.contains { record in
            guard case .address(let answer) = record.data else { return false }
            return answer.bytes.first == 127 && !answer.bytes.starts(with: [127, 255, 255])
        }
    }

    private static func verifiedName(_ address: IPAddress, _ resolver: Resolver) async -> String? {
        for record in await resolver.names(of: address.unmapped).records.prefix(3) {
            guard case .name(let name) = record.data else { continue }
            if await resolver.addresses(of: name).addresses.contains(address.unmapped) { return "\(name)" }
        }
        return nil
    }

    private static func belongs(_ name: String, to address: IPAddress, _ resolver: Resolver) async -> Bool {
        if name.hasPrefix("[") {
            let literal = name.dropFirst().dropLast()
            let text = literal.asciiLowercasedPrefix("ipv6:") ?? String(literal)
            return IPAddress(text) == address.unmapped
        }
        return await resolver.addresses(of: name).addresses.contains(address.unmapped)
    }
}

extension Substring {
    /// What follows `prefix`, which is in lower case; nil when it does not begin so.
    fileprivate func asciiLowercasedPrefix(_ prefix: String) -> String? {
        String(self.prefix(prefix.count)).asciiLowercased == prefix ? String(dropFirst(prefix.count)) : nil
    }
}
