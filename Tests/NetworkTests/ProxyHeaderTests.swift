import Bytes
import Network
import TestSupport
import Testing
import Unix

@Suite("PROXY headers and ranges of addresses")
struct ProxyHeaderTests {
    private static func reading(_ text: String) -> ProxyHeader.Reading { ProxyHeader.read(Array(text.utf8).span) }

    @Test("version 1")
    func lines() throws {
        let source = try #require(SocketAddress("192.0.2.1:1234"))
        let destination = try #require(SocketAddress("192.0.2.2:25"))
        let line = "PROXY TCP4 192.0.2.1 192.0.2.2 1234 25\r\n"
        #expect(
            Self.reading(line + "EHLO")
                == .header(.proxied(source: source, destination: destination), length: line.utf8.count))
        for length in 0..<line.utf8.count {
            #expect(ProxyHeader.read(Array(line.utf8.prefix(length)).span) == .needsMore)
        }
        #expect(Self.reading("PROXY UNKNOWN anything at all\r\n") == .header(.local, length: 31))
        for bad in [
            "EHLO x\r\n", "PROXY TCP4 192.0.2.1\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n", "PROXY TCP6 192.0.2.1 ::1 1 2\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 99999 25\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 25\n",
            "PROXY " + String(repeating: "x", count: 200),
        ] { #expect(Self.reading(bad) == .malformed, "\(bad)") }
    }

    @Test("version 2, mutated too")
    func binary() throws {
        let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
        let addresses: [UInt8] = [192, 0, 2, 1, 192, 0, 2, 2, 0x04, 0xD2, 0x00, 0x19]
        let header = signature + [0x21, 0x11, 0, 12] + addresses
        let source = try #require(SocketAddress("192.0.2.1:1234"))
        let destination = try #require(SocketAddress("192.0.2.2:25"))
        #expect(
            ProxyHeader.read((header + [65]).span)
                == .header(.proxied(source: source, destination: destination), length: 28))
        #expect(ProxyHeader.read((signature + [0x20, 0x00, 0, 0]).span) == .header(.local, length: 16))
        #expect(ProxyHeader.read((signature + [0x31, 0x11, 0, 12] + addresses).span) == .malformed)
        for length in 0..<header.count { #expect(ProxyHeader.read(Array(header[..<length]).span) == .needsMore) }
        var generator = SeededGenerator(seed: 2)
        for _ in 0..<2_000 { _ = ProxyHeader.read(generator.mutated(header).span) }
    }

    @Test(
        "ranges",
        arguments: [
            ("192.0.2.0/24", "192.0.2.255", true), ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "::ffff:192.0.2.1", true), ("0.0.0.0/0", "8.8.8.8", true),
            ("192.0.2.128/25", "192.0.2.127", false), ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false), ("0.0.0.0/0", "::1", false),
        ])
    func ranges(_ range: String, _ address: String, _ isInside: Bool) throws {
        #expect(try #require(AddressRange(range)).contains(try #require(IPAddress(address))) == isInside)
    }

    @Test("what is no range", arguments: ["", "x", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/", "::/129", "1.2.3"])
    func badRanges(_ text: String) { #expect(AddressRange(text) == nil) }

    @Test("listening addresses with their words")
    func addresses() {
        #expect(ListenAddress("127.0.0.1:25,tls,proxy")?.isTLS == true)
        #expect(ListenAddress("127.0.0.1:25,proxy,tls")?.isProxied == true)
        #expect(ListenAddress("unix:/a/b,proxy")?.address == .unix("/a/b"))
        #expect(ListenAddress("127.0.0.1:25,foo") == nil && ListenAddress("") == nil)
    }
}
