import Bytes
import DNS
import OpenSSL
import SenderAuthentication
import TestSupport
import Testing

/// One message of the signing half of the ARC test suite.
struct ARCSealCase: Sendable, CustomTestStringConvertible {
    let name: String
    let zone: String
    let time: Int
    let names: [String]
    let server: String
    let message: [UInt8]
    /// Seal, signature, results; nothing when none are to be added.
    let wanted: [String]
    var testDescription: String { name }

    static func all() throws -> [ARCSealCase] {
        var cases: [ARCSealCase] = []
        let text = String(decoding: try TestData.bytes("arc-signing"), as: UTF8.self)
        for scenario in text.split(separator: "\n# ").dropFirst() {
            let parts = scenario.split(separator: "\n= ")
            let keys = parts[0].split(separator: "\n").dropFirst().joined(separator: "\n")
            for part in parts.dropFirst() {
                let lines = part.split(separator: "\n")
                let words = lines[0].split(separator: " ").map(String.init)
                let message = lines.dropFirst().filter { $0.hasPrefix("|") }.map { $0.dropFirst() + "\r\n" }.joined()
                let wanted = lines.filter { !$0.hasPrefix("|") }.dropFirst()
                    .map { String($0.split(separator: " ", maxSplits: 1)[1]) }
                cases.append(
                    ARCSealCase(
                        name: words[0], zone: keys, time: Int(words[1]) ?? 0,
                        names: words[2].split(separator: ":").map(String.init), server: words[3],
                        message: Array(message.utf8), wanted: wanted))
            }
        }
        return cases
    }
}

@Suite struct ARCSealTests {
    @Test("RFC 8617 5.1: the signing half of the ARC test suite", arguments: try ARCSealCase.all())
    func suite(_ test: ARCSealCase) async throws {
        let key = try testKey("arc-signing-key")
        let sealer = try ARCSealer(
            domain: "example.org", selector: "dummy", key: key, server: test.server, names: test.names)
        let chain = try await SenderVerifier(try resolver(test.zone), .patient).verify(test.message, client: nil).arc
        let fields = try sealer.seal(test.message.span, chain: chain, time: test.time)
        let text = String(decoding: fields ?? [], as: UTF8.self).replacing("\r\n\t", with: " ")
        let values = text.split(separator: "\r\n").map { String($0.split(separator: ":", maxSplits: 1)[1].dropFirst()) }
        #expect(values == test.wanted)
    }

    @Test("the suite has 17 messages") func count() throws { #expect(try ARCSealCase.all().count == 17) }

    @Test("RFC 8617 5.1: a chain of several sealers passes, a change breaks it, and a failed chain is sealed once")
    func chain() async throws {
        let key = try testKey("ed25519")
        let zone = txt("s._domainkey.example.org", "k=ed25519; p=\(try publicText(key))")
        let sealer = try ARCSealer(domain: "example.org", selector: "s", key: key, server: "mx.example.org")
        let verifier = SenderVerifier(try resolver(zone), .patient)
        var message = Array(
            "Authentication-Results: mx.example.org; spf=pass\r\nFrom: a@example.net\r\n\r\nHello\r\n".utf8)
        for number in 1...3 {
            let chain = try await verifier.verify(message, client: nil).arc
            message = try #require(try sealer.seal(message.span, chain: chain, time: 1)) + message
            let outcome = try await verifier.verify(message, client: nil).arc
            #expect(outcome.verdict == .pass)
            #expect(outcome.instances == number)
        }
        message += Array("changed\r\n".utf8)
        let failed = try await verifier.verify(message, client: nil).arc
        #expect(failed.verdict == .fail)
        message = try #require(try sealer.seal(message.span, chain: failed, time: 1)) + message
        let text = String(decoding: message, as: UTF8.self)
        #expect(text.contains("cv=fail"))
        let outcome = try await verifier.verify(message, client: nil).arc
        #expect(outcome.verdict == .fail)
        #expect(try sealer.seal(message.span, chain: outcome, time: 1) == nil)
    }

    @Test("a failure of the DNS is temperror") func temporary() async throws {
        let key = try testKey("ed25519")
        let sealer = try ARCSealer(domain: "example.org", selector: "s", key: key, server: "mx.example.org")
        let message = Array("From: a@example.net\r\n\r\nHello\r\n".utf8)
        let verifier = SenderVerifier(try resolver("s._domainkey.example.org. SERVFAIL"), .patient)
        let chain = try await verifier.verify(message, client: nil).arc
        let sealed = try #require(try sealer.seal(message.span, chain: chain, time: 1)) + message
        #expect(try await verifier.verify(sealed, client: nil).arc.verdict == .temperror)
    }
}
