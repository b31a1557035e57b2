import Foundation
import TestSupport
import Testing

@Suite("smtp-serve deals with each recipient for itself")
struct SmtpServeRecipientTests {
    private let directory: TestDirectory

    init() throws { directory = try TestDirectory() }

    private func server(_ users: String, _ more: [String] = []) throws -> TestServer {
        try TestServer(
            "smtp-serve", ["--mail", directory.file("mail"), "--users", try directory.write("users", users)] + more)
    }

    private func send(
        _ server: TestServer, _ content: String = "Subject: plans\r\n\r\nbody", from: String = "a@example.org",
        to recipients: [String], _ parameters: [String: String] = [:], mail: String = ""
    ) throws -> String {
        let client = try LineClient(port: server.port)
        _ = client.greet()
        _ = client.code("MAIL FROM:<\(from)>\(mail)")
        for recipient in recipients { _ = client.code("RCPT TO:<\(recipient)>\(parameters[recipient] ?? "")") }
        let code = client.code("DATA")
        return code == "354" ? client.code(content + "\r\n.") : code
    }

    private func messages(_ user: String) throws -> [String] {
        try ServeSupport.messages(directory, "mail/\(user)")
    }

    @Test("a program that refuses for good is told to the sender; the others have their mail (RFC 5321 6.1, RFC 3464)")
    func partialBounce() throws {
        let server = try server("a\nanna\ndave |cat >/dev/null; exit 67\nerin |cat >/dev/null; exit 0\n")
        #expect(try send(server, to: ["anna@c.d", "dave@c.d", "erin@c.d"]) == "250")
        #expect(try messages("anna").count == 1)
        let notices = try messages("a")
        let notice = try #require(notices.first)
        #expect(notices.count == 1 && notice.hasPrefix("Return-Path: <>\nDelivered-To: a@example.org\n"))
        #expect(notice.contains("\nFinal-Recipient: rfc822; dave@c.d\nAction: failed\nStatus: 5.1.1\n"))
        #expect(
            notice.contains("\n    dave@c.d\n") && notice.contains("Subject: plans\n") && !notice.contains("anna@c.d"))
    }

    @Test("refused by the programs of all, it is refused; by one for now, it is 451 for all")
    func wholeRefusal() throws {
        let server = try server("a\nanna\ndave |exit 67\nerin |exit 77\nfred |exit 75\n")
        #expect(try send(server, to: ["dave@c.d", "erin@c.d"]) == "550")
        #expect(try send(server, to: ["anna@c.d", "fred@c.d", "dave@c.d"]) == "451")
        #expect(try messages("anna").isEmpty && messages("a").isEmpty)
    }

    @Test("a bounce that a program refuses makes no other; nor does one whose sender wants to hear nothing")
    func noNotice() throws {
        let server = try server("a\nanna\ndave |exit 67\n")
        #expect(try send(server, from: "", to: ["anna@c.d", "dave@c.d"]) == "250")
        #expect(
            try send(server, to: ["anna@c.d", "dave@c.d"], ["dave@c.d": " NOTIFY=NEVER"]) == "250")
        #expect(try messages("anna").count == 2 && messages("a").isEmpty)
    }

    @Test("a sender elsewhere is told through the queue; without one, by the answer alone")
    func remoteSender() throws {
        let queue = directory.file("queue")
        let users = "anna\ndave |exit 67\n"
        let server = try server(users, ["--domain", "c.d", "--queue", queue])
        let recipients = ["anna@c.d", "dave@c.d"]
        #expect(try send(server, to: recipients, mail: " RET=HDRS ENVID=x7") == "250")
        let name = try #require(directory.names("queue").first { $0.hasSuffix(".bsmtp") })
        let text = String(decoding: try directory.read("queue/\(name)"), as: UTF8.self)
        #expect(text.contains("MAIL FROM:<>\r\nRCPT TO:<a@example.org> NOTIFY=NEVER\r\n"))
        #expect(text.contains("Original-Envelope-Id: x7\r\n") && !text.contains("\r\nbody\r\n"))
        let alone = try self.server(users, ["--domain", "c.d"])
        #expect(try send(alone, to: recipients) == "550" && messages("anna").count == 1)
    }

    @Test("a list's owner hears of a member's program, not who wrote to the list (RFC 5321 3.9.2)")
    func listOwner() throws {
        let aliases = try directory.write("aliases", "list: anna, \"|exit 67\"\nowner-list: olga\n")
        let server = try server("a\nanna\nolga\n", ["--aliases", aliases])
        #expect(try send(server, to: ["list@c.d"]) == "250")
        #expect(try messages("anna").count == 1 && messages("a").isEmpty && messages("olga").count == 1)
    }

    @Test("filters of one user refuse for that user alone")
    func ownFilter() throws {
        let server = try server("a\nanna\nbob filter='exit 1'\n")
        #expect(try send(server, to: ["anna@c.d", "bob@c.d"]) == "250")
        #expect(try messages("anna").count == 1 && messages("bob").isEmpty && messages("a").count == 1)
    }

    @Test("mail that was delivered to an address before has come back: it is refused for that address")
    func deliveredBefore() throws {
        let server = try server("a\nanna\nbob\ncarl\n")
        let seen = "Delivered-To: Bob@c.d\r\nSubject: x\r\n\r\nbody"
        #expect(try send(server, seen, to: ["bob@c.d"]) == "554")
        #expect(try send(server, seen, to: ["anna@c.d", "bob@c.d"]) == "250")
        #expect(try messages("anna").count == 1 && messages("bob").isEmpty)
        #expect(try messages("a").first?.contains("bob@c.d has had this message") == true)
        // Elsewhere in the message the field means nothing, and so does another's.
        #expect(try send(server, "Subject: x\r\n\r\nDelivered-To: bob@c.d", to: ["bob@c.d"]) == "250")
        #expect(try send(server, "Delivered-To: other@c.d\r\n\r\nx", to: ["bob@c.d"]) == "250")
        // A large one too, which goes to its places as it comes.
        let large = seen + String(repeating: "0123456789\r\n", count: 20_000)
        #expect(try send(server, large, to: ["carl@c.d", "bob@c.d"]) == "250")
        #expect(try messages("carl").first?.utf8.count ?? 0 > 220_000 && messages("bob").count == 2)
    }

    @Test("what an alias sends away is marked, so that it is known when it comes back")
    func forwardedLoop() throws {
        let aliases = try directory.write("aliases", "away: away@elsewhere.example\n")
        let server = try server(
            "anna\n", ["--aliases", aliases, "--domain", "c.d", "--queue", directory.file("queue")])
        #expect(try send(server, to: ["away@c.d"]) == "250")
        let name = try #require(directory.names("queue").first { $0.hasSuffix(".bsmtp") })
        let text = String(decoding: try directory.read("queue/\(name)"), as: UTF8.self)
        #expect(text.contains("\r\nDATA\r\nDelivered-To: away@c.d\r\nReceived: "))
        let content = try #require(
            text.components(separatedBy: "\r\nDATA\r\n").last?.components(separatedBy: "\r\n.\r\n").first)
        #expect(try send(server, content, to: ["away@c.d"]) == "554")
    }

    @Test("ETRN lets the mail of the domain be tried that it names, and no other (RFC 1985)")
    func etrn() throws {
        let next = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        defer { next.stop() }
        let words = ["--queue", directory.file("queue")]
        for recipient in ["b@one.example", "b@sub.one.example", "b@two.example", "c@one.example,c@two.example"] {
            let queued = try ToolProcess.run(
                "smtp-send", words + ["--queue-only", "--from", "a@example.org", "--to", recipient],
                input: Array("Subject: x\n\nx\n".utf8))
            #expect(queued.status == 0)
        }
        let routed = try ToolProcess.run(
            "smtp-send", words + ["--reroute", "all", "--server", "127.0.0.1:\(next.port)"])
        #expect(routed.status == 0)
        let server = try TestServer(
            "smtp-serve",
            ["--mail", directory.file("mail"), "--domain", "c.d", "--relay-for", "127.0.0.1"] + words)
        let client = try LineClient(port: server.port)
        _ = client.greet()
        #expect(client.code("ETRN three.example") == "251" && client.code("ETRN x y") == "501")
        client.send("ETRN #queue\r\n")
        // The class of the enhanced code is the reply's (RFC 2034 4).
        #expect(client.reply().last?.hasPrefix("458 4.5.4 ") == true)
        #expect(client.code("ETRN One.example") == "252")
        func recipients(_ count: Int) -> [String] {
            let deadline = Date().addingTimeInterval(30)
            while true {
                let found = next.log.lines.filter { $0.hasPrefix("RCPT") }.sorted()
                if found.count >= count || Date() > deadline { return found }
                usleep(10_000)
            }
        }
        #expect(recipients(2) == ["RCPT TO:<b@one.example>", "RCPT TO:<c@one.example>"])
        #expect(client.code("ETRN @one.example") == "252")
        #expect(recipients(3).contains("RCPT TO:<b@sub.one.example>"))
        let deadline = Date().addingTimeInterval(30)
        while directory.names("queue").count(where: { $0.hasSuffix(".bsmtp") }) > 2, Date() < deadline {
            usleep(10_000)
        }
        #expect(!next.log.lines.contains { $0.contains("two.example") })
        #expect(directory.names("queue").count { $0.hasSuffix(".bsmtp") } == 2)
        let stranger = try TestServer(
            "smtp-serve", ["--mail", directory.file("mail"), "--domain", "c.d"] + words)
        let other = try LineClient(port: stranger.port)
        _ = other.greet()
        other.send("ETRN two.example\r\n")
        #expect(other.reply().last?.hasPrefix("459 4.7.1 ") == true)
    }
}
