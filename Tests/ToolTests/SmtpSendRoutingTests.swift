import Foundation
import TestSupport
import Testing

@Suite("smtp-send by mail exchange")
struct SmtpSendRoutingTests {
    private static let zone = """
        $TTL 300
        two.example.     MX 10 mx1.two.example.
        two.example.     MX 20 mx2.two.example.
        mx1.two.example. A  127.0.0.2
        mx2.two.example. A  127.0.0.3
        pair.example.    MX 10 mx.pair.example.
        mx.pair.example. A  127.0.0.2
        mx.pair.example. A  127.0.0.3
        mx.pair.example. AAAA ::1
        plain.example.   A  127.0.0.3
        null.example.    MX 0 .
        text.example.    TXT "nothing here"
        gone.example.    MX 10 nowhere.gone.example.
        """

    /// The results of a run with the zone above, to the hosts on this port.
    private func send(
        port: UInt16, to recipients: String, _ arguments: [String] = []
    ) throws -> (status: Int32, objects: [[String: any Sendable]]) {
        let directory = try TestDirectory()
        let file = try directory.write("zone", Self.zone)
        let result = try ToolProcess.run(
            "smtp-send",
            ["--dns", file, "--port", "\(port)", "--from", "a@example.org", "--to", recipients, "--json"] + arguments,
            input: Array("Subject: x\n\nhello\n".utf8))
        let objects = try result.lines.map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: any Sendable])
        }
        return (result.status, objects)
    }

    @Test("a host that cannot be reached is passed over for the next")
    func unreachableHost() throws {
        let server = try ScriptedServer(address: "127.0.0.3") { line, _ in ScriptedServer.good(line) }
        let result = try send(port: server.port, to: "b@two.example")
        #expect(result.status == 0)
        #expect(result.objects.first?["host"] as? String == "mx2.two.example")
        #expect(server.log.messages.count == 1)
    }

    @Test("every address of a host is tried")
    func addresses() throws {
        let server = try ScriptedServer(address: "127.0.0.3") { line, _ in ScriptedServer.good(line) }
        let result = try send(port: server.port, to: "b@pair.example")
        #expect(result.status == 0)
        #expect(result.objects.first?["host"] as? String == "mx.pair.example")
    }

    /// What the preferred host answers, and whether the second is asked.
    static let answers: [(at: String, say: String, second: Bool)] = [
        ("connect", "421 4.3.2 busy", true),
        ("connect", "554 5.3.2 no mail here", true),
        ("EHLO", "421 4.3.2 busy", true),
        ("MAIL", "451 4.3.0 later", true),
        ("MAIL", "550 5.7.1 not you", false),
        ("RCPT", "450 4.2.1 greylisted", true),
        ("RCPT", "550 5.1.1 no such user", false),
        ("DATA", "451 4.3.0 later", true),
        (".", "451 4.3.0 later", true),
        (".", "554 5.6.0 no", false),
    ]

    @Test(
        "a temporary failure leads to the next host, and so does one that takes no mail; a permanent one is final",
        arguments: answers)
    func nextHost(_ at: String, _ say: String, _ second: Bool) throws {
        let first = try ScriptedServer(address: "127.0.0.2") { line, _ in
            line.hasPrefix(at) ? .say(say) : ScriptedServer.good(line)
        }
        let other = try ScriptedServer(address: "127.0.0.3", port: first.port) { line, _ in ScriptedServer.good(line) }
        let result = try send(port: first.port, to: "b@two.example")
        #expect(result.status == (second ? 0 : 69))
        #expect(other.log.messages.count == (second ? 1 : 0))
        #expect(result.objects.first?["host"] as? String == (second ? "mx2" : "mx1") + ".two.example")
    }

    @Test("a domain whose hosts all say that they take no mail takes none (RFC 7504 4)")
    func noMailAnywhere() throws {
        let first = try ScriptedServer(address: "127.0.0.2") { _, _ in .say("521 5.3.2 no mail") }
        let other = try ScriptedServer(address: "127.0.0.3", port: first.port) { _, _ in .say("554 5.3.2 none here") }
        let result = try send(port: first.port, to: "b@two.example")
        #expect(result.status == 69 && other.log.connections == 1)
        #expect(result.objects.first?["outcome"] as? String == "refused")
    }

    @Test("a message for which a host lacks an extension goes to the next host that has it")
    func lackingExtension() throws {
        let first = try ScriptedServer(address: "127.0.0.2") { line, _ in ScriptedServer.good(line, ["SIZE 10"]) }
        let other = try ScriptedServer(address: "127.0.0.3", port: first.port) { line, _ in ScriptedServer.good(line) }
        let result = try send(port: first.port, to: "b@two.example")
        #expect(result.status == 0 && other.log.messages.count == 1)
        #expect(first.log.lines.allSatisfy { !$0.hasPrefix("MAIL") })
    }

    @Test("an answer lost after the final dot is not tried elsewhere at once: the message may be there")
    func answerLost() throws {
        let first = try ScriptedServer(address: "127.0.0.2") { line, _ in
            line == "." ? .close : ScriptedServer.good(line)
        }
        let other = try ScriptedServer(address: "127.0.0.3", port: first.port) { line, _ in ScriptedServer.good(line) }
        #expect(try send(port: first.port, to: "b@two.example").status == 75)
        #expect(other.log.connections == 0)
    }

    @Test("only those who failed go on to the next host; recipients are grouped by domain")
    func groups() throws {
        let first = try ScriptedServer(address: "127.0.0.2") { line, _ in
            line.contains("<later@") ? .say("451 4.2.1 later") : ScriptedServer.good(line)
        }
        let other = try ScriptedServer(address: "127.0.0.3", port: first.port) { line, _ in ScriptedServer.good(line) }
        let result = try send(
            port: first.port, to: "b@two.example,x@plain.example,later@two.example,y@PLAIN.example")
        #expect(result.status == 0)
        #expect(
            result.objects.map { $0["recipient"] as? String } == [
                "b@two.example", "x@plain.example", "later@two.example", "y@plain.example",
            ])
        #expect(
            first.log.lines.filter { $0.hasPrefix("RCPT") } == [
                "RCPT TO:<b@two.example>", "RCPT TO:<later@two.example>",
            ])
        #expect(
            other.log.lines.filter { $0.hasPrefix("RCPT") } == [
                "RCPT TO:<later@two.example>", "RCPT TO:<x@plain.example>", "RCPT TO:<y@plain.example>",
            ])
        #expect(other.log.connections == 1)
    }

    @Test("a mail exchange whose TLS is broken gets the mail in clear (RFC 7435), but not when TLS is required")
    func brokenTLS() throws {
        let server = try ScriptedServer(address: "127.0.0.3") { line, _ in
            line == "STARTTLS"
                ? .sayAndClose("220 go\r\nno TLS") : ScriptedServer.good(line, ["STARTTLS", "PIPELINING"])
        }
        #expect(try send(port: server.port, to: "b@plain.example").status == 0)
        #expect(server.log.messages.count == 1)
        #expect(try send(port: server.port, to: "b@plain.example", ["--tls", "require"]).status == 75)
        #expect(server.log.messages.count == 1)
    }

    /// Domains without a host, and what that means.
    static let nowhere: [(domain: String, enhanced: String)] = [
        ("null.example", "5.1.10"), ("no-such.example", "5.1.2"), ("text.example", "5.4.4"), ("gone.example", "5.4.4"),
    ]

    @Test("a domain that takes no mail is a permanent failure, 68", arguments: nowhere)
    func noRoute(_ domain: String, _ enhanced: String) throws {
        let result = try send(port: 1, to: "b@\(domain)")
        #expect(result.status == 68)
        #expect(result.objects.first?["outcome"] as? String == "refused")
        #expect(result.objects.first?["enhanced"] as? String == enhanced)
        #expect(result.objects.first?["host"] is NSNull)
        // RFC 7505 4.1.
        #expect(result.objects.first?["code"] as? Int == (domain == "null.example" ? 556 : nil))
    }

    @Test("a DNS server that does not answer is a temporary failure, never no")
    func noDNS() throws {
        let result = try ToolProcess.run(
            "smtp-send", ["--dns-server", "127.0.0.1:1", "--to", "b@example.org", "--from", "a@example.org"],
            input: Array("x: y\n\n".utf8), environment: ["RES_OPTIONS": "timeout:1 attempts:1"])
        #expect(result.status == 75)
    }

    @Test("an address literal names the host itself (RFC 5321 4.1.3)")
    func literal() throws {
        let server = try ScriptedServer(address: "127.0.0.3") { line, _ in ScriptedServer.good(line) }
        #expect(try send(port: server.port, to: "b@[127.0.0.3]").status == 0)
    }
}
