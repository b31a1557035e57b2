import TestSupport
import Testing

@testable import SpamRules

@Suite("The rule language")
struct FeatureTests {
    /// 3 pixels wide, 2 high.
    static let png = "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAADElEQVR4nGNgQAUAAB8AAcB7wi0AAAAASUVORK5CYII="

    static let message = """
        Return-Path: <bounce@list.example>
        Received: from evil.example (host.example.org [192.0.2.7]) by mx.example.net (Postfix) with SMTP id 4A1B2C for <b@example.net>; Sat, 21 Aug 2004 12:27:43 +0200
        Received: from [10.1.2.3] (client.freemail.example [203.0.113.5]) by host.example.org (Postfix) with ESMTP id 999; Sat, 21 Aug 2004 12:27:40 +0200
        From: "A B" <a@freemail.example>
        Reply-To: <r@mail.example.com>
        To: b@example.net
        Cc: C D <c@example.net>
        Subject: =?koi8-r?Q?Buy_now?= b
        Date: Sat, 21 Aug 2004 12:27:41 +0200
        Message-ID: <id1@x>
        X-Multi: one
        X-Multi: two
        X-Multi: three
        X-IP: [203.0.113.9]
        MIME-Version: 1.0
        Content-Type: multipart/mixed; boundary="M"

        --M
        Content-Type: multipart/alternative; boundary="A"

        --A
        Content-Type: text/plain; charset=utf-8

        Dear friend, an offer
        that goes on for 12345.
        Second line of text

        see http://redir.example.org/go?u=http://target.example.com/landing
        and http://hop.example.org/x/http://last.example.com/y
        Symbol: ABCD
        Current price: 5
        -- 
        a signature line
        --A
        Content-Type: text/html; charset=utf-8

        <html><head><title>Offer</title></head><body>Words <a href="http://www.spam.example.com:80/%61?x">Click https://bank.example.net/ here</a>
        <a href="http://192.0.2.55/x">https://secure.example.net</a><img src="http://img.example.com/a.gif"></body></html>
        --A
        Content-Type: application/octet-stream; name="run.exe"

        x
        --A--
        --M
        Content-Type: image/png; name="pic.png"
        Content-Transfer-Encoding: base64
        Content-Disposition: attachment; filename="pic.png"

        \(png)
        --M
        Content-Type: message/rfc822

        Received: from relay7.example.net (relay7.example.net [192.0.2.9]) by y.example.org with ESMTP;
         Sat, 21 Aug 2004 10:00:00 +0000
        Subject: inner

        inner text
        --M--

        """

    static let cases: [(String, Bool)] = [
        ("header X From:addr:domain =~ /^freemail\\.example$/", true),
        ("header X Reply-To:addr:domain =~ /^example\\.com$/", true),
        ("header X Reply-To:addr:host =~ /^mail\\.example\\.com$/", true),
        ("header X X-IP:ip =~ /^203\\.0\\.113\\.9$/", true), ("header X X-IP:revip =~ /^9\\.113\\.0\\.203$/", true),
        ("header X X-Multi:first =~ /^one$/", true), ("header X X-Multi:last =~ /^three$/", true),
        ("header X ToCc:addr =~ /^c\\@example\\.net$/m", true), ("header X EnvelopeFrom =~ /^bounce\\@list/", true),
        ("header X Received =~ /by/\ntflags X multiple\nmeta Y X == 2", true),
        ("body X /offer that goes on/", true), ("rawbody X /^Second line of text$/m", true),
        ("rawbody X /offer\\nthat/", true), ("rawbody X /Buy now/", false),
        (
            "redirector_pattern m'^http://redir\\.example\\.org/go\\?u=(.*)'\nuri X /^http:\\/\\/target\\.example\\.com\\/landing$/",
            true
        ),
        ("uri X /^http:\\/\\/last\\.example\\.com\\/y$/", true),
        ("uri_detail X text =~ /click/i domain =~ /^example\\.com$/", true),
        ("uri_detail X type =~ /^img$/ raw =~ m{a\\.gif}", true), ("uri_detail X text !~ /./ type =~ /^a$/", false),
        ("uri_detail X host =~ /^www\\.spam/ cleaned =~ /\\/a\\?x$/", true),
        ("mimeheader X X-Part !~ /x/", true), ("mimeheader X Content-Disposition =~ /attachment/", true),
        ("enlist_addrlist (MINE) *@freemail.example\nheader X eval:check_from_in_list('MINE')", true),
        ("body X eval:image_count('all', 1)", true), ("body X eval:image_count('png', 1, 1)", true),
        ("body X eval:image_count('gif', 1)", false), ("body X eval:image_named('pic.png')", true),
        ("body X eval:image_name_regex('^p.c')", true), ("body X eval:image_size_exact('png', 2, 3)", true),
        ("body X eval:image_size_exact('png', 3, 2)", false), ("body X eval:image_size_range('all', 1, 1, 5, 5)", true),
        ("body X eval:image_size_range('all', 3, 1)", false), ("body X eval:pixel_coverage('png', 6, 6)", true),
        ("body X eval:image_to_text_ratio('all', 10, 1000)", true),
        ("body X eval:check_ma_non_text()", true), ("body X eval:check_https_http_mismatch()", true),
        ("body X eval:check_https_http_mismatch(5)", false),
        ("header X eval:check_for_http_redirector()", true),
        ("body X eval:plaintext_sig_length(5, 100)", true), ("body X eval:plaintext_body_length(10, 400)", true),
        ("body X eval:plaintext_body_sig_ratio(100)", false), ("body X eval:check_stock_info(2)", true),
        ("body X eval:check_stock_info(3)", false), ("body X eval:check_blank_line_ratio(0, 50, 1)", true),
        ("body X eval:multipart_alternative_difference(50, 100)", true),
        ("body X eval:multipart_alternative_difference_count(0.1, 1)", true),
        ("body X eval:html_text_not_match('title', 'zzz')", true),
        ("body X eval:check_microsoft_executable()", true), ("body X eval:check_for_mime('mime_attachment')", true),
        ("welcomelist_bounce_relays relay*.example.net\nbody X eval:check_whitelist_bounce_relays()", true),
        ("welcomelist_bounce_relays other.example.net\nbody X eval:check_welcomelist_bounce_relays()", false),
        ("body X eval:have_any_bounce_relays()", false),
        ("ok_locales en\nheader X eval:check_for_faraway_charset_in_headers()", true),
        ("ok_locales ru\nheader X eval:check_for_faraway_charset_in_headers()", false),
        ("header X eval:check_for_faraway_charset_in_headers()", false),
        ("header X eval:received_within_months('6', 'undef')", true),
        ("header X eval:received_within_months('undef', '6')", false),
        ("header X eval:check_for_to_in_subject('user')", false),
        ("header X eval:check_for_from_domain_in_received_headers('freemail.example', 'false')", true),
        ("header X eval:check_spf_skipped_noenvfrom()", false), ("header X eval:check_messageid_not_usable()", false),
    ]

    @Test("forms of headers, links, images, attachments, bounces, charsets", arguments: cases)
    func features(_ rules: String, _ hits: Bool) throws {
        let set = "util_rb_tld example com net org\n\(rules)\n"
        #expect(try ScoringTests.hits(set, Self.message).contains(rules.contains("meta Y") ? "Y" : "X") == hits)
    }

    @Test(
        "sizes of images, whole and cut short",
        arguments: [
            (AttachedImage.Kind.gif, [0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 4, 1, 5, 0], 260, 5),
            (.gif, [0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 4], 0, 0), (.gif, [], 0, 0),
            (
                .png,
                [0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 1, 0, 0, 0, 0, 2],
                256, 2
            ),
            (.jpeg, [0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 0, 0, 0xFF, 0xC0, 0, 11, 8, 0, 6, 0, 7], 7, 6),
            (.jpeg, [0xFF, 0xD8, 0xFF, 0xE0, 0xFF, 0xFF], 0, 0), (.jpeg, [0xFF, 0xD8, 0xFF, 0xC0, 0, 1], 0, 0),
        ] as [(AttachedImage.Kind, [UInt8], Int, Int)])
    func sizes(_ kind: AttachedImage.Kind, _ bytes: [UInt8], _ width: Int, _ height: Int) {
        let image = AttachedImage(kind, bytes, name: nil)
        #expect(image.width == width && image.height == height)
    }

    @Test(
        "dates as tests of dates read them",
        arguments: [
            ("Sat, 21 Aug 2004 12:27:41 +0200", 1_093_084_061), ("Thu, 29 Aug 2002 15:36:58 +-0500", 1_030_635_418),
            ("Wed, 01 May 0102 08:40:01 +0800", 10_370_401), ("Mon Aug 26 14:41:54 2002", 1_030_372_914),
            ("26 Aug 02 14:41:54 EDT", 1_030_387_314), ("31 Feb 2002 00:00:00 GMT", 1_014_940_800),
            ("26 Aug 2002 25:61:61", 1_030_406_399),
        ] as [(String, Int)])
    func dates(_ text: String, _ seconds: Int) { #expect(RoughDate.seconds(text) == seconds) }

    @Test("a text without a day is no date")
    func noDate() { #expect(RoughDate.seconds("tomorrow at 12:00") == nil && RoughDate.seconds("") == nil) }

    @Test("rules that end the scoring: what comes later does not count, and what they say does")
    func shortcircuit() throws {
        let rules = """
            body EARLY /x/
            priority EARLY -300
            body LATE /x/
            body END /x/
            meta DEEP PART && 1
            body PART /x/
            priority DEEP -250

            """
        func verdict(_ lines: String) throws -> [String: Double] {
            var set = RuleSet()
            set.read(Array((rules + lines).utf8), file: "t.cf")
            let hits = try RuleScorer(RulePlan(set)).score(Array("Subject: s\n\nx\n".utf8).span).hits
            return Dictionary(uniqueKeysWithValues: hits.map { ($0.name, $0.points) })
        }
        #expect(try verdict("").keys.sorted() == ["DEEP", "EARLY", "END", "LATE", "PART"])
        let spam = try verdict("shortcircuit END spam\n")
        #expect(spam == ["EARLY": 1, "DEEP": 1, "PART": 1, "END": 1, "SHORTCIRCUIT": 100])
        #expect(try verdict("shortcircuit END ham\nshortcircuit_ham_score -7\n")["SHORTCIRCUIT"] == -7)
        let on = try verdict("shortcircuit END on\n")
        #expect(on["LATE"] == 1 && on["SHORTCIRCUIT"] == 0)
        #expect(try verdict("shortcircuit END spam\nshortcircuit END off\n")["SHORTCIRCUIT"] == nil)
    }

    @Test("rules for what was learned hit by its probability; those of the reference rules give no points")
    func learned() throws {
        func verdict(_ text: String, _ file: String, _ probability: Double?) throws -> RuleVerdict {
            var set = RuleSet()
            set.read([], file: "/ref/10_default_prefs.cf")
            set.read(Array(text.utf8), file: file)
            return try RuleScorer(set).score(Array("Subject: s\n\nx\n".utf8).span, scoreSet: 2, learned: probability)
        }
        let rule = "body BAYES_99 eval:check_bayes('0.99', '1.00')\nscore BAYES_99 0 0 4 3\n"
        let own = try verdict(rule, "/etc/local.cf", 0.995)
        #expect(own.hits.map(\.name) == ["BAYES_99"] && own.score == 4 && own.tellsLearned)
        let reference = try verdict(rule + "meta M BAYES_99\n", "/ref/23_bayes.cf", 0.995)
        #expect(reference.hits.map(\.name) == ["BAYES_99", "M"] && reference.score == 1 && !reference.tellsLearned)
        #expect(try verdict(rule, "/etc/local.cf", 0.98).hits.isEmpty)
        #expect(try verdict(rule, "/etc/local.cf", nil).hits.isEmpty)
        #expect(try verdict("use_bayes_rules 0\n\(rule)", "/etc/local.cf", 0.995).hits.isEmpty)
    }

    @Test("words of the message are looked for as they stand, not as expressions")
    func quoted() throws {
        func hits(_ subject: String) throws -> Bool {
            let message = "To: a.*b+@x.example\nSubject: \(subject)\n\nx\n"
            return try ScoringTests.hits("header X eval:check_for_to_in_subject('user')\n", message).contains("X")
        }
        #expect(try hits("a.*b+, hello") && hits("Re: a.*b+") && hits("a.*b+"))
        #expect(try !hits("aXXb, hello") && !hits("hello a.*b+ there"))
    }

    @Test("how much of a part is looked at")
    func limits() throws {
        let text = "Subject: s\n\n" + String(repeating: "word ", count: 1_000) + "needle\n"
        #expect(try ScoringTests.hits("body X /needle/\n", text) == ["X"])
        #expect(try ScoringTests.hits("body_part_scan_size 500\nbody X /needle/\n", text).isEmpty)
        #expect(try ScoringTests.hits("rawbody_part_scan_size 500\nrawbody X /needle/\n", text).isEmpty)
        #expect(try ScoringTests.hits("body_part_scan_size 0\nbody X /needle/\n", text) == ["X"])
    }
}
