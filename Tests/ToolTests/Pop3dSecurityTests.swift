import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("pop3d: TLS, authentication, hostile clients")
struct Pop3dSecurityTests {
    /// The test certificates: an authority, and a server for mx.example.org, localhost and 127.0.0.1.
    private static func certificate(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("OpenSSLTests/Data/\(name)").path
    }

    private static let certificates = ["--cert", certificate("server.pem"), "--key", certificate("server.key")]

    /// A session over TLS by openssl s_client: what it prints.
    private func overTLS(_ port: UInt16, _ commands: String, startTLS: Bool) throws -> String? {
        guard let openssl = ToolProcess.peer("openssl") else { return nil }
        let words = [
            "s_client", "-quiet", "-connect", "127.0.0.1:\(port)", "-CAfile", Self.certificate("authority.pem"),
        ]
        return try ToolProcess.run(
            openssl, words + (startTLS ? ["-starttls", "pop3"] : []) + ["-ign_eof"], input: Array(commands.utf8),
            seconds: 20
        ).text
    }

    @Test("STLS and TLS from the start; what stands in the CAPA of each")
    func tls() throws {
        let drop = try MailDrop(Self.certificates + ["--require-tls"])
        let client = try drop.client()
        let capabilities = client.lines("CAPA") ?? []
        #expect(capabilities.contains("STLS") && !capabilities.contains("USER"))
        #expect(!capabilities.contains { $0.hasPrefix("SASL") })
        #expect(client.ask("USER anna")?.hasPrefix("-ERR") ?? false)
        #expect(client.ask("AUTH PLAIN AGFubmEAc2VjcmV0")?.hasPrefix("-ERR") ?? false)
        if let text = try overTLS(
            drop.server.port, "CAPA\r\nUSER anna\r\nPASS secret\r\nSTAT\r\nQUIT\r\n", startTLS: true)
        {
            #expect(text.contains("+OK 0 0") && !text.contains("STLS") && text.contains("\nUSER\r"))
            #expect(text.contains("SASL SCRAM-SHA-256-PLUS "))
            #expect(drop.event("login")?.contains("\"tls\":\"TLSv1.3\"") ?? false)
        }
    }

    @Test("STLS: what was sent along in the clear is thrown away (RFC 2595 4)")
    func injection() throws {
        let drop = try MailDrop(Self.certificates)
        let client = try drop.client()
        client.send("USER anna\r\nSTLS\r\nPASS secret\r\nSTAT\r\n")
        #expect(client.line()?.hasPrefix("+OK") ?? false)
        #expect(client.line() == "+OK begin TLS")
        client.closeSending()
        #expect(!String(decoding: client.rest(), as: UTF8.self).contains("+OK"))
        #expect(drop.event("disconnect")?.contains("\"user\":null") ?? false)
    }

    @Test("without trust in loopback passwords need TLS, and APOP and SCRAM do not")
    func distrust() throws {
        let drop = try MailDrop(["--no-trust-loopback"])
        let client = try drop.client()
        let capabilities = client.lines("CAPA") ?? []
        #expect(!capabilities.contains("USER"))
        #expect(capabilities.contains("SASL SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5"))
        #expect(client.ask("USER anna")?.hasPrefix("-ERR") ?? false)
        let open = try MailDrop(["--no-trust-loopback", "--allow-plaintext"])
        #expect(try open.login().ask("STAT") == "+OK 0 0")
    }

    @Test("APOP: right, wrong, for an account whose secret is hashed")
    func apop() throws {
        let drop = try MailDrop()
        for (user, secret, isRight) in [("anna", "secret", true), ("anna", "wrong", false), ("carol", "x", false)] {
            let client = try LineClient(port: drop.server.port)
            let greeting = try #require(client.line())
            let stamp = try #require(greeting.firstRange(of: /<[^ >]+@[^ >]+>$/).map { String(greeting[$0]) })
            let sum = try ToolProcess.run("/usr/bin/md5sum", input: Array((stamp + secret).utf8)).text.prefix(32)
            #expect(client.ask("APOP \(user) \(sum)")?.hasPrefix(isRight ? "+OK" : "-ERR [AUTH]") ?? false)
        }
        let hashed = try MailDrop(accounts: "carol:{SHA512-CRYPT}$6$x$y\n")
        #expect(try LineClient(port: hashed.server.port).line()?.contains("<") == false)
    }

    @Test("AUTH: PLAIN with and without initial response, LOGIN, `*`, bad base64, a mechanism that is not there")
    func auth() throws {
        let drop = try MailDrop()
        var client = try drop.client()
        #expect(client.ask("AUTH PLAIN AGFubmEAc2VjcmV0")?.hasPrefix("+OK") ?? false)
        #expect(drop.event("login")?.contains("\"mechanism\":\"PLAIN\"") ?? false)
        _ = client.ask("QUIT")
        client = try drop.client()
        #expect(client.ask("AUTH PLAIN") == "+ ")
        #expect(client.ask("*")?.hasPrefix("-ERR") ?? false)
        #expect(client.ask("AUTH PLAIN !")?.hasPrefix("-ERR") ?? false)
        #expect(client.ask("AUTH KERBEROS_V4")?.hasPrefix("-ERR") ?? false)
        #expect(client.ask("AUTH LOGIN") == "+ VXNlcm5hbWU6")
        #expect(client.ask("YW5uYQ==") == "+ UGFzc3dvcmQ6")
        #expect(client.ask("c2VjcmV0")?.hasPrefix("+OK") ?? false)
        _ = client.ask("QUIT")
        client = try drop.client()
        #expect(client.ask("AUTH OAUTHBEARER bixhPWFubmEsAWF1dGg9QmVhcmVyIHgBAQ==")?.hasPrefix("+ ") ?? false)
        #expect(client.ask("AQ==")?.hasPrefix("-ERR [AUTH]") ?? false)
    }

    @Test("a checkpassword program judges; its failure is not a wrong password")
    func checkPassword() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", ["Subject: x\n"])
        let program = try directory.write(
            "check",
            """
            #!/bin/sh
            tr '\\0' '\\n' <&3 >"$0.in"
            read -r user <"$0.in"
            read -r password <<END
            $(sed -n 2p "$0.in")
            END
            [ "$user" = broken ] && exit 111
            [ "$user" = anna ] && [ "$password" = "a b" ] || exit 1
            HOME=/nowhere exec "$@"
            """)
        chmod(program, 0o700)
        let drop = try MailDrop(["--checkpassword", program], in: directory, accounts: nil)
        #expect(try drop.login("anna", "a b").ask("STAT") == "+OK 1 12")
        let client = try drop.client()
        _ = client.ask("USER anna")
        #expect(client.ask("PASS ab")?.hasPrefix("-ERR [AUTH]") ?? false)
        _ = client.ask("USER broken")
        #expect(client.ask("PASS x")?.hasPrefix("-ERR [SYS/TEMP]") ?? false)
    }

    @Test("the password file is read again at SIGHUP, and a broken one changes nothing")
    func reload() throws {
        let directory = try TestDirectory()
        let drop = try MailDrop(in: directory)
        try directory.write("users", "dora:{PLAIN}new\n")
        drop.server.process.signal(SIGHUP)
        #expect(drop.event("reload") != nil)
        #expect(try drop.login("dora", "new").ask("STAT") == "+OK 0 0")
        try directory.write("users", "dora:{WHAT}new\n")
        drop.server.process.signal(SIGHUP)
        #expect(drop.event("reload") != nil)
        #expect(try drop.login("dora", "new").ask("NOOP") == "+OK")
    }

    @Test("any bytes at any time: an answer or an end, and the server goes on")
    func mutations() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", ["Subject: x\n"])
        let drop = try MailDrop(in: directory)
        var generator = SeededGenerator(seed: 21)
        let whole = Array(
            "CAPA\r\nAUTH PLAIN AGFubmEAc2VjcmV0\r\nSTAT\r\nLIST\r\nRETR 1\r\nTOP 1 1\r\nUIDL\r\nRSET\r\nNOOP\r\n".utf8)
        for round in 0..<60 {
            let client = try drop.client()
            client.send(round % 3 == 0 ? generator.bytes(5_000) : generator.mutated(whole))
            client.closeSending()
            _ = client.rest()
        }
        #expect(try drop.login().ask("STAT") == "+OK 1 12")
    }

    @Test("500 pipelined RETR of a client that does not read, then QUIT: bounded memory, every message")
    func slowReader() throws {
        let directory = try TestDirectory()
        let line = String(repeating: "x", count: 99) + "\n"
        try MailDrop.fill(directory, "anna", ["Subject: x\n\n" + String(repeating: line, count: 10_000)])
        let drop = try MailDrop(in: directory)
        let client = try drop.login()
        client.send(String(repeating: "RETR 1\r\n", count: 500) + "QUIT\r\n")
        usleep(400_000)
        let status = try String(contentsOfFile: "/proc/\(drop.server.process.pid)/status", encoding: .utf8)
        let resident = try #require(status.firstMatch(of: /VmHWM:\s+(\d+) kB/).flatMap { Int($0.1) })
        #expect(resident < 200_000)
        // The rest of 500 MB is not waited for: the first messages tell.
        for _ in 0..<3 {
            #expect(client.line() == "+OK 1010014 octets")
            var count = 0
            while let line = client.line(), line != "." { count += line.utf8.count + 2 }
            #expect(count == 1_010_014)
        }
    }

    @Test("an endless line costs no memory, and one that is too long is skipped to its end")
    func longLines() throws {
        let drop = try MailDrop()
        let client = try drop.client()
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        for _ in 0..<64 { client.send(piece) }
        client.send("\r\nCAPA\r\n")
        #expect(client.line()?.hasPrefix("-ERR") ?? false)
        #expect(client.line()?.hasPrefix("+OK") ?? false)
        let status = try String(contentsOfFile: "/proc/\(drop.server.process.pid)/status", encoding: .utf8)
        let resident = try #require(status.firstMatch(of: /VmHWM:\s+(\d+) kB/).flatMap { Int($0.1) })
        #expect(resident < 200_000)
    }

    @Test("too many connections are told so; too many sessions of a user too")
    func limits() throws {
        let drop = try MailDrop(["--max-connections", "2"])
        let first = try drop.client()
        let second = try drop.client()
        #expect(try LineClient(port: drop.server.port).line()?.hasPrefix("-ERR [SYS/TEMP]") ?? false)
        _ = (first, second)
    }

    @Test("a stop ends the sessions, says so, and deletes nothing")
    func stop() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", ["Subject: x\n"])
        let drop = try MailDrop(in: directory)
        let client = try drop.login()
        _ = client.ask("DELE 1")
        drop.server.process.signal(SIGTERM)
        #expect(client.line()?.hasPrefix("-ERR [SYS/TEMP]") ?? false)
        #expect(drop.server.process.wait() == 0)
        #expect(directory.names("anna/cur").count == 1)
    }

    @Test("silence after the login is ended after --timeout, and deletes nothing")
    func timeout() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", ["Subject: x\n"])
        let drop = try MailDrop(["--timeout", "1"], in: directory)
        let client = try drop.login()
        _ = client.ask("DELE 1")
        #expect(client.line()?.hasPrefix("-ERR [SYS/TEMP]") ?? false)
        #expect(client.line() == nil)
        #expect(directory.names("anna/cur").count == 1)
    }
}

@Suite("pop3d over mboxes")
struct Pop3dMboxTests {
    private static let box = """
        From a@example.org Mon Nov  2 09:15:00 2026
        Subject: one
        Status: RO

        body
        >From here

        From b@example.org Mon Nov  2 09:16:00 2026
        Subject: two
        Content-Length: 15

        From the start


        From c@example.org Mon Nov  2 09:17:00 2026
        Subject: three

        end

        """

    private func drop(_ directory: TestDirectory, _ arguments: [String] = []) throws -> MailDrop {
        try MailDrop(["--mbox", directory.file("%u.mbox")] + arguments, in: directory)
    }

    @Test("messages are told apart, unique ids stay over changes of status, QUIT rewrites and keeps new mail")
    func whole() throws {
        let directory = try TestDirectory()
        try directory.write("anna.mbox", Self.box)
        let drop = try drop(directory)
        var client = try drop.login()
        #expect(client.ask("STAT")?.hasPrefix("+OK 3 ") ?? false)
        #expect(client.lines("RETR 1") == ["Subject: one", "Status: RO", "", "body", ">From here"])
        #expect(client.lines("RETR 2")?.last == "From the start")
        let ids = try #require(client.lines("UIDL")).map { String($0.dropFirst(2)) }
        #expect(Set(ids).count == 3)
        let second = try drop.client()
        _ = second.ask("USER anna")
        #expect(second.ask("PASS secret")?.hasPrefix("-ERR [IN-USE]") ?? false)
        // Mail arrives during the session.
        let more = "From d@example.org Mon Nov  2 09:18:00 2026\nSubject: four\n\nnew\n\n"
        try directory.write("anna.mbox", Self.box + more)
        #expect(client.lines("RETR 3") == ["Subject: three", "", "end"])
        _ = client.ask("DELE 2")
        #expect(client.ask("QUIT")?.hasPrefix("+OK") ?? false)
        let kept = String(decoding: try directory.read("anna.mbox"), as: UTF8.self)
        #expect(!kept.contains("Subject: two") && kept.hasSuffix(more) && kept.hasPrefix("From a@example.org"))
        try directory.write("anna.mbox", kept.replacing("Status: RO\n", with: "Status: O\nX-UID: 5\n"))
        client = try drop.login()
        let later = try #require(client.lines("UIDL")).map { String($0.dropFirst(2)) }
        #expect(later.count == 3 && later[0] == ids[0] && later[1] == ids[2])
        #expect(directory.names().filter { $0.hasPrefix("anna") } == ["anna.mbox"])
    }

    @Test("the internal message is hidden and stays; what is no mbox is refused; an empty or missing one is empty")
    func special() throws {
        let directory = try TestDirectory()
        let hidden =
            "From MAILER-DAEMON Mon Nov  2 09:15:00 2026\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1 2\n\nx\n\n"
        try directory.write("anna.mbox", hidden + Self.box)
        try directory.write("bob.mbox", "no mailbox\n")
        let drop = try drop(directory)
        var client = try drop.login()
        #expect(client.ask("STAT")?.hasPrefix("+OK 3 ") ?? false)
        for number in 1...3 { _ = client.ask("DELE \(number)") }
        #expect(client.ask("QUIT")?.hasPrefix("+OK") ?? false)
        #expect(String(decoding: try directory.read("anna.mbox"), as: UTF8.self) == hidden)
        client = try drop.client()
        _ = client.ask("USER bob")
        #expect(client.ask("PASS tanstaaf")?.hasPrefix("-ERR [SYS/PERM]") ?? false)
        try FileManager.default.removeItem(atPath: directory.file("bob.mbox"))
        #expect(try drop.login("bob", "tanstaaf").ask("STAT") == "+OK 0 0")
    }

    @Test("a mailbox that another program replaces: the session keeps its own, and QUIT touches no other mail")
    func replaced() throws {
        let directory = try TestDirectory()
        try directory.write("anna.mbox", Self.box)
        let drop = try drop(directory)
        let client = try drop.login()
        #expect(client.lines("RETR 1") != nil)
        // The whole mailbox is replaced under the session.
        try directory.write("other", "From x@example.org Mon Nov  2 10:00:00 2026\nSubject: other\n\nx\n\n")
        try FileManager.default.removeItem(atPath: directory.file("anna.mbox"))
        try FileManager.default.moveItem(atPath: directory.file("other"), toPath: directory.file("anna.mbox"))
        #expect(client.lines("RETR 1") != nil)
        _ = client.ask("DELE 1")
        #expect(client.ask("QUIT")?.hasPrefix("+OK") ?? false)
        #expect(String(decoding: try directory.read("anna.mbox"), as: UTF8.self).contains("Subject: other"))
    }

    @Test("a program that locks by fcntl(2) alone delivers while sessions rewrite the mailbox: no message is lost")
    func concurrentDelivery() throws {
        let directory = try TestDirectory()
        let line = String(repeating: "x", count: 99) + "\n"
        @Sendable func message(_ number: Int, _ lines: Int) -> String {
            "From a@example.org Mon Nov  2 09:15:00 2026\nSubject: \(number)\n\n"
                + String(repeating: line, count: lines) + "\n"
        }
        let first = 40
        let box = try directory.write("anna.mbox", (0..<first).map { message($0, 300) }.joined())
        let drop = try drop(directory)
        let isOver = Mutex(false)
        let delivered = Mutex(first)
        let thread = Thread {
            while !isOver.withLock({ $0 }) {
                let file = open(box, O_WRONLY | O_APPEND | O_CLOEXEC)
                var lock = flock()
                lock.l_type = Int16(F_WRLCK)
                var held = stat()
                var there = stat()
                if file >= 0, fcntl(file, F_SETLKW, &lock) == 0, fstat(file, &held) == 0, stat(box, &there) == 0,
                    held.st_ino == there.st_ino
                {
                    let bytes = Array(message(delivered.withLock { $0 }, 1).utf8)
                    if write(file, bytes, bytes.count) == bytes.count { delivered.withLock { $0 += 1 } }
                }
                close(file)
                usleep(300)
            }
        }
        thread.start()
        let rounds = 4
        for _ in 0..<rounds {
            let client = try drop.login()
            _ = client.ask("DELE 1")
            #expect(client.ask("QUIT")?.hasPrefix("+OK") ?? false)
            while client.line() != nil {}
        }
        isOver.withLock { $0 = true }
        while !thread.isFinished { usleep(1_000) }
        let kept = String(decoding: try directory.read("anna.mbox"), as: UTF8.self)
        let subjects = kept.components(separatedBy: "\n").filter { $0.hasPrefix("Subject: ") }
        #expect(subjects == (rounds..<delivered.withLock { $0 }).map { "Subject: \($0)" })
    }
}
