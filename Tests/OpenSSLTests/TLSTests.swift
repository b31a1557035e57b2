import Bytes
import OpenSSL
import TestSupport
import Testing

@Suite("TLS without a socket")
struct TLSTests {
    /// Lets both ends talk until both are done.
    func connect(_ client: TLSEngine, _ server: TLSEngine) throws(TLSError) {
        for _ in 0..<10 {
            let clientIsDone = try client.advanceHandshake()
            server.receive(client.takeOutput().span)
            let serverIsDone = try server.advanceHandshake()
            client.receive(server.takeOutput().span)
            if clientIsDone, serverIsDone { return }
        }
    }

    func server() throws -> TLSEngine {
        try TLSEngine(
            server: TLSContext(
                certificateChain: TestData.path("server.pem"), key: TestData.path("server.key")))
    }

    @Test("a verified handshake, text both ways, and a goodbye", arguments: ["mx.example.org", "127.0.0.1"])
    func whole(_ name: String) throws {
        let client = try TLSEngine(
            client: TLSContext(authorities: TestData.path("authority.pem")), serverName: name)
        let server = try server()
        try connect(client, server)
        #expect(client.description?.version == "TLSv1.3" && client.description == server.description)
        #expect(client.peerCertificate?.problem == nil && client.peerCertificate?.subject == "/CN=mx.example.org")
        let long = [UInt8](repeating: 65, count: 100_000)
        client.writePlaintext(long.span)
        server.receive(client.takeOutput().span)
        #expect(try server.readPlaintext() == long)
        server.writePlaintext([1, 2, 3].span)
        server.beginShutdown()
        client.receive(server.takeOutput().span)
        #expect(try client.readPlaintext() == [1, 2, 3] && client.isClosedByPeer)
    }

    @Test("another name and an unknown authority are refused, with host, reason and chain")
    func refused() throws {
        let trusting = try TLSContext(authorities: TestData.path("authority.pem"))
        let wrongName = try TLSEngine(client: trusting, serverName: "other.example.org")
        #expect {
            try connect(wrongName, server())
        } throws: { error in
            let text = "\(error)"
            return text.contains("other.example.org") && text.lowercased().contains("mismatch")
                && text.contains("/CN=mx.example.org")
        }
        let stranger = try TLSEngine(
            client: TLSContext(authorities: TestData.path("server-other.pem")), serverName: "mx.example.org")
        #expect(throws: TLSError.self) { try connect(stranger, server()) }
    }

    @Test("without verification the handshake goes on and the problem is still told")
    func unverified() throws {
        let client = try TLSEngine(client: TLSContext(verifying: false), serverName: "other.example.org")
        try connect(client, server())
        #expect(client.peerCertificate?.problem != nil)
    }

    @Test("hostile bytes end a handshake with an error, never a trap")
    func hostile() throws {
        var generator = SeededGenerator(seed: 11)
        let context = try TLSContext(
            certificateChain: TestData.path("server.pem"), key: TestData.path("server.key"))
        let client = try TLSEngine(client: TLSContext(verifying: false), serverName: "x")
        _ = try client.advanceHandshake()
        let hello = client.takeOutput()
        for _ in 0..<300 {
            let server = try TLSEngine(server: context)
            server.receive((generator.next() % 2 == 0 ? generator.mutated(hello) : generator.bytes(200)).span)
            _ = try? server.advanceHandshake()
            _ = try? server.readPlaintext()
            _ = server.takeOutput()
        }
    }

    @Test("files that are missing or are no certificate are named")
    func badFiles() {
        #expect {
            _ = try TLSContext(certificateChain: "/nonexistent.pem", key: "/nonexistent.key")
        } throws: { "\($0)".hasPrefix("/nonexistent.pem: ") }
        #expect {
            _ = try TLSContext(certificateChain: TestData.path("server.pem"), key: TestData.path("rsa.pem"))
        } throws: { "\($0)".contains("rsa.pem") }
    }
}
