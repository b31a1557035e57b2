import Bytes
import TestSupport
import Testing

@testable import SpamRules

@Suite("Lists of senders, recipients, relays and hosts")
struct ListTests {
    static let message = """
        Received: from mail.shop.example (out.shop.example [192.0.2.10]) by mx.example.net (Postfix) with ESMTP id 4A5B; Sat, 21 Aug 2004 12:27:43 +0200
        Received: from pc (pc.home.example [198.51.100.7]) by mail.shop.example (Postfix) with ESMTP id 4A5C; Sat, 21 Aug 2004 12:27:40 +0200
        From: "Shop" <News@Shop.Example>
        Reply-To: answers@other.example
        To: me@example.net, List <list@example.org>
        Subject: [Bug 12] offers
        Message-ID: <1@shop.example>

        See http://www.bad.example.com/x and http://good.bad.example.com/ today.

        """

    static let cases: [(String, Bool)] = [
        ("welcomelist_from news@shop.example\nheader X eval:check_from_in_welcomelist()", true),
        ("whitelist_from *@shop.example\nheader X eval:check_from_in_whitelist()", true),
        ("welcomelist_from n?ws@*.example\nheader X eval:check_from_in_welcomelist()", true),
        ("welcomelist_from shop.example\nheader X eval:check_from_in_welcomelist()", false),
        (
            "welcomelist_from a@b.example news@shop.example\nunwelcomelist_from news@shop.example\nheader X eval:check_from_in_welcomelist()",
            false
        ),
        (
            "welcomelist_from a@b.example news@shop.example\nunwhitelist_from a@b.example\nheader X eval:check_from_in_welcomelist()",
            true
        ),
        ("blacklist_from *@shop.example\nheader X eval:check_from_in_blocklist()", true),
        (
            "blocklist_from *@shop.example\nunblocklist_from *@shop.example\nheader X eval:check_from_in_blacklist()",
            false
        ),
        ("blocklist_to list@example.org\nheader X eval:check_to_in_blocklist()", true),
        ("welcomelist_to *@example.net\nheader X eval:check_to_in_welcomelist()", true),
        ("more_spam_to me@example.net\nheader X eval:check_to_in_more_spam()", true),
        ("all_spam_to you@example.net\nheader X eval:check_to_in_all_spam()", false),
        ("welcomelist_from_rcvd *@shop.example shop.example\nheader X eval:check_from_in_welcomelist()", true),
        ("welcomelist_from_rcvd *@shop.example home.example\nheader X eval:check_from_in_welcomelist()", false),
        ("welcomelist_from_rcvd *@shop.example home.example\nheader X eval:check_forged_in_welcomelist()", true),
        ("welcomelist_from_rcvd *@shop.example [192.0.2.0/24]\nheader X eval:check_from_in_welcomelist()", true),
        ("welcomelist_from_rcvd *@shop.example [192.0.2]\nheader X eval:check_from_in_welcomelist()", true),
        ("welcomelist_from_rcvd *@shop.example [192.0.2.11]\nheader X eval:check_from_in_welcomelist()", false),
        (
            "welcomelist_from_rcvd *@shop.example home.example\nwelcomelist_allows_relays *@shop.example\nheader X eval:check_forged_in_welcomelist()",
            false
        ),
        (
            "welcomelist_from_rcvd *@shop.example shop.example\nunwelcomelist_from_rcvd *@shop.example\nheader X eval:check_from_in_welcomelist()",
            false
        ),
        (
            "def_welcomelist_from_rcvd *@shop.example shop.example\nheader X eval:check_from_in_default_welcomelist()",
            true
        ),
        (
            "def_whitelist_from_rcvd *@shop.example home.example\nheader X eval:check_forged_in_default_welcomelist()",
            true
        ),
        ("enlist_addrlist (MINE) *@shop.example\nheader X eval:check_from_in_list('MINE')", true),
        ("enlist_addrlist (MINE) *@other.example\nheader X eval:check_replyto_in_list('MINE')", true),
        ("enlist_addrlist (MINE) *@other.example\nheader X eval:check_from_in_list('MINE')", false),
        ("welcomelist_subject [Bug *]\nheader X eval:check_subject_in_welcomelist()", true),
        ("blocklist_subject nothing\nheader X eval:check_subject_in_blocklist()", false),
        ("blocklist_uri_host bad.example.com\nbody X eval:check_uri_host_in_blocklist()", true),
        (
            "enlist_uri_host (L) example.com !www.bad.example.com !good.bad.example.com\nbody X eval:check_uri_host_listed('L')",
            false
        ),
        ("enlist_uri_host (L) example.com !good.bad.example.com\nbody X eval:check_uri_host_listed('L')", true),
        (
            "enlist_uri_host (L) bad.example.com\ndelist_uri_host (L) bad.example.com\nbody X eval:check_uri_host_listed('L')",
            false
        ),
        (
            "trusted_networks 192.0.2.0/24\ninternal_networks 10/8\nheader X X-Spam-Relays-External =~ /^\\[ ip=192\\.0\\.2\\.10 /",
            true
        ),
        ("trusted_networks 192.0.2.0/24\nheader X X-Spam-Relays-Untrusted =~ /^\\[ ip=198\\.51\\.100\\.7 /", true),
        (
            "trusted_networks !192.0.2.10 192.0.2.0/24\nheader X X-Spam-Relays-Untrusted =~ /^\\[ ip=192\\.0\\.2\\.10 /",
            true
        ),
        ("trusted_networks 192.0.2/24\nmsa_networks 192.0.2.10\nheader X eval:check_all_trusted()", true),
    ]

    @Test("each directive lists what it says, whole addresses in any case", arguments: cases)
    func lists(_ rules: String, _ hits: Bool) throws {
        #expect(try ScoringTests.hits("util_rb_tld example com\n\(rules)\n", Self.message).contains("X") == hits)
    }

    @Test("patterns of addresses take time in proportion to both lengths", .timeLimit(.minutes(1)))
    func patterns() {
        let pattern = Array(String(repeating: "*a", count: 2_000).utf8) + Array("b".utf8)
        let text = Array(String(repeating: "a", count: 20_000).utf8)
        #expect(!AddressPatterns.matches(pattern, text))
        #expect(AddressPatterns.matches(Array("*".utf8), []) && !AddressPatterns.matches(Array("?".utf8), []))
    }
}
