import TestSupport
import Testing
import Unix

@testable import DNS

/// A message with a record of every type, names compressed.
func everyType() -> (query: Query, message: [UInt8])? {
    guard let name = try? DomainName("example.org") else { return nil }
    let query = Query(id: 0x1234, name: name, type: .mx, hasOptions: true)
    guard let request = DNSTestRequest(query.bytes) else { return nil }
    var reply = DNSReply(to: request.request)
    reply.answers = [
        DNSReply.mx("*", 10, "mx.*"), DNSReply.a("a.*", [192, 0, 2, 1]),
        DNSReply.record("*", 28, [0x20, 1, 13, 0xB8] + [UInt8](repeating: 0, count: 11) + [1]),
        DNSReply.cname("c.*", "d.*"), DNSReply.record("*", 2, DNSReply.name("ns.*")),
        DNSReply.record("*", 12, DNSReply.name("ptr.*")), DNSReply.record("*", 16, [2, 97, 98, 0, 1, 99]),
        DNSReply.record("*", 52, [3, 1, 1, 0xAB, 0xCD]), DNSReply.record("*", 257, [0, 5, 1]),
    ]
    reply.authority = [DNSReply.soa("example.org")]
    reply.additional = [[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]]
    return (query, reply.bytes)
}

/// A request built from a query's bytes.
struct DNSTestRequest {
    let request: DNSRequest
    init?(_ bytes: [UInt8]) {
        guard let request = DNSRequest(bytes, isTCP: false, number: 0) else { return nil }
        self.request = request
    }
}

@Suite("DNS messages")
struct MessageTests {
    @Test("a query as it goes over the wire (RFC 1035 4.1, RFC 6891 6.1)")
    func encoding() throws {
        let query = Query(id: 0xABCD, name: try DomainName("Example.org."), type: .mx, hasOptions: true)
        let wanted: [UInt8] =
            [0xAB, 0xCD, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1] + [7] + Array("example".utf8) + [3] + Array("org".utf8)
            + [0, 0, 15, 0, 1] + [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
        #expect(query.bytes == wanted)
        let plain = Query(
            id: 1, name: try DomainName("a.b"), type: .a, hasOptions: false, asksAuthentication: true)
        #expect(plain.bytes == [0, 1, 1, 0x20, 0, 1, 0, 0, 0, 0, 0, 0, 1, 97, 1, 98, 0, 0, 1, 0, 1])
    }

    @Test("records of every type")
    func records() throws {
        let (query, message) = try #require(everyType())
        guard case .answer(let parsed) = query.match(message.span) else {
            Issue.record("not an answer")
            return
        }
        let name = try DomainName("example.org")
        #expect(parsed.hasOptions && parsed.responseCode == .noError && parsed.answers.count == 9)
        #expect(parsed.answers[0].data == .exchange(preference: 10, host: try DomainName("mx.example.org")))
        #expect(parsed.answers[0].owner == name && parsed.answers[0].ttl == 300)
        #expect(parsed.answers[1].data == .address(try #require(IPAddress("192.0.2.1"))))
        #expect(parsed.answers[2].data == .address(try #require(IPAddress("2001:db8::1"))))
        #expect(parsed.answers[3].data == .name(try DomainName("d.example.org")))
        #expect(
            parsed.answers[6].data == .text([[97, 98], [], [99]]) && parsed.answers[6].data.joinedText == [97, 98, 99])
        #expect(
            parsed.answers[7].data
                == .certificate(TLSARecord(usage: 3, selector: 1, matchingType: 1, association: [0xAB, 0xCD])))
        #expect(parsed.answers[8].data == .other([0, 5, 1]))
        guard case .startOfAuthority(let authority) = parsed.authority.first?.data else {
            Issue.record("no SOA")
            return
        }
        #expect(authority.minimum == 60 && "\(authority.primary)" == "ns.example.org")
    }

    @Test("no change to a message makes the parser fail but by an error", arguments: 0..<4)
    func mutations(_ part: Int) throws {
        let (query, message) = try #require(everyType())
        var generator = SeededGenerator(seed: UInt64(part) + 1)
        var parsed = 0
        for _ in 0..<25_000 {
            let bytes = generator.mutated(message)
            if case .answer = query.match(bytes.span) { parsed += 1 }
            if (try? Message(parsing: bytes.span)) != nil { parsed += 1 }
        }
        #expect(parsed > 1_000)
    }

    @Test("random bytes are no answer")
    func noise() throws {
        let (query, _) = try #require(everyType())
        var generator = SeededGenerator(seed: 99)
        for _ in 0..<20_000 {
            let bytes = generator.bytes(Int(generator.next() % 80))
            #expect(query.match(bytes.span) == .foreign)
            _ = try? Message(parsing: bytes.span)
        }
    }

    @Test("many pointers and records take no more than linear time")
    func bomb() throws {
        let name = try DomainName("a.b")
        let query = Query(id: 0, name: name, type: .txt, hasOptions: false)
        var message = query.bytes
        message[2] = 0x81
        message[6] = 0x10
        // Names that each point to the one before them.
        var place = 12
        for _ in 0..<4_096 {
            let next = message.count
            message += [1, 120, 0xC0 | UInt8(place >> 8 & 0x3F), UInt8(place & 255), 0, 16, 0, 1, 0, 0, 0, 0, 0, 1, 0]
            if next < 0x3F00 { place = next }
        }
        let start = ContinuousClock.now
        #expect(query.match(message.span) == .malformed(.badName))
        #expect(ContinuousClock.now - start < .seconds(5))
    }
}

@Suite("Domain names")
struct DomainNameTests {
    @Test(
        "presentation form and back",
        arguments: [
            ("example.org", "example.org"), ("EXAMPLE.Org.", "example.org"), (".", "."), ("a\\.b.c", "a\\046b.c"),
            ("a\\255.c", "a\\255.c"), ("a\\\\b", "a\\092b"), ("_dmarc.x", "_dmarc.x"), ("a b.c", "a\\032b.c"),
        ])
    func names(_ text: String, _ wanted: String) throws {
        let name = try DomainName(text)
        #expect("\(name)" == wanted)
        #expect(try DomainName(wanted) == name)
    }

    @Test(
        "what is no name",
        arguments: [
            ("", DomainNameError.empty), ("a..b", .emptyLabel), (".a", .emptyLabel), ("..", .emptyLabel),
            ("a\\", .badEscape), ("a\\25", .badEscape), ("a\\256", .badEscape),
            (String(repeating: "a", count: 64), .labelTooLong),
            (String(repeating: "a.", count: 127) + "a", .nameTooLong),
        ])
    func errors(_ text: String, _ wanted: DomainNameError) {
        #expect(throws: wanted) { try DomainName(text) }
    }

    @Test("the longest names: labels of 63 bytes, 253 bytes in all")
    func longest() throws {
        let text = (String(repeating: "a", count: 63) + ".") + String(repeating: "b.", count: 94) + "c"
        #expect(text.utf8.count == 253)
        #expect(try DomainName(text).wire.count == 255)
        #expect(throws: DomainNameError.nameTooLong) { try DomainName(text + "c") }
    }

    @Test("dots and bytes outside of printable ASCII within a label are seen")
    func plain() throws {
        #expect(try DomainName("mx_1.example").isPlain)
        for text in ["a\\.b.c", "a\\032b", "\\255", "\\000"] { #expect(!(try DomainName(text).isPlain)) }
    }

    @Test("names of addresses (RFC 1035 3.5, RFC 3596 2.5)")
    func reverse() throws {
        let v4 = try #require(IPAddress("192.0.2.1"))
        #expect("\(DomainName(reverseOf: v4))" == "1.2.0.192.in-addr.arpa")
        let v6 = try #require(IPAddress("2001:db8::567:89ab"))
        #expect(
            "\(DomainName(reverseOf: v6))"
                == "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa")
        let zone = try DomainName("bl.example")
        #expect(DomainName(reverseOf: v4, under: zone).map { "\($0)" } == "1.2.0.192.bl.example")
    }
}
