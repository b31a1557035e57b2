import Foundation
import TestSupport
import Testing

/// `mx --check` against hosts on loopback: what it says of their policies, certificates and TLSA records.
@Suite("mx --check speaks with hosts")
struct MXCheckHostTests {
    let folder: TestDirectory

    init() throws { folder = try TestDirectory() }

    private static func policyFile(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../TransportPolicyTests/Data/\(name)").standardizedFileURL.path
    }

    /// Runs `mx --check` over zone lines, trusting the authority of the tests.
    private func check(
        _ zone: String, _ words: [String], domain: String = "example.org", trusted: Bool = true
    ) throws -> ToolProcess.Result {
        let file = try folder.write("zone", "$TTL 300\n" + zone)
        return try ToolProcess.run(
            "mx", ["--check", "--no-hosts", "--dns", file, "--helo", "client.example", domain] + words,
            environment: ["SSL_CERT_FILE": trusted ? Self.policyFile("authority.pem") : "/dev/null"])
    }

    // MARK: MTA-STS

    static let announced = """
        example.org.           MX  10 mx.example.org.
        mx.example.org.        A   127.0.0.1
        _mta-sts.example.org.  TXT "v=STSv1; id=20260101;"
        mta-sts.example.org.   A   127.0.0.1

        """
    static let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"

    struct Policy: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var certificate = "policy-host.pem"
        var answer: String
        var findings: Set<String>
        var status: Int32
        var json: String
    }

    static let policies = [
        Policy(
            testDescription: "a policy that names the host",
            answer: "\(head)version: STSv1\r\nmode: enforce\r\nmx: *.example.org\r\nmax_age: 604800\r\n", findings: [],
            status: 0,
            json: #""policy":{"mode":"enforce","mx":["*.example.org"],"maxAge":604800},"problem":null"#),
        Policy(
            testDescription: "a policy that does not name the host",
            answer: "\(head)version: STSv1\nmode: enforce\nmx: other.example\nmax_age: 86400\n",
            findings: ["mta-sts-mx"], status: 1, json: #""mode":"enforce""#),
        Policy(
            testDescription: "the same in mode testing is a warning",
            answer: "\(head)version: STSv1\nmode: testing\nmx: other.example\nmax_age: 86400\n",
            findings: ["mta-sts-mx"], status: 0, json: #""mode":"testing""#),
        Policy(
            testDescription: "mode none names nobody", answer: "\(head)version: STSv1\nmode: none\nmax_age: 86400\n",
            findings: [], status: 0, json: #""mode":"none","mx":[]"#),
        Policy(
            testDescription: "what is no policy", answer: "\(head)version: STSv1\nmode: strict\n",
            findings: ["mta-sts-syntax"], status: 1, json: #""policy":null,"problem":"the policy of mta-sts.exam"#),
        Policy(
            testDescription: "not found", answer: "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            findings: ["mta-sts-policy"], status: 0, json: #""problem":"mta-sts.example.org answers 404 Not Found""#),
        Policy(
            testDescription: "a redirection",
            answer: "HTTP/1.1 302 Found\r\nLocation: https://www.example.org/\r\nContent-Length: 0\r\n\r\n",
            findings: ["mta-sts-policy"], status: 0, json: "redirects to https://www.example.org/"),
        Policy(
            testDescription: "a server in trouble is unknown",
            answer: "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", findings: ["mta-sts-policy"], status: 0,
            json: #""severity":"unknown""#),
        Policy(
            testDescription: "another name", certificate: "other-name.pem", answer: head, findings: ["mta-sts-policy"],
            status: 0, json: "mismatch"),
        Policy(
            testDescription: "expired", certificate: "expired.pem", answer: head, findings: ["mta-sts-policy"],
            status: 0, json: "expired"),
    ]

    @Test("the policy behind the record of MTA-STS is fetched and judged (RFC 8461)", arguments: policies)
    func policy(_ test: Policy) throws {
        let server = try HTTPSTestServer(Self.policyFile(test.certificate)) { _ in [.send(test.answer)] }
        let result = try check(
            Self.announced, ["--json", "--only", "mta-sts", "--https-port", "\(server.port)"])
        #expect(try MXCheckTests.ids(result) == test.findings && result.status == test.status, "\(result.text)")
        #expect(result.text.contains(test.json), "\(result.text)")
        let text = try check(Self.announced, ["--only", "mta-sts", "--https-port", "\(server.port)"])
        #expect(text.lines.allSatisfy { $0.count <= 80 }, "\(text.text)")
    }

    @Test("no policy is fetched without the record, and none with --no-smtp")
    func notFetched() throws {
        let server = try HTTPSTestServer(Self.policyFile("policy-host.pem")) { _ in [.send(Self.head)] }
        let words = ["--only", "mta-sts", "--https-port", "\(server.port)"]
        let bare = Self.announced.replacing("_mta-sts", with: "_other")
        #expect(try check(bare, words).text.contains("MTA-STS n/a    no record"))
        let quiet = try check(Self.announced, words + ["--no-smtp"])
        #expect(quiet.text.contains("MTA-STS ok     v=STSv1 id=20260101, policy not fetched") && quiet.status == 0)
        #expect(server.requests.isEmpty)
        let gone = Self.announced.replacing("\nmta-sts.example.org.", with: "\nother.example.org.")
        let result = try check(gone, words + ["--json"])
        #expect(try MXCheckTests.ids(result) == ["mta-sts-policy"] && result.text.contains("NXDOMAIN"))
        let broken = gone + "mta-sts.example.org. SERVFAIL\n"
        #expect(try check(broken, words + ["--json"]).text.contains(#""severity":"unknown""#))
    }

    // MARK: DANE

    /// The certificate of `mail-host.pem` and the authority that has signed it, as TLSA records name them.
    static let ownKey = "e73d84ddb01450a835a09045e44005952b5c3e34ababdf42957c8f0b08e2099a"
    static let ownKeyLong =
        "8649db9e2951ba637bba4e3a1fb95d5ddf32eaa61e6c45642943168a264bb46776a78c4abb818ffd7c6131260942c4907082b6888f2ebd9e"
        + "32f692ebb5cf2323"
    static let ownCertificate = "7dc7c7f197cc634bfa7d55a492b8847c5f731a38b26917d560330bcd310dc1f0"
    static let wholeKey =
        "3059301306072a8648ce3d020106082a8648ce3d030107034200047cd40943cff700dafb63bea0f4253c4618a965773e8588f3fa7ddfc50f"
        + "f002c3e274731c6ec3c4bdceedec52deed445c0345892f13a3d1ef026e99b3f69f321c"
    static let authorityKey = "a7eaa53466121f7a97cfe7443de93af9a96df7a4a0f03e795eba0519b97408a8"
    static let authority = "151ba5173eeda16c551ba7dbbf87cf3ff8a0744a92200d1513abd14e5adf820f"

    struct Record: CustomTestStringConvertible, Sendable {
        var data: [String]
        var findings: Set<String> = []
        var matches: [String]
        var host = "mx.example.org"
        var testDescription: String { "\(data.map { $0.prefix(12) }) at \(host)" }
    }

    static let records = [
        Record(data: ["3 1 1 \(ownKey)"], matches: ["true"]),
        Record(data: ["3 1 2 \(ownKeyLong)"], matches: ["true"]),
        Record(data: ["3 0 1 \(ownCertificate)"], matches: ["true"]),
        Record(data: ["3 1 0 \(wholeKey)"], matches: ["true"]),
        Record(data: ["3 1 1 \(ownCertificate)"], findings: ["dane-mismatch"], matches: ["false"]),
        Record(data: ["3 0 1 \(authority)"], findings: ["dane-mismatch"], matches: ["false"]),
        Record(data: ["2 1 1 \(authorityKey)"], matches: ["true"]),
        Record(data: ["2 0 1 \(authority)"], matches: ["true"]),
        Record(data: ["2 1 1 \(ownKey.replacing("e7", with: "e8"))"], findings: ["dane-mismatch"], matches: ["false"]),
        // RFC 7672 3.1.2: an authority's word is for a name; a key's is not.
        Record(
            data: ["2 1 1 \(authorityKey)"], findings: ["dane-mismatch"], matches: ["false"], host: "mail.example.org"),
        Record(data: ["3 1 1 \(ownKey)"], matches: ["true"], host: "mail.example.org"),
        // One of several that matches is enough.
        Record(data: ["3 1 1 \(authorityKey)", "3 1 1 \(ownKey)"], matches: ["false", "true"]),
        Record(data: ["1 1 1 \(ownKey)"], findings: ["dane-usage"], matches: ["true"]),
        Record(data: ["3 9 1 \(ownKey)"], findings: ["dane-usage"], matches: ["null"]),
    ]

    @Test(
        "TLSA records are compared with what a host shows, as a sender would (RFC 6698, RFC 7672)", arguments: records)
    func dane(_ test: Record) throws {
        let pem = TestData.path("mail-host.pem")
        let server = try TestServer(
            "smtp-serve", ["--hostname", test.host, "--cert", pem, "--key", pem], directory: folder.path)
        let zone = """
            example.org.     MX 10 \(test.host).
            \(test.host).    A 127.0.0.1
            \(test.data.map { "_25._tcp.\(test.host). TLSA \($0)" }.joined(separator: "\n"))

            """
        let result = try check(zone, ["--json", "--only", "dane", "--port", "\(server.port)"])
        #expect(try MXCheckTests.ids(result) == test.findings.union(["dane-unsigned"]), "\(result.text)")
        #expect(result.status == (test.findings.contains("dane-mismatch") ? 1 : 0))
        let found = result.text.matches(of: /"matches":([a-z]+)/).map { String($0.1) }
        #expect(found == test.matches, "\(result.text)")
        server.stop()
    }

    @Test("what DNSSEC has verified is no finding, and records behind an alias count first (RFC 7672 2.2.2)")
    func verified() throws {
        let pem = TestData.path("mail-host.pem")
        let server = try TestServer(
            "smtp-serve", ["--hostname", "mx.example.org", "--cert", pem, "--key", pem], directory: folder.path)
        let key = Self.ownKey
        let dns = try DNSTestServer { request in
            var reply = DNSReply(to: request)
            reply.flags |= 0x20
            switch (request.name, request.type) {
            case ("example.org", 15): reply.answers = [DNSReply.mx("*", 10, "mx.example.org")]
            case ("mx.example.org", 1):
                reply.answers = [
                    DNSReply.cname("*", "real.example.org"), DNSReply.a("real.example.org", [127, 0, 0, 1]),
                ]
            case ("_25._tcp.real.example.org", 52):
                let data = stride(from: 0, to: key.count, by: 2).compactMap { place -> UInt8? in
                    let start = key.index(key.startIndex, offsetBy: place)
                    return UInt8(key[start..<key.index(start, offsetBy: 2)], radix: 16)
                }
                reply.answers = [DNSReply.record("*", 52, [3, 1, 1] + data)]
            case ("_25._tcp.mx.example.org", 52): reply.answers = [DNSReply.record("*", 52, [3, 1, 1, 0])]
            default: reply.authority = [DNSReply.soa("*")]
            }
            return [.send(reply.bytes)]
        }
        defer { dns.stop() }
        let result = try ToolProcess.run(
            "mx",
            [
                "--check", "--json", "--no-hosts", "--only", "dane", "--server", "127.0.0.1:\(dns.port)", "--port",
                "\(server.port)", "example.org",
            ])
        #expect(try MXCheckTests.ids(result) == [], "\(result.text)")
        #expect(result.text.contains(#""name":"_25._tcp.real.example.org","secure":true"#), "\(result.text)")
        server.stop()
    }

    // MARK: Certificates

    @Test("name, authority and time of a certificate, each a finding of its own")
    func certificates() throws {
        let zone =
            "example.org. MX 10 mx.example.org.\nmx.example.org. A 127.0.0.1\n1.0.0.127.in-addr.arpa. PTR mx.example.org.\n"
        for (file, trusted, wanted) in [
            (TestData.path("mail-host.pem"), true, []),
            (TestData.path("mail-host.pem"), false, ["tls-untrusted"]),
            (Self.policyFile("other-name.pem"), true, ["tls-name"]),
            (Self.policyFile("expired.pem"), true, ["tls-expired", "tls-name"]),
        ] as [(String, Bool, Set<String>)] {
            let server = try TestServer(
                "smtp-serve", ["--hostname", "mx.example.org", "--cert", file, "--key", file], directory: folder.path)
            let words = ["--json", "--only", "smtp", "--port", "\(server.port)"]
            let result = try check(zone, words, trusted: trusted)
            #expect(try MXCheckTests.ids(result) == wanted, "\(file): \(result.text)")
            #expect(result.status == (wanted.contains("tls-expired") ? 1 : 0))
            // Whatever the certificate is, STARTTLS is there.
            #expect(result.text.contains(#""startTls":true,"tls":{"error":null,"version":"TLSv1.3""#))
            let short = try check(zone, words + ["--starttls-only"], trusted: trusted)
            #expect(
                short.text.contains(#""extensionsAfterTls":[]"#) && !result.text.contains(#""extensionsAfterTls":[]"#))
            let report = try check(zone, ["--only", "smtp", "--port", "\(server.port)"], trusted: trusted)
            #expect(report.lines.allSatisfy { $0.count <= 80 } && !report.text.contains("\u{1B}"), "\(report.text)")
            server.stop()
        }
    }

    // MARK: Routes

    struct Route: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var zone: String
        var domain = "example.org"
        var findings: Set<String>
        var status: Int32
        var line: String
    }

    static let routes = [
        Route(
            testDescription: "a null MX takes no mail", zone: "example.org. MX 0 .", findings: [], status: 68,
            line: "MX      ok     null MX: the domain takes no mail (RFC 7505)"),
        Route(
            testDescription: "a null MX of another preference", zone: "example.org. MX 10 .",
            findings: ["mx-null-preference"], status: 68, line: "the null MX has preference 10, not 0"),
        Route(
            testDescription: "a null MX beside another",
            zone: "example.org. MX 0 .\nexample.org. MX 5 a.example.\na.example. A 192.0.2.1",
            findings: ["mx-null-mixed"], status: 1, line: "5 a.example  192.0.2.1"),
        Route(
            testDescription: "an alias",
            zone: "example.org. MX 5 a.example.\na.example. CNAME b.example.\nb.example. A 192.0.2.1",
            findings: ["mx-cname"], status: 0, line: "5 a.example (alias of b.example)  192.0.2.1"),
        Route(
            testDescription: "an address in place of a name", zone: "example.org. MX 5 192.0.2.1.",
            findings: ["mx-ip-literal"],
            status: 68, line: "mx-ip-literal"),
        Route(
            testDescription: "a host twice",
            zone: "example.org. MX 5 a.example.\nexample.org. MX 9 a.example.\na.example. A 192.0.2.1",
            findings: ["mx-duplicate"], status: 0, line: "9 a.example is there more than once"),
        Route(
            testDescription: "private addresses",
            zone: "example.org. MX 5 a.example.\na.example. A 10.0.0.1\na.example. AAAA fd00::1",
            findings: ["mx-private-address"], status: 0, line: "5 a.example  10.0.0.1 fd00::1"),
        Route(
            testDescription: "an address literal", zone: "", domain: "[192.0.2.1]", findings: [], status: 0,
            line: "MX      ok     [192.0.2.1]  192.0.2.1"),
        Route(
            testDescription: "no such domain", zone: "", findings: [], status: 68, line: "no such domain"),
    ]

    @Test("every kind of route, in words and as findings", arguments: routes)
    func route(_ test: Route) throws {
        let json = try check(test.zone + "\n", ["--json", "--only", "mx", "--no-smtp"], domain: test.domain)
        #expect(try MXCheckTests.ids(json) == test.findings && json.status == test.status, "\(json.text)")
        let text = try check(test.zone + "\n", ["--only", "mx", "--no-smtp"], domain: test.domain)
        #expect(text.text.contains(test.line), "\(text.text)")
    }

    @Test("SPF: the tree of a policy with more than ten lookups, and what each term costs (RFC 7208 4.6.4)")
    func tree() throws {
        let zone = """
            example.org. MX 10 mx.example.org.
            mx.example.org. A 192.0.2.1
            example.org. TXT "v=spf1 include:a.example include:b.example mx ~all"
            a.example. TXT "v=spf1 a:mx.example.org a:mx.example.org a:mx.example.org include:c.example -all"
            b.example. TXT "v=spf1 exists:mx.example.org exists:mx.example.org -all"
            c.example. TXT "v=spf1 a:mx.example.org a:mx.example.org -all"

            """
        let text = try check(zone, ["--only", "spf", "--no-smtp"])
        #expect(text.status == 1)
        #expect(
            text.lines.dropFirst().filter { !$0.isEmpty } == [
                "SPF     ERROR  11 lookups, limit 10: include:a.example (7) include:b.example (3)",
                "               mx (1)                                                spf-lookups",
                "               v=spf1 include:a.example include:b.example mx ~all",
                "                 include:a.example (7): v=spf1 a:mx.example.org a:mx.example.org",
                "                 a:mx.example.org include:c.example -all",
                "                   include:c.example (3): v=spf1 a:mx.example.org",
                "                   a:mx.example.org -all",
                "                 include:b.example (3): v=spf1 exists:mx.example.org",
                "                 exists:mx.example.org -all",
            ], "\(text.text)")
    }

    @Test("--trace tells every query: server, protocol, time, code and flags")
    func trace() throws {
        let dns = try DNSTestServer { request in
            var reply = DNSReply(to: request)
            if request.isTCP {
                reply.answers = [DNSReply.mx("*", 10, "mx.example.org")]
            } else if request.type == 15 {
                reply.flags |= 0x200
            } else {
                reply.flags |= 3
                reply.authority = [DNSReply.soa("*")]
            }
            return [.send(reply.bytes)]
        }
        defer { dns.stop() }
        let result = try ToolProcess.run(
            "mx", ["--trace", "--no-hosts", "-4", "--server", "127.0.0.1:\(dns.port)", "example.org"])
        #expect(result.status == 68)
        let lines = result.diagnostics.split(separator: "\n").filter { $0.contains("127.0.0.1:\(dns.port)") }
        #expect(lines.count == 3, "\(result.diagnostics)")
        #expect(
            lines.contains { $0.contains("MX") && $0.contains("udp") && $0.contains("truncated") },
            "\(result.diagnostics)")
        #expect(lines.contains { $0.contains("MX") && $0.contains("tcp") && $0.contains("NOERROR") })
        #expect(lines.contains { $0.contains(" A:") && $0.contains("NXDOMAIN") })
    }
}
