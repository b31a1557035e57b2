import Foundation
import TestSupport
import Testing

@Suite("smtp-send: batches, load, scripts, ways to a server")
struct SmtpSendManyTests {
    private let directory: TestDirectory

    init() throws { directory = try TestDirectory() }

    private func send(_ arguments: [String], input: String = "", seconds: Double = 30) throws -> ToolProcess.Result {
        try ToolProcess.run("smtp-send", arguments, input: Array(input.utf8), seconds: seconds)
    }

    private static let batch =
        "EHLO me\r\nMAIL FROM:<a@example.org> RET=HDRS\r\nRCPT TO:<b@example.org> NOTIFY=NEVER\r\nDATA\r\nSubject: 1\r\n\r\n..x\r\n.\r\n"
        + "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<c@example.org>\r\nRCPT TO:<d@example.org>\r\nDATA\r\nSubject: 2\r\n.\r\nQUIT\r\n"

    @Test("the variant of an mbox is told as everywhere else: with Content-Length, From_ lines may stand in messages")
    func counted() throws {
        let text = String(repeating: "hello\n", count: 100)
        let body = "\(text)\nFrom a@b Mon Nov  2 09:15:00 2026\nno: header\n\n\(text)"
        let mbox = (1...9).map { number in
            "From a@b Mon Nov  2 09:15:00 2026\nSubject: \(number)\nContent-Length: \(body.utf8.count)\n\n\(body)\n"
        }.joined()
        let directory = try TestDirectory()
        let file = try directory.write("counted.mbox", mbox)
        let words = ["--dry-run", "--from", "a@example.org", "--to", "b@example.org"]
        for (operands, input) in [([file], ""), ([], mbox)] {
            let result = try ToolProcess.run("smtp-send", words + operands, input: Array(input.utf8))
            #expect(
                result.status == 0 && result.text.components(separatedBy: "MAIL FROM:").count == 10, "\(result.text)")
        }
    }

    /// What a SOCKS5 proxy is asked for: a server by its name, or by an address (RFC 1928 5).
    static let targets: [(server: String, request: [UInt8])] = [
        ("mx.example:2525", [5, 1, 0, 3, 10] + Array("mx.example".utf8) + [9, 221]),
        ("192.0.2.1", [5, 1, 0, 1, 192, 0, 2, 1, 0, 25]),
        ("[2001:db8::1]:25", [5, 1, 0, 4, 0x20, 1, 0x0D, 0xB8] + Array(repeating: 0, count: 11) + [1, 0, 25]),
    ]

    @Test("a SOCKS5 proxy is asked for the server as it was named; what it says no to is told", arguments: targets)
    func socks(_ server: String, _ request: [UInt8]) throws {
        func run(_ answer: [UInt8]) throws -> ToolProcess.Result {
            let proxy = try StandIn { received, answers in
                switch (answers, received.count) {
                case (0, 3...): ([5, 0], 3, received.prefix(3) != [5, 1, 0])
                case (1, request.count...): (received == request ? answer : [4], request.count, false)
                case (2, 6...): (Array("221 bye\r\n".utf8), 6, true)
                default: nil
                }
            }
            return try ToolProcess.run(
                "smtp-send",
                ["--server", server, "--socks5", "127.0.0.1:\(proxy.port)", "--quit-after", "greeting"])
        }
        let good = try run([5, 0, 0, 1, 0, 0, 0, 0, 0, 0] + Array("220 x\r\n".utf8))
        #expect(good.status == 0, "\(good.diagnostics)")
        let refused = try run([5, 5, 0, 1, 0, 0, 0, 0, 0, 0])
        #expect(refused.status == 75 && refused.diagnostics.contains("the proxy says: connection refused"))
        let none = try ToolProcess.run(
            "smtp-send", ["--server", server, "--socks5", "127.0.0.1:1", "--quit-after", "greeting"])
        #expect(none.status == 75 && none.diagnostics.contains("the proxy 127.0.0.1:1 cannot be reached"))
    }

    @Test("a PROXY header of which one end is given names both in its family")
    func proxyFamilies() throws {
        let server = try ScriptedServer { line, _ in
            line.hasPrefix("PROXY TCP6 2001:db8::1 ::ffff:127.0.0.1 99 ") ? .say("220 x") : .say("221 bye")
        }
        let result = try ToolProcess.run(
            "smtp-send",
            [
                "--server", "127.0.0.1:\(server.port)", "--proxy-source", "[2001:db8::1]:99", "--quit-after",
                "greeting",
            ])
        #expect(result.status == 0)
        #expect(server.log.lines.contains { $0.hasPrefix("PROXY TCP6 2001:db8::1 ::ffff:127.0.0.1 99 ") })
    }

    @Test("recipients beyond what a connection takes get another connection (RFC 9422 MAILMAX, RCPTMAX)")
    func transactionLimit() throws {
        let server = try ScriptedServer { line, _ in
            ScriptedServer.good(line, ["PIPELINING", "LIMITS RCPTMAX=2 MAILMAX=2"])
        }
        let recipients = (1...9).map { "r\($0)@example.org" }.joined(separator: ",")
        let result = try ToolProcess.run(
            "smtp-send",
            ["--server", "127.0.0.1:\(server.port)", "--from", "a@example.org", "--to", recipients],
            input: Array("Subject: x\n\nx\n".utf8))
        #expect(result.status == 0, "\(result.diagnostics)")
        #expect(server.log.lines.count { $0.hasPrefix("RCPT") } == 9 && server.log.messages.count == 5)
        #expect(server.log.connections == 3)
    }

    @Test("a connection that breaks is told for all recipients, those of later transactions too")
    func brokenForAll() throws {
        let server = try ScriptedServer { line, _ in
            line.hasPrefix("DATA") ? .close : ScriptedServer.good(line, ["LIMITS RCPTMAX=1"])
        }
        let result = try ToolProcess.run(
            "smtp-send",
            ["--server", "127.0.0.1:\(server.port)", "--from", "a@example.org", "--to", "b@example.org,c@example.org"],
            input: Array("Subject: x\n\nx\n".utf8))
        #expect(result.status == 75 && !result.diagnostics.contains("no server was found"), "\(result.diagnostics)")
    }

    @Test("--batch sends each message with its envelope; --dry-run gives the same back (RFC 2442)")
    func batches() throws {
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line, ["PIPELINING", "DSN"]) }
        let file = try directory.write("b.bsmtp", Self.batch)
        let result = try send(["--server", "127.0.0.1:\(server.port)", "--batch", file, "--json"])
        #expect(result.status == 0 && result.lines.count == 3 && result.text.contains("\(file):2"))
        #expect(server.log.messages == ["Subject: 1\r\n\r\n..x\r\n.\r\n", "Subject: 2\r\n.\r\n"])
        #expect(server.log.lines.contains("MAIL FROM:<a@example.org> RET=HDRS"))
        #expect(server.log.lines.contains("RCPT TO:<b@example.org> NOTIFY=NEVER"))
        let again = try send(["--batch", "-", "--dry-run", "--helo", "me"], input: Self.batch)
        let expected = Self.batch.replacingOccurrences(of: "org> RET", with: "org> SIZE=18 RET")
            .replacingOccurrences(of: "RSET\r\nMAIL FROM:<>", with: "MAIL FROM:<> SIZE=12")
        #expect(again.text == expected)
    }

    @Test("a batch that breaks off sends what is whole, and says so")
    func brokenBatch() throws {
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        let text = Self.batch.replacingOccurrences(of: "Subject: 2\r\n.\r\nQUIT\r\n", with: "Subject: 2\r\n")
        let result = try send(["--server", "127.0.0.1:\(server.port)", "--batch", "-"], input: text)
        #expect(result.status == 65 && server.log.messages.count == 1)
        #expect(result.diagnostics.contains("the final dot is missing"))
    }

    @Test(
        "a server that sends its answers one by one is not kept waiting for acknowledgements (RFC 896, RFC 1122 4.2.3.2)"
    )
    func delayedAcknowledgement() throws {
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        let result = try ToolProcess.run(
            "smtp-send",
            [
                "--server", "127.0.0.1:\(server.port)", "--from", "a@example.org", "--to", "b@example.org",
                "--repeat", "100", "--json",
            ], input: Array("Subject: x\n\nx\n".utf8))
        let median = try #require(result.text.firstMatch(of: /"ms_median":([0-9.]+)/).flatMap { Double($0.1) })
        // A delayed acknowledgement takes 40 ms at least.
        #expect(result.status == 0 && median < 35)
    }

    @Test("--repeat and --parallel tell the rate; --rate keeps to one")
    func load() throws {
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        let words = ["--server", "127.0.0.1:\(server.port)", "--from", "a@example.org", "--to", "b@example.org"]
        let result = try send(words + ["--subject", "x", "--repeat", "20", "--parallel", "3", "--json"])
        #expect(result.status == 0 && server.log.messages.count == 20 && server.log.connections <= 3)
        let object = try JSONSerialization.jsonObject(with: Data(result.bytes)) as? [String: any Sendable]
        #expect(object?["messages"] as? Int == 20 && object?["accepted"] as? Int == 20)
        let start = Date()
        #expect(try send(words + ["--subject", "x", "--repeat", "5", "--rate", "10/s"]).text.contains("5 messages"))
        #expect(Date().timeIntervalSince(start) > 0.39)
        #expect(try send(words + ["--rate", "fast"]).status == 64)
    }

    @Test("a script sends bytes as they are and tells of each reply whether it was expected")
    func scripts() throws {
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        let script = """
            # smuggling
            S: 220
            C: EHLO me.example
            S: 250
            R: MAIL FROM:<a@example.org>\\r\\nRCPT TO:<b@example.org>\\r\\nDATA\\r\\n
            S: 2
            S: 250 ok
            S: 354
            R: Subject: x\\x0d\\n\\r\\nhello\\n.\\n
            S: none 200ms
            C: .
            S: 250|550
            C: QUIT
            S: 221
            S: close
            """
        let file = try directory.write("s.txt", script)
        let result = try send(["--server", "127.0.0.1:\(server.port)", "--script", file])
        #expect(result.status == 0 && result.lines.count == 9, "\(result.diagnostics)")
        #expect(server.log.messages == ["Subject: x\r\n\r\nhello\n.\n.\r\n"])
        let wrong = try directory.write("w.txt", "S: 220\nC: NOOP\nS: 5 why\n")
        let failed = try send(["--server", "127.0.0.1:\(server.port)", "--script", wrong, "--json"])
        #expect(failed.status == 76 && failed.lines.count == 2)
        #expect(failed.lines[1].hasPrefix(#"{"line":3,"expected":"5","ok":false,"code":250,"#))
        #expect(failed.diagnostics.contains("w.txt:3: expected 5, but the server said 250 2.0.0 ok"))
        for text in ["X: y", "S: abc", "R: \\q", "W: soon", "hello"] {
            let bad = try directory.write("bad.txt", text)
            #expect(try send(["--server", "127.0.0.1:\(server.port)", "--script", bad]).status == 65)
        }
        let missing = try send(["--server", "127.0.0.1:\(server.port)", "--script", "/no/such"])
        #expect(missing.status == 66)
        #expect(missing.diagnostics == "smtp-send: /no/such: cannot open: No such file or directory\n")
    }

    @Test("through a program, with a header of the PROXY protocol")
    func waysThrough() throws {
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        let words = ["--from", "a@example.org", "--to", "b@example.org", "--subject", "x"]
        let program =
            "exec 3<>/dev/tcp/127.0.0.1/\(server.port); cat <&3 & cat >&3; wait"
        let piped = try send(words + ["--server", "mx.example", "--pipe", "exec bash -c '\(program)'"])
        #expect(piped.status == 0 && server.log.messages.count == 1, "\(piped.diagnostics)")
        let announced = try send(
            words + [
                "--server", "127.0.0.1:\(server.port)", "--proxy-version", "1", "--proxy-source", "192.0.2.1:99",
                "--proxy-dest", "192.0.2.2:25",
            ])
        #expect(server.log.lines.contains("PROXY TCP4 192.0.2.1 192.0.2.2 99 25"))
        #expect(announced.status != 64)
    }

    @Test("--progress says on standard error how far a run is, and takes it away at the end")
    func progress() throws {
        let server = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        let words = [
            "--server", "127.0.0.1:\(server.port)", "--from", "a@example.org", "--to", "b@example.org", "--subject",
            "x",
            "--repeat", "4", "--rate", "5/s",
        ]
        let shown = try send(words + ["--progress", "always"])
        #expect(shown.status == 0 && shown.diagnostics.contains(/\r[2-4] messages, [0-9]+ \/s/))
        #expect(shown.diagnostics.hasSuffix("\r\u{1B}[K"))
        #expect(try !send(words).diagnostics.contains("messages,"), "standard error is no terminal here")
    }
}
