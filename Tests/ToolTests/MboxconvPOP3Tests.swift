import Foundation
import TestSupport
import Testing

/// mboxconv as a POP3 client.
@Suite("mboxconv: pop3://")
struct MboxconvPOP3Tests {
    private static let messages = [
        "From: a@example.org\nSubject: one\n\n.dot\n..two\nFrom here\nend\n",
        "From: b@example.org\nSubject: two\n\n\u{1}\u{e4}\r bare\n", "Subject: three\n",
    ]

    private let directory: TestDirectory
    private let password: String

    init() throws {
        directory = try TestDirectory()
        password = try directory.write("password", "secret\n")
    }

    private func drop(_ arguments: [String] = [], _ messages: [String] = Self.messages) throws -> MailDrop {
        try MailDrop.fill(directory, "anna", messages)
        return try MailDrop(arguments, in: directory)
    }

    private func url(_ port: UInt16, user: String = "anna", scheme: String = "pop3", host: String = "127.0.0.1")
        -> String
    {
        "\(scheme)://\(user)@\(host):\(port)/"
    }

    private func fetch(_ words: [String], seconds: Double = 60) throws -> ToolProcess.Result {
        try ToolProcess.run(
            "mboxconv", ["--password-file", password] + words, directory: directory.path, seconds: seconds)
    }

    /// The messages of a Maildir, in the order of their names.
    private func contents(_ maildir: String) throws -> [String] {
        let files =
            (directory.names("\(maildir)/cur").map { "cur/\($0)" }
            + directory.names("\(maildir)/new").map { "new/\($0)" })
            .sorted { $0.dropFirst(4) < $1.dropFirst(4) }
        return try files.map { String(decoding: try directory.read("\(maildir)/\($0)"), as: UTF8.self) }
    }

    @Test("fetches every message, octet for octet, keeps it on the server, and fetches none twice")
    func keeps() throws {
        let drop = try drop()
        let first = try fetch([url(drop.server.port), "in/"])
        #expect(first.status == 0, "\(first.diagnostics)")
        #expect(first.text.hasPrefix("pop3://anna@127.0.0.1:\(drop.server.port)/: pop3: 3 messages, "))
        #expect(try contents("in") == Self.messages)
        #expect(directory.names("anna/cur").count == 3)
        let second = try fetch([url(drop.server.port), "in/"])
        #expect(second.status == 0 && second.text.contains(": 0 messages"), "\(second.diagnostics)")
        try directory.write("anna/new/1800000000.M1P1.host", "Subject: four\n")
        let third = try fetch(["--json", url(drop.server.port), "in/"])
        #expect(
            third.status == 0 && third.text.contains("\"format\":\"pop3\"") && third.text.contains("\"messages\":1"))
        #expect(
            Set(try contents("in")) == Set(Self.messages + ["Subject: four\n"]) && directory.names("in/new").count == 4)
        #expect(directory.names("in.mboxconv-pop3") == ["uidls"])
        #expect(directory.names("in") == ["cur", "new", "tmp"])
    }

    @Test("--delete-after removes what is there, what an earlier run fetched too; other mail stays")
    func deletes() throws {
        let drop = try drop()
        #expect(try fetch([url(drop.server.port), "in.mbox"]).status == 0)
        try directory.write("anna/new/1800000000.M1P1.host", "Subject: four\n")
        let result = try fetch(["--delete-after", url(drop.server.port), "in.mbox"])
        #expect(result.status == 0, "\(result.diagnostics)")
        #expect(directory.names("anna/cur").isEmpty && directory.names("anna/new").isEmpty)
        let count = try ToolProcess.run("mboxconv", ["--count", "--json", "in.mbox"], directory: directory.path)
        #expect(count.text.contains("\"messages\":4"))
        #expect(try directory.read("in.mbox.mboxconv-pop3/uidls").isEmpty)
        for words in [
            ["--delete-after", "-"], ["--delete-after", "--no-sync", "x"],
            ["--delete-after", "--where", "size>1", "x"],
        ] {
            #expect(try fetch([url(drop.server.port)] + words).status == 64)
        }
    }

    @Test("to standard output, as an mboxrd; to a file; with --where, --dedupe and --verify")
    func destinations() throws {
        let drop = try drop([], Self.messages + ["Message-ID: <a@b>\n\nx\n", "Message-ID: <a@b>\n\ny\n"])
        let stream = try fetch([url(drop.server.port), "-"])
        #expect(stream.status == 0, "\(stream.diagnostics)")
        #expect(stream.text.components(separatedBy: "\n").count { $0.hasPrefix("From ") } == 5)
        #expect(stream.text.contains("\n.dot\n..two\n>From here\nend\n"))
        let chosen = try fetch(["--where", "subject~two", "--verify", url(drop.server.port), "chosen.mbox"])
        #expect(chosen.status == 0 && chosen.text.contains("1 of 5 message"), "\(chosen.diagnostics)")
        let once = try fetch(["--dedupe", "id", "--to", "mh", url(drop.server.port), "mh"])
        #expect(
            once.status == 0 && directory.names("mh").filter { !$0.hasPrefix(".") }.count == 4, "\(once.diagnostics)")
    }

    @Test("--count, --list and --dry-run need no whole messages, and --dry-run tells what is new")
    func surveys() throws {
        let drop = try drop()
        let count = try fetch(["--count", "--json", url(drop.server.port)])
        #expect(
            count.text.contains("\"format\":\"pop3\"") && count.text.contains("\"messages\":3,\"bytes\":130"),
            "\(count.text)")
        let list = try fetch(["--list", "--json", url(drop.server.port)])
        #expect(list.lines.count == 3)
        #expect(list.lines.first?.contains("\"name\":\"1700000000.M1P1Q0.host\"") ?? false)
        #expect(
            list.lines.first?.contains("\"size\":66") ?? false && list.lines[0].contains("\"subject\":\"one\""),
            "\(list.text)")
        let chosen = try fetch(["--count", "--where", "subject~two", url(drop.server.port)])
        #expect(chosen.text.contains(": pop3: 1 of 3 message"), "\(chosen.text)\(chosen.diagnostics)")
        let body = try fetch(["--count", "--where", "body~end", url(drop.server.port)])
        #expect(body.status == 0 && body.text.contains("1 of 3 message"), "\(body.text)\(body.diagnostics)")
        let dry = try fetch(["--dry-run", url(drop.server.port), "in/"])
        #expect(dry.status == 0 && dry.text.contains("3 messages") && dry.text.contains("(not written)"))
        #expect(!directory.names().contains { $0.hasPrefix("in") })
        _ = try fetch([url(drop.server.port), "in/"])
        #expect(try fetch(["--dry-run", url(drop.server.port), "in/"]).text.contains("0 messages"))
        #expect(drop.event("quit")?.contains("\"retrieved\":0") ?? false)
    }

    @Test(
        "every way to log in",
        arguments: ["scram-sha-256", "scram-sha-1", "cram-md5", "plain", "login", "apop", "user", "auto"])
    func mechanisms(_ name: String) throws {
        let drop = try drop()
        let result = try fetch(["--auth", name, "--count", url(drop.server.port)])
        #expect(result.status == 0, "\(result.diagnostics)")
        let used = name == "auto" ? "SCRAM-SHA-256" : name.uppercased()
        #expect(drop.event("login")?.contains("\"mechanism\":\"\(used)\"") ?? false)
    }

    private static func certificate(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("OpenSSLTests/Data/\(name)").path
    }

    private static let certificates = ["--cert", certificate("server.pem"), "--key", certificate("server.key")]

    @Test("STLS and pop3s: certificates are verified unless --insecure; with --tls require nothing goes without")
    func tls() throws {
        let plain = try drop(Self.certificates)
        let authority = Self.certificate("authority.pem")
        let local = url(plain.server.port, host: "localhost")
        let untrusted = try fetch(["--count", local])
        #expect(untrusted.status == 75 && untrusted.diagnostics.contains("TLS"), "\(untrusted.diagnostics)")
        let trusted = try fetch(["--count", "--ca", authority, "--tls", "require", local])
        #expect(trusted.status == 0, "\(trusted.diagnostics)")
        let event = plain.event("login")
        #expect(event?.contains("\"tls\":\"TLSv1.3\"") ?? false && event?.contains("SCRAM-SHA-256-PLUS") ?? false)
        #expect(try fetch(["--count", "--insecure", local]).status == 0)
        #expect(try fetch(["--count", "--tls", "never", local]).status == 0)
        let implicit = try TestServer(
            "pop3d", Self.certificates + ["--passwd", directory.file("users"), "--maildir", directory.file("%u")],
            listen: "127.0.0.1:0,tls")
        let secure = url(implicit.port, scheme: "pop3s", host: "localhost")
        #expect(try fetch(["--ca", authority, secure, "in/"]).status == 0)
        #expect(try contents("in") == Self.messages)
        #expect(try fetch(["--ca", authority, "--tls", "never", "--count", secure]).status == 64)
        let clear = try MailDrop(in: directory)
        #expect(try fetch(["--tls", "require", "--count", url(clear.server.port)]).status == 75)
    }

    @Test("each failure has its code, and nothing is fetched that has nowhere to go")
    func failures() throws {
        let drop = try drop()
        let port = drop.server.port
        for (words, status) in [
            (["--count", "pop3://127.0.0.1:\(port)/"], 64), (["--count", "pop3://anna:secret@127.0.0.1:\(port)/"], 64),
            (["--count", "pop3://anna@127.0.0.1:\(port)/INBOX"], 64), (["pop3://anna@127.0.0.1:\(port)/"], 64),
            (["--count", "pop3://nobody@127.0.0.1:\(port)/"], 77), (["--count", "pop3://anna@127.0.0.1:1/"], 75),
            (["--count", "pop3://anna@[::1]:1/"], 75), (["--count", "pop3://anna@host.invalid.:x/"], 64),
            (["--auth", "kerberos", "--count", "pop3://anna@127.0.0.1:\(port)/"], 64),
            (["--from", "mh", "pop3://anna@127.0.0.1:\(port)/", "x"], 64),
            (["x", "pop3://anna@127.0.0.1:\(port)/"], 64), (["anna", "pop3://anna@127.0.0.1:\(port)/", "x"], 64),
        ] {
            let result = try fetch(words)
            #expect(result.status == Int32(status), "\(words): \(result.diagnostics)")
        }
        let without = try ToolProcess.run("mboxconv", ["--count", url(port)])
        #expect(without.status == 64 && without.diagnostics.contains("--password-file"))
        let session = try drop.login()
        let busy = try fetch([url(port), "in/"])
        #expect(busy.status == 75 && busy.diagnostics.contains("another session"), "\(busy.diagnostics)")
        #expect(!directory.names().contains { $0.hasPrefix("in") })
        _ = session.ask("QUIT")
        _ = session.line()
        try directory.write("full.mbox", "From a@b Thu Jan  1 00:00:00 1970\nA: b\n\nx\n\n")
        let full = try fetch([url(port), "full.mbox"])
        #expect(full.status == 73, "\(full.diagnostics)")
        #expect(try fetch(["--append", url(port), "full.mbox"]).status == 0)
        #expect(try fetch([url(port), "full.mbox"]).status == 0)
    }

    @Test("a password comes from a file, a descriptor or a program")
    func secrets() throws {
        let drop = try drop()
        for words in [["--password-command", "echo secret"], ["--password-fd", "0"]] {
            let result = try ToolProcess.run(
                "mboxconv", words + ["--count", url(drop.server.port)], input: Array("secret\n".utf8))
            #expect(result.status == 0, "\(result.diagnostics)")
        }
        #expect(
            try ToolProcess.run("mboxconv", ["--password-command", "exit 3", "--count", url(drop.server.port)]).status
                == 78)
    }

    // MARK: Broken connections

    /// A server of three messages that says what the test wants in place of what it should.
    private func server(
        _ change: @escaping @Sendable (String, Int) -> ScriptedServer.Answer? = { _, _ in nil }
    ) throws -> ScriptedServer {
        try ScriptedServer { line, count in
            if let answer = change(line, count) { return answer }
            switch line.split(separator: " ").first {
            case "connect": return .say("+OK")
            case "CAPA": return .say(["+OK", "USER", "TOP", "UIDL", "PIPELINING", "."])
            case "LIST": return .say(["+OK", "1 20", "2 20", "3 20", "."])
            case "UIDL": return .say(["+OK", "1 a", "2 b", "3 c", "."])
            case "RETR": return .say(["+OK", "Subject: \(line.dropFirst(5))", "", "x", "."])
            case "QUIT": return .sayAndClose("+OK\r\n")
            default: return .say("+OK")
            }
        }
    }

    @Test("a connection that breaks within a message is made again, and only the rest is fetched")
    func dropped() throws {
        let server = try server { line, count in
            line == "RETR 2" && count < 2 ? .sayAndClose("+OK\r\nSubject: 2\r\n\r\nhalf") : nil
        }
        let result = try fetch([url(server.port), "in/"])
        #expect(result.status == 0, "\(result.diagnostics)")
        #expect(try contents("in") == (1...3).map { "Subject: \($0)\n\nx\n" })
        #expect(server.log.lines.count { $0 == "RETR 1" } == 1 && server.log.connections == 2)
    }

    @Test("one that breaks again and again ends with 75; what was fetched is not fetched again by the next run")
    func brokenForLong() throws {
        let broken = try server { line, _ in line == "RETR 2" ? .close : nil }
        let result = try fetch([url(broken.port), "in/"])
        #expect(
            result.status == 75 && result.diagnostics.contains("1 message is fetched: run it again"),
            "\(result.diagnostics)")
        #expect(!directory.names().contains("in"))
        broken.stop()
        let whole = try ScriptedServer(port: broken.port) { line, _ in
            switch line.split(separator: " ").first {
            case "LIST": return .say(["+OK", "1 20", "2 20", "."])
            case "UIDL": return .say(["+OK", "1 b", "2 a", "."])
            case "RETR": return .say(["+OK", "Subject: later \(line.dropFirst(5))", "", "x", "."])
            case "CAPA": return .say("-ERR unknown")
            default: return .say("+OK")
            }
        }
        #expect(try fetch([url(whole.port), "in/"]).status == 0)
        #expect(Set(try contents("in")) == ["Subject: 1\n\nx\n", "Subject: later 1\n\nx\n"])
    }

    @Test("Ctrl-C ends it cleanly, and the next run fetches the rest alone")
    func interrupted() throws {
        let server = try server { line, count in line == "RETR 3" && count == 2 ? .silence : nil }
        let process = try ToolProcess(
            "mboxconv", ["--password-file", password, url(server.port), "in/"], directory: directory.path)
        for _ in 0..<2_000 where !server.log.lines.contains("RETR 3") { usleep(5_000) }
        usleep(300_000)
        process.signal(SIGINT)
        let result = try process.finish()
        #expect(result.status == 130 && result.diagnostics.contains("2 messages are fetched: run it again"))
        #expect(try fetch([url(server.port), "in/"]).status == 0)
        #expect(try contents("in").count == 3 && server.log.lines.count { $0 == "RETR 1" } == 1)
    }

    @Test("two runs into one destination: the second is told to wait")
    func twoRuns() throws {
        let server = try server { line, _ in line == "RETR 1" ? .silence : nil }
        let first = try ToolProcess(
            "mboxconv", ["--password-file", password, url(server.port), "in/"], directory: directory.path)
        for _ in 0..<2_000 where !server.log.lines.contains("RETR 1") { usleep(5_000) }
        let second = try fetch([url(server.port), "in/"])
        #expect(second.status == 75 && second.diagnostics.contains("another run"), "\(second.diagnostics)")
        first.signal(SIGKILL)
    }

    @Test("a message that the server does not give is told, and tried again the next time")
    func refused() throws {
        let server = try server { line, _ in line == "RETR 2" ? .say("-ERR gone") : nil }
        let result = try fetch([url(server.port), "in/"])
        #expect(result.status == 75 && result.diagnostics.contains("message 2"), "\(result.diagnostics)")
        #expect(try contents("in").count == 2)
        _ = try fetch([url(server.port), "in/"])
        #expect(server.log.lines.count { $0 == "RETR 2" } == 2 && server.log.lines.count { $0 == "RETR 1" } == 1)
    }

    @Test("a server without UIDL and PIPELINING is fetched from, one by one, and cleared when that is wished")
    func oldServer() throws {
        let server = try server { line, _ in
            switch line.split(separator: " ").first {
            case "CAPA", "UIDL": .say("-ERR unknown")
            default: nil
            }
        }
        let result = try fetch(["--delete-after", url(server.port), "in/"])
        #expect(result.status == 0, "\(result.diagnostics)")
        #expect(try contents("in").count == 3)
        #expect(server.log.lines.suffix(4) == ["DELE 1", "DELE 2", "DELE 3", "QUIT"])
        let kept = try fetch([url(server.port), "kept/"])
        #expect(kept.status == 0 && kept.diagnostics.contains("has no unique ids"), "\(kept.diagnostics)")
    }

    @Test("what is no POP3 server is 76; one that is silent is 75")
    func strangers() throws {
        let smtp = try ScriptedServer { line, _ in ScriptedServer.good(line) }
        #expect(try fetch(["--count", url(smtp.port)]).status == 76)
        let silent = try ScriptedServer { _, _ in .silence }
        #expect(try fetch(["--timeout", "1", "--count", url(silent.port)]).status == 75)
        let refusing = try ScriptedServer { _, _ in .say("-ERR [SYS/TEMP] later") }
        #expect(try fetch(["--count", url(refusing.port)]).status == 75)
        let closed = try ScriptedServer { _, _ in .say("-ERR [SYS/PERM] never") }
        #expect(try fetch(["--count", url(closed.port)]).status == 69)
    }

    @Test(
        "killed at any time, and run again: every message once, and with --delete-after none is left on the server",
        arguments: [("in/", false), ("in/", true), ("in.mbox", true)])
    func killed(_ destination: String, _ deletes: Bool) throws {
        let count = 300
        let messages = (0..<count).map {
            "Subject: \($0)\n\n" + String(repeating: "line\n", count: $0 % 200) + "last\n"
        }
        let drop = try drop([], messages)
        let words =
            (deletes ? ["--delete-after"] : ["--no-sync"]) + ["-q", "--password-file", password]
            + [url(drop.server.port), destination]
        var generator = SeededGenerator(seed: deletes ? 3 : 4)
        var kills = 0
        for attempt in 0..<40 {
            let process = try ToolProcess("mboxconv", words, directory: directory.path)
            if attempt < 10 {
                // The first one dies before it has done anything, however slow the machine is to notice.
                if attempt > 0 { usleep(useconds_t(generator.next() % 150_000 + UInt64(attempt) * 30_000)) }
                process.signal(SIGKILL)
            }
            let status = process.wait(seconds: 60)
            if status == 0 { break }
            // The server may not have noticed yet that the one before is gone.
            #expect(status == -SIGKILL || status == 75)
            if status == -SIGKILL { kills += 1 }
            usleep(50_000)
        }
        #expect(kills > 0)
        let list = try ToolProcess.run("mboxconv", ["--list", "--json", destination], directory: directory.path)
        let subjects = list.lines.compactMap {
            $0.components(separatedBy: "\"subject\":\"").last?.components(separatedBy: "\"").first
        }
        #expect(subjects.sorted() == (0..<count).map(String.init).sorted())
        #expect(directory.names("anna/cur").count == (deletes ? 0 : count))
        #expect(directory.names().filter { $0.hasSuffix("mboxconv-pop3") }.flatMap { directory.names($0) } == ["uidls"])
    }
}
