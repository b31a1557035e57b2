import DNS
import TestSupport
import Testing
import Unix

@Suite("Zone files")
struct ZoneTests {
    static let text = """
        ; a comment
        $ORIGIN example.org.
        $TTL 1h
        @   IN  SOA ns hostmaster ( 1 ; serial
                    3600 600 86400
                    60 )
            NS  ns
            MX  10 mx1
        \t600 IN MX 20 mx2.example.org.
        mx1 IN 300 A 192.0.2.1
        MX1 AAAA 2001:db8::1
        txt TXT "v=spf1 " "a \\"quoted\\" \\059 ; -all" plain
        long TXT "\(String(repeating: "x", count: 300))"
        ptr PTR host
        tlsa TLSA 3 1 1 ABCD ef01
        caa CAA 0 issue "ca.example"
        unknown TYPE999 \\# 1 00
        *.wild A 192.0.2.7
        host.wild TXT here
        deep.sub.wild A 192.0.2.8
        alias CNAME mx1
        outer CNAME other.example.
        slow TIMEOUT
        half SERVFAIL MX
        half A 192.0.2.3
        $ORIGIN test.
        x A 192.0.2.9
        """

    func zone() throws -> Zone { try Zone(parsing: Array(ZoneTests.text.utf8), name: "zone") }

    @Test(
        "answers",
        arguments: [
            ("example.org", "MX", "10 mx1.example.org, 20 mx2.example.org"), ("example.org", "SOA", "SOA"),
            ("example.org", "NS", "NS"), ("mx1.example.org", "A", "192.0.2.1"),
            ("mx1.example.org", "AAAA", "2001:db8::1"), ("mx1.example.org", "MX", "nodata"),
            ("mx2.example.org", "A", "nxdomain"), ("org", "A", "nodata"), ("caa.example.org", "A", "nodata"),
            ("unknown.example.org", "A", "nodata"), ("alias.example.org", "A", "192.0.2.1"),
            ("outer.example.org", "A", "nxdomain"), ("any.wild.example.org", "A", "192.0.2.7"),
            ("a.b.wild.example.org", "A", "192.0.2.7"), ("any.wild.example.org", "MX", "nodata"),
            ("host.wild.example.org", "A", "nodata"), ("sub.wild.example.org", "A", "nodata"),
            ("x.sub.wild.example.org", "A", "nxdomain"), ("a.host.wild.example.org", "A", "nxdomain"),
            ("slow.example.org", "A", "tempfail"), ("half.example.org", "MX", "tempfail"),
            ("half.example.org", "A", "192.0.2.3"), ("x.test", "A", "192.0.2.9"), ("ptr.example.org", "PTR", "PTR"),
            ("tlsa.example.org", "TLSA", "TLSA"),
        ])
    func answers(_ name: String, _ type: String, _ wanted: String) throws {
        let answer = try zone().answer(try DomainName(name), try #require(RecordType(name: type)))
        #expect(word(answer) == wanted)
    }

    @Test("strings: quotes, escapes, several, longer than 255 bytes")
    func strings() throws {
        let text = try zone().answer(try DomainName("txt.example.org"), .txt).records.first?.data.joinedText
        #expect(text == Array("v=spf1 a \"quoted\" ; ; -allplain".utf8))
        guard case .text(let parts) = try zone().answer(try DomainName("long.example.org"), .txt).records.first?.data
        else {
            Issue.record("no TXT")
            return
        }
        #expect(parts.map(\.count) == [255, 45])
    }

    @Test("times with units, and the lowest of an answer")
    func times() throws {
        #expect(try zone().answer(try DomainName("example.org"), .mx).ttl == 600)
        #expect(try zone().answer(try DomainName("alias.example.org"), .a).ttl == 300)
    }

    @Test("the reason of a failure")
    func reasons() throws {
        let slow = try zone().answer(try DomainName("slow.example.org"), .mx)
        #expect(slow.temporaryFailure?.reason == "no answer from zone")
        let half = try zone().answer(try DomainName("half.example.org"), .mx)
        #expect(half.temporaryFailure?.reason == "SERVFAIL from zone")
    }

    @Test(
        "what is wrong is told with its line",
        arguments: [
            ("a A 192.0.2.1\nb A 1.2.3\n", 2), ("a MX mx.example.\n", 1), ("a MX 70000 mx.\n", 1),
            ("a TXT \"open\n", 1), ("a..b A 192.0.2.1\n", 1), ("  A 192.0.2.1\n", 1), ("$INCLUDE x\n", 1),
            ("a SOA ( 1 2\n", 1), ("a A\n", 1), ("a\n", 1), ("a SERVFAIL ?\n", 1), ("$TTL x\n", 1),
            ("\n\na AAAA 192.0.2.1\n", 3), ("a TLSA 3 1 1 xyz\n", 1), ("a A 192.0.2.1 192.0.2.2\n", 1),
        ])
    func errors(_ text: String, _ line: Int) {
        let error = #expect(throws: ZoneError.self) { try Zone(parsing: Array(text.utf8), name: "z") }
        #expect(error?.line == line)
        #expect(error?.description.hasPrefix("z:\(line): ") == true)
    }

    @Test("no change to a zone file makes the parser fail but by an error")
    func mutations() throws {
        var generator = SeededGenerator(seed: 5)
        let bytes = Array(ZoneTests.text.utf8)
        let name = try DomainName("a.wild.example.org")
        for _ in 0..<3_000 {
            guard let zone = try? Zone(parsing: generator.mutated(bytes), name: "z") else { continue }
            _ = zone.answer(name, .mx)
        }
    }
}

@Suite("The resolver's configuration")
struct ResolverConfigurationTests {
    @Test("resolv.conf with tabs, CRLF, comments, garbage and IPv6 (resolv.conf(5))")
    func file() {
        let text = """
            # comment
            ; comment
            nameserver\t192.0.2.1\r
            nameserver 2001:db8::53 # the second
            nameserver not-an-address
            garbage
            nameserver 192.0.2.3
            nameserver 192.0.2.4
            search a.example b.example
            options ndots:3 timeout:7 attempts:4 rotate trust-ad use-vc no-aaaa single-request what:ever
            """
        let configuration = ResolverConfiguration(parsing: Array(text.utf8))
        #expect(configuration.servers.map(\.description) == ["192.0.2.1:53", "[2001:db8::53]:53", "192.0.2.3:53"])
        #expect(configuration.search == ["a.example", "b.example"] && configuration.dots == 3)
        #expect(configuration.timeout == .seconds(7) && configuration.attempts == 4)
        #expect(configuration.rotates && configuration.trustsAuthentication && configuration.usesTCP)
        #expect(configuration.omitsIPv6)
    }

    @Test("no server means this machine")
    func empty() {
        for text in ["", "nameserver\n", "\u{0}\n\n"] {
            let configuration = ResolverConfiguration(parsing: Array(text.utf8))
            #expect(configuration.servers.map(\.description) == ["127.0.0.1:53"])
            #expect(configuration.attempts == 2 && configuration.timeout == .seconds(2))
        }
    }

    @Test("names are completed by the number of their dots")
    func completion() {
        var configuration = ResolverConfiguration(servers: [])
        configuration.search = ["a.example", "b.example"]
        #expect(configuration.candidates(for: "box") == ["box.a.example", "box.b.example", "box"])
        #expect(configuration.candidates(for: "box.x") == ["box.x", "box.x.a.example", "box.x.b.example"])
        #expect(configuration.candidates(for: "box.") == ["box."])
    }
}
