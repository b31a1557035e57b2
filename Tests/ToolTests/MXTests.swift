import TestSupport
import Testing

@Suite("mx")
struct MXTests {
    static let zone = """
        $TTL 300
        example.org.       MX   10 mx1.example.org.
        example.org.       MX   20 mx2.example.org.
        mx1.example.org.   A    192.0.2.1
        mx1.example.org.   AAAA 2001:db8::1
        mx2.example.org.   A    192.0.2.2
        web.example.       A    192.0.2.9
        null.example.      MX   0 .
        broken.example.    SERVFAIL
        odd.example.       MX   5 alias.example.
        odd.example.       MX   5 192.0.2.7.
        odd.example.       MX   7 gone.example.
        odd.example.       MX   8 .
        odd.example.       MX   9 broken.example.
        odd.example.       MX   11 inside.example.
        alias.example.     CNAME mx1.example.org.
        inside.example.    A    10.0.0.1
        dead.example.      MX   10 gone.example.
        """

    let folder: TestDirectory
    let zoneFile: String

    init() throws {
        folder = try TestDirectory()
        zoneFile = try folder.write("zone", MXTests.zone)
    }

    func run(_ words: [String], input: String = "") throws -> ToolProcess.Result {
        try ToolProcess.run("mx", ["--dns", zoneFile] + words, input: Array(input.utf8))
    }

    @Test("the table, an address a line")
    func table() throws {
        let result = try run(["example.org"])
        #expect(
            result.text == """
                10  mx1.example.org   192.0.2.1
                                      2001:db8::1
                20  mx2.example.org   192.0.2.2

                """)
        #expect(result.status == 0 && result.diagnostics.isEmpty)
        #expect(
            try run(["web.example"]).text
                == " 0  web.example       192.0.2.9   implicit: no MX, address record (RFC 5321 5.1)\n")
    }

    @Test(
        "other forms",
        arguments: [
            (["--short", "example.org"], "10 mx1.example.org\n20 mx2.example.org\n"),
            (["-s", "--first", "example.org"], "10 mx1.example.org\n"),
            (
                ["-a", "example.org"],
                "10 mx1.example.org 192.0.2.1\n10 mx1.example.org 2001:db8::1\n20 mx2.example.org 192.0.2.2\n"
            ),
            (["-a", "-6", "example.org"], "10 mx1.example.org 2001:db8::1\n"),
            (["--format", "{domain}\\t{status}\\t{host}", "u@example.org"], "u@example.org\tmx\tmx1.example.org\n"),
            (["-s", "[192.0.2.1]"], "0 [192.0.2.1]\n"),
            (["-q", "example.org"], ""),
        ])
    func forms(_ words: [String], _ wanted: String) throws {
        let result = try run(words)
        #expect(result.text == wanted && result.status == 0)
    }

    @Test(
        "exit codes and what is said",
        arguments: [
            (["null.example"], 68, "mx: null.example accepts no mail (null MX, RFC 7505)\n"),
            (["none.example"], 68, "mx: none.example: no such domain (NXDOMAIN): check the spelling\n"),
            (["gone..example"], 65, "mx: gone..example: not a mail domain: a label is empty\n"),
            (["-q", "broken.example"], 75, ""),
            (["example.org", "-q", "null.example", "broken.example"], 75, ""),
            (["-q", "a..b", "null.example"], 68, ""),
            (["-q", "a..b", "example.org"], 65, ""),
            (
                ["--server", "dns.example", "example.org"], 64,
                "mx: --server dns.example: is not ADDR or ADDR:PORT: names of servers are not looked up\n"
            ),
            (["example.org", "-"], 64, "mx: -: names come from standard input or from the command line, not both\n"),
        ] as [([String], Int32, String)])
    func exitCodes(_ words: [String], _ status: Int32, _ wanted: String) throws {
        let result = try run(words)
        #expect(result.status == status && result.diagnostics == wanted)
    }

    @Test("a failure for now names server, code and tries")
    func temporaryFailure() throws {
        let server = try DNSTestServer { [.send(DNSReply(to: $0, code: 2).bytes)] }
        defer { server.stop() }
        let result = try ToolProcess.run("mx", ["--server", "127.0.0.1:\(server.port)", "broken.example"])
        #expect(result.status == 75 && result.text.isEmpty)
        #expect(
            result.diagnostics
                == "mx: broken.example: DNS failed for now (SERVFAIL from 127.0.0.1:\(server.port), 2 tries): "
                + "try again later\n")
    }

    @Test("JSON has the keys of the contract")
    func json() throws {
        let text = try run(["--json", "example.org"]).text
        let pattern = #"""
            ^\{"domain":"example\.org","ascii":"example\.org","status":"mx","ttl":300,"secure":false,"server":"[^"]*",\#
            "ms":[0-9.]+,"mx":\[\{"preference":10,"host":"mx1\.example\.org","addresses":\["192\.0\.2\.1",\#
            "2001:db8::1"\],"cname":null,"error":null\},\{"preference":20,"host":"mx2\.example\.org",\#
            "addresses":\["192\.0\.2\.2"\],"cname":null,"error":null\}\],"findings":\[\]\}\n$
            """#
        #expect(try Regex(pattern).wholeMatch(in: text) != nil, "\(text)")
    }

    @Test("findings")
    func findings() throws {
        let text = try run(["--json", "odd.example"]).text
        let ids = text.matches(of: /"id":"([a-z-]+)"/).map { String($0.1) }
        #expect(
            Set(ids) == [
                "mx-null-mixed", "mx-ip-literal", "mx-cname", "mx-dangling", "dns-tempfail", "mx-private-address",
            ])
        #expect(
            text.contains(#""host":"alias.example","addresses":["192.0.2.1","2001:db8::1"],"cname":"mx1.example.org""#))
        #expect(text.contains(#""host":"gone.example","addresses":[],"cname":null,"error":"nxdomain""#))
        #expect(try run(["--json", "dead.example"]).status == 68)
        for id in Set(ids) { #expect(try run(["--explain", id]).text.contains("RFC ")) }
        #expect(try run(["--explain", "mx-nothing"]).status == 64)
    }

    @Test("a batch: one row a line, in order, the text as it was typed")
    func batch() throws {
        let names = (0..<1_000).map {
            ["example.org", "NULL.example", "x\($0).example", "", "a b", "broken.example"][$0 % 6]
        }
        let input = names.joined(separator: "\n") + "\n"
        let json = try run(["--json", "--window", "7"], input: input)
        #expect(json.status == 75 && json.diagnostics.isEmpty)
        let domains = json.text.matches(of: /"domain":"([^"]*)"/).map { String($0.1) }
        #expect(domains == names)
        let plain = try run(["-"], input: "example.org\r\nnull.example")
        #expect(
            plain.text
                == "example.org\tmx\t10 mx1.example.org 192.0.2.1 2001:db8::1\t20 mx2.example.org 192.0.2.2\n"
                + "null.example\tnull\n")
        #expect(try run([], input: "").status == 0)
    }

    @Test("a batch answers each line as it comes")
    func interactive() throws {
        let process = try ToolProcess("mx", ["--dns", zoneFile, "--format", "{domain} {status}"])
        for domain in ["example.org", "null.example", "web.example"] {
            process.send("\(domain)\n")
            #expect(process.nextLine()?.hasPrefix("\(domain) ") == true)
        }
        #expect(try process.finish().status == 68)
    }

    @Test("a line without end stays in bounds")
    func longLine() throws {
        let result = try run(
            ["--format", "{status}"], input: String(repeating: "a", count: 3_000_000) + "\nexample.org\n")
        #expect(result.lines == ["invalid", "mx"] && result.status == 65)
    }

    @Test("files that are not there or wrong")
    func files() throws {
        #expect(try ToolProcess.run("mx", ["--dns", folder.file("none"), "example.org"]).status == 66)
        #expect(try ToolProcess.run("mx", ["--resolv-conf", folder.file("none"), "example.org"]).status == 66)
        let bad = try folder.write("bad", "example.org. MX ten mx.example.org.\n")
        let result = try ToolProcess.run("mx", ["--dns", bad, "example.org"])
        #expect(result.status == 65 && result.diagnostics.hasPrefix("mx: \(bad):1: "))
    }

    @Test("control characters do not reach the terminal")
    func escapes() throws {
        let result = try run(["a\u{1B}[31m.example"])
        #expect(result.status == 65 && !result.diagnostics.contains("\u{1B}"))
        #expect(!(try run([], input: "a\u{1B}[31m\n").text.contains("\u{1B}")))
    }
}
