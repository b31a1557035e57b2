import Foundation
import TestSupport
import Testing

@Suite("smtp-send --queue")
struct QueueTests {
    private let directory: TestDirectory
    private var queue: String { directory.file("queue") }
    private let message = "Subject: x\nMessage-ID: <m1@example.org>\n\n.hello\n"

    init() throws { directory = try TestDirectory() }

    private func send(_ arguments: [String], input: String = "", seconds: Double = 30) throws -> ToolProcess.Result {
        try ToolProcess.run("smtp-send", ["--queue", queue] + arguments, input: Array(input.utf8), seconds: seconds)
    }

    private func objects(_ result: ToolProcess.Result) throws -> [[String: any Sendable]] {
        try result.lines.map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: any Sendable])
        }
    }

    private var list: [[String: any Sendable]] {
        get throws { try objects(try send(["--list", "--json"])) }
    }

    private func recipients(_ message: [String: any Sendable]) -> [[String: any Sendable]] {
        message["recipients"] as? [[String: any Sendable]] ?? []
    }

    private var files: [String] { directory.names("queue").filter { $0 != "tmp" } }

    /// A server that refuses `nobody`, and `later` the first `temporary` times.
    private func server(temporary: Int = 1_000, _ extensions: [String] = ["PIPELINING", "8BITMIME"]) throws
        -> ScriptedServer
    {
        try ScriptedServer { line, count in
            if line.hasPrefix("RCPT"), line.contains("nobody") { return .say("550 5.1.1 no such user") }
            if line.hasPrefix("RCPT"), line.contains("later"), count < temporary { return .say("451 4.2.0 not now") }
            return ScriptedServer.good(line, extensions)
        }
    }

    /// The messages that somebody got: with PIPELINING, DATA may be answered when nobody is left to get one.
    private func messages(_ server: ScriptedServer) -> [String] { server.log.messages.filter { $0 != ".\r\n" } }

    private func queueOne(_ recipients: String, _ options: [String] = []) throws {
        let result = try send(
            ["--queue-only", "--from", "a@example.org", "--to", recipients] + options, input: message)
        #expect(result.status == 0, "\(result.diagnostics)")
    }

    @Test("a message that all recipients have is gone")
    func delivered() throws {
        let server = try server()
        let result = try send(
            ["--server", "127.0.0.1:\(server.port)", "--from", "a@example.org", "--to", "b@example.org,c@example.org"],
            input: message)
        #expect(result.status == 0 && files.isEmpty)
        #expect(messages(server) == ["Subject: x\r\nMessage-ID: <m1@example.org>\r\n\r\n..hello\r\n.\r\n"])
    }

    @Test("a message that cannot be sent now stays, and that is no failure; --run sends it")
    func queued() throws {
        let server = try server()
        let options = ["--from", "a@example.org", "--to", "b@example.org", "--json"]
        let result = try send(options + ["--server", "127.0.0.1:1"], input: message)
        #expect(result.status == 0)
        #expect(try objects(result).first?["outcome"] as? String == "queued")
        let waiting = try #require(try list.first)
        #expect(recipients(waiting).first?["attempts"] as? Int == 1)
        #expect(recipients(waiting).first?["status"] as? String == "waiting")
        let id = try #require(waiting["id"] as? String)
        #expect(
            try send(["--show", id]).text.hasSuffix(
                "DATA\r\nSubject: x\r\nMessage-ID: <m1@example.org>\r\n\r\n..hello\r\n.\r\nQUIT\r\n"))
        #expect(try send(["--run", "--due", "--server", "127.0.0.1:\(server.port)"]).status == 0)
        #expect(messages(server).isEmpty && files.count == 2)
        let run = try send(["--run", "--server", "127.0.0.1:\(server.port)"])
        #expect(run.status == 0 && files.isEmpty && messages(server).count == 1)
    }

    @Test("one refused for good is bounced, one refused for now stays, one that has it is not sent again")
    func mixed() throws {
        let server = try server(temporary: 5)
        try queueOne("b@example.org,nobody@example.org,later@example.org")
        let first = try send(["--run", "--server", "127.0.0.1:\(server.port)"])
        #expect(first.status == 75)
        let waiting = try #require(try list.first)
        #expect(recipients(waiting).map { $0["status"] as? String } == ["delivered", "failed", "waiting"])
        #expect(messages(server).count == 2)
        let bounce = try #require(messages(server).last)
        #expect(server.log.lines.contains("MAIL FROM:<>") && server.log.lines.contains("RCPT TO:<a@example.org>"))
        #expect(bounce.contains("Final-Recipient: rfc822; nobody@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n"))
        #expect(bounce.contains("Content-Type: multipart/report; report-type=delivery-status;"))
        #expect(bounce.contains("In-Reply-To: <m1@example.org>\r\n") && bounce.contains("Auto-Submitted: auto-replied"))
        #expect(!bounce.contains("later@"))
        _ = try send(["--run", "--server", "127.0.0.1:\(server.port)"])
        let second = try send(["--run", "--server", "127.0.0.1:\(server.port)"])
        #expect(second.status == 0 && files.isEmpty)
        #expect(server.log.lines.count { $0 == "RCPT TO:<b@example.org>" } == 1)
        #expect(messages(server).count == 3)
    }

    @Test("a bounce that cannot be delivered makes no other (RFC 5321 4.5.5)")
    func nullSender() throws {
        let server = try server()
        let result = try send(
            ["--server", "127.0.0.1:\(server.port)", "--from", "<>", "--to", "nobody@example.org"], input: message)
        #expect(result.status == 69 && files.isEmpty && messages(server).isEmpty)
        #expect(result.diagnostics.contains("there is no sender to tell"))
    }

    /// NOTIFY, what the server offers, and what the sender is told of one recipient that is taken and one that is not.
    static let notifications: [(notify: String?, offersDSN: Bool, told: [String])] = [
        (nil, false, ["failed"]), ("never", false, []), ("success", false, ["relayed"]), ("success", true, []),
        ("failure", true, ["failed"]), ("success,failure", false, ["failed", "relayed"]), ("delay", false, []),
    ]

    @Test(
        "NOTIFY says what the sender is told; a server that offers DSN tells of success itself",
        arguments: notifications)
    func notify(_ notify: String?, _ offersDSN: Bool, _ told: [String]) throws {
        let server = try server(["PIPELINING", "8BITMIME"] + (offersDSN ? ["DSN"] : []))
        let options = notify.map { ["--notify", $0, "--envid", "q+1", "--ret", "hdrs"] } ?? []
        try queueOne("b@example.org,nobody@example.org", options)
        _ = try send(["--run", "--server", "127.0.0.1:\(server.port)"])
        #expect(files.isEmpty)
        let notices = messages(server).dropFirst()
        let actions = notices.compactMap { notice in
            notice.components(separatedBy: "\r\n").first { $0.hasPrefix("Action: ") }.map { String($0.dropFirst(8)) }
        }
        #expect(actions.sorted() == told)
        if notify != nil {
            #expect(notices.allSatisfy { $0.contains("Original-Envelope-Id: q+1\r\n") && !$0.contains(".hello") })
            #expect(
                server.log.lines.contains { $0.hasPrefix("MAIL FROM:<a@") && $0.contains("ENVID=q+2B1") } == offersDSN)
            if offersDSN {
                #expect(notices.isEmpty || server.log.lines.contains("RCPT TO:<a@example.org> NOTIFY=NEVER"))
            }
        }
    }

    @Test("after its lifetime a message is given up and bounced; a long wait is told before")
    func givenUp() throws {
        let server = try server()
        try queueOne("later@example.org")
        _ = try send(["--run", "--server", "127.0.0.1:\(server.port)", "--delay-notice", "1ms"])
        Thread.sleep(forTimeInterval: 1.1)
        _ = try send(["--run", "--server", "127.0.0.1:\(server.port)", "--delay-notice", "1"])
        #expect(
            messages(server).count == 1 && messages(server)[0].contains("Action: delayed\r\nStatus: 4.2.0\r\n"))
        #expect(messages(server)[0].contains("Will-Retry-Until: "))
        _ = try send(["--run", "--server", "127.0.0.1:\(server.port)", "--delay-notice", "1"])
        #expect(messages(server).count == 1, "told once")
        let last = try send(["--run", "--server", "127.0.0.1:\(server.port)", "--lifetime", "1"])
        #expect(last.status == 69 && files.isEmpty)
        #expect(
            messages(server).count == 2 && messages(server)[1].contains("Action: failed\r\nStatus: 4.2.0\r\n"))
    }

    @Test("held messages stay until they are released; removed ones are gone; rerouted ones go where they are told")
    func surgery() throws {
        let server = try server()
        let other = try self.server()
        try queueOne("b@example.org")
        let id = try #require(try list.first?["id"] as? String)
        #expect(try send(["--hold", id]).status == 0)
        #expect(try send(["--run", "--server", "127.0.0.1:\(server.port)"]).status == 0 && files.count == 2)
        #expect(try list.first?["held"] as? Bool == true)
        #expect(try send(["--reroute", "all", "--server", "127.0.0.1:\(other.port)"]).status == 0)
        #expect(try send(["--release", id]).status == 0)
        #expect(try send(["--run", "--server", "127.0.0.1:\(server.port)"]).status == 0 && files.isEmpty)
        #expect(messages(server).isEmpty && messages(other).count == 1)
        try queueOne("b@example.org")
        #expect(try send(["--remove", "all"]).status == 0 && files.isEmpty)
        #expect(try send(["--remove", id]).status == 66)
        #expect(try send(["--show", "../x"]).status == 66)
        #expect(try send(["--list"]).text == "the queue is empty\n")
    }

    @Test("--watch sends what comes in, and what was there; it ends in order")
    func watch() throws {
        let server = try server()
        try queueOne("b@example.org")
        let process = try ToolProcess(
            "smtp-send", ["--queue", queue, "--watch", "--server", "127.0.0.1:\(server.port)"])
        #expect(process.nextLine()?.hasPrefix("b@example.org: accepted") ?? false)
        try queueOne("c@example.org")
        #expect(process.nextLine()?.hasPrefix("c@example.org: accepted") ?? false)
        let deadline = Date().addingTimeInterval(5)
        while !files.isEmpty, Date() < deadline { Thread.sleep(forTimeInterval: 0.01) }
        #expect(files.isEmpty)
        process.signal(SIGTERM)
        #expect(process.wait(seconds: 10) == 0)
    }

    @Test("several runners at once send each message once")
    func runners() throws {
        let server = try server()
        for _ in 0..<12 { try queueOne("b@example.org") }
        let processes = try (0..<3).map { _ in
            try ToolProcess("smtp-send", ["--queue", queue, "--run", "--server", "127.0.0.1:\(server.port)"])
        }
        for process in processes { #expect(process.wait() == 0) }
        #expect(messages(server).count == 12 && files.isEmpty)
    }

    @Test("a message that cannot be stored is not accepted, and nothing is left of it")
    func full() throws {
        let large = try directory.write(
            "large.eml", "Subject: x\n\n" + String(repeating: "0123456789\n", count: 100_000))
        let result = try ToolProcess.run(
            "smtp-send", ["--queue", queue, "--queue-only", "--from", "a@example.org", "--to", "b@example.org", large],
            limits: "-f 100")
        #expect(result.status == 74 && files.isEmpty && directory.names("queue/tmp").isEmpty)
        #expect(result.diagnostics.hasPrefix("smtp-send: "))
    }

    @Test("a message for thousands is run in time that grows as their number does")
    func manyRecipients() throws {
        let server = try server()
        let names = (0..<3_000).map { "r\($0)@example.org" }.joined(separator: ",\n ")
        let queued = try send(
            ["--queue-only", "-t", "--from", "a@example.org"],
            input: "Subject: x\nBcc: later@example.org, \(names)\n\nx\n")
        #expect(queued.status == 0, "\(queued.diagnostics)")
        // It took a quarter of a minute and more, when nothing else was running.
        let run = try send(["--run", "--server", "127.0.0.1:\(server.port)"], seconds: 12)
        #expect(run.status == 75 && messages(server).count == 31)
        #expect(try recipients(list[0]).count { $0["status"] as? String == "delivered" } == 3_000)
    }

    @Test("--dsn require is kept in the queue")
    func requiredStatus() throws {
        let server = try server()
        try queueOne("b@example.org", ["--dsn", "require", "--notify", "never"])
        let run = try send(["--run", "--server", "127.0.0.1:\(server.port)"])
        #expect(run.status == 69 && run.diagnostics.contains("does not offer DSN") && messages(server).isEmpty)
    }

    @Test("a message that cannot be read is told, and holds up no other")
    func unreadable() throws {
        try queueOne("b@example.org")
        try queueOne("c@example.org")
        let first = try #require(files.sorted().first)
        // A log that nobody can read, whoever runs the tests.
        let log = directory.file("queue/\(first.replacingOccurrences(of: ".bsmtp", with: ".log"))")
        try FileManager.default.createDirectory(atPath: log, withIntermediateDirectories: true)
        let list = try send(["--list"])
        #expect(list.status == 66 && list.text.contains("c@example.org") && list.diagnostics.contains(log))
        let server = try server()
        let run = try send(["--run", "--server", "127.0.0.1:\(server.port)"])
        #expect(run.status == 66 && run.diagnostics.contains(log), "\(run.diagnostics)")
        #expect(messages(server).count == 1 && files.contains(first))
    }

    @Test("with a full disk nobody gets a message of which could not be noted that he has it")
    func fullWhileSending() throws {
        let server = try server()
        try queueOne("b@example.org,later@example.org")
        let run = ["--queue", queue, "--run", "--server", "127.0.0.1:\(server.port)"]
        for _ in 0..<2 {
            let result = try ToolProcess.run("smtp-send", run, limits: "-f 0")
            #expect(result.status == 74 && result.diagnostics.contains(".log: "), "\(result.diagnostics)")
        }
        #expect(server.log.lines.isEmpty)
        for _ in 0..<2 { #expect(try ToolProcess.run("smtp-send", run).status == 75) }
        #expect(server.log.lines.count { $0 == "RCPT TO:<b@example.org>" } == 1)
    }

    @Test("a file that is no batch SMTP is told and left")
    func damaged() throws {
        try queueOne("b@example.org")
        try directory.write("queue/X.bsmtp", "hello\r\n")
        let server = try server()
        let result = try send(["--run", "--server", "127.0.0.1:\(server.port)"])
        #expect(result.status == 65 && result.diagnostics.contains("X.bsmtp") && files == ["X.bsmtp"])
        #expect(messages(server).count == 1)
    }

    @Test("a folder that is no queue, or none at all, is told, with what to do")
    func noQueue() throws {
        try directory.write("file", "")
        try FileManager.default.createDirectory(atPath: directory.file("plain"), withIntermediateDirectories: true)
        let cases: [(name: String, words: [String], status: Int32, text: String)] = [
            ("file", ["--list"], 66, "is not a folder: name another, or move the file away"),
            ("file", ["--watch"], 73, "is not a folder: name another, or move the file away"),
            ("none", ["--run"], 66, "is not there: the first message sent with --queue makes it"),
            ("plain", ["--list"], 66, "is no queue, for it has no folder tmp: name the folder that --queue made"),
        ]
        for (name, words, status, text) in cases {
            let path = directory.file(name)
            let result = try ToolProcess.run("smtp-send", ["--queue", path] + words)
            #expect(result.status == status && result.diagnostics == "smtp-send: \(path): \(text)\n")
        }
    }

    @Test("a bounce for an ASCII sender goes out as plain mail, whatever the message was (RFC 6533)")
    func plainBounce() throws {
        let server = try ScriptedServer { line, _ in
            line.hasPrefix("RCPT TO:<n")
                ? .say("550 5.1.1 kein \u{FC}ser") : ScriptedServer.good(line, ["SMTPUTF8", "8BITMIME"])
        }
        let message = "Subject: Gr\u{FC}\u{DF}e\n\nhello\n"
        let queued = try send(
            ["--queue-only", "--from", "a@example.org", "--to", "n\u{F6}body@example.org"], input: message)
        #expect(queued.status == 0)
        #expect(try send(["--run", "--server", "127.0.0.1:\(server.port)"]).status == 69)
        let bounce = try #require(messages(server).first)
        #expect(
            server.log.lines.contains {
                $0.hasPrefix("MAIL FROM:<>") && !$0.contains("SMTPUTF8") && !$0.contains("8BIT")
            })
        #expect(bounce.utf8.allSatisfy { $0 < 0x80 })
        #expect(bounce.contains("Content-Type: message/delivery-status\r\n"))
        #expect(bounce.contains("Final-Recipient: utf-8; n\\x{F6}body@example.org\r\n"))
        #expect(bounce.contains("Diagnostic-Code: smtp; 550 5.1.1 kein ?ser\r\n"))
        #expect(bounce.contains("Content-Type: message/global\r\nContent-Transfer-Encoding: quoted-printable\r\n"))
    }

    static let badUses: [[String]] = [
        ["--run"], ["--list"], ["--queue-only"], ["--queue", "q", "--run", "--list"],
        ["--queue", "q", "--run", "m.eml"],
        ["--queue", "q", "--retry", "x", "--run"], ["--queue", "q", "--retry", "1m,2m,3m", "--run"],
        // What is not sent must not leave the queue, and nothing is sent where nothing was to be.
        ["--queue", "q", "--run", "--server", "localhost:1", "--quit-after", "rcpt"],
        ["--queue", "q", "--to", "b@example.org", "--server", "localhost:1", "--drop-after", "data"],
        ["--queue", "q", "--run", "--dry-run"], ["--stdio", "--server", "localhost:1", "--quit-after", "rcpt"],
        ["--notify", "sometimes", "--to", "b@example.org"], ["--envid", "", "--to", "b@example.org"],
    ]

    @Test("wrong usage", arguments: badUses)
    func badUse(_ arguments: [String]) throws {
        #expect(try ToolProcess.run("smtp-send", arguments).status == 64)
    }
}
