import Foundation
import TestSupport
import Testing

@Suite("smtp-send")
struct SmtpSendTests {
    /// Runs smtp-send against a server of the test's making.
    private func send(
        to server: ScriptedServer, _ arguments: [String], input: String = "Subject: x\n\nhello\n", seconds: Double = 30
    ) throws -> ToolProcess.Result {
        try ToolProcess.run(
            "smtp-send", ["--server", "127.0.0.1:\(server.port)", "--from", "a@example.org"] + arguments,
            input: Array(input.utf8), seconds: seconds)
    }

    private func json(_ result: ToolProcess.Result) throws -> [[String: any Sendable]] {
        try result.lines.map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
            return try #require(object as? [String: any Sendable])
        }
    }

    @Test("a message goes out whole: CRLF, stuffed, with one final dot; the commands in one group")
    func message() throws {
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        let result = try send(
            to: server, ["--to", "b@example.org,c@example.org"], input: "Subject: x\n\n.dot\na\rb\r\nend")
        #expect(result.status == 0 && result.diagnostics.isEmpty)
        #expect(
            result.lines == [
                "b@example.org: accepted: 250 2.0.0 queued as 7F3A (127.0.0.1:\(server.port))",
                "c@example.org: accepted: 250 2.0.0 queued as 7F3A (127.0.0.1:\(server.port))",
            ])
        #expect(server.log.messages == ["Subject: x\r\n\r\n..dot\r\na b\r\nend\r\n.\r\n"])
        #expect(
            Array(server.log.lines.dropFirst(2)) == [
                "MAIL FROM:<a@example.org> SIZE=30", "RCPT TO:<b@example.org>", "RCPT TO:<c@example.org>", "DATA", ".",
                "QUIT",
            ])
    }

    @Test("--json gives one object a recipient with every key")
    func jsonResults() throws {
        let directory = try TestDirectory()
        let file = try directory.write("m.eml", "Subject: x\n\nhello\n")
        let server = try ScriptedServer { line, _ in
            line.contains("nobody") ? .say("550 5.1.1 no such user") : ScriptedServer.good(line)
        }
        let result = try send(to: server, ["--to", "b@example.org", "--to", "nobody@example.org", "--json", file])
        #expect(result.status == 69)
        let objects = try json(result)
        let keys: Set = ["recipient", "outcome", "code", "enhanced", "text", "host", "port", "tls", "ms", "message"]
        #expect(objects.allSatisfy { Set($0.keys) == keys })
        try #require(objects.count == 2)
        #expect(objects[0]["recipient"] as? String == "b@example.org")
        #expect(objects[0]["outcome"] as? String == "accepted")
        #expect(objects[0]["code"] as? Int == 250)
        #expect(objects[0]["enhanced"] as? String == "2.0.0")
        #expect(objects[0]["text"] as? String == "queued as 7F3A")
        #expect(objects[0]["host"] as? String == "127.0.0.1")
        #expect(objects[0]["port"] as? Int == Int(server.port))
        #expect(objects[0]["tls"] is NSNull)
        #expect(objects[0]["message"] as? String == file)
        #expect(objects[1]["outcome"] as? String == "refused")
        #expect(objects[1]["code"] as? Int == 550)
        #expect(objects[1]["enhanced"] as? String == "5.1.1")
        #expect(objects[1]["text"] as? String == "no such user")
    }

    /// What a server does at one step, and the exit code that follows.
    struct Failure: CustomTestStringConvertible, Sendable {
        var at: String
        var answer: ScriptedServer.Answer
        var status: Int32
        var testDescription: String { "\(at): \(answer): \(status)" }
    }

    static let failures: [Failure] = [
        Failure(at: "connect", answer: .say("554 no mail here"), status: 69),
        Failure(at: "connect", answer: .sayAndClose("421 busy\r\n"), status: 75),
        Failure(at: "connect", answer: .close, status: 75),
        Failure(at: "connect", answer: .sayAndClose("HTTP/1.1 400 Bad Request\r\n\r\n"), status: 76),
        Failure(at: "connect", answer: .sayAndClose(String(repeating: "\0\u{1}\u{FF}", count: 100_000)), status: 76),
        Failure(at: "connect", answer: .sayAndClose(String(repeating: "220-more\r\n", count: 500_000)), status: 76),
        Failure(at: "connect", answer: .silence, status: 75),
        Failure(at: "EHLO", answer: .close, status: 75),
        Failure(at: "EHLO", answer: .silence, status: 75),
        Failure(at: "EHLO", answer: .say("451 later"), status: 75),
        Failure(at: "MAIL", answer: .say("550 5.7.1 not you"), status: 69),
        Failure(at: "MAIL", answer: .say("451 4.3.0 later"), status: 75),
        Failure(at: "MAIL", answer: .sayAndClose("421 4.3.2 going down\r\n"), status: 75),
        Failure(at: "RCPT", answer: .say("550 5.1.1 no"), status: 69),
        Failure(at: "RCPT", answer: .say("450 4.2.1 greylisted"), status: 75),
        Failure(at: "DATA", answer: .say("554 5.7.1 no"), status: 69),
        Failure(at: "DATA", answer: .say("250 ok"), status: 76),
        Failure(at: "DATA", answer: .close, status: 75),
        Failure(at: ".", answer: .say("554 5.6.0 no"), status: 69),
        Failure(at: ".", answer: .say("451 4.3.0 later"), status: 75),
        Failure(at: ".", answer: .close, status: 75),
        Failure(at: ".", answer: .silence, status: 75),
        Failure(at: "QUIT", answer: .close, status: 0),
        Failure(at: "QUIT", answer: .silence, status: 0),
        Failure(at: "QUIT", answer: .say("550 stay"), status: 0),
    ]

    @Test("the exit code tells what a server did at any step", arguments: failures)
    func exitCode(_ failure: Failure) throws {
        let server = try ScriptedServer { line, _ in
            line.hasPrefix(failure.at) ? failure.answer : ScriptedServer.good(line)
        }
        let result = try send(to: server, ["--to", "b@example.org", "--timeout", "500ms", "--json"], seconds: 20)
        #expect(result.status == failure.status)
        let outcome = try json(result).first?["outcome"] as? String
        #expect(outcome == (failure.status == 0 ? "accepted" : failure.status == 69 ? "refused" : "temporary"))
        #expect(server.log.connections == 1)
        server.stop()
    }

    @Test("one refused recipient does not stop the rest; a temporary one makes the exit code 75")
    func mixedRecipients() throws {
        let server = try ScriptedServer { line, _ in
            if line.contains("<no@") { return .say("550 5.1.1 no such user") }
            if line.contains("<later@") { return .say("450 4.2.1 later") }
            return ScriptedServer.good(line)
        }
        let recipients = "no@example.org,b@example.org,later@example.org"
        let result = try send(to: server, ["--to", recipients, "--json"])
        #expect(result.status == 75)
        #expect(try json(result).map { $0["outcome"] as? String } == ["refused", "accepted", "temporary"])
        #expect(server.log.messages.count == 1)
    }

    @Test("nobody accepted: the message itself never leaves")
    func nobody() throws {
        for extensions in [["PIPELINING"], ["HELP"]] {
            let server = try ScriptedServer { line, _ in
                line.hasPrefix("RCPT") ? .say("550 5.1.1 no") : ScriptedServer.good(line, extensions)
            }
            #expect(try send(to: server, ["--to", "b@example.org"]).status == 69)
            #expect(server.log.messages == (extensions == ["PIPELINING"] ? [".\r\n"] : []))
        }
    }

    @Test("recipients beyond a server's limit get a transaction of their own (RFC 5321 4.5.3.1.10)")
    func tooManyRecipients() throws {
        let server = try ScriptedServer { line, count in
            line.hasPrefix("RCPT") && count % 5 >= 3 ? .say("452 4.5.3 too many recipients") : ScriptedServer.good(line)
        }
        let recipients = (1...5).map { "r\($0)@example.org" }.joined(separator: ",")
        let result = try send(to: server, ["--to", recipients, "--json"])
        #expect(result.status == 0)
        #expect(try json(result).count == 5)
        #expect(server.log.messages.count == 2 && server.log.connections == 1)
    }

    @Test("several messages share a connection")
    func severalMessages() throws {
        let directory = try TestDirectory()
        let files = try (1...5).map { try directory.write("\($0).eml", "Subject: \($0)\n\nx\n") }
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        let result = try send(to: server, ["--to", "b@example.org", "--json"] + files)
        #expect(result.status == 0)
        #expect(try json(result).compactMap { $0["message"] as? String } == files)
        #expect(server.log.connections == 1 && server.log.messages.count == 5)
    }

    @Test("a connection that breaks between messages is made again")
    func reconnect() throws {
        let directory = try TestDirectory()
        let files = try (1...3).map { try directory.write("\($0).eml", "Subject: \($0)\n\nx\n") }
        let server = try ScriptedServer { line, count in
            line == "." ? .sayAndClose("250 2.0.0 done\r\n") : ScriptedServer.good(line)
        }
        #expect(try send(to: server, ["--to", "b@example.org"] + files).status == 0)
        #expect(server.log.connections == 3 && server.log.messages.count == 3)
    }

    @Test("--connections sends over several connections")
    func connections() throws {
        let directory = try TestDirectory()
        let files = try (1...20).map { try directory.write("\($0).eml", "Subject: \($0)\n\nx\n") }
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        let result = try send(to: server, ["--connections", "4", "--to", "b@example.org", "--json"] + files)
        #expect(result.status == 0)
        #expect(Set(try json(result).compactMap { $0["message"] as? String }) == Set(files))
        #expect(server.log.connections == 4 && server.log.messages.count == 20)
    }

    @Test(
        "--quit-after and --drop-after end the session at a step",
        arguments: [
            ("--quit-after", "rcpt", ["connect", "EHLO", "MAIL", "RCPT", "QUIT"]),
            ("--quit-after", "helo", ["connect", "EHLO", "QUIT"]),
            ("--drop-after", "mail", ["connect", "EHLO", "MAIL"]),
            ("--drop-after", "data", ["connect", "EHLO", "MAIL", "RCPT", "DATA"]),
        ])
    func stopAfter(_ option: String, _ step: String, _ verbs: [String]) throws {
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        let result = try send(to: server, [option, step, "--to", "b@example.org"])
        #expect(result.status == 0)
        #expect(server.log.lines.map { String($0.prefix { $0 != " " }) } == verbs)
    }

    @Test("-v shows the session on standard error, what a server says escaped")
    func transcript() throws {
        let server = try ScriptedServer { line, _ in
            line == "connect" ? .say("220 \u{1B}[31mred") : ScriptedServer.good(line)
        }
        let result = try send(to: server, ["-v", "--to", "b@example.org"])
        #expect(result.diagnostics.contains("<- 220 \\x1b[31mred\n"))
        #expect(result.diagnostics.contains("-> MAIL FROM:<a@example.org>"))
        #expect(!result.diagnostics.utf8.contains(0x1B))
    }

    /// A command line that cannot work, without a server.
    static let badUses: [([String], Int32)] = [
        (["--to", "b@example.org", "--server", "127.0.0.1:1", "/no/such/file"], 66),
        (["--to", "b@example.org", "--server", "127.0.0.1:1", "/"], 66),
        (["--to", "b@example.org", "--server", "127.0.0.1:1"], 65),
        (["--to", "b@@example.org", "--server", "127.0.0.1:1"], 64),
        (["--to", "b@example.org\r\nDATA", "--server", "127.0.0.1:1"], 64),
        (["--from", "a b@example.org", "--to", "b@example.org", "--server", "127.0.0.1:1"], 64),
        (["--server", "127.0.0.1:1"], 64),
        (["--to", "b@example.org", "--server", "127.0.0.1:99999"], 64),
        (["--to", "b@example.org", "--server", "127.0.0.1:1", "-4", "-6"], 64),
        (["--to", "b@example.org", "--server", "127.0.0.1:1", "-", "-"], 64),
        (["--helo", "two words", "--to", "b@example.org", "--server", "127.0.0.1:1"], 64),
        (["--no-such-option"], 64),
        (["--to", "b@example.org", "--server", "127.0.0.1:1", "--user", "u"], 64),
        (["--to", "b@example.org", "--server", "127.0.0.1:1", "--user", "u", "--password-file", "/no/such"], 66),
        (["--to", "b@example.org", "--server", "127.0.0.1:1", "--ca", "/no/such"], 66),
        (["--to", "b@example.org", "--server", "127.0.0.1:1", "--key", "/dev/null"], 64),
    ]

    @Test("wrong usage and missing input", arguments: badUses)
    func badUse(_ arguments: [String], _ status: Int32) throws {
        let result = try ToolProcess.run("smtp-send", arguments)
        #expect(result.status == status)
        #expect(result.diagnostics.hasPrefix("smtp-send: ") && result.bytes.isEmpty)
    }

    @Test("a port where nobody listens is a temporary failure")
    func nobodyListens() throws {
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        server.stop()
        let result = try send(to: server, ["--to", "b@example.org", "--json"])
        #expect(result.status == 75)
        #expect(try json(result).first?["code"] is NSNull)
    }

    @Test("a large message goes through in pieces, byte for byte")
    func largeMessage() throws {
        let line = String(repeating: "x", count: 70) + "\r\n"
        let body = "Subject: x\r\n\r\n" + String(repeating: line, count: 60_000)
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line, ["PIPELINING"]) }
        let result = try send(to: server, ["--to", "b@example.org"], input: body)
        #expect(result.status == 0)
        #expect(server.log.messages == [body + ".\r\n"])
    }

    @Test("an mbox is sent message by message, its quoting undone; so is one on standard input")
    func mbox() throws {
        let mbox = """
            From a@example.org Mon Jan  1 00:00:00 2024
            Subject: 1

            >From here
            >>From there

            From a@example.org Mon Jan  1 00:00:01 2024
            Subject: 2

            two

            """
        let directory = try TestDirectory()
        let file = try directory.write("in.mbox", mbox)
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        let result = try send(to: server, ["--to", "b@example.org", "--json", file])
        #expect(result.status == 0)
        #expect(try json(result).compactMap { $0["message"] as? String } == ["\(file):1", "\(file):2"])
        #expect(try send(to: server, ["--to", "b@example.org"], input: mbox).status == 0)
        let messages = ["Subject: 1\r\n\r\nFrom here\r\n>From there\r\n.\r\n", "Subject: 2\r\n\r\ntwo\r\n.\r\n"]
        #expect(server.log.messages == messages + messages)
    }

    @Test("a Maildir is sent in the order of its delivery")
    func maildir() throws {
        let directory = try TestDirectory()
        try directory.write("mail/new/1700000002.a.host", "Subject: 2\n\nx\n")
        try directory.write("mail/cur/1700000001.a.host:2,S", "Subject: 1\n\nx\n")
        try directory.write("mail/tmp/1700000003.a.host", "half")
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        #expect(try send(to: server, ["--to", "b@example.org", directory.file("mail")]).status == 0)
        #expect(server.log.messages == ["Subject: 1\r\n\r\nx\r\n.\r\n", "Subject: 2\r\n\r\nx\r\n.\r\n"])
    }

    @Test("a message that cannot be read does not stop the others")
    func unreadable() throws {
        let directory = try TestDirectory()
        let good = try directory.write("good.eml", "Subject: x\n\nx\n")
        let empty = try directory.write("empty.eml", "")
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        let result = try send(to: server, ["--to", "b@example.org", directory.file("none"), empty, good])
        #expect(result.status == 66)
        #expect(server.log.messages.count == 1)
    }

    @Test("--dry-run prints batch SMTP and connects to nobody (RFC 2442)")
    func dryRun() throws {
        let result = try ToolProcess.run(
            "smtp-send", ["--dry-run", "--from", "a@example.org", "--to", "b@example.org", "--helo", "me.example"],
            input: Array("Subject: é\n\n.\n".utf8))
        #expect(result.status == 0)
        #expect(
            result.text == "EHLO me.example\r\nMAIL FROM:<a@example.org> SIZE=18 BODY=8BITMIME SMTPUTF8\r\n"
                + "RCPT TO:<b@example.org>\r\nDATA\r\nSubject: é\r\n\r\n..\r\n.\r\nQUIT\r\n")
    }

    @Test("--quit-after a step that comes before RCPT needs no recipient")
    func quitWithoutRecipient() throws {
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        let result = try ToolProcess.run(
            "smtp-send", ["--server", "127.0.0.1:\(server.port)", "--quit-after", "helo", "--helo", "me.example"])
        #expect(result.status == 0 && server.log.lines == ["connect", "EHLO me.example", "QUIT"])
    }

    @Test("--quit-after a step that does not come sends nothing", arguments: ["--quit-after", "--drop-after"])
    func quitAfterMissingStep(_ option: String) throws {
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line, ["CHUNKING", "PIPELINING"]) }
        let noTLS = try send(to: server, ["--to", "b@example.org", option, "tls"])
        #expect(noTLS.status == 75 && noTLS.diagnostics.contains("does not offer STARTTLS"))
        #expect(server.log.lines.allSatisfy { !$0.hasPrefix("MAIL") })
        #expect(try send(to: server, ["--to", "b@example.org", option, "auth"]).status == 64)
        #expect(try send(to: server, ["--to", "b@example.org", option, "tls", "--tls", "never"]).status == 64)
    }

    @Test("where a proxy or a program leads, a password does not go in clear, though the proxy is on this machine")
    func clearThroughProxy() throws {
        let directory = try TestDirectory()
        let password = try directory.write("password", "tanstaaf\n")
        let words = [
            "--server", "mail.example.net", "--from", "a@example.org", "--to", "b@example.org", "--user", "tim",
            "--password-file", password, "-v",
        ]
        let proxy = try StandIn { received, answers in
            switch (answers, received.count) {
            case (0, 3...): ([5, 0], 3, false)
            case (1, 4...): ([5, 0, 0, 1, 127, 0, 0, 1, 0, 25] + Array("220 x\r\n".utf8), received.count, false)
            case (2, 5...): (Array("250-x\r\n250 AUTH PLAIN\r\n".utf8), received.count, false)
            case (3, 5...): (Array("221 bye\r\n".utf8), received.count, true)
            default: nil
            }
        }
        let script = "printf '220 x\\r\\n250-x\\r\\n250 AUTH PLAIN\\r\\n'; cat >/dev/null"
        for path in [["--socks5", "127.0.0.1:\(proxy.port)"], ["--pipe", script]] {
            let result = try ToolProcess.run("smtp-send", words + path, input: Array("Subject: x\n\nx\n".utf8))
            #expect(result.status == 77, "\(result.diagnostics)")
            #expect(result.diagnostics.contains("the password is not sent without TLS"))
            #expect(!result.diagnostics.contains("-> AUTH"))
        }
    }

    @Test("AUTH: the password comes from a file, no transcript shows it, and a refusal is 77")
    func authentication() throws {
        let directory = try TestDirectory()
        let password = try directory.write("password", "tanstaaf\n")
        let extensions = ["PIPELINING", "AUTH PLAIN LOGIN"]
        let server = try ScriptedServer { line, _ in
            line.hasPrefix("AUTH") ? .say("235 2.7.0 welcome") : ScriptedServer.good(line, extensions)
        }
        let words = ["--to", "b@example.org", "--user", "tim", "--password-file", password, "-v"]
        let result = try send(to: server, words)
        #expect(result.status == 0)
        #expect(server.log.lines.contains("AUTH PLAIN AHRpbQB0YW5zdGFhZg=="))
        #expect(result.diagnostics.contains("-> AUTH PLAIN (hidden)") && !result.diagnostics.contains("AHRpb"))
        let open = try send(to: server, words + ["--show-secrets"])
        #expect(open.diagnostics.contains("-> AUTH PLAIN AHRpbQB0YW5zdGFhZg=="))

        let refusing = try ScriptedServer { line, _ in
            line.hasPrefix("AUTH") ? .say("535 5.7.8 no") : ScriptedServer.good(line, extensions)
        }
        #expect(try send(to: refusing, words).status == 77)
        #expect(try send(to: refusing, words + ["--auth", "cram-md5"]).status == 77)
        #expect(!refusing.log.lines.contains { $0.hasPrefix("MAIL") })
    }

    @Test("TLS that is required and not offered, or broken, is temporary: no mail in clear")
    func requiredTLS() throws {
        let plain = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        let result = try send(to: plain, ["--tls", "require", "--to", "b@example.org"])
        #expect(result.status == 75 && result.diagnostics.contains("does not offer STARTTLS"))
        let broken = try ScriptedServer { line, _ in
            line == "STARTTLS"
                ? .sayAndClose("220 go\r\nthis is no TLS record") : ScriptedServer.good(line, ["STARTTLS"])
        }
        #expect(try send(to: broken, ["--to", "b@example.org"]).status == 75)
        #expect(!(plain.log.lines + broken.log.lines).contains { $0.hasPrefix("MAIL") })
    }
}
