import Foundation
import TestSupport
import Testing

/// A pop3d over Maildirs in a folder of its own, and a client of it.
struct MailDrop {
    let directory: TestDirectory
    let server: TestServer

    static let accounts = """
        anna:{PLAIN}secret
        bob:{PLAIN}tanstaaf
        carol:{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1

        """

    init(_ arguments: [String] = [], in directory: TestDirectory? = nil, accounts: String? = MailDrop.accounts) throws {
        let directory = try directory ?? TestDirectory()
        self.directory = directory
        var words = arguments
        if let accounts { words += ["--passwd", try directory.write("users", accounts)] }
        if !arguments.contains("--mbox") { words += ["--maildir", directory.file("%u")] }
        server = try TestServer("pop3d", words)
    }

    /// Puts messages into a user's Maildir.
    static func fill(_ directory: TestDirectory, _ user: String, _ messages: [String], folder: String = "cur") throws {
        for name in ["new", "cur", "tmp"] {
            try FileManager.default.createDirectory(
                atPath: directory.file("\(user)/\(name)"), withIntermediateDirectories: true)
        }
        for (index, message) in messages.enumerated() {
            let flags = folder == "cur" ? ":2,S" : ""
            try directory.write("\(user)/\(folder)/\(1_700_000_000 + index).M1P1Q\(index).host\(flags)", message)
        }
    }

    /// A connection that has read the greeting.
    func client() throws -> LineClient {
        let client = try LineClient(port: server.port)
        guard client.line()?.hasPrefix("+OK") ?? false else { throw TestFailure("no greeting") }
        return client
    }

    /// A connection that is logged in.
    func login(_ user: String = "anna", _ password: String = "secret") throws -> LineClient {
        let client = try client()
        _ = client.ask("USER \(user)")
        guard let answer = client.ask("PASS \(password)"), answer.hasPrefix("+OK") else {
            throw TestFailure("no login")
        }
        return client
    }

    /// The next event of that name.
    func event(_ name: String) -> String? {
        while let line = server.process.nextLine() {
            if line.contains("\"event\":\"\(name)\"") { return line }
        }
        return nil
    }
}

extension LineClient {
    /// The lines of a multi-line answer without the first and the last one; nil after -ERR.
    func lines(_ command: String) -> [String]? {
        guard ask(command)?.hasPrefix("+OK") ?? false else { return nil }
        var lines: [String] = []
        while let line = line(), line != "." { lines.append(line) }
        return lines
    }
}

@Suite("pop3d")
struct Pop3dTests {
    private static let messages = [
        "Subject: a\n\n.dot\nline\n", "Subject: b\r\n\r\nno end", "", "\n", "a\r\n.\r\n..\n",
    ]

    @Test("sizes are those sent, STAT is their sum, RETR sends the octets that LIST tells (RFC 1939 11)")
    func sizes() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", Self.messages)
        let drop = try MailDrop(in: directory)
        for _ in 0..<2 {
            let client = try drop.login()
            #expect(client.ask("STAT") == "+OK 5 60")
            #expect(client.lines("LIST") == ["1 26", "2 22", "3 0", "4 2", "5 10"])
            #expect(client.ask("LIST 2") == "+OK 2 22")
            #expect(client.lines("RETR 1") == ["Subject: a", "", "..dot", "line"])
            #expect(client.lines("RETR 2") == ["Subject: b", "", "no end"])
            #expect(client.lines("RETR 3") == [])
            #expect(client.lines("RETR 5") == ["a", "..", "..."])
            #expect(client.lines("TOP 1 1") == ["Subject: a", "", "..dot"])
            #expect(client.ask("RETR 6")?.hasPrefix("-ERR") ?? false)
            #expect(client.ask("QUIT")?.hasPrefix("+OK") ?? false)
            #expect(client.line() == nil)
        }
    }

    @Test("sizes in names are believed when the file's is right, and a lying one is not")
    func namedSizes() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", [])
        try directory.write("anna/cur/1.a.host,S=4,W=6:2,S", "a\nb\n")
        try directory.write("anna/cur/2.a.host,S=5,W=9:2,S", "a\nb\n")
        try directory.write("anna/cur/3.a.host,S=3,W=4:2,S", "a\nb")
        let drop = try MailDrop(in: directory)
        let client = try drop.login()
        #expect(client.lines("LIST") == ["1 6", "2 6", "3 6"])
        #expect(client.lines("UIDL") == ["1 1.a.host", "2 2.a.host", "3 3.a.host"])
    }

    @Test("only QUIT deletes; a connection that breaks does not")
    func deletion() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", Self.messages)
        let drop = try MailDrop(in: directory)
        var client = try drop.login()
        #expect(client.ask("DELE 1")?.hasPrefix("+OK") ?? false)
        #expect(client.ask("RETR 1")?.hasPrefix("-ERR") ?? false)
        client.close()
        #expect(drop.event("disconnect") != nil)
        #expect(directory.names("anna/cur").count == 5)
        client = try drop.login()
        // A QUIT with a close directly behind it deletes; half a QUIT does not.
        client.send("DELE 1\r\nDELE 3\r\nQUI")
        client.closeSending()
        _ = client.rest()
        #expect(directory.names("anna/cur").count == 5)
        client = try drop.login()
        client.send("DELE 1\r\nDELE 3\r\nQUIT\r\n")
        client.closeSending()
        #expect(String(decoding: client.rest(), as: UTF8.self).hasSuffix("+OK goodbye\r\n"))
        #expect(directory.names("anna/cur").count == 3)
        #expect(drop.event("quit")?.contains("\"deleted\":2") ?? false)
        client = try drop.login()
        #expect(client.lines("UIDL")?.first == "1 1700000001.M1P1Q1.host")
    }

    @Test("kill -9 deletes nothing and leaves no lock")
    func killed() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", Self.messages)
        let first = try MailDrop(in: directory)
        let client = try first.login()
        _ = client.ask("DELE 1")
        first.server.process.signal(SIGKILL)
        _ = first.server.process.wait()
        let second = try MailDrop(in: directory)
        #expect(try second.login().ask("STAT") == "+OK 5 60")
    }

    @Test("a mailbox has one session at a time: [IN-USE], and it is free after QUIT")
    func exclusive() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", Self.messages)
        let drop = try MailDrop(in: directory)
        let other = try MailDrop(in: directory)
        let first = try drop.login()
        for drop in [drop, other] {
            let second = try drop.client()
            _ = second.ask("USER anna")
            #expect(second.ask("PASS secret")?.hasPrefix("-ERR [IN-USE]") ?? false)
            #expect(second.ask("QUIT")?.hasPrefix("+OK") ?? false)
        }
        _ = first.ask("QUIT")
        _ = first.line()
        #expect(try other.login().ask("STAT") == "+OK 5 60")
    }

    @Test("mail changed by another program meanwhile: moved is found, vanished is -ERR, new waits for the next session")
    func changed() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", ["Subject: \(0)\n", "Subject: 1\n", "Subject: 2\n"], folder: "new")
        let drop = try MailDrop(in: directory)
        var client = try drop.login()
        let folder = directory.file("anna")
        let names = directory.names("anna/new")
        try FileManager.default.moveItem(atPath: "\(folder)/new/\(names[0])", toPath: "\(folder)/cur/\(names[0]):2,S")
        try FileManager.default.removeItem(atPath: "\(folder)/new/\(names[1])")
        try directory.write("anna/new/1800000000.M1P1.host", "Subject: 3\n")
        #expect(client.lines("RETR 1") == ["Subject: 0"])
        #expect(client.ask("RETR 2")?.hasPrefix("-ERR") ?? false)
        #expect(client.ask("STAT") == "+OK 3 36")
        _ = client.ask("DELE 1")
        _ = client.ask("DELE 2")
        #expect(client.ask("QUIT")?.hasPrefix("+OK") ?? false)
        #expect(directory.names("anna/cur").isEmpty)
        client = try drop.login()
        #expect(client.lines("UIDL") == ["1 \(names[2])", "2 1800000000.M1P1.host"])
    }

    @Test("a Maildir with links, folders, pipes and dot files in it: skipped, never followed")
    func hostileMaildir() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", ["Subject: 0\n"])
        let folder = directory.file("anna/cur")
        try directory.write("outside", "secret\n")
        symlink(directory.file("outside"), "\(folder)/1.link.host")
        mkfifo("\(folder)/2.pipe.host", 0o600)
        mkdir("\(folder)/3.folder.host", 0o700)
        try directory.write("anna/cur/.hidden", "x")
        try directory.write("anna/new/odd name\twith\u{1}everything", "Subject: odd\n")
        try directory.write("anna/new/" + String(repeating: "l", count: 200), "Subject: long\n")
        let drop = try MailDrop(in: directory)
        let client = try drop.login()
        #expect(client.ask("STAT") == "+OK 3 41")
        let skipped = (0..<3).compactMap { _ in drop.event("skipped") }
        #expect(skipped.count == 3)
        let ids = try #require(client.lines("UIDL"))
        #expect(Set(ids).count == 3 && ids.allSatisfy { $0.utf8.count <= 72 && !$0.dropFirst(2).contains(" ") })
        // A message that becomes a link during the session is gone.
        let name = try #require(directory.names("anna/cur").first { $0.hasPrefix("17") })
        try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
        symlink(directory.file("outside"), "\(folder)/\(name)")
        #expect(client.ask("RETR 3")?.hasPrefix("-ERR") ?? false)
        #expect(client.ask("QUIT")?.hasPrefix("+OK") ?? false)
    }

    @Test(
        "names that ask for trouble never become paths",
        arguments: ["..", ".", "../anna", "a/../anna", "/etc", "a\u{7}b", ".anna", String(repeating: "x", count: 900)])
    func hostileNames(_ name: String) throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", ["Subject: 0\n"])
        let drop = try MailDrop(in: directory, accounts: nil)
        let client = try drop.client()
        _ = client.ask("USER \(name)")
        #expect(client.ask("PASS x")?.hasPrefix("-ERR") ?? false)
        #expect(Set(directory.names()) == ["anna"])
    }

    @Test("three wrong passwords end the connection, each later than the one before; unknown users get the same")
    func failures() throws {
        let drop = try MailDrop()
        let client = try drop.client()
        var times: [Double] = []
        for user in ["anna", "nobody", "carol"] {
            _ = client.ask("USER \(user)")
            let begin = Date()
            #expect(client.ask("PASS wrong") == "-ERR [AUTH] user name or password is wrong")
            times.append(Date().timeIntervalSince(begin))
        }
        #expect(client.line() == nil)
        #expect(times[0] < times[1] && times[1] < times[2])
        #expect(drop.event("login-failed")?.contains("\"user\":\"anna\"") ?? false)
    }

    @Test("the index is a cache: lost, old or broken it changes nothing")
    func index() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", Self.messages)
        // Only a Maildir that has been still for a moment has one.
        usleep(300_000)
        var drop: MailDrop? = try MailDrop(in: directory)
        _ = try drop?.login().ask("QUIT")
        let index = directory.file("anna/pop3d.index")
        let written = try directory.read("anna/pop3d.index")
        #expect(String(decoding: written, as: UTF8.self).hasPrefix("facteur-pop3d-index 1 "))
        var generator = SeededGenerator(seed: 5)
        for round in 0..<12 {
            drop = nil
            switch round {
            case 0: break
            case 1: try FileManager.default.removeItem(atPath: index)
            case 2: try directory.write("anna/pop3d.index", "")
            default:
                try directory.write(
                    "anna/pop3d.index", Array(written.prefix(Int(generator.next() % UInt64(written.count)))))
            }
            drop = try MailDrop(in: directory)
            let client = try #require(try drop?.login())
            #expect(client.lines("LIST") == ["1 26", "2 22", "3 0", "4 2", "5 10"])
        }
        try directory.write("anna/new/1800000000.M1P1.host", "Subject: 3\n")
        #expect(try drop?.login().ask("STAT") == "+OK 6 72")
    }

    @Test("read-only: nothing is deleted, and nothing written")
    func readOnly() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", Self.messages)
        usleep(300_000)
        let drop = try MailDrop(["--read-only"], in: directory)
        let client = try drop.login()
        #expect(client.ask("DELE 1")?.hasPrefix("-ERR [SYS/PERM]") ?? false)
        #expect(client.ask("QUIT")?.hasPrefix("+OK") ?? false)
        #expect(directory.names("anna") == ["cur", "new", "tmp"] && directory.names("anna/cur").count == 5)
    }

    @Test("LOGIN-DELAY is announced and enforced for successful logins, for each user")
    func loginDelay() throws {
        let drop = try MailDrop(["--login-delay", "60"])
        var client = try drop.client()
        #expect(client.lines("CAPA")?.contains("LOGIN-DELAY 60") ?? false)
        _ = client.ask("USER anna")
        _ = client.ask("PASS wrong")
        _ = client.ask("USER anna")
        #expect(client.ask("PASS secret")?.hasPrefix("+OK") ?? false)
        _ = client.ask("QUIT")
        client = try drop.client()
        _ = client.ask("USER anna")
        #expect(client.ask("PASS secret")?.hasPrefix("-ERR [LOGIN-DELAY]") ?? false)
        #expect(try drop.login("bob", "tanstaaf").ask("STAT") == "+OK 0 0")
    }

    @Test("EXPIRE is announced and enforced")
    func expire() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", Self.messages)
        try directory.write("anna/new/\(Int(Date().timeIntervalSince1970)).M1P1.host", "Subject: new\n")
        let drop = try MailDrop(["--expire", "30"], in: directory)
        let client = try drop.login()
        #expect(client.lines("CAPA")?.contains("EXPIRE 30") ?? false)
        #expect(client.ask("STAT") == "+OK 1 14")
        #expect(drop.event("expired")?.contains("\"messages\":5") ?? false)
        #expect(try ToolProcess.run("pop3d", ["--expire", "x"]).status == 64)
    }
}
