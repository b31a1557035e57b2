import Foundation
import TestSupport
import Testing

@Suite("smtp-send keeps to TLSA records (RFC 7672)")
struct SmtpSendDANETests {
    private static func data(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("OpenSSLTests/Data/\(name)").path
    }

    /// The first certificate of a PEM file.
    private static func certificate(_ name: String) throws -> [UInt8] {
        let text = try String(contentsOfFile: data(name), encoding: .utf8)
        let body = text.components(separatedBy: "-----BEGIN CERTIFICATE-----")[1]
            .components(separatedBy: "-----END CERTIFICATE-----")[0]
        return Array(try #require(Data(base64Encoded: body, options: .ignoreUnknownCharacters)))
    }

    /// What the DNS says of the host, and what follows.
    struct Case: CustomTestStringConvertible, Sendable {
        var testDescription: String
        /// Usage, selector and matching type; nil: the DNS fails.
        var head: [UInt8]?
        var isRight = true
        var isSigned = true
        var status: Int32
        var isEncrypted: Bool
    }

    static let cases = [
        Case(testDescription: "the certificate itself", head: [3, 0, 0], status: 0, isEncrypted: true),
        Case(testDescription: "another certificate", head: [3, 0, 0], isRight: false, status: 75, isEncrypted: false),
        Case(
            testDescription: "another certificate, not signed", head: [3, 0, 0], isRight: false, isSigned: false,
            status: 0, isEncrypted: true),
        Case(testDescription: "only a kind that SMTP does not use", head: [1, 0, 0], status: 0, isEncrypted: true),
        Case(testDescription: "the DNS fails for TLSA", head: nil, status: 75, isEncrypted: false),
    ]

    @Test(
        "a host must show the certificate that DNSSEC names, else it gets no mail, and none in clear", arguments: cases)
    func dane(_ example: Case) throws {
        let directory = try TestDirectory()
        let server = try TestServer(
            "smtp-serve",
            [
                "--mail", directory.file("mail"), "--cert", Self.data("server.pem"), "--key",
                Self.data("server.key"),
            ])
        var certificate = try Self.certificate("server.pem")
        if !example.isRight { certificate[certificate.count - 1] ^= 1 }
        let association = (example.head ?? []) + certificate
        let dns = try DNSTestServer { request in
            var reply = DNSReply(to: request)
            switch request.type {
            case 15: reply.answers = [DNSReply.mx("*", 10, "mx.example.org")]
            case 1: reply.answers = [DNSReply.a("*", [127, 0, 0, 1])]
            case 52:
                if example.head == nil {
                    reply.flags |= 2
                } else {
                    reply.answers = [DNSReply.record("*", 52, association)]
                }
            default: break
            }
            if example.isSigned { reply.flags |= 0x20 }
            return [.send(reply.bytes)]
        }
        let result = try ToolProcess.run(
            "smtp-send",
            [
                "--dns-server", "127.0.0.1:\(dns.port)", "--port", "\(server.port)", "-4", "--from", "a@example.com",
                "--to",
                "b@example.org", "--subject", "x", "--json", "--policies", "dane",
            ])
        #expect(result.status == example.status, "\(result.text) \(result.diagnostics)")
        #expect(result.text.contains("\"tls\":\"TLSv1.3\"") == example.isEncrypted, "\(result.text)")
        #expect(directory.names("mail/b/new").count == (example.status == 0 ? 1 : 0))
    }
}
