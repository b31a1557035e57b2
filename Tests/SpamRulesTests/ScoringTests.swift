import Bytes
import TestSupport
import Testing

@testable import SpamRules

@Suite("Scoring")
struct ScoringTests {
    static func hits(_ rules: String, _ message: String) throws -> [String] {
        var set = RuleSet()
        set.read(Array(rules.utf8), file: "t.cf")
        let verdict = try RuleScorer(set).score(Array(message.utf8).span)
        return (verdict.hits.map(\.name) + verdict.subrules).sorted()
    }

    static let message = """
        Received: from evil.example (host.example.org [192.0.2.1]) by mx.example.net (Postfix) with SMTP id 4A; Sat, 21 Aug 2004 12:27:43 +0200
        From: "A B" <a@freemail.example>
        To: b@example.net
        Subject: BUY NOW OR NEVER
        Date: Tue, 24 Aug 2004 12:27:41 +0200
        MIME-Version: 1.0
        Content-Type: text/html; charset=utf-8

        <html><head><title>Offer</title></head><body><!-- x --><p>Buy&nbsp;now at <a href="http://www.spam.example:80/%61?x"><img src="a.gif" width=100 height="50"></a>
        <font size="7" color="#fff">hidden</font> write to c@other.example.</p></body>

        """

    static let cases: [(String, Bool)] = [
        ("body X /Buy now at/", true), ("body X /BUY NOW OR NEVER/", true), ("rawbody X /Buy&nbsp;now/", true),
        ("uri X m{^http://www\\.spam\\.example/a\\?x$}", true),
        ("util_rb_tld example\nuri X /^mailto:c@other\\.example$/", true),
        ("header X From:name =~ /^A B$/", true), ("header X From:addr =~ /^a@freemail\\.example$/", true),
        ("header X X-None =~ /^UNSET$/ [if-unset: UNSET]", true), ("header X X-None !~ /x/", true),
        ("header X exists:X-None", false),
        ("header X ALL =~ /^Subject: BUY/m", true),
        ("header X X-Spam-Relays-Untrusted =~ / helo=evil\\.example /", true),
        ("mimeheader X Content-Type =~ /html/", true), ("full X /<html>/", true),
        ("header X eval:subject_is_all_caps()", true), ("body X eval:html_test('font_low_contrast')", true),
        ("body X eval:html_tag_exists('img')", true), ("body X eval:html_tag_exists('marquee')", false),
        ("body X eval:html_tag_balance('body', '!= 0')", false), ("body X eval:html_tag_balance('html', '!= 0')", true),
        ("body X eval:html_range('max_size', '6', 'inf')", true),
        ("body X eval:html_text_match('title', '^Offer$')", true),
        ("body X eval:html_image_ratio('0', '0.02')", true), ("header X eval:check_for_mime_html_only()", true),
        ("header X eval:check_for_shifted_date('48', '96')", true),
        ("header X eval:check_for_shifted_date('undef', '-3')", false),
        ("header X eval:check_no_relays()", false), ("header X eval:check_all_trusted()", false),
        ("trusted_networks 192.0.2.0/24\nheader X eval:check_all_trusted()", true),
        ("freemail_domains freemail.example\nheader X eval:check_freemail_from()", true),
        ("freemail_domains f*.example\nheader X eval:check_freemail_from()", true),
        ("freemail_domains other.example\nheader X eval:check_freemail_from()", false),
        ("body __A /Buy/\nmeta X __A && !NONE", true),
        ("body __A /o/\ntflags __A multiple maxhits=3\nmeta X __A == 3", true),
        ("body X /BUY/\ntflags X nosubject", false), ("body X /Buy/\nscore X 0", false),
        ("replace_tag V [vV\\\\]\nbody X /<V>?Buy/\nreplace_rules X", true),
    ]

    @Test("rules of every kind, with what they ask of a message", arguments: cases)
    func kinds(_ rule: String, _ hits: Bool) throws {
        #expect(try Self.hits(rule + "\n", Self.message).contains("X") == hits)
    }

    @Test("metas that speak of each other in a circle never hit, and end")
    func circles() throws {
        #expect(try Self.hits("meta A B\nmeta B A\nmeta C !A\n", "Subject: x\n\n").isEmpty)
    }

    @Test("an expression that is too large with its tags written out is compiled with tags as subroutines")
    func largeTags() throws {
        let letters = (0..<3_000).map { "a\($0)" }.joined(separator: "|")
        let rules = "replace_tag A (?:\(letters)|b)\nbody X /(?:<A><A><A> ){4}/\nreplace_rules X\n"
        #expect(try Self.hits(rules, "Subject: x\n\nbbb bbb bbb bbb \n") == ["X"])
    }

    @Test("mutated messages never make a test trap")
    func mutations() throws {
        var set = RuleSet()
        set.read(
            Array(Self.cases.enumerated().map { $1.0.replacing(" X ", with: " X\($0) ") }.joined(separator: "\n").utf8),
            file: "t.cf")
        let scorer = RuleScorer(set)
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<300 { _ = try scorer.score(generator.mutated(Array(Self.message.utf8)).span) }
    }
}

@Suite("HTML as mail programs show it")
struct RenderedHTMLTests {
    @Test(
        "text, white space and entities",
        arguments: [
            ("a<br>b", "a\nb"), ("<p>a</p><p>b", "\n\na\n\n\n\nb"), ("a &amp; b&nbsp;c", "a & b c"),
            ("<b>V</b>ia<i>gra</i>", "Viagra"),
            ("<style>x{}</style>a<script>if (1<2) {}</script>b", "ab"), ("<!-- c -->a<!doctype x>b", "ab"),
            ("a < b", "a < b"),
            ("<a href='x'>l</a", "l"), ("a\n\n  b", "a b"), ("<td>1<td>2", " 1 2"),
        ])
    func text(_ html: String, _ text: String) {
        #expect(RenderedHTML(Array(html.utf8).span).text.text == text)
    }

    @Test("colours by name, number and function")
    func colours() {
        #expect(
            HTMLColor("White") == .white && HTMLColor("#fff") == .white && HTMLColor("rgb(100%, 100%,100%)") == .white)
        #expect(HTMLColor("#000000").isLike(HTMLColor("#010101")) && !HTMLColor.black.isLike(.white))
        #expect(HTMLColor("nonsense") == .invalid)
    }

    @Test("a URI in the forms that programs understand it as")
    func uris() {
        func forms(_ text: String) -> [String] { CanonicalURI.forms(of: Array(text.utf8)).map(\.text) }
        #expect(
            forms("http:\\\\u:p@a.example:80/%78") == [
                "http:\\\\u:p@a.example:80/%78", "http://u:p@a.example:80/x", "http://a.example/x",
            ])
        #expect(forms("http://a.example?x") == ["http://a.example?x", "http://a.example/?x"])
        #expect(forms("#top").isEmpty && forms("/x").isEmpty)
        #expect(forms("mailto:a@b.example?subject=x").last == "mailto:a@b.example")
    }
}
