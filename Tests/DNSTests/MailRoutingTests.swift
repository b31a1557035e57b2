import DNS
import TestSupport
import Testing
import Unix

/// Runs a route over zone lines.
func route(
    _ domain: String, _ lines: String, withAddresses: Bool = true, families: Resolver.Families = .both
) throws -> MailRoute {
    let zone = try Zone(parsing: Array(lines.utf8), name: "zone")
    return try EventLoop.run { _ in
        await Resolver(.zone(zone), families: families).mailRoute(for: domain, withAddresses: withAddresses)
    }
}

/// `preference host address address` of each host, or its problem.
func lines(_ route: MailRoute) -> [String] {
    route.hosts.map { host in
        let rest = host.problem.map { ["\($0)"] } ?? host.addresses.map(\.description)
        return (["\(host.preference)", host.name] + rest).joined(separator: " ")
    }
}

@Suite("Mail routing")
struct MailRoutingTests {
    static let zone = """
        $TTL 300
        example.org.       MX   20 mx2.example.org.
        example.org.       MX   10 mx1.example.org.
        mx1.example.org.   A    192.0.2.1
        mx1.example.org.   AAAA 2001:db8::1
        mx2.example.org.   A    192.0.2.2
        equal.example.     MX   10 b.equal.example.
        equal.example.     MX   10 a.equal.example.
        a.equal.example.   A    192.0.2.3
        b.equal.example.   A    192.0.2.4
        web.example.       A    192.0.2.9
        six.example.       AAAA 2001:db8::9
        text.example.      TXT  "no mail"
        null.example.      MX   0 .
        oddnull.example.   MX   10 .
        mixed.example.     MX   0 .
        mixed.example.     MX   5 mx1.example.org.
        dead.example.      MX   10 nowhere.example.
        dead.example.      MX   20 text.example.
        half.example.      MX   10 nowhere.example.
        half.example.      MX   20 mx1.example.org.
        alias.example.     CNAME example.org.
        aliased.example.   MX   10 mxalias.example.
        mxalias.example.   CNAME mx1.example.org.
        literal.example.   MX   10 192.0.2.7.
        literal6.example.  MX   10 2001:db8::7.
        odd.example.       MX   10 a\\046b.example.
        twice.example.     MX   10 mx1.example.org.
        twice.example.     MX   10 MX1.example.org.
        broken.example.    SERVFAIL
        lost.example.      TIMEOUT
        nomx.example.      SERVFAIL MX
        nomx.example.      A    192.0.2.10
        noa.example.       SERVFAIL A
        nothost.example.   MX   10 broken.example.
        onehost.example.   MX   10 broken.example.
        onehost.example.   MX   20 mx1.example.org.
        loop.example.      CNAME loop2.example.
        loop2.example.     CNAME loop.example.
        """

    struct Case: Sendable, CustomTestStringConvertible {
        let domain: String
        let status: MailRoute.Status
        let hosts: [String]
        var testDescription: String { domain }
        init(_ domain: String, _ status: MailRoute.Status, _ hosts: [String] = []) {
            self.domain = domain
            self.status = status
            self.hosts = hosts
        }
    }

    static let both = ["10 mx1.example.org 192.0.2.1 2001:db8::1", "20 mx2.example.org 192.0.2.2"]
    static let cases = [
        Case("example.org", .mx, both),
        Case("EXAMPLE.org.", .mx, both),
        Case("user@example.org", .mx, both),
        Case("\"a@b\"@example.org", .mx, both),
        Case("alias.example", .mx, both),
        Case("equal.example", .mx, ["10 a.equal.example 192.0.2.3", "10 b.equal.example 192.0.2.4"]),
        Case("web.example", .implicit, ["0 web.example 192.0.2.9"]),
        Case("six.example", .implicit, ["0 six.example 2001:db8::9"]),
        Case("text.example", .nodata),
        Case("none.example", .nxdomain),
        Case("example", .nodata),
        Case("null.example", .null),
        Case("oddnull.example", .null),
        Case("mixed.example", .mx, ["5 mx1.example.org 192.0.2.1 2001:db8::1"]),
        Case("dead.example", .unreachable, ["10 nowhere.example noSuchDomain", "20 text.example noData"]),
        Case(
            "half.example", .mx,
            ["10 nowhere.example noSuchDomain", "20 mx1.example.org 192.0.2.1 2001:db8::1"]),
        Case("aliased.example", .mx, ["10 mxalias.example 192.0.2.1 2001:db8::1"]),
        Case("literal.example", .unreachable, ["10 192.0.2.7 isAddress"]),
        Case("literal6.example", .unreachable, ["10 2001:db8::7 isAddress"]),
        Case("odd.example", .unreachable, ["10 a\\046b.example isNoHostName"]),
        Case("twice.example", .mx, ["10 mx1.example.org 192.0.2.1 2001:db8::1"]),
        Case("broken.example", .tempfail),
        Case("lost.example", .tempfail),
        Case("nomx.example", .tempfail),
        Case("noa.example", .tempfail),
        Case("loop.example", .tempfail),
        Case("[192.0.2.1]", .literal, ["0 [192.0.2.1] 192.0.2.1"]),
        Case("user@[IPv6:2001:db8::1]", .literal, ["0 [IPv6:2001:db8::1] 2001:db8::1"]),
        Case("[2001:db8::1]", .invalid),
        Case("[300.1.1.1]", .invalid),
        Case("[192.0.2.1", .invalid),
        Case("192.0.2.1", .invalid),
        Case("2001:db8::1", .invalid),
        Case("", .invalid),
        Case(".", .invalid),
        Case("a..b", .invalid),
        Case("a b.example", .invalid),
        Case("-a.example", .invalid),
        Case("1.2.3", .invalid),
        Case(String(repeating: "a", count: 64) + ".example", .invalid),
        Case(String(repeating: "a.", count: 130) + "example", .invalid),
    ]

    @Test("status and hosts, in the order of preference and then of names (RFC 5321 5.1)", arguments: cases)
    func status(_ wanted: Case) throws {
        let found = try route(wanted.domain, MailRoutingTests.zone)
        #expect(found.status == wanted.status)
        #expect(lines(found) == wanted.hosts)
        #expect(found.domain == wanted.domain)
    }

    @Test("a failure for now of the only host is no verdict on the domain")
    func hostFails() throws {
        let none = try route("nothost.example", MailRoutingTests.zone)
        #expect(none.status == .tempfail && none.failure?.reason == "SERVFAIL from zone")
        let one = try route("onehost.example", MailRoutingTests.zone)
        #expect(one.status == .mx && one.usableHosts.map(\.name) == ["mx1.example.org"])
    }

    @Test("what is odd about the records is kept")
    func oddities() throws {
        #expect(try route("oddnull.example", MailRoutingTests.zone).nullPreference == 10)
        #expect(try route("null.example", MailRoutingTests.zone).nullPreference == nil)
        #expect(try route("mixed.example", MailRoutingTests.zone).hasMixedNull)
        #expect(try route("twice.example", MailRoutingTests.zone).duplicates.count == 1)
        #expect(try route("aliased.example", MailRoutingTests.zone).hosts.first?.canonicalName == "mx1.example.org")
    }

    @Test("without addresses no host is looked up, and only names that cannot be used are out")
    func withoutAddresses() throws {
        let plain = try route("dead.example", MailRoutingTests.zone, withAddresses: false)
        #expect(plain.status == .mx && lines(plain) == ["10 nowhere.example", "20 text.example"])
        #expect(try route("literal.example", MailRoutingTests.zone, withAddresses: false).status == .unreachable)
    }

    @Test("one family of addresses only")
    func families() throws {
        let four = try route("example.org", MailRoutingTests.zone, families: .ipv4)
        #expect(lines(four) == ["10 mx1.example.org 192.0.2.1", "20 mx2.example.org 192.0.2.2"])
        let six = try route("example.org", MailRoutingTests.zone, families: .ipv6)
        #expect(lines(six) == ["10 mx1.example.org 2001:db8::1", "20 mx2.example.org noData"])
        #expect(try route("web.example", MailRoutingTests.zone, families: .ipv6).status == .nodata)
    }

    @Test("a host of its own domain leaves out itself and what is not preferred to it (RFC 5321 5.1)")
    func loop() throws {
        let found = try route("example.org", MailRoutingTests.zone)
        #expect(found.excludingSelf(names: ["MX2.example.org"], addresses: []).hosts.map(\.name) == ["mx1.example.org"])
        let own = try #require(IPAddress("192.0.2.1"))
        #expect(found.excludingSelf(names: [], addresses: [own]).hosts.isEmpty)
        #expect(found.excludingSelf(names: ["other.example"], addresses: []) == found)
    }

    @Test("shuffling keeps the preferences in order")
    func shuffle() throws {
        let found = try route(
            "s.example",
            (0..<20).map { "s.example. MX \($0 / 10) m\($0).example.\n" }.joined(), withAddresses: false)
        var generator = SeededGenerator(seed: 7)
        let shuffled = found.shuffled(using: &generator)
        #expect(shuffled.hosts.map(\.preference) == found.hosts.map(\.preference))
        #expect(shuffled.hosts.map(\.name) != found.hosts.map(\.name))
        #expect(Set(shuffled.hosts.map(\.name)) == Set(found.hosts.map(\.name)))
    }

    @Test("names in other scripts become A-labels, and the ideographic dot divides")
    func international() throws {
        guard (try? InternationalName.ascii("ä.example")) != nil else { return }
        let zone = "xn--bcher-kva.example. MX 10 mx.example.\nmx.example. A 192.0.2.1"
        for text in ["bücher.example", "BÜCHER.example", "bu\u{308}cher.example", "bücher\u{3002}example"] {
            let found = try route(text, zone)
            #expect(found.status == .mx && found.ascii == "xn--bcher-kva.example", "\(text)")
        }
    }
}
