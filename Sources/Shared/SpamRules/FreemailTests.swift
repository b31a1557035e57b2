import Bytes

/// Tests of addresses at services that give mailboxes to anyone.
extension EvalTests {
    static let freemailTests: [String: Test] = [
        "check_freemail_from": { facts, arguments in
            let names = [
                "From:addr", "Envelope-Sender:addr", "Resent-Sender:addr", "X-Envelope-From:addr", "EnvelopeFrom:addr",
            ]
            let senders = Set(names.flatMap { addresses(facts, $0) })
            return senders.contains { isFreemail($0, facts) && fits($0, arguments.first, facts) } ? 1 : 0
        },
        "check_freemail_header": { facts, arguments in
            guard let header = arguments.first else { return 0 }
            let pattern = arguments.count > 1 ? arguments[1] : nil
            return addresses(facts, header + ":addr").contains { isFreemail($0, facts) && fits($0, pattern, facts) }
                ? 1 : 0
        },
        "check_freemail_body": { facts, arguments in
            bodyFreemails(facts).contains { fits($0, arguments.first, facts) } ? 1 : 0
        },
        "check_freemail_replyto": { facts, arguments in
            // Lists and robots answer for others.
            if facts.settings.isOn("freemail_skip_bulk_envfrom", default: true), isBulk(facts) { return 0 }
            let from = addresses(facts, "From:addr")
            let reply = addresses(facts, "Reply-To:addr")
            let isFrom = from.contains { isFreemail($0, facts) }
            let isReply = reply.contains { isFreemail($0, facts) }
            if isFrom, isReply, Set(from).isDisjoint(with: reply) { return 1 }
            if arguments.first == "reply" {
                guard reply.isEmpty || isReply, isFrom else { return 0 }
            } else if !isReply {
                return 0
            }
            let answered = arguments.first == "reply" && !isReply ? from : reply
            return bodyFreemails(facts).contains { body in answered.contains { $0 != body } } ? 1 : 0
        },
    ]

    private static func addresses(_ facts: MessageFacts, _ subject: String) -> [String] {
        facts.text(subject).asciiLowercased.split(separator: "\n").map(String.init)
    }

    /// Addresses at such services that the body names; none when it names many addresses.
    private static func bodyFreemails(_ facts: MessageFacts) -> [String] {
        let settings = facts.settings
        let all = facts.bodyAddresses
        let freemails = all.filter { isFreemail($0, facts) }
        let isOver =
            Double(all.count) >= settings.number("freemail_max_body_emails") ?? 5
            || Double(freemails.count) >= settings.number("freemail_max_body_freemails") ?? 3
        return isOver && settings.isOn("freemail_skip_when_over_max", default: true) ? [] : freemails.sorted()
    }

    private static func isBulk(_ facts: MessageFacts) -> Bool {
        facts.matches(
            "(?:^(?:post|host|domain)master|^double-bounce|^(?:sentto|owner|return|(?:gr)?bounced?)-.+|-(?:request|bounces?|admin|owner)|\\b(?:do[._-t]?)?no[._-t]?repl(?:y|ies)|.+=.+)@",
            facts.relays.envelopeFrom ?? "", caseless: true)
    }

    private static func fits(_ address: String, _ pattern: String?, _ facts: MessageFacts) -> Bool {
        guard let pattern else { return true }
        return facts.matches(pattern, address)
    }

    private static func isFreemail(_ address: String, _ facts: MessageFacts) -> Bool {
        let domain = domain(address)
        guard !domain.isEmpty else { return false }
        // Mail of the service itself, not of one who has a mailbox there.
        if facts.isRole(address) { return false }
        let exempt = facts.settings.words("freemail_welcomelist")
        if exempt.contains(where: { $0.equalsIgnoringCase(address) || $0.equalsIgnoringCase(domain) }) { return false }
        for (option, list) in [
            ("freemail_import_welcomelist_auth", "welcomelist_auth"),
            ("freemail_import_def_welcomelist_auth", "def_welcomelist_auth"),
        ] where facts.settings.isOn(option, default: false) && facts.tables.addresses(of: list).contains(address) {
            return false
        }
        return facts.tables.freemail.contains(domain)
    }
}

extension MessageFacts {
    /// An address of a role or of a machine, which says nothing of a person.
    func isRole(_ address: String) -> Bool {
        let digits = "[0-9a-f]{4}"
        return matches(
            "^(?:abuse|support|sales|info|helpdesk|contact|kontakt|(?:post|host|domain)master|undisclosed.*"
                + "|request-[0-9a-f]{16}|bounced?-|[0-9a-f]{8}(?:\\.[0-9a-f]{8}|(?:-\(digits)){3}-[0-9a-f]{12})"
                + "|.+=.+=.+)@", address, caseless: true)
    }
}

/// The domains that `freemail_domains` lists, some of them with wildcards.
struct FreemailDomains: Sendable {
    let names: WordTable
    /// The parts of a pattern between its `*`.
    private let patterns: [[String]]

    init(_ settings: RuleSettings) {
        let all = settings.words("freemail_domains").map(\.asciiLowercased)
        self.init(settings, names: WordTable(all.filter { !$0.contains("*") && !$0.contains("?") }))
    }

    /// With the names without wildcards as they were made ready before.
    init(_ settings: RuleSettings, names: WordTable) {
        self.names = names
        let lines = settings.texts("freemail_domains").filter { $0.contains(ASCII.asterisk) }
        let words = lines.flatMap { $0.split(whereSeparator: \.isMailWhitespace) }.filter {
            $0.contains(ASCII.asterisk)
        }
        patterns = words.map { word in
            word.map(\.asciiLowercased).split(separator: ASCII.asterisk, omittingEmptySubsequences: false).map(\.text)
        }
    }

    func contains(_ domain: String) -> Bool {
        names.contains(domain) || patterns.contains { FreemailDomains.matches(domain, $0) }
    }

    /// `*` stands for a part of a label: no dot is in it.
    private static func matches(_ domain: String, _ parts: [String]) -> Bool {
        guard let first = parts.first, let last = parts.last, parts.count > 1, domain.hasPrefix(first),
            domain.hasSuffix(last),
            domain.utf8.count >= first.utf8.count + last.utf8.count
        else { return false }
        let middle = domain.dropFirst(first.count).dropLast(last.count)
        return parts.count == 2 && !middle.contains(".") || parts.count > 2
    }
}
