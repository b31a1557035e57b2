import Bytes

/// Tests of lists that people keep: addresses of senders and recipients, relays, hosts of links, subjects.
extension EvalTests {
    static let listTests: [String: Test] = {
        var tests: [String: Test] = [
            "check_from_in_list": { facts, arguments in sender(facts, in: arguments.first ?? "") },
            "check_to_in_list": { facts, arguments in recipient(facts, in: arguments.first ?? "") },
            "check_replyto_in_list": { facts, arguments in
                listed(facts, [facts.address("Reply-To")].filter { !$0.isEmpty }, arguments.first ?? "")
            },
            "check_to_in_more_spam": { facts, _ in recipient(facts, in: "more_spam_to") },
            "check_to_in_all_spam": { facts, _ in recipient(facts, in: "all_spam_to") },
            "check_uri_host_listed": { facts, arguments in host(facts, in: arguments.first ?? "") },
        ]
        for (welcome, block) in [("welcomelist", "blocklist"), ("whitelist", "blacklist")] {
            tests["check_from_in_\(block)"] = { facts, _ in sender(facts, in: "blocklist_from") }
            tests["check_to_in_\(block)"] = { facts, _ in recipient(facts, in: "blocklist_to") }
            tests["check_to_in_\(welcome)"] = { facts, _ in recipient(facts, in: "welcomelist_to") }
            tests["check_from_in_\(welcome)"] = { facts, _ in
                let isListed = sender(facts, in: "welcomelist_from") == 1
                return isListed || relayed(facts, "welcomelist_from_rcvd") == .proved ? 1 : 0
            }
            tests["check_from_in_default_\(welcome)"] = { facts, _ in
                relayed(facts, "def_welcomelist_from_rcvd") == .proved ? 1 : 0
            }
            tests["check_forged_in_\(welcome)"] = { facts, _ in
                sender(facts, in: "welcomelist_from") == 0 && relayed(facts, "welcomelist_from_rcvd") == .forged
                    && relayed(facts, "def_welcomelist_from_rcvd") == .unlisted ? 1 : 0
            }
            tests["check_forged_in_default_\(welcome)"] = { facts, _ in
                relayed(facts, "def_welcomelist_from_rcvd") == .forged && sender(facts, in: "welcomelist_from") == 0
                    && relayed(facts, "welcomelist_from_rcvd") == .unlisted ? 1 : 0
            }
            tests["check_uri_host_in_\(welcome)"] = { facts, _ in host(facts, in: "WELCOME") }
            tests["check_uri_host_in_\(block)"] = { facts, _ in host(facts, in: "BLOCK") }
            tests["check_subject_in_\(welcome)"] = { facts, _ in subject(facts, in: "welcomelist_subject") }
            tests["check_subject_in_\(block)"] = { facts, _ in subject(facts, in: "blocklist_subject") }
        }
        return tests
    }()

    private static func listed(_ facts: MessageFacts, _ addresses: [String], _ list: String) -> Int {
        let patterns = facts.tables.addresses(of: list)
        guard !patterns.isEmpty, let found = addresses.first(where: patterns.contains) else { return 0 }
        facts.reason = "\(found) is in \(list)"
        return 1
    }

    private static func sender(_ facts: MessageFacts, in list: String) -> Int { listed(facts, facts.senders, list) }

    private static func recipient(_ facts: MessageFacts, in list: String) -> Int {
        listed(facts, facts.recipients, list)
    }

    private enum Relayed { case unlisted, proved, forged }

    /// Whether a list of senders and their relays has one of the senders, and whether it came through that relay.
    private static func relayed(_ facts: MessageFacts, _ list: String) -> Relayed {
        let patterns = facts.tables.addresses(of: list)
        // Trusted relays count when there are no others; else anybody could hide behind them.
        let untrusted = facts.relays.relays(.untrusted).prefix(1)
        let relays = untrusted.isEmpty ? facts.relays.relays(.trusted)[...] : untrusted
        guard !patterns.isEmpty, !relays.isEmpty else { return .unlisted }
        var isForged = false
        for sender in facts.senders {
            for beside in patterns.matches(sender) {
                guard let wanted = beside.first else { continue }
                if relays.contains(where: { isRelay($0, wanted) }) {
                    facts.reason = "\(sender) through \(wanted)"
                    return .proved
                }
                isForged = isForged || !facts.tables.addresses(of: "welcomelist_allows_relays").contains(sender)
            }
        }
        return isForged ? .forged : .unlisted
    }

    /// `[192.0.2.0/24]`, `[192.0.2.1]`, or the end of a reverse name.
    private static func isRelay(_ relay: Relay, _ wanted: String) -> Bool {
        if wanted.hasPrefix("["), let close = wanted.firstIndex(of: "]") {
            var block = String(wanted[..<close].dropFirst()) + wanted[wanted.index(after: close)...]
            let parts = block.split(separator: ".")
            if parts.count < 4, !block.contains(":"), !block.contains("/"), !block.hasSuffix(".") { block += "." }
            return AddressBlock(block)?.contains(relay.address) ?? false
        }
        let name = relay.reverseName.asciiLowercased
        let domain = wanted.asciiLowercased
        return name == domain || name.hasSuffix("." + domain)
    }

    /// Whether a list has the host of a link, or a domain above it; the nearest entry decides.
    private static func host(_ facts: MessageFacts, in list: String) -> Int {
        let hosts = facts.tables.hosts(of: list)
        guard !hosts.isEmpty else { return 0 }
        for host in facts.uriHosts {
            var name = host[...]
            while true {
                if let isIn = hosts[String(name)] {
                    guard isIn else { break }
                    facts.reason = "\(host) is in \(list)"
                    return 1
                }
                guard let dot = name.firstIndex(of: "."), !isIPv4(host) else { break }
                name = name[name.index(after: dot)...]
            }
        }
        return 0
    }

    private static func subject(_ facts: MessageFacts, in list: String) -> Int {
        let subject = Array(facts.text("Subject").asciiLowercased.utf8)
        for pattern in facts.settings.texts(list) where !pattern.isEmpty {
            let anywhere = [ASCII.asterisk] + pattern.map(\.asciiLowercased) + [ASCII.asterisk]
            if AddressPatterns.matches(anywhere, subject) { return 1 }
        }
        return 0
    }
}

extension MessageFacts {
    private func addresses(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.flatMap { text($0 + ":addr").split(separator: "\n").map(String.init) }.filter {
            seen.insert($0.asciiLowercased).inserted
        }
    }

    /// Who may have sent the message: whoever sent it again, else From and the envelope.
    var senders: [String] {
        let resent = addresses(["Resent-From"])
        if !resent.isEmpty { return resent }
        return addresses(["From", "Envelope-Sender", "Resent-Sender", "X-Envelope-From", "EnvelopeFrom"])
    }

    /// Whom it is for, as far as the header tells.
    var recipients: [String] {
        let resent = addresses(["Resent-To", "Resent-Cc"])
        if !resent.isEmpty { return resent }
        return addresses([
            "To", "Apparently-To", "Delivered-To", "Envelope-Recipients", "Apparently-Resent-To", "X-Envelope-To",
            "Envelope-To", "X-Delivered-To", "X-Original-To", "X-Rcpt-To", "X-Real-To", "Cc",
        ])
    }
}
