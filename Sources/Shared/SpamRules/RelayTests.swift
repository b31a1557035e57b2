import Bytes
import Unix

/// Tests of the relays that a message came through.
extension EvalTests {
    static let relayTests: [String: Test] = [
        "check_no_relays": { facts, _ in facts.relays.all.isEmpty && facts.relays.unparsed == 0 ? 1 : 0 },
        "check_all_trusted": { facts, _ in
            let relays = facts.relays
            return !relays.all.isEmpty && relays.relays(.untrusted).isEmpty && relays.unparsed == 0 ? 1 : 0
        },
        "check_relays_unparseable": { facts, _ in facts.relays.unparsed > 0 ? 1 : 0 },
        "check_for_numeric_helo": { facts, _ in
            guard let first = facts.relays.relays(.untrusted).first(where: { isIPv4($0.helo) }) else { return 0 }
            var relay = Relay()
            relay.address = first.helo
            return relay.isPrivate ? 0 : 1
        },
        "helo_ip_mismatch": { facts, _ in
            facts.relays.relays(.untrusted).contains { relay in
                guard isIPv4(relay.helo), isIPv4(relay.address), !relay.isPrivate else { return false }
                var named = Relay()
                named.address = relay.helo
                let network = relay.helo.split(separator: ".").prefix(3).joined(separator: ".") + "."
                return !named.isPrivate && !relay.address.hasPrefix(network)
            } ? 1 : 0
        },
        "check_for_from_domain_in_received_headers": { facts, arguments in
            guard arguments.count > 1, facts.address("From").asciiLowercased.contains(arguments[0].asciiLowercased)
            else { return 0 }
            let domain = arguments[0].asciiLowercased
            let isThere = facts.relays.all.contains {
                $0.reverseName.asciiLowercased.hasSuffix(domain) && $0.by.asciiLowercased.hasSuffix(domain)
            }
            return isThere == (arguments[1] == "true") ? 1 : 0
        },
        // SpamAssassin has it for old rules, and it never hits there either.
        "check_for_illegal_ip": { _, _ in 0 },
        "check_for_sender_no_reverse": { facts, _ in
            guard let last = facts.relays.relays(.untrusted).last else { return 0 }
            return last.reverseName.contains(".") && !last.isPrivate ? 1 : 0
        },
        "check_for_forged_received_trail": { facts, _ in forgedHops(facts) > 1 ? 1 : 0 },
        "check_for_forged_received_ip_helo": { facts, _ in
            facts.relays.relays(.untrusted).contains { relay in
                let (told, seen) = (relay.helo.split(separator: "."), relay.address.split(separator: "."))
                var named = Relay()
                named.address = relay.helo
                return isIPv4(relay.helo) && isIPv4(relay.address) && told.prefix(2) != seen.prefix(2)
                    && !named.isPrivate
            } ? 1 : 0
        },
        "check_for_no_rdns_dotcom_helo": { facts, _ in
            let names = [
                "lycos.com", "lycos.co.uk", "hotmail.com", "localhost.com", "excite.com", "caramail.com", "cs.com",
                "aol.com",
                "msn.com", "yahoo.com", "drizzle.com",
            ]
            guard let relay = facts.relays.relays(.untrusted).last(where: { !$0.isPrivate }) else { return 0 }
            let helo = relay.helo.asciiLowercased
            return relay.lacksName && names.contains { helo == $0 || helo.hasSuffix("." + $0) } ? 1 : 0
        },
        "check_mailfrom_matches_rcvd": { facts, _ in
            let domains = facts.tables.domains
            let sender = domains.registered(domain(facts.relays.envelopeFrom ?? ""))
            guard sender.contains(".") else { return 0 }
            let relays = facts.relays.relays(.untrusted).first.map { [$0] } ?? facts.relays.relays(.trusted)
            return relays.contains { domains.registered($0.reverseName.asciiLowercased) == sender } ? 1 : 0
        },
    ]

    static func isIPv4(_ text: String) -> Bool {
        text.contains(".") && IPAddress(text) != nil
    }

    /// Relays that say they took the message from a host of another domain than the one that says it sent it there.
    private static func forgedHops(_ facts: MessageFacts) -> Int {
        let relays = facts.relays.relays(.untrusted)
        func domain(_ name: String) -> String {
            name.asciiLowercased.split(separator: ".").suffix(2).joined(separator: ".")
        }
        var count = 0
        for index in relays.indices.dropFirst() {
            let by = domain(relays[index].by)
            let previous = relays[index - 1]
            if previous.address == "127.0.0.1", previous.reverseName.hasPrefix("localhost") { continue }
            let from = domain(previous.reverseName)
            guard by.split(separator: ".").count > 1, from.split(separator: ".").count > 1 else { continue }
            if by != from { count += 1 }
        }
        return count
    }
}
