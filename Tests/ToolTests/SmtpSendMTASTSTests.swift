import Foundation
import TestSupport
import Testing

@Suite("smtp-send keeps to policies of MTA-STS (RFC 8461)")
struct SmtpSendMTASTSTests {
    private static func policyFile(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../TransportPolicyTests/Data/\(name)").standardizedFileURL.path
    }

    struct Case: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var policy = "version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 86400\n"
        var policyHost = "policy-host.pem"
        /// Certificate and key of the mail host.
        var certificate = TestData.path("mail-host.pem")
        var status: Int32
        var words: String
    }

    static let cases = [
        Case(testDescription: "the host is named and proves it", status: 0, words: "\"tls\":\"TLSv1.3\""),
        Case(
            testDescription: "another host is named",
            policy: "version: STSv1\nmode: enforce\nmx: *.example.net\nmax_age: 86400\n", status: 75,
            words: "none of the hosts that the policy of example.org names"),
        Case(
            testDescription: "the host shows a certificate for another name", certificate: policyFile("other-name.pem"),
            status: 75,
            words: "mismatch"),
        Case(
            testDescription: "in mode testing mail goes all the same",
            policy: "version: STSv1\nmode: testing\nmx: *.example.net\nmax_age: 86400\n",
            certificate: policyFile("other-name.pem"),
            status: 0, words: "\"tls\":\"TLSv1.3\""),
        Case(
            testDescription: "a policy of a host that cannot prove its name is none", policyHost: "other-name.pem",
            certificate: policyFile("other-name.pem"), status: 0, words: "\"tls\":\"TLSv1.3\""),
    ]

    /// Sends a message where example.org has a policy and one mail host; `zone` is what the DNS has beside.
    private static func send(
        in directory: TestDirectory, zone: String = "", to recipients: String, _ mailPort: UInt16, _ policyPort: UInt16
    ) throws -> ToolProcess.Result {
        let zone = try directory.write(
            "zone",
            """
            \(zone)example.org. MX 10 mx.example.org.
            mx.example.org. A 127.0.0.1
            mta-sts.example.org. A 127.0.0.1
            _mta-sts.example.org. TXT "v=STSv1; id=1;"

            """)
        return try ToolProcess.run(
            "smtp-send",
            [
                "--dns", zone, "--port", "\(mailPort)", "--https-port", "\(policyPort)", "-4", "--ca",
                policyFile("authority.pem"), "--from", "a@example.com", "--to", recipients, "--subject", "x", "--json",
            ])
    }

    @Test(
        "a connection that was opened to a host for a domain without a policy is not used for one with a policy",
        arguments: ["mx.example.org", "*.example.net"])
    func connectionOfOthers(_ host: String) throws {
        let directory = try TestDirectory()
        let certificate = Self.policyFile("other-name.pem")
        let mail = try TestServer(
            "smtp-serve", ["--mail", directory.file("mail"), "--cert", certificate, "--key", certificate])
        let policies = try HTTPSTestServer(Self.policyFile("policy-host.pem")) { _ in
            [
                .send(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
                        + "version: STSv1\nmode: enforce\nmx: \(host)\nmax_age: 86400\n")
            ]
        }
        let result = try Self.send(
            in: directory, zone: "plain.example. MX 10 mx.example.org.\n", to: "first@plain.example,b@example.org",
            mail.port,
            policies.port)
        #expect(result.status == 75, "\(result.text) \(result.diagnostics)")
        #expect(directory.names("mail/first/new").count == 1 && directory.names("mail/b/new").isEmpty)
        mail.stop()
    }

    @Test("a policy is fetched by HTTPS and holds the connection to its hosts", arguments: cases)
    func policy(_ test: Case) throws {
        let directory = try TestDirectory()
        let mail = try TestServer(
            "smtp-serve",
            [
                "--mail", directory.file("mail"), "--cert", test.certificate, "--key", test.certificate, "--hostname",
                "mx.example.org",
            ])
        let policies = try HTTPSTestServer(Self.policyFile(test.policyHost)) { _ in
            [.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n\(test.policy)")]
        }
        let result = try Self.send(in: directory, to: "b@example.org", mail.port, policies.port)
        #expect(result.status == test.status, "\(result.text) \(result.diagnostics)")
        #expect(result.text.contains(test.words), "\(result.text)")
        #expect(directory.names("mail/b/new").count == (test.status == 0 ? 1 : 0))
        #expect(policies.requests.isEmpty == (test.policyHost != "policy-host.pem"))
        mail.stop()
    }
}
