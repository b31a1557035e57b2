import Foundation
import TestSupport
import Testing

/// `mx --check`, with a zone file in place of the DNS.
@Suite("mx --check")
struct MXCheckTests {
    static let weakKey =
        "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5i"
        + "jSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"

    static let zone = """
        $TTL 300
        good.example.            MX   10 mx.good.example.
        good.example.            TXT  "v=spf1 mx -all"
        mx.good.example.         A    192.0.2.1
        1.2.0.192.in-addr.arpa.  PTR  mx.good.example.
        _dmarc.good.example.     TXT  "v=DMARC1; p=reject; rua=mailto:d@good.example"
        s1._domainkey.good.example. TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
        _mta-sts.good.example.   TXT  "v=STSv1; id=20260101;"
        _smtp._tls.good.example. TXT  "v=TLSRPTv1; rua=mailto:t@good.example,https://t.example/x"
        brand._bimi.good.example. TXT "v=BIMI1; l=https://good.example/x.svg; a="

        bad.example.             MX   10 mx.bad.example.
        bad.example.             MX   20 gone.bad.example.
        bad.example.             TXT  "v=spf1 include:s1.bad.example include:s2.bad.example ptr mx exists:v1.bad.example exists:v2.bad.example exists:v3.bad.example +all"
        s1.bad.example.          TXT  "v=spf1 a:mx.bad.example a:mx.bad.example a:mx.bad.example a:mx.bad.example ?all"
        s2.bad.example.          TXT  "v=spf1 ip4:192.0.2.0/24 -all"
        mx.bad.example.          A    192.0.2.2
        mx.bad.example.          A    192.0.2.3
        2.2.0.192.in-addr.arpa.  PTR  host7.isp.example.
        host7.isp.example.       A    192.0.2.77
        _dmarc.bad.example.      TXT  "v=DMARC1; p=none; pct=50; adkim=x"
        weak._domainkey.bad.example. TXT "v=DKIM1; k=rsa; p=\(weakKey)"
        revoked._domainkey.bad.example. TXT "v=DKIM1; p="
        _mta-sts.bad.example.    TXT  "v=STSv1; id=a_b;"
        _smtp._tls.bad.example.  TXT  "v=TLSRPTv1; rua=ftp://t.example/x"
        _25._tcp.mx.bad.example. TLSA 0 0 1 ab
        brand._bimi.bad.example. TXT  "v=BIMI1; l=http://bad.example/x.svg"
        2.2.0.192.list.example.  A    127.0.0.2
        2.2.0.192.list.example.  TXT  "see the list"
        2.2.0.192.closed.example. A   127.255.255.254

        twice.example.           A    192.0.2.4
        twice.example.           TXT  "v=spf1 -all"
        twice.example.           TXT  "v=spf1 mx -all"
        _dmarc.twice.example.    TXT  "v=DMARC1; p=none"
        _dmarc.twice.example.    TXT  "v=DMARC1; p=reject"
        _mta-sts.twice.example.  TXT  "v=STSv1; id=1;"
        _mta-sts.twice.example.  TXT  "v=STSv1; id=2;"

        bare.example.            A    192.0.2.5
        syntax.example.          A    192.0.2.5
        syntax.example.          TXT  "v=spf1 ipv4:192.0.2.1 -all"
        _dmarc.syntax.example.   TXT  "v=DMARC1; p=rejekt"
        loop.example.            A    192.0.2.5
        loop.example.            TXT  "v=spf1 include:loop.example -all"
        child.of.good.example.   A    192.0.2.5
        crowd.example.           A    192.0.2.5
        crowd.example.           TXT  "v=spf1 mx:hosts.example -all"
        _dmarc.crowd.example.    TXT  "v=DMARC1; p=reject"
        \((0..<11).map { "hosts.example. MX 1 h\($0).example." }.joined(separator: "\n"))
        order.example.           A    192.0.2.5
        order.example.           TXT  "v=spf1 -all"
        _dmarc.order.example.    TXT  "v=DMARC1; p=reject"
        _mta-sts.order.example.  TXT  "id=1; v=STSv1"
        flaky.example.           MX   10 mx.good.example.
        flaky.example.           SERVFAIL TXT
        _dmarc.flaky.example.    SERVFAIL
        _dmarc.example.          SERVFAIL
        _mta-sts.flaky.example.  SERVFAIL
        _smtp._tls.flaky.example. SERVFAIL
        s1._domainkey.flaky.example. SERVFAIL
        null.example.            MX   0 .
        """

    let folder: TestDirectory
    let zoneFile: String

    init() throws {
        folder = try TestDirectory()
        zoneFile = try folder.write("zone", MXCheckTests.zone)
    }

    func check(_ words: [String], input: String = "") throws -> ToolProcess.Result {
        try ToolProcess.run(
            "mx", ["--check", "--no-smtp", "--no-hosts", "--dns", zoneFile] + words, input: Array(input.utf8))
    }

    /// The findings of a run as `id subject`.
    static func ids(_ result: ToolProcess.Result) throws -> Set<String> {
        let object = try JSONSerialization.jsonObject(with: Data(result.bytes)) as? [String: Any]
        let findings = try #require(object?["findings"] as? [[String: Any]])
        return Set(findings.compactMap { $0["id"] as? String })
    }

    @Test("a domain on which nothing is wrong")
    func good() throws {
        let words = ["--dkim", "s1", "--bimi", "brand", "--dnsbl", "list.example"]
        let json = try check(["--json", "good.example"] + words)
        #expect(try MXCheckTests.ids(json).isEmpty && json.status == 0, "\(json.text)")
        let text = try check(["good.example"] + words)
        #expect(text.status == 0)
        #expect(text.lines.first?.hasPrefix("good.example") == true)
        #expect(text.lines.allSatisfy { $0.count <= 80 })
        for line in [
            "MX      ok     10 mx.good.example  192.0.2.1",
            "PTR     ok     192.0.2.1 -> mx.good.example",
            "SPF     ok     1 lookup, limit 10: mx (1)",
            "               v=spf1 mx -all",
            "DMARC   ok     p=reject  rua=mailto:d@good.example",
            "DKIM    ok     s1 ed25519",
            "DANE    n/a    no TLSA records",
            "MTA-STS ok     v=STSv1 id=20260101, policy not fetched",
            "TLS-RPT ok     rua=mailto:t@good.example,https://t.example/x",
            "BIMI    ok     brand v=BIMI1; l=https://good.example/x.svg; a=",
            "DNSBL   ok     192.0.2.1 in list.example: not listed",
        ] { #expect(text.lines.contains(line), "\(line) is not in\n\(text.text)") }
    }

    @Test("everything that records can have wrong is a finding of its own")
    func bad() throws {
        let result = try check([
            "--json", "bad.example", "--dkim", "weak,revoked,none", "--bimi", "brand", "--dnsbl",
            "list.example,closed.example",
        ])
        #expect(result.status == 1)
        #expect(
            try MXCheckTests.ids(result) == [
                "mx-dangling", "ptr-mismatch", "ptr-missing", "spf-lookups", "spf-void-lookups", "spf-ptr",
                "spf-pass-all", "dmarc-none", "dmarc-removed-tag", "dmarc-syntax", "dkim-weak", "dkim-revoked",
                "dkim-missing", "dane-unsigned", "dane-usage", "mta-sts-syntax", "tlsrpt-syntax", "bimi-syntax",
                "dnsbl-listed",
            ], "\(result.text)")
        // A list that refuses to answer does not list.
        #expect(result.text.contains(#""zone":"closed.example","listed":null"#))
        #expect(
            result.text.contains(#""zone":"list.example","listed":true,"codes":["127.0.0.2"],"text":"see the list""#))
        #expect(result.text.contains(#""lookups":11,"limit":10,"void":3"#))
    }

    @Test(
        "findings of single records",
        arguments: [
            (
                "twice.example",
                ["spf-multiple", "dmarc-multiple", "mta-sts-syntax", "mx-implicit", "ptr-missing", "dns-tempfail"], 1
            ),
            ("bare.example", ["mx-implicit", "ptr-missing", "spf-missing", "dns-tempfail"], 0),
            ("syntax.example", ["mx-implicit", "ptr-missing", "spf-syntax", "dmarc-syntax"], 1),
            ("crowd.example", ["mx-implicit", "ptr-missing"], 1),
            ("order.example", ["mx-implicit", "ptr-missing", "mta-sts-syntax"], 1),
            ("loop.example", ["mx-implicit", "ptr-missing", "spf-syntax", "dns-tempfail"], 1),
            ("none.example", [], 68), ("null.example", ["spf-missing", "dns-tempfail"], 68),
        ] as [(String, [String], Int32)])
    func single(_ domain: String, _ wanted: [String], _ status: Int32) throws {
        let result = try check(["--json", domain])
        var found = try MXCheckTests.ids(result)
        // A loop costs more lookups than there may be.
        found.remove("spf-lookups")
        #expect(found == Set(wanted) && result.status == status, "\(result.text)")
    }

    @Test("the policy of the organizational domain holds for a subdomain (RFC 9989 4.10)")
    func inherited() throws {
        let text = try check(["--only", "dmarc", "child.of.good.example"]).text
        #expect(text.contains("DMARC   ok     p=reject  rua=mailto:d@good.example  of good.example"))
    }

    @Test("what the DNS cannot say now is unknown, never missing, and every part fails alone")
    func temporary() throws {
        let result = try check(["--json", "--dkim", "s1", "flaky.example"])
        #expect(try MXCheckTests.ids(result) == ["dns-tempfail"] && result.status == 0, "\(result.text)")
        #expect(result.text.contains(#""host":"mx.good.example","addresses":["192.0.2.1"]"#))
        let text = try check(["--dkim", "s1", "flaky.example"]).text
        for part in ["SPF", "DMARC", "DKIM", "MTA-STS", "TLS-RPT"] {
            #expect(text.contains("\(part.padding(toLength: 8, withPad: " ", startingAt: 0))?      "), "\(text)")
        }
    }

    @Test("--strict makes an error of a warning, --only looks at parts")
    func options() throws {
        #expect(try check(["-q", "bare.example"]).status == 0)
        #expect(try check(["-q", "--strict", "bare.example"]).status == 1)
        let part = try check(["--only", "mx,mta-sts", "bad.example"]).lines
        #expect(part.count { !$0.hasPrefix(" ") } == 3, "\(part)")
        #expect(try check(["--only", "nothing", "bad.example"]).status == 64)
        #expect(try check(["--helo", "a\r\nDATA", "bad.example"]).status == 64)
        #expect(try check(["--from", "a>b", "bad.example"]).status == 64)
    }

    @Test("a batch: one row a line, in order")
    func batch() throws {
        let input = "good.example\n\na b\nbad.example\nnone.example\n"
        let rows = try check(["-"], input: input)
        #expect(
            rows.lines.map { $0.prefix { $0 != "\t" } } == ["good.example", "", "a b", "bad.example", "none.example"])
        #expect(rows.lines[0] == "good.example\tmx\tno findings\t" && rows.status == 68)
        let json = try check(["--json", "-"], input: input)
        #expect(json.lines.count == 5 && json.lines.allSatisfy { $0.contains(#""findings":["#) })
    }

    @Test("every finding is explained, with its rule and what to do")
    func explanations() throws {
        let known = try ToolProcess.run("mx", ["--explain", "nothing"]).diagnostics
        let ids = known.split { $0 == " " || $0 == "\n" }.filter { $0.contains("-") && !$0.hasPrefix("--") }
        #expect(ids.count >= 40)
        for id in ids {
            let lines = try ToolProcess.run("mx", ["--explain", String(id)]).lines
            #expect(lines.count == 3 && lines[0].hasPrefix("\(id): ") && lines[1].hasPrefix("Rule: "), "\(id)")
            #expect(!lines[0].contains("no explanation"), "\(id)")
        }
    }

    // MARK: SMTP

    /// Checks `domain` against an SMTP server on loopback. `mx.example.org` is the host's name.
    func probe(_ port: UInt16, _ words: [String] = [], extra: String = "", trusted: Bool = true) throws
        -> ToolProcess
        .Result
    {
        let zone = """
            example.org.     MX 10 mx.example.org.
            mx.example.org.  A 127.0.0.1
            1.0.0.127.in-addr.arpa. PTR mx.example.org.
            \(extra)
            """
        let file = try folder.write("probe", zone)
        let authority = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../OpenSSLTests/Data/authority.pem").standardizedFileURL.path
        return try ToolProcess.run(
            "mx",
            [
                "--check", "--json", "--no-hosts", "--only", "smtp,dane", "--dns", file, "--port", "\(port)", "--helo",
                "client.example", "example.org",
            ] + words, environment: ["SSL_CERT_FILE": trusted ? authority : "/dev/null"])
    }

    @Test("banner, EHLO and STARTTLS of a host that has everything, and DANE with its key")
    func encrypted() throws {
        let data = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../OpenSSLTests/Data").standardizedFileURL.path
        let server = try TestServer(
            "smtp-serve",
            ["--hostname", "mx.example.org", "--cert", "\(data)/server.pem", "--key", "\(data)/server.key"],
            directory: folder.path)
        let good = "9bb7ef47eb6a2d1e68f4700991e170897fdc069a0eeb5732b7b6e54dc2e400b3"
        let result = try probe(server.port, extra: "_25._tcp.mx.example.org. TLSA 3 1 1 \(good)")
        #expect(try MXCheckTests.ids(result) == ["dane-unsigned"] && result.status == 0, "\(result.text)")
        for fact in [
            #""startTls":true"#, #""version":"TLSv1.3""#, #""matchesName":true,"trusted":true,"problem":null"#,
            #""subject":"mx.example.org""#, #""expired":false"#, #""matches":true"#,
        ] { #expect(result.text.contains(fact), "\(fact) is not in \(result.text)") }
        let other = try probe(
            server.port, extra: "_25._tcp.mx.example.org. TLSA 3 1 1 \(good.replacing("9b", with: "aa"))",
            trusted: false)
        #expect(
            try MXCheckTests.ids(other) == ["dane-unsigned", "dane-mismatch", "tls-untrusted"] && other.status == 1,
            "\(other.text)")
        server.stop()
    }

    @Test("name, trust and expiry of a certificate are facts of their own")
    func certificate() throws {
        let file = TestData.path("expired.pem")
        let server = try TestServer(
            "smtp-serve", ["--hostname", "mx.example.org", "--cert", file, "--key", file], directory: folder.path)
        let result = try probe(server.port)
        #expect(try MXCheckTests.ids(result) == ["tls-name", "tls-untrusted", "tls-expired"], "\(result.text)")
        #expect(result.text.contains(#""startTls":true"#) && result.status == 1)
        server.stop()
    }

    @Test(
        "what a server says is judged",
        arguments: [
            ("220 mx.example.org ESMTP", ["SIZE 1"], ["smtp-starttls-missing"], 0),
            ("220 other.example ESMTP", ["SIZE 1"], ["smtp-starttls-missing", "smtp-name"], 0),
            ("554 no mail here", [], ["smtp-banner"], 1), ("421 later", [], ["smtp-banner"], 0),
            ("220 mx.example.org ESMTP", ["STARTTLS"], ["tls-handshake"], 1),
            ("hello", [], ["smtp-banner"], 1),
        ] as [(String, [String], Set<String>, Int32)])
    func said(_ greeting: String, _ extensions: [String], _ wanted: Set<String>, _ status: Int32) throws {
        let server = try ScriptedServer { line, _ in
            switch line.prefix(4) {
            case "conn": .say(greeting)
            case "EHLO":
                .say(
                    (["mx.example.org"] + extensions).enumerated().map { index, word in
                        "250\(index == extensions.count ? " " : "-")\(word)"
                    })
            case "STAR": .sayAndClose("220 go on\r\nnonsense\r\n")
            default: ScriptedServer.good(line)
            }
        }
        defer { server.stop() }
        let result = try probe(server.port)
        #expect(try MXCheckTests.ids(result) == wanted && result.status == status, "\(result.text)")
        #expect(!server.log.lines.contains { $0.hasPrefix("MAIL") })
    }

    @Test("MAIL and RCPT are asked only with --from, and no message is sent")
    func sender() throws {
        let server = try ScriptedServer { line, _ in
            line.hasPrefix("RCPT") ? .say("550 5.1.1 no such user") : ScriptedServer.good(line)
        }
        defer { server.stop() }
        let result = try probe(server.port, ["--from", "a@client.example"])
        #expect(result.text.contains(#""mail":"250 2.0.0 ok","rcpt":"550 5.1.1 no such user""#), "\(result.text)")
        #expect(
            server.log.lines == [
                "connect", "EHLO client.example", "MAIL FROM:<a@client.example>", "RCPT TO:<postmaster@example.org>",
                "RSET", "QUIT",
            ])
    }

    @Test("a port that is refused is a finding, and every address is spoken with")
    func refused() throws {
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        let port = server.port
        let both = try probe(port, extra: "mx.example.org. A 127.0.0.2")
        #expect(try MXCheckTests.ids(both).contains("smtp-connect") && both.status == 1, "\(both.text)")
        #expect(both.text.contains(#""address":"127.0.0.1","port":\#(port),"connected":true"#))
        #expect(both.text.contains(#""address":"127.0.0.2","port":\#(port),"connected":false"#))
        server.stop()
    }
}
