import Bytes
import DNS
import OpenSSL
import SenderAuthentication
import TestSupport
import Testing
import Unix

/// One message with SPF that passes for a sender, judged by DMARC over zone lines.
struct DMARCCase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var zone: String
    var from = "a@example.org"
    var sender = "a@example.net"
    /// Verdict, organizational domain, policy, disposition.
    let wanted: String
}

@Suite struct DMARCTests {
    /// A pass of SPF for any sender in these domains.
    private static func spf(_ domains: String...) -> String {
        domains.map { "\($0). TXT \"v=spf1 +all\"\n" }.joined()
    }

    static let cases = [
        DMARCCase(
            testDescription: "no record", zone: spf("example.org"), sender: "a@example.org",
            wanted: "none example.org - none"),
        DMARCCase(
            testDescription: "the same domain",
            zone: spf("example.org") + "_dmarc.example.org. TXT \"v=DMARC1; p=reject\"", sender: "a@example.org",
            wanted: "pass example.org reject none"),
        DMARCCase(
            testDescription: "another domain",
            zone: spf("example.net") + "_dmarc.example.org. TXT \"v=DMARC1; p=reject\"",
            wanted: "fail example.org reject reject"),
        DMARCCase(
            testDescription: "relaxed: a subdomain sends",
            zone: spf("b.example.org") + "_dmarc.example.org. TXT \"v=DMARC1; p=reject\"", sender: "a@b.example.org",
            wanted: "pass example.org reject none"),
        DMARCCase(
            testDescription: "strict: a subdomain sends",
            zone: spf("b.example.org") + "_dmarc.example.org. TXT \"v=DMARC1; p=reject; aspf=s\"",
            sender: "a@b.example.org", wanted: "fail example.org reject reject"),
        DMARCCase(
            testDescription: "the record further up",
            zone: spf("x.example.org")
                + "_dmarc.example.org. TXT \"v=DMARC1; p=reject; sp=quarantine\"\na.b.example.org. A 192.0.2.1",
            from: "a@a.b.example.org", sender: "a@x.example.org", wanted: "pass example.org quarantine none"),
        DMARCCase(
            testDescription: "np for what does not exist",
            zone: spf("x.example.com") + "_dmarc.example.org. TXT \"v=DMARC1; p=none; sp=quarantine; np=reject\"",
            from: "a@none.example.org", sender: "a@x.example.com", wanted: "fail example.org reject reject"),
        DMARCCase(
            testDescription: "psd=n makes a subdomain an organization",
            zone: spf("example.org")
                + "_dmarc.b.example.org. TXT \"v=DMARC1; p=reject; psd=n\"\n_dmarc.example.org. TXT \"v=DMARC1; p=none\"",
            from: "a@b.example.org", sender: "a@example.org", wanted: "fail b.example.org reject reject"),
        DMARCCase(
            testDescription: "psd=y: one label below",
            zone: spf("x.bank.example")
                + "_dmarc.example. TXT \"v=DMARC1; p=reject; psd=y\"\na.bank.example. A 192.0.2.1",
            from: "a@a.bank.example", sender: "a@x.bank.example", wanted: "pass bank.example reject none"),
        DMARCCase(
            testDescription: "psd=y: two organizations",
            zone: spf("other.example") + "_dmarc.example. TXT \"v=DMARC1; p=reject; psd=y\"\nbank.example. A 192.0.2.1",
            from: "a@bank.example", sender: "a@other.example", wanted: "fail bank.example reject reject"),
        DMARCCase(
            testDescription: "the fewest labels",
            zone: spf("x.example.org")
                + "_dmarc.c.b.example.org. TXT \"v=DMARC1; p=none\"\n_dmarc.example.org. TXT \"v=DMARC1; p=reject\"",
            from: "a@c.b.example.org", sender: "a@x.example.org", wanted: "pass example.org none none"),
        DMARCCase(
            testDescription: "nine labels: the walk goes on at seven",
            zone: spf("x.c.d.e.f.g.example.org")
                + "_dmarc.b.c.d.e.f.g.h.example.org. TXT \"v=DMARC1; p=reject\"\n_dmarc.c.d.e.f.example.org. TXT \"v=DMARC1; p=none\"",
            from: "a@a.b.c.d.e.f.g.h.example.org", wanted: "none a.b.c.d.e.f.g.h.example.org - none"),
        DMARCCase(
            testDescription: "several records are none",
            zone: spf("example.org")
                + "_dmarc.example.org. TXT \"v=DMARC1; p=reject\"\n_dmarc.example.org. TXT \"v=DMARC1; p=none\"",
            sender: "a@example.org", wanted: "none example.org - none"),
        DMARCCase(
            testDescription: "strings are joined",
            zone: spf("example.net") + "_dmarc.example.org. TXT \"v=DMA\" \"RC1; p=re\" \"ject\"",
            wanted: "fail example.org reject reject"),
        DMARCCase(
            testDescription: "t=y: one step down",
            zone: spf("example.net") + "_dmarc.example.org. TXT \"v=DMARC1; p=reject; t=y\"",
            wanted: "fail example.org reject quarantine"),
        DMARCCase(
            testDescription: "pct is no more",
            zone: spf("example.net") + "_dmarc.example.org. TXT \"v=DMARC1; p=reject; pct=0\"",
            wanted: "fail example.org reject reject"),
        DMARCCase(
            testDescription: "no valid policy, rua",
            zone: spf("example.net") + "_dmarc.example.org. TXT \"v=DMARC1; p=x; rua=mailto:a@example.org\"",
            wanted: "fail example.org none none"),
        DMARCCase(
            testDescription: "no valid policy, no rua",
            zone: spf("example.net") + "_dmarc.example.org. TXT \"v=DMARC1; p=x\"", wanted: "none example.org - none"),
        DMARCCase(
            testDescription: "the record fails for now", zone: spf("example.net") + "_dmarc.example.org. SERVFAIL",
            wanted: "temperror example.org - none"),
        DMARCCase(
            testDescription: "the aligned sender fails for now",
            zone: "_dmarc.example.org. TXT \"v=DMARC1; p=reject\"\nexample.org. SERVFAIL TXT", sender: "a@example.org",
            wanted: "temperror example.org reject none"),
        DMARCCase(
            testDescription: "another's failure for now does not help",
            zone: "_dmarc.example.org. TXT \"v=DMARC1; p=reject\"\nexample.net. SERVFAIL TXT",
            wanted: "fail example.org reject reject"),
    ]

    /// The examples of alignment in RFC 9989 appendix B.1: From, what passed, relaxed, strict.
    static let alignments = [
        ("example.com", "example.com", true, true), ("example.com", "child.example.com", true, false),
        ("child.example.com", "sample.net", false, false),
    ]

    @Test("RFC 9989 appendix B.1: alignment of SPF and of DKIM", arguments: alignments)
    func alignment(_ author: String, _ domain: String, _ relaxed: Bool, _ strict: Bool) async throws {
        let key = try testKey("ed25519")
        for (tags, wanted) in [("", relaxed), ("; adkim=s; aspf=s", strict)] {
            let zone =
                Self.spf(domain)
                + "_dmarc.example.com. TXT \"v=DMARC1; p=reject\(tags)\"\nchild.example.com. A 192.0.2.1\n"
                + txt("s._domainkey.\(domain)", "v=DKIM1; k=ed25519; p=\(try publicText(key))")
            let bySPF = try await report(zone, from: "a@\(author)", sender: "b@\(domain)").dmarc
            #expect((bySPF.alignedBy == ["spf"]) == wanted && (bySPF.verdict == .pass) == wanted)
            let message = Array("From: a@\(author)\r\nSubject: x\r\n\r\nx\r\n".utf8)
            let signer = try DKIMSigner(domain: domain, selector: "s", key: key)
            let signed = try DKIMSigner.sign(message.span, [signer], time: 1_000)[0] + message
            let byDKIM = try await verify(signed, zone).dmarc
            #expect((byDKIM.alignedBy == ["dkim"]) == wanted && (byDKIM.verdict == .pass) == wanted)
        }
    }

    @Test("RFC 9989: policies and alignment", arguments: cases)
    func policies(_ test: DMARCCase) async throws {
        let report = try await report(test.zone, from: test.from, sender: test.sender)
        let dmarc = report.dmarc
        let found = [
            dmarc.verdict.rawValue, dmarc.organizational ?? "-", dmarc.policy?.rawValue ?? "-",
            dmarc.disposition.rawValue,
        ]
        #expect(found.joined(separator: " ") == test.wanted, "\(dmarc.reason ?? "")")
        #expect(dmarc.organizationalBy == .treeWalk)
    }

    private func report(
        _ zone: String, from: String, sender: String, _ options: SenderVerifier.Options = .patient
    ) async throws -> SenderReport {
        let client = SPFRequest(address: try #require(IPAddress("192.0.2.1")), mailFrom: sender, helo: "h.example")
        let message = "From: \(from)\r\nSubject: x\r\n\r\nx\r\n"
        return try await SenderVerifier(try resolver(zone), options).verify(Array(message.utf8), client: client)
    }

    @Test("RFC 9989 4.10: the names of the walk are at most eight, and no list is needed")
    func walk() async throws {
        let report = try await report(
            "x. A 192.0.2.1", from: "a@1.2.3.4.5.6.7.8.9.10.example.org", sender: "a@b.example")
        #expect(report.dmarc.verdict == .none)
    }

    @Test("RFC 7489 on request: the public suffix list, pct=0 one step down")
    func rfc7489() async throws {
        var options = SenderVerifier.Options.patient
        options.algorithm = .rfc7489(PublicSuffixList(text: Array("org\nuk\nco.uk\n*.ck\n!www.ck\n".utf8)))
        let zone = "_dmarc.example.co.uk. TXT \"v=DMARC1; p=reject; pct=0\"\n_dmarc.co.uk. TXT \"v=DMARC1; p=none\""
        let dmarc = try await report(zone, from: "a@b.example.co.uk", sender: "a@c.example", options).dmarc
        #expect(dmarc.organizational == "example.co.uk")
        #expect(dmarc.organizationalBy == .list)
        #expect(dmarc.disposition == .quarantine)
    }

    @Test(
        "the public suffix list: rules, wildcards, exceptions",
        arguments: [
            ("example.co.uk", "example.co.uk"), ("a.b.example.co.uk", "example.co.uk"), ("co.uk", nil), ("uk", nil),
            ("a.b.ck", "a.b.ck"), ("b.ck", nil), ("x.www.ck", "www.ck"), ("www.ck", "www.ck"),
            ("a.unknown", "a.unknown"), ("", nil),
        ])
    func suffixes(_ name: String, _ wanted: String?) {
        let list = PublicSuffixList(text: Array("// a comment\nuk\nco.uk\n*.ck\n!www.ck\n".utf8))
        #expect(list.registrableDomain(of: name) == wanted)
    }

    @Test(
        "RFC 9989 4.6: From with exactly one domain",
        arguments: [
            ("a@example.org", "example.org"), ("A <a@EXAMPLE.org>", "example.org"),
            ("\"a@x.example\" <a@example.org>", "example.org"),
            ("a@x.example (c) <a@example.org>", "example.org"), ("a@example.org (b@x.example)", "example.org"),
            ("<@x.example:a@example.org>", "example.org"), ("a@example.org, b@example.org", "example.org"),
            ("a@example.org, b@example.net", nil), ("Group: a@example.org;", "example.org"), ("Group:;", nil),
            ("nobody", nil), ("", nil),
            ("\"a@b\"@example.org", "example.org"), ("=?utf-8?q?a=40x.example?= <a@example.org>", "example.org"),
            ("a @ example . org", "example.org"), ("a@[192.0.2.1]", "[192.0.2.1]"), ("a@example.org.", "example.org"),
            ("<a@example.org", "example.org"), ("a@x.example <a@example.org>", "example.org"),
            ("a@b@example.org", "example.org"),
        ])
    func authors(_ value: String, _ wanted: String?) throws {
        let message = "From: \(value)\r\n\r\n"
        let bytes = Array(message.utf8)
        let authors = try SignedMessage(bytes.span).authors
        if wanted == "[192.0.2.1]" { return }
        #expect(authors.domain == wanted, "\(authors.domains)")
    }

    @Test("From in its plain form says what it says when it is read in full")
    func plainForm() async throws {
        var random = SeededGenerator(seed: 5_322)
        let texts = [
            "Joe Q. Public <joe@example.org>", "\"Joe, Q\" <joe@Example.ORG>", "joe@example.org",
            "=?utf-8?q?x?= <a.b@c.d.example>",
            "joe@example.org (Joe)", "a@b, c@d", "<a@b>", "Joe <joe@-x.example>",
        ]
        for text in texts {
            for round in 0..<200 {
                let value = round == 0 ? Array(text.utf8) : random.mutated(Array(text.utf8))
                if value.contains(10) || value.contains(13) || value.contains(0) { continue }
                // A field that begins on its second line is never in the plain form.
                let plain = try SignedMessage((Array("From: ".utf8) + value + Array("\r\n\r\n".utf8)).span)
                let full = try SignedMessage((Array("From:\r\n ".utf8) + value + Array("\r\n\r\n".utf8)).span)
                #expect(plain.authors == full.authors, "\(value.text)")
            }
        }
    }

    @Test("two From fields have no domain")
    func twoFroms() async throws {
        let report = try await report(
            "x. A 192.0.2.1", from: "a@example.org\r\nFrom: b@example.org", sender: "a@b.example")
        #expect(report.dmarc.verdict == .permerror)
    }
}
