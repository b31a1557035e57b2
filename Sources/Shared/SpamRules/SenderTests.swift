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
