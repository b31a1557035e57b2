import Bytes

/// Tests of senders that claim a large mail service.
extension EvalTests {
    static let senderTests: [String: Test] = [
        "gated_through_received_hdr_remover": { facts, _ in isGated(facts) ? 1 : 0 },
        "check_for_no_hotmail_received_headers": { facts, _ in
            !isGated(facts) && hotmail(facts) == .unproved
                && facts.address("From").asciiLowercased.hasSuffix("hotmail.com") ? 1 : 0
        },
        "check_for_forged_hotmail_received_headers": { facts, _ in !isGated(facts) && hotmail(facts) == .claimed ? 1 : 0
        },
        "check_for_forged_yahoo_received_headers": { facts, _ in
            let from = facts.address("From")
            guard facts.matches("\\byahoo\\.com$", from, caseless: true), !isGated(facts) else { return 0 }
            let received = facts.receivedText
            if facts.relays.relays(.trusted).contains(where: { $0.reverseName.hasSuffix(".yahoo.com") })
                || facts.relays.relays(.untrusted).first?.reverseName.hasSuffix(".yahoo.com") == true
            {
                return 0
            }
            let proofs = [
                "by web\\S+\\.mail\\S*\\.yahoo\\.com via HTTP",
                "by sonic\\S+\\.consmr\\.mail\\S*\\.yahoo\\.com with HTTP",
                "by smtp\\S+\\.yahoo\\.com with SMTP",
                "from \\[[0-9.]+\\] by \\S+\\.(?:groups|scd|dcn)\\.yahoo\\.com with NNFMP",
                "by \\w+\\.\\w+\\.yahoo\\.com \\(\\d+\\.\\d+\\.\\d+/\\d+\\.\\d+\\.\\d+\\)(?: with ESMTP)? id \\w+",
            ]
            return proofs.contains { facts.matches($0, received) } ? 0 : 1
        },
        "check_for_forged_eudoramail_received_headers": { facts, _ in
            guard isFrom(facts, "eudoramail\\.com"), !isGated(facts) else { return 0 }
            let isProved =
                facts.receivedText.contains("whowhere.com;") && facts.matches(address, facts.text("X-Sender-Ip"))
            return isProved ? 0 : 1
        },
        "check_for_forged_juno_received_headers": { facts, _ in
            guard isFrom(facts, "juno\\.com"), !isGated(facts) else { return 0 }
            return isFromJuno(facts) ? 0 : 1
        },
        "check_for_forged_gmail_received_headers": { facts, _ in
            guard isFrom(facts, "gmail\\.com") else { return 0 }
            let received = facts.text("X-Received")
            let proofs = ["by 10\\.\\S+ with SMTP id \\S+", "by 2002:a\\d\\d:\\w+:\\S+ with SMTP id \\S+"]
            let isProved =
                proofs.contains { facts.matches($0, received) }
                || facts.matches("by smtp\\.googlemail\\.com with ESMTPSA id \\S+", facts.text("Received"))
                || ["X-Gm-Message-State", "X-Google-Smtp-Source"].allSatisfy { facts.text($0).utf8.count >= 59 }
            return isProved ? 0 : 1
        },
        "check_for_forged_gw05_received_headers": { facts, _ in
            let form =
                "\\nfrom\\s\\S+\\sby\\s[^\\s.]+\\swith\\sESMTP;\\s+\\S\\S\\S,\\s+\\d+\\s+\\S\\S\\S\\s+\\d{4}\\s+\\d\\d:\\d\\d:\\d\\d\\s+[-+]*\\d{4}$"
            return facts.matches(form, facts.text("Received")) ? 1 : 0
        },
        "check_for_msn_groups_headers": { facts, _ in isFromMSNGroup(facts) ? 1 : 0 },
        "check_for_unique_subject_id": { _, _ in 0 },
        "check_messageid_not_usable": { facts, _ in
            let leaves = "<mailto:(?:leave-\\S+|\\S+-unsubscribe)@\\S+>$"
            let received = facts.text("Received")
            return facts.matches(leaves, facts.text("List-Unsubscribe"), caseless: true) || isGated(facts)
                || received.contains("/CWT/DCE)") || received.contains("iPlanet Messaging Server") ? 1 : 0
        },
        "check_for_fake_aol_relay_in_rcvd": { facts, _ in
            let received = facts.receivedText
            guard facts.matches(" rly-[a-z][a-z]\\d\\d\\.", received, caseless: true) else { return 0 }
            let proofs = ["/AOL-\\d+\\.\\d+\\.\\d+\\)", "ESMTP id (?:RELAY|MAILRELAY|MAILIN)"]
            return proofs.contains { facts.matches($0, received) } ? 0 : 1
        },
    ]

    /// The message came through a list or group that takes Received fields out.
    private static func isGated(_ facts: MessageFacts) -> Bool {
        let received = facts.text("Received")
        if received.isEmpty { return true }
        if facts.matches("^contact \\S+@\\S+; run by ezmlm$", facts.text("Mailing-List")),
            facts.matches("^mailing list \\S+@\\S+", facts.text("Delivered-To")),
            facts.matches("qmail \\d+ invoked (?:from network|by .{3,20})\\); \\d+ ... \\d+", received)
        {
            return true
        }
        return facts.matches("from groups\\.msn\\.com \\(\\S+\\.msn\\.com ", received)
    }

    private static let address = "\\b\\d{1,3}(?:\\.\\d{1,3}){3}\\b|[0-9a-fA-F]{0,4}:[0-9a-fA-F:]+"

    /// Whether From ends with a domain, written as an expression.
    private static func isFrom(_ facts: MessageFacts, _ domain: String) -> Bool {
        facts.matches("\\b\(domain)$", facts.address("From"), caseless: true)
    }

    private static func isFromJuno(_ facts: MessageFacts) -> Bool {
        let (origin, mailer, received) = (
            facts.text("X-Originating-IP"), facts.text("X-Mailer"), facts.text("Received")
        )
        if !origin.isEmpty {
            let proofs = [
                "from.*\\b(?:juno|untd)\\.com.*[\\[(](?:\(address))[\\])].*by", " cookie\\.(?:juno|untd)\\.com ",
            ]
            return proofs.contains { facts.matches($0, received) } && mailer.contains("Juno ")
        }
        // Older mail of it tells its origin.
        return false
    }

    private static func isFromMSNGroup(_ facts: MessageFacts) -> Bool {
        let to = facts.text("To").asciiLowercased
        guard let end = to.utf8.firstRange(of: Array("@groups.msn.com>".utf8)),
            let start = to[..<end.lowerBound].lastIndex(of: "<"),
            facts.matches("from mail pickup service by p\\d\\d\\.groups\\.msn\\.com\\b", facts.text("Received"))
        else { return false }
        let list = to[to.index(after: start)..<end.lowerBound]
        let id = facts.text("Message-Id").asciiLowercased
        if list == "notifications" { return facts.matches("^<\\S+@p\\d\\d\\.groups\\.msn\\.com>", id) }
        let sender = facts.address("EnvelopeFrom").asciiLowercased
        return id.hasPrefix("<\(list)-") && id.contains("@groups.msn.com>")
            && sender.contains("\(list)-bounce@groups.msn.com")
    }

    private enum Hotmail { case proved, claimed, unproved }

    /// Whether Received fields prove Hotmail, only claim it, or do neither.
    private static func hotmail(_ facts: MessageFacts) -> Hotmail {
        let received = facts.receivedText
        if received.contains("from mail pickup service by hotmail.com with Microsoft SMTPSVC;") { return .proved }
        if facts.matches("[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+", facts.text("X-Originating-Ip")) {
            let proofs = [
                "from (?:\\S*\\.)?hotmail.com \\(\\S+\\.hotmail(?:\\.msn)?\\.com[ )]",
                "from \\S*\\.hotmail.com \\(\\[[0-9.]+\\][ ):]",
                "from \\S+ by \\S+\\.hotmail(?:\\.msn)?\\.com with HTTP;",
                "from \\[66\\.218.\\S+\\] by \\S+\\.yahoo\\.com",
            ]
            if proofs.contains(where: { facts.matches($0, received) }) { return .proved }
        }
        return facts.matches("(?:from |HELO |helo=)\\S*hotmail\\.com\\b", received) ? .claimed : .unproved
    }
}
