import Foundation
import TestSupport
import Testing

/// What goes wrong around the two programs: nothing is lost, and the answer says whether trying again helps.
@Suite("Faults around smtp-serve and smtp-send")
struct SmtpFaultTests {
    private let directory: TestDirectory

    init() throws { directory = try TestDirectory() }

    private func send(_ arguments: [String], input: String = "Subject: x\n\nhello\n") throws -> ToolProcess.Result {
        try ToolProcess.run(
            "smtp-send", ["--from", "a@example.org", "--to", "b@example.net"] + arguments, input: Array(input.utf8))
    }

    /// A port on which nobody listens.
    private func closedPort() throws -> UInt16 {
        let probe = try TestServer("smtp-serve", ["--sink"])
        defer { probe.stop() }
        return probe.port
    }

    // MARK: TLS

    @Test("what is put in behind the answer to STARTTLS is thrown away by the client (RFC 3207 4.2)")
    func injectedReplies() throws {
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")] + ServeSupport.certificates)
        let proxy = try TamperingProxy(to: server.port) { said, _ in
            let text = String(decoding: said, as: UTF8.self)
            let isAnswer = text.hasPrefix("220 ") && text.contains("begin TLS")
            return (isAnswer ? said + Array("250-evil\r\n250 AUTH PLAIN\r\n".utf8) : said, false)
        }
        let result = try send([
            "--server", "localhost:\(proxy.port)", "--tls", "require", "--ca",
            ServeSupport.certificate("authority.pem"),
            "-v",
        ])
        #expect(result.status == 0, "\(result.diagnostics)")
        #expect(!result.diagnostics.contains("-> AUTH"))
        #expect(result.diagnostics.components(separatedBy: "-> EHLO ").count == 3)
        #expect(try ServeSupport.messages(directory, "mail/b").first?.contains(" with ESMTPS\n") == true)
    }

    @Test("a server that stops in the middle of the handshake is a temporary failure")
    func handshakeOfServer() throws {
        let stalling = try StandIn { received, answers in
            let text = String(decoding: received, as: UTF8.self)
            if answers == 0 { return (Array("220 x ESMTP\r\n".utf8), received.count, false) }
            if text.hasPrefix("EHLO") { return (Array("250-x\r\n250 STARTTLS\r\n".utf8), received.count, false) }
            if text.hasPrefix("STARTTLS") { return (Array("220 go\r\n".utf8), received.count, false) }
            return nil
        }
        let result = try send(["--server", "127.0.0.1:\(stalling.port)", "--tls", "require", "--timeout", "1"])
        #expect(result.status == 75 && result.diagnostics.contains("TLS"), "\(result.diagnostics)")
        let closing = try StandIn { received, answers in
            let text = String(decoding: received, as: UTF8.self)
            if answers == 0 { return (Array("220 x ESMTP\r\n".utf8), received.count, false) }
            if text.hasPrefix("EHLO") { return (Array("250-x\r\n250 STARTTLS\r\n".utf8), received.count, false) }
            if text.hasPrefix("STARTTLS") { return (Array("220 go\r\n".utf8), received.count, false) }
            return received.isEmpty ? nil : ([0x16, 0x03, 0x03, 0x00], received.count, true)
        }
        let queued = try send([
            "--server", "127.0.0.1:\(closing.port)", "--tls", "require", "--queue", directory.file("queue"),
        ])
        #expect(queued.status == 0 && directory.names("queue").count { $0.hasSuffix(".bsmtp") } == 1)
    }

    @Test("a client that stops in the middle of the handshake ends its own session alone")
    func handshakeOfClient() throws {
        let server = try TestServer(
            "smtp-serve",
            ["--mail", directory.file("mail"), "--listen", "127.0.0.1:0,tls"] + ServeSupport.certificates)
        let hello: [UInt8] = [0x16, 0x03, 0x01, 0x00, 0xC8, 0x01, 0x00, 0x00, 0xC4, 0x03, 0x03]
        for count in [0, 1, 5, hello.count] {
            let client = try LineClient(port: server.port)
            _ = client.greet()
            #expect(client.code("STARTTLS") == "220")
            client.send(Array(hello[..<count]))
            client.closeSending()
            _ = client.rest()
        }
        let client = try LineClient(port: server.port)
        _ = client.greet()
        #expect(client.code("STARTTLS") == "220")
        client.send("EHLO in the clear\r\nMAIL FROM:<a@b.c>\r\n")
        #expect(!String(decoding: client.rest(), as: UTF8.self).contains("250"))
        let other = try LineClient(port: server.port)
        _ = other.greet()
        #expect(other.deliver("x") == "250")
    }

    // MARK: Connections

    @Test("answers that are cut at any byte: nobody is forgotten, and nobody hears of a failure that was none")
    func cutAnswers() throws {
        let server = try ScriptedServer { line, _ in
            line.hasPrefix("RCPT") && line.contains("nobody")
                ? .say("550 5.1.1 no such user") : ScriptedServer.good(line)
        }
        defer { server.stop() }
        let words = ["--queue", directory.file("queue"), "--connections", "1", "--retry", "1"]
        var limit = 0
        var isWhole = false
        while !isWhole, limit < 1_000 {
            let before = server.log.messages.count
            let queued = try ToolProcess.run(
                "smtp-send",
                words + ["--queue-only", "--from", "a@example.org", "--to", "b@example.org,nobody@example.org"],
                input: Array("Subject: x\n\nhello\n".utf8))
            #expect(queued.status == 0)
            let allowed = limit
            let proxy = try TamperingProxy(to: server.port) { said, before in
                let left = max(0, allowed - before)
                return (Array(said.prefix(left)), said.count >= left)
            }
            let result = try ToolProcess.run(
                "smtp-send", words + ["--run", "--server", "127.0.0.1:\(proxy.port)", "--timeout", "5"])
            isWhole = result.status == 69
            for _ in 0..<6 where directory.names("queue") != ["tmp"] {
                _ = try ToolProcess.run("smtp-send", words + ["--run", "--server", "127.0.0.1:\(server.port)"])
            }
            #expect(directory.names("queue") == ["tmp"], "cut at \(limit)")
            // With PIPELINING, DATA may be answered when nobody is left to get a message.
            let messages = server.log.messages.dropFirst(before).filter { $0 != ".\r\n" }
            let copies = messages.count { $0 == "Subject: x\r\n\r\nhello\r\n.\r\n" }
            let bounces = messages.count { $0.contains("Final-Recipient: rfc822; nobody@example.org") }
            #expect((1...2).contains(copies) && (1...2).contains(bounces), "cut at \(limit): \(copies), \(bounces)")
            #expect(copies + bounces == messages.count && !messages.contains { $0.contains("rfc822; b@") })
            limit += 17
        }
        #expect(isWhole)
    }

    @Test("without descriptors left those who are there are answered, and all when some are free again")
    func descriptors() throws {
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")], limits: "-n 40")
        let first = try LineClient(port: server.port)
        _ = first.greet()
        var held: [LineClient] = []
        for _ in 0..<60 { held.append(try LineClient(port: server.port, seconds: 1)) }
        #expect(["250", "451"].contains(first.deliver("x")))
        for client in held { client.close() }
        held = []
        let deadline = Date().addingTimeInterval(20)
        var code = ""
        while code != "250", Date() < deadline {
            let client = try LineClient(port: server.port)
            _ = client.greet()
            code = client.deliver("Subject: again\r\n\r\nx", to: ["c@example.net"])
        }
        #expect(code == "250" && directory.names("mail/c/new").count == 1)
        #expect(first.deliver("x") == "250")
    }

    // MARK: The DNS

    @Test("a DNS that is down is a temporary failure for who sends, and 451 where a policy is to be kept")
    func withoutDNS() throws {
        let dns = ["--dns-server", "127.0.0.1:\(try closedPort())"]
        #expect(try send(dns + ["--timeout", "2"]).status == 75)
        let queued = try send(dns + ["--queue", directory.file("queue"), "--timeout", "2"])
        #expect(queued.status == 0 && directory.names("queue").count { $0.hasSuffix(".bsmtp") } == 1)
        let mail = ["--mail", directory.file("mail")]
        let enforcing = try TestServer("smtp-serve", mail + ["--spf,reject"] + dns)
        let client = try LineClient(port: enforcing.port, seconds: 60)
        _ = client.greet()
        #expect(client.deliver("x") == "451")
        // Lists that cannot be asked name nobody: mail is not lost for want of them.
        let scoring = try TestServer("smtp-serve", mail + ["--dnsbl", "list.example"] + dns)
        let other = try LineClient(port: scoring.port, seconds: 60)
        _ = other.greet()
        #expect(other.deliver("x") == "250")
    }

    // MARK: The disk

    @Test("a queue that cannot be written is told, and nothing is taken")
    func readOnlyQueue() throws {
        try directory.write("queue", "a file")
        let result = try send(["--queue", directory.file("queue"), "--queue-only"])
        #expect(result.status == 73, "\(result.diagnostics)")
    }
}
