import Bytes

/// Tests of what SPF, DKIM, ARC and DMARC say of the sender, and of lists that go by it.
extension EvalTests {
    static let authenticationTests: [String: Test] = {
        var tests: [String: Test] = [
            "check_dkim_signed": { facts, _ in facts.network.sender?.signatures.isEmpty == false ? 1 : 0 },
            "check_dkim_valid": { facts, arguments in signature(facts) { isOne($0, of: arguments) } },
            "check_dkim_valid_author_sig": { facts, arguments in
                let author = domain(facts.address("From"))
                return signature(facts) { $0 == author && isOne($0, of: arguments) }
            },
            "check_dkim_valid_envelopefrom": { facts, arguments in
                let sender = domain(facts.relays.envelopeFrom ?? "")
                return signature(facts) { $0 == sender && isOne($0, of: arguments) }
            },
            "check_dkim_dependable": { facts, _ in facts.network.sender == nil ? 0 : 1 },
            "check_dkim_verified": { facts, arguments in signature(facts) { isOne($0, of: arguments) } },
            "check_dkim_signall": { facts, _ in signingPractice(facts, ["A"]) },
            // What signs some of its mail says nothing of mail without a signature.
            "check_dkim_signsome": { _, _ in 0 },
            "check_spf_skipped_noenvfrom": { facts, _ in facts.relays.envelopeFrom == nil ? 1 : 0 },
            "check_dkim_testing": { facts, _ in
                facts.network.sender?.signatures.contains { $0.isValid && $0.isTesting } == true ? 1 : 0
            },
            "check_dkim_adsp": { facts, arguments in signingPractice(facts, arguments) },
            "check_arc_signed": { facts, _ in facts.network.sender?.arc.map { $0.word != "none" } == true ? 1 : 0 },
            "check_arc_valid": { facts, _ in facts.network.sender?.arc?.word == "pass" ? 1 : 0 },
            "check_dmarc_pass": { facts, _ in policy(facts) { $0.word == "pass" } },
            "check_dmarc_reject": { facts, _ in policy(facts) { $0.word == "fail" && $0.policy == "reject" } },
            "check_dmarc_quarantine": { facts, _ in policy(facts) { $0.word == "fail" && $0.policy == "quarantine" } },
            "check_dmarc_none": { facts, _ in policy(facts) { $0.word == "fail" && $0.policy == "none" } },
            "check_dmarc_missing": { facts, _ in policy(facts) { $0.policy == nil && $0.word == "none" } },
        ]
        for word in ["pass", "neutral", "none", "fail", "softfail", "permerror", "temperror"] {
            tests["check_for_spf_\(word)"] = { facts, _ in hit(facts, facts.network.sender?.spf, word) }
            tests["check_for_spf_helo_\(word)"] = { facts, _ in hit(facts, facts.network.sender?.helo, word) }
        }
        for (prefix, lists) in [("", "welcomelist"), ("def_", "def_welcomelist")] {
            for word in ["welcomelist", "whitelist"] {
                tests["check_for_\(prefix)spf_\(word)_from"] = { facts, _ in spfList(facts, lists) }
                tests["check_for_\(prefix)dkim_\(word)_from"] = { facts, _ in dkimList(facts, lists) }
            }
        }
        return tests
    }()

    private static func hit(_ facts: MessageFacts, _ result: SenderFindings.Result?, _ word: String) -> Int {
        guard let result, result.word == word else { return 0 }
        facts.reason = result.reason
        return 1
    }

    private static func policy(_ facts: MessageFacts, _ isWanted: (SenderFindings.Policy) -> Bool) -> Int {
        guard let policy = facts.network.sender?.dmarc, isWanted(policy) else { return 0 }
        facts.reason = policy.reason
        return 1
    }

    /// Whether a valid signature is of a domain that is wanted.
    private static func signature(_ facts: MessageFacts, _ isWanted: (String) -> Bool) -> Int {
        guard let found = facts.network.sender?.signatures.first(where: { $0.isValid && isWanted($0.domain) }) else {
            return 0
        }
        facts.reason = found.reason
        return 1
    }

    /// Any domain when none is listed; those listed and what is below them else.
    private static func isOne(_ domain: String, of listed: [String]) -> Bool {
        listed.isEmpty || listed.contains { domain == $0.asciiLowercased || domain.hasSuffix("." + $0.asciiLowercased) }
    }

    private static func spfList(_ facts: MessageFacts, _ list: String) -> Int {
        guard let sender = facts.relays.envelopeFrom, facts.network.sender?.spf?.word == "pass" else { return 0 }
        let isListed = ["\(list)_from_spf", "\(list)_auth"].contains { facts.tables.addresses(of: $0).contains(sender) }
        guard isListed else { return 0 }
        facts.reason = "\(sender), SPF passes"
        return 1
    }

    /// An author that a list names, with a valid signature of the author's domain or of the one that the list names.
    private static func dkimList(_ facts: MessageFacts, _ list: String) -> Int {
        let author = facts.address("From")
        let valid = facts.network.sender?.signatures.filter(\.isValid).map(\.domain) ?? []
        guard !author.isEmpty, !valid.isEmpty else { return 0 }
        let signers =
            facts.tables.addresses(of: "\(list)_from_dkim").matches(author)
            + facts.tables.addresses(of: "\(list)_auth").matches(author)
        for beside in signers {
            let wanted = beside.first?.asciiLowercased ?? domain(author)
            if valid.contains(where: { $0 == wanted || (beside.isEmpty && wanted.hasSuffix("." + $0)) }) {
                facts.reason = "\(author), signed by \(wanted)"
                return 1
            }
        }
        return 0
    }

    /// What `adsp_override` says of authors without a valid signature of their domain.
    private static func signingPractice(_ facts: MessageFacts, _ arguments: [String]) -> Int {
        let author = domain(facts.address("From"))
        guard let wanted = arguments.first, let sender = facts.network.sender, author.contains("."),
            !sender.signatures.contains(where: { $0.isValid && $0.domain == author })
        else { return 0 }
        if wanted == "N" {
            let answers = authorQuestions(facts).map { facts.network.answers[$0] }
            return !answers.isEmpty && answers.allSatisfy { $0?.isEmpty == true } ? 1 : 0
        }
        let practices = ["D": "discardable", "A": "all", "1": "custom_low", "2": "custom_med", "3": "custom_high"]
        for line in facts.settings.lines("adsp_override").reversed() {
            guard let pattern = line.first?.asciiLowercased,
                AddressPatterns.matches(Array(pattern.utf8), Array(author.utf8))
            else { continue }
            return (line.count > 1 ? line[1].asciiLowercased : "discardable") == practices[wanted] ? 1 : 0
        }
        return 0
    }
}
