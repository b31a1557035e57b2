import Bytes
import DNS
import SenderAuthentication
import TestSupport
import Testing
import Unix

/// A resolver over zone lines.
func resolver(_ zone: String) throws -> Resolver {
    Resolver(.zone(try Zone(parsing: Array(zone.utf8), name: "zone")))
}

/// One SPF check over zone lines.
func spf(
    _ zone: String, _ address: String, mailFrom: String? = nil, helo: String? = nil, domain: String? = nil
) async throws -> SPFOutcome {
    let client = try #require(IPAddress(address))
    return await SPFEvaluator(try resolver(zone)).check(
        SPFRequest(address: client, mailFrom: mailFrom, helo: helo, domain: domain))
}

@Suite struct SPFTests {
    @Test("RFC 7208 4.6.4: a void lookup is one of the term's own name, not of the hosts behind an MX record")
    func voidLookups() async throws {
        let zone = """
            example.org. TXT "v=spf1 mx a:nothing.example a:web.example -all"
            example.org. MX 1 a.example.
            example.org. MX 2 b.example.
            example.org. MX 3 c.example.
            a.example. A 192.0.2.1
            b.example. A 192.0.2.2
            c.example. A 192.0.2.3
            web.example. A 192.0.2.4
            """
        let outcome = try await spf(zone, "2001:db8::1", mailFrom: "a@example.org")
        #expect(outcome.result == .fail)
        #expect(outcome.lookups == 3)
        #expect(outcome.void == 2)
        #expect(outcome.mechanism == "-all")
    }

    @Test("RFC 7208 4.6.4: the third term that finds nothing is an error")
    func tooManyVoids() async throws {
        let zone = "example.org. TXT \"v=spf1 a:x.example mx:y.example exists:z.example -all\""
        let outcome = try await spf(zone, "192.0.2.1", mailFrom: "a@example.org")
        #expect(outcome.result == .permerror)
        #expect(outcome.void == 3)
    }

    @Test("RFC 7208 4.6.4: eleven includes, one before the last matches: pass")
    func elevenIncludes() async throws {
        var zone = "example.org. TXT \"v=spf1\" \""
        for number in 0..<11 { zone += " include:i\(number).example" }
        zone += " -all\"\n"
        for number in 0..<11 {
            zone += "i\(number).example. TXT \"v=spf1 \(number == 8 ? "ip4:192.0.2.1" : "") -all\"\n"
        }
        let passed = try await spf(zone, "192.0.2.1", mailFrom: "a@example.org")
        #expect(passed.result == .pass)
        #expect(passed.mechanism == "include:i8.example")
        #expect(try await spf(zone, "192.0.2.2", mailFrom: "a@example.org").result == .permerror)
    }

    @Test("RFC 7208 5.5: failures of the DNS are no match for ptr")
    func ptrFailures() async throws {
        let zone = """
            example.org. TXT "v=spf1 ptr -all"
            1.2.0.192.in-addr.arpa. SERVFAIL
            2.2.0.192.in-addr.arpa. PTR bad.example.org.
            2.2.0.192.in-addr.arpa. PTR good.example.org.
            bad.example.org. SERVFAIL
            good.example.org. A 192.0.2.2
            """
        #expect(try await spf(zone, "192.0.2.1", mailFrom: "a@example.org").result == .fail)
        #expect(try await spf(zone, "192.0.2.2", mailFrom: "a@example.org").result == .pass)
    }

    @Test("RFC 7208 5: ip6 never matches an IPv4 client, and an IPv4 address in IPv6 form is one")
    func families() async throws {
        let zone = "example.org. TXT \"v=spf1 ip6:::/0 -all\"\nother.example. TXT \"v=spf1 ip4:192.0.2.1 -all\""
        #expect(try await spf(zone, "192.0.2.1", mailFrom: "a@example.org").result == .fail)
        #expect(try await spf(zone, "::ffff:192.0.2.1", mailFrom: "a@example.org").result == .fail)
        #expect(try await spf(zone, "::ffff:192.0.2.1", mailFrom: "a@other.example").result == .pass)
    }

    @Test("RFC 7208 6.2: no line end and no control character leaves an explanation")
    func explanation() async throws {
        let zone = """
            example.org. TXT "v=spf1 -all exp=why.example.org"
            why.example.org. TXT "evil\\013\\010550 injected"
            net.example. TXT "v=spf1 exp=why.net.example -all"
            why.net.example. TXT "%{s} from %{c} by %{h}"
            """
        #expect(try await spf(zone, "192.0.2.1", mailFrom: "a@example.org").explanation == nil)
        let outcome = try await spf(zone, "192.0.2.1", mailFrom: "a\u{7}b@net.example", helo: "h.example\r\n550 x")
        #expect(outcome.explanation == "ab@net.example from 192.0.2.1 by h.example")
    }

    @Test(
        "RFC 7208 4.3: names that can have no policy are none before any query",
        arguments: [
            "a@localhost", "a@[192.0.2.1]", "a@", "a@..", "a@a..example",
            "a@" + String(repeating: "x", count: 64) + ".example",
        ])
    func noDomain(_ sender: String) async throws {
        #expect(try await spf("x. A 192.0.2.1", "192.0.2.1", mailFrom: sender, helo: "h.example").result == .none)
    }

    @Test("RFC 7208 2.4: the null reverse-path is judged by HELO")
    func nullSender() async throws {
        let outcome = try await spf("h.example. TXT \"v=spf1 -all\"", "192.0.2.1", mailFrom: "", helo: "h.example")
        #expect(outcome.identity == .helo)
        #expect(outcome.sender == "postmaster@h.example")
        #expect(outcome.result == .fail)
    }

    @Test("RFC 7208 7.3: too long a name loses labels from the left")
    func longName() async throws {
        let label = String(repeating: "x", count: 60)
        let zone = """
            example.org. TXT "v=spf1 exists:%{l}.\(label).\(label).\(label).\(label).example -all"
            \(label).\(label).\(label).\(label).example. A 127.0.0.2
            """
        #expect(try await spf(zone, "192.0.2.1", mailFrom: "long-local-part@example.org").result == .pass)
    }

    @Test(
        "records that are not valid",
        arguments: [
            "v=spf1 a:%{d0}.example.org", "v=spf1 a:%{x.e", "v=spf1 a:%(d)", "v=spf1 -all foo",
            "v=spf1 redirect=a.b redirect=c.d",
            "v=spf1 a/33", "v=spf1 a//129", "v=spf1 a/", "v=spf1 a:", "v=spf1 ip4:1.2.3", "v=spf1 ip4:1.2.3.4/",
            "v=spf1 ip6:1.2.3.4",
            "v=spf1 ip4:1.2.3.4/01", "v=spf1 include", "v=spf1 all:x", "v=spf1 exp=", "v=spf1 =x", "v=spf1 1a=x",
            "v=spf1 a:b.123",
            "v=spf1 ip6:fe80::1%lo", "v=spf1 a=%", "v=spf1 a:%{c}.example.org",
        ])
    func badRecords(_ text: String) {
        #expect(throws: SPFSyntaxError.self) { try SPFRecord(parsing: Array(text.utf8)) }
    }

    @Test(
        "records that are valid",
        arguments: [
            "v=spf1", "V=SPF1 REDIRECT=a.B", "v=spf1 a/24//64 mx:b.c/8 ptr:%{d} ?exists:%{ir}.x.y -all", "v=spf1   a  ",
            "v=spf1 x-y.z_1=%{c}%%%_%-", "v=spf1 a:x.example. ip6:::1/0 +ip4:0.0.0.0/0",
        ])
    func goodRecords(_ text: String) throws { _ = try SPFRecord(parsing: Array(text.utf8)) }

    @Test("a survey counts the terms of every policy, without a client")
    func survey() async throws {
        let zone = """
            example.org. TXT "v=spf1 include:a.example mx a:none.example exists:%{i}.x.example redirect=b.example"
            example.org. MX 10 mx.example.org.
            a.example. TXT "v=spf1 include:a2.example a -all"
            a2.example. TXT "v=spf1 include:a.example ptr -all"
            a.example. A 192.0.2.1
            b.example. TXT "v=spf1 foo"
            """
        let survey = await SPFSurvey(of: "example.org", try resolver(zone))
        #expect(survey.lookups == 9)
        #expect(survey.void == 1)
        #expect(survey.firstError?.domain == "a.example")
        #expect(survey.terms.map(\.lookups) == [5, 1, 1, 1, 1])
    }

    @Test("any bytes as a record give a verdict")
    func hostile() async throws {
        var generator = SeededGenerator(seed: 7)
        let seeds = [
            "v=spf1 include:%{d2r-}.a.example mx/24//64 a:b.example ptr exists:%{l}.%{o} exp=x.example redirect=y.example",
            "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ?all",
        ]
        for round in 0..<2_000 {
            let text = generator.mutated(Array(seeds[round % 2].utf8))
            guard let record = try? SPFRecord(parsing: text) else { continue }
            #expect(record.text.utf8.count == text.count)
        }
    }
}
