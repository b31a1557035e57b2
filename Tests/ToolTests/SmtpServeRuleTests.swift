import Foundation
import TestSupport
import Testing

@Suite("smtp-serve's rules")
struct SmtpServeRuleTests {
    private func server(_ rules: String..., more: [String] = ["--sink"]) throws -> TestServer {
        try TestServer("smtp-serve", more + rules.flatMap { ["--rule", $0] })
    }

    @Test("a reply in place of the command, by regular expression, the first rule that fits")
    func replies() throws {
        let server = try server(
            "rcpt~^full@ 452 4.2.2 mailbox full", "rcpt~^full 550 5.1.1 not reached", "rcpt~gone 550 no",
            "ehlo~evil 554 5.7.1 go away", "starttls 454 4.7.0 not now", "data~x 400 never", "any~^hello 299 any")
        let client = try LineClient(port: server.port)
        #expect(client.greet("EHLO evil.example") == ["554 5.7.1 go away"])
        #expect(client.code("MAIL FROM:<a@b.c>") == "503")
        _ = client.code("EHLO good.example")
        _ = client.code("MAIL FROM:<full@b.c>")
        client.send("RCPT TO:<full@x.y>\r\n")
        #expect(client.reply() == ["452 4.2.2 mailbox full"])
        #expect(client.code("RCPT TO:<fuller@x.y>") == "550" && client.code("RCPT TO:<b@gone.y>") == "550")
        #expect(client.code("RCPT TO:<b@x.y>") == "250" && client.code("STARTTLS") == "454")
        #expect(client.code("NOOP") == "250" && client.code("HELP hello") == "299")
        #expect(client.code("DATA") == "354" && client.code("x\r\n.") == "250")
    }

    @Test("a reply that lets a command through changes its words only; after 421 the session is over")
    func words() throws {
        let directory = try TestDirectory()
        let server = try server(
            "ehlo~^old 250 old.example", "mail 250 2.1.0 your sender", "rcpt~^b@ 250 2.1.5 your recipient",
            "data 354 go on", "quit 221 2.0.0 your end", "any~leave 421 4.3.2 gone",
            more: ["--mail", directory.file("mail")])
        let client = try LineClient(port: server.port)
        #expect(client.greet("EHLO old.example") == ["250 old.example"])
        var answers: [String] = []
        for line in ["MAIL FROM:<a@b.c>", "RCPT TO:<b@b.c>", "RCPT TO:<b@b", "DATA", "x\r\n.", "QUIT"] {
            client.send(line + "\r\n")
            answers += client.reply()
        }
        #expect(answers[0] == "250 2.1.0 your sender" && answers[1] == "250 2.1.5 your recipient")
        #expect(answers[2].hasPrefix("501 ") && answers[3] == "354 go on" && answers[4].hasPrefix("250 2.0.0 "))
        #expect(answers[5] == "221 2.0.0 your end" && client.rest().isEmpty)
        #expect(directory.names("mail/b/new").count == 1)
        let leaving = try LineClient(port: server.port)
        _ = leaving.reply()
        leaving.send("NOOP leave\r\nNOOP\r\n")
        #expect(String(decoding: leaving.rest(), as: UTF8.self) == "421 4.3.2 gone\r\n")
    }

    @Test("#3 only the third time, #3+ from the third on, over all connections")
    func counts() throws {
        let server = try server("mail#3 451 4.3.0 third", "rcpt#2+ 450 later")
        var mail: [String] = []
        var rcpt: [String] = []
        for _ in 0..<5 {
            let client = try LineClient(port: server.port)
            _ = client.greet()
            mail.append(client.code("MAIL FROM:<a@b.c>"))
            rcpt.append(client.code("RCPT TO:<d@e.f>"))
        }
        #expect(mail == ["250", "250", "451", "250", "250"])
        #expect(rcpt == ["250", "450", "450", "450", "450"])
    }

    @Test("%3 one in three, the same with the same seed")
    func chance() throws {
        func run(_ seed: String) throws -> [String] {
            let server = try server("any%3 450 unlucky", more: ["--sink", "--seed", seed])
            let client = try LineClient(port: server.port)
            _ = client.reply()
            return (0..<90).map { _ in client.code("NOOP") }
        }
        let first = try run("7")
        #expect(try run("7") == first)
        #expect(try run("8") != first)
        #expect((15...50).contains(first.count { $0 == "450" }))
    }

    @Test("delay, drop, truncate and stall")
    func faults() throws {
        let server = try server(
            "rcpt~^slow@ delay=300ms", "rcpt~^later@ delay=100ms 450 4.2.1 later", "rcpt~^drop@ drop",
            "rcpt~^cut@ truncate=7", "rcpt~^stall@ stall")
        func begin() throws -> LineClient {
            let client = try LineClient(port: server.port, seconds: 1)
            _ = client.greet()
            _ = client.code("MAIL FROM:<a@b.c>")
            return client
        }
        let client = try begin()
        let start = Date()
        #expect(client.code("RCPT TO:<slow@b.c>") == "250" && Date().timeIntervalSince(start) >= 0.29)
        #expect(client.code("RCPT TO:<later@b.c>") == "450" && client.code("RCPT TO:<fast@b.c>") == "250")
        client.send("RCPT TO:<drop@b.c>\r\n")
        #expect(client.rest().isEmpty)
        let cut = try begin()
        cut.send("RCPT TO:<cut@b.c>\r\n")
        #expect(String(decoding: cut.rest(), as: UTF8.self) == "250 2.1")
        let stalled = try begin()
        stalled.send("RCPT TO:<stall@b.c>\r\nQUIT\r\n")
        #expect(stalled.line() == nil)
    }

    @Test("connect and message: a greeting, a refusal, a message that is not stored")
    func ends() throws {
        let directory = try TestDirectory()
        let server = try server(
            "connect#1 220 other.example ready", "connect#2 554 5.7.1 no", "connect#3 drop",
            "message~^Subject:.*spam 550 5.7.1 spam", "message#2 drop", more: ["--mail", directory.file("mail")])
        let client = try LineClient(port: server.port)
        #expect(client.reply() == ["220 other.example ready"])
        _ = client.code("EHLO c")
        #expect(client.deliver("Subject: my spam\r\n\r\nx") == "550" && client.code("NOOP") == "250")
        #expect(client.deliver("Subject: dropped\r\n\r\nx") == LineClient.silence)
        #expect(directory.names("mail/b/new").isEmpty)
        let refused = try LineClient(port: server.port)
        #expect(String(decoding: refused.rest(), as: UTF8.self) == "554 5.7.1 no\r\n")
        let dropped = try LineClient(port: server.port)
        #expect(dropped.rest().isEmpty)
        let last = try LineClient(port: server.port)
        _ = last.greet()
        #expect(last.deliver("Subject: stored\r\n\r\nx") == "250" && directory.names("mail/b/new").count == 1)
    }
}
