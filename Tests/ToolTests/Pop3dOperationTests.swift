import Foundation
import TestSupport
import Testing

@Suite("pop3d: how it is run")
struct Pop3dOperationTests {
    /// The serial number of the certificate that a server shows; nil, and said, without openssl.
    private func shownSubject(_ port: UInt16) throws -> String? {
        guard let openssl = ToolProcess.peer("openssl") else {
            print("openssl is not installed: left out")
            return nil
        }
        let shown = try ToolProcess.run(
            openssl, ["s_client", "-connect", "127.0.0.1:\(port)"], input: Array("QUIT\r\n".utf8), seconds: 20)
        return shown.text.components(separatedBy: "\n").first { $0.hasPrefix("subject=") }
    }

    private func makeCertificate(_ directory: TestDirectory, _ name: String) throws -> Bool {
        guard let openssl = ToolProcess.peer("openssl") else { return false }
        let words = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=\(name)", "-keyout", directory.file("key.pem"), "-out", directory.file("cert.pem"),
        ]
        return try ToolProcess.run(openssl, words).status == 0
    }

    @Test("SIGHUP: new connections get the new certificate, one that is broken changes nothing, sessions go on")
    func certificateReload() throws {
        let directory = try TestDirectory()
        guard try makeCertificate(directory, "first.example") else { return }
        let server = try TestServer(
            "pop3d", ["--cert", directory.file("cert.pem"), "--key", directory.file("key.pem"), "-q"],
            directory: directory.path, listen: "127.0.0.1:0,tls")
        #expect(try shownSubject(server.port)?.contains("first.example") ?? true)
        #expect(try makeCertificate(directory, "second.example"))
        server.process.signal(SIGHUP)
        while let line = server.process.nextLine(), !line.contains("\"reload\"") {}
        #expect(try shownSubject(server.port)?.contains("second.example") ?? true)
        try directory.write("cert.pem", "no certificate\n")
        server.process.signal(SIGHUP)
        while let line = server.process.nextLine(), !line.contains("\"reload\"") {}
        #expect(try shownSubject(server.port)?.contains("second.example") ?? true)
        #expect(server.stop() == 0)
    }

    @Test("a socket that a service manager hands over (LISTEN_FDS) is listened on in place of --listen")
    func socketActivation() throws {
        let directory = try TestDirectory()
        let listener = try ListeningSocket()
        let process = try ToolProcess(
            "/bin/sh",
            [
                "-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"", ToolProcess.path(of: "pop3d"), "--json",
                "--any-password", "--listen", "127.0.0.1:1",
            ], directory: directory.path, descriptors: [listener.descriptor])
        #expect(process.nextLine()?.contains("\"address\":\"127.0.0.1:\(listener.port)\"") ?? false)
        let client = try LineClient(port: listener.port)
        #expect(client.line()?.hasPrefix("+OK") ?? false)
        _ = client.ask("USER anna")
        #expect(client.ask("PASS x")?.hasPrefix("+OK") ?? false)
        process.signal(SIGTERM)
        #expect(process.wait() == 0)
        // One that is meant for another process is not touched.
        let other = try ToolProcess(
            "pop3d", ["--json", "--any-password", "--listen", "127.0.0.1:0"],
            environment: ["LISTEN_PID": "1", "LISTEN_FDS": "1"], directory: directory.path)
        #expect(other.nextLine()?.contains("127.0.0.1:\(listener.port)\"") == false)
    }

    @Test("PROXY version 2: the client's address of the header is told and counts; LOCAL is the proxy itself")
    func proxyVersion2() throws {
        let directory = try TestDirectory()
        let users = try directory.write("users", MailDrop.accounts)
        let server = try TestServer(
            "pop3d", ["--passwd", users, "--maildir", directory.file("%u")], listen: "127.0.0.1:0,proxy")
        let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
        let addresses: [UInt8] = [192, 0, 2, 7, 192, 0, 2, 1, 0x0F, 0xA0, 0, 110]
        var client = try LineClient(port: server.port)
        client.send(signature + [0x21, 0x11, 0, 12] + addresses)
        #expect(client.line()?.hasPrefix("+OK") ?? false)
        #expect(client.ask("USER anna")?.hasPrefix("-ERR") ?? false)
        #expect(server.process.nextLine()?.contains("\"client\":\"192.0.2.7:4000\"") ?? false)
        client = try LineClient(port: server.port)
        client.send(signature + [0x20, 0x00, 0, 0])
        _ = client.line()
        _ = client.ask("USER anna")
        #expect(client.ask("PASS secret")?.hasPrefix("+OK") ?? false)
    }

    @Test("--user: root's rights are given up; unknown users are refused with 78")
    func privilegeDrop() throws {
        let directory = try TestDirectory()
        chmod(directory.path, 0o755)
        #expect(
            try ToolProcess.run(
                "pop3d", ["--listen", "127.0.0.1:0", "--any-password", "--user", "no-such-user"],
                directory: directory.path
            ).status == 78)
        guard geteuid() == 0, let entry = getpwnam("nobody") else {
            print("this is not root: left out")
            return
        }
        let server = try TestServer("pop3d", ["--any-password", "--user", "nobody"], directory: directory.path)
        let status = try String(contentsOfFile: "/proc/\(server.process.pid)/status", encoding: .utf8)
        let uid = entry.pointee.pw_uid
        #expect(status.contains("Uid:\t\(uid)\t\(uid)\t\(uid)\t\(uid)\n"))
        #expect(status.firstMatch(of: /Groups:\t([0-9 ]*)\n/)?.1.contains(" 0 ") == false)
    }

    @Test("run as root, mail is touched with the uid and gid of its account, and with no other rights")
    func accountRights() throws {
        guard geteuid() == 0 else {
            print("this is not root: left out")
            return
        }
        let directory = try TestDirectory()
        chmod(directory.path, 0o755)
        try MailDrop.fill(directory, "anna", ["Subject: x\n"])
        try MailDrop.fill(directory, "bob", ["Subject: y\n"])
        for name in ["anna", "anna/new", "anna/cur", "anna/tmp"] + directory.names("anna/cur").map({ "anna/cur/\($0)" })
        {
            chown(directory.file(name), 65_534, 65_534)
        }
        chmod(directory.file("bob"), 0o700)
        let drop = try MailDrop(
            in: directory, accounts: "anna:{PLAIN}secret:65534:65534\nbob:{PLAIN}secret:65534:65534\n")
        let client = try drop.login()
        #expect(client.lines("RETR 1") == ["Subject: x"])
        _ = client.ask("DELE 1")
        #expect(client.ask("QUIT")?.hasPrefix("+OK") ?? false)
        // A Maildir of somebody else.
        let other = try drop.client()
        _ = other.ask("USER bob")
        #expect(other.ask("PASS secret")?.hasPrefix("-ERR [SYS/PERM]") ?? false)
    }

    @Test("--system: users of the system without a right password are refused as any other")
    func systemAccounts() throws {
        guard geteuid() == 0 else {
            print("this is not root: left out")
            return
        }
        let directory = try TestDirectory()
        let drop = try MailDrop(["--system"], in: directory, accounts: nil)
        for user in ["root", "nobody", "no-such-user"] {
            let client = try drop.client()
            _ = client.ask("USER \(user)")
            #expect(client.ask("PASS x") == "-ERR [AUTH] user name or password is wrong")
        }
    }

    @Test("--max-per-user: so many sessions of a user at once, and other users are not concerned")
    func perUser() throws {
        let drop = try MailDrop(["--max-per-user", "2"])
        // A Maildir that is not there needs no lock.
        let sessions = try (0..<2).map { _ in try drop.login() }
        let third = try drop.client()
        _ = third.ask("USER anna")
        #expect(third.ask("PASS secret")?.hasPrefix("-ERR [IN-USE]") ?? false)
        #expect(try drop.login("bob", "tanstaaf").ask("STAT") == "+OK 0 0")
        _ = sessions[0].ask("QUIT")
        #expect(sessions[0].line() == nil)
        var isFree = false
        for _ in 0..<50 where !isFree {
            _ = third.ask("USER anna")
            isFree = third.ask("PASS secret")?.hasPrefix("+OK") ?? false
            if !isFree { usleep(50_000) }
        }
        #expect(isFree)
    }

    @Test("a connection that never logs in ends, though it goes on talking")
    func loginTime() throws {
        let drop = try MailDrop(["--timeout", "1"])
        let client = try drop.client()
        let begin = Date()
        var last: String?
        while Date().timeIntervalSince(begin) < 20 {
            guard let answer = client.ask("LANG *") else { break }
            last = answer
            usleep(200_000)
        }
        #expect(last == "-ERR [SYS/TEMP] the login takes too long")
        #expect(Date().timeIntervalSince(begin) < 15)
        #expect(drop.event("disconnect") != nil)
    }

    @Test("EXPIRE 0: what was retrieved is removed at QUIT, what was not stays (RFC 2449 6.7)")
    func expireAtOnce() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", ["Subject: 1\n", "Subject: 2\n", "Subject: 3\n"])
        let drop = try MailDrop(["--expire", "0"], in: directory)
        var client = try drop.login()
        #expect(client.lines("CAPA")?.contains("EXPIRE 0") ?? false)
        _ = client.lines("RETR 2")
        _ = client.lines("TOP 3 0")
        client.close()
        #expect(drop.event("disconnect") != nil)
        #expect(directory.names("anna/cur").count == 3)
        client = try drop.login()
        _ = client.lines("RETR 2")
        _ = client.lines("TOP 3 0")
        #expect(client.ask("QUIT")?.hasPrefix("+OK") ?? false)
        #expect(directory.names("anna/cur").count == 2)
    }

    @Test("names with percent signs are names, in patterns too")
    func percentNames() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", ["Subject: 0\n"])
        let drop = try MailDrop(in: directory, accounts: nil)
        for name in ["%u", "%n", "%%", "%h", "%2e%2e%2fanna"] {
            #expect(try drop.login(name, "x").ask("STAT") == "+OK 0 0")
        }
        #expect(Set(directory.names()) == ["anna"])
    }

    @Test(
        "a mailbox whose cur/ is a link, a file or a pipe is refused, and not followed",
        arguments: ["link", "file", "pipe"])
    func strangeFolders(_ kind: String) throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "bob", ["Subject: secret\n"])
        try MailDrop.fill(directory, "anna", [])
        rmdir(directory.file("anna/cur"))
        switch kind {
        case "link": symlink(directory.file("bob/cur"), directory.file("anna/cur"))
        case "file": try directory.write("anna/cur", "x")
        default: mkfifo(directory.file("anna/cur"), 0o600)
        }
        let drop = try MailDrop(in: directory)
        let client = try drop.client()
        _ = client.ask("USER anna")
        #expect(client.ask("PASS secret")?.hasPrefix("-ERR [SYS/PERM]") ?? false)
        #expect(client.ask("NOOP")?.hasPrefix("-ERR") ?? false)
    }

    @Test("kill -9 while QUIT removes many: nothing is gone that was not marked, and the rest can be had")
    func killedInQuit() throws {
        let directory = try TestDirectory()
        let count = 800
        try MailDrop.fill(directory, "anna", (0..<count).map { "Subject: \($0)\n" })
        var generator = SeededGenerator(seed: 8)
        for _ in 0..<3 {
            let drop = try MailDrop(in: directory)
            let client = try drop.login()
            let before = directory.names("anna/cur").count
            // Every second one is marked.
            client.send(stride(from: 2, through: before, by: 2).map { "DELE \($0)\r\n" }.joined() + "NOOP\r\n")
            for _ in 0..<(before / 2) { _ = client.line() }
            #expect(client.line() == "+OK")
            let odd = Set(directory.names("anna/cur").enumerated().filter { $0.offset % 2 == 0 }.map(\.element))
            client.send("QUIT\r\n")
            usleep(useconds_t(generator.next() % 4_000))
            drop.server.process.signal(SIGKILL)
            _ = drop.server.process.wait()
            let left = Set(directory.names("anna/cur"))
            #expect(odd.isSubset(of: left))
        }
        let drop = try MailDrop(in: directory)
        #expect(try drop.login().ask("STAT")?.hasPrefix("+OK \(directory.names("anna/cur").count) ") ?? false)
    }

    @Test("sessions that are dropped in the middle of a message leave the mailbox free and whole")
    func droppedInMessage() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", ["Subject: x\n\n" + String(repeating: "line\n", count: 400_000)])
        let drop = try MailDrop(in: directory)
        for _ in 0..<5 {
            let client = try drop.login()
            client.send("DELE 1\r\nRSET\r\nRETR 1\r\n")
            _ = client.line()
            client.close()
            #expect(drop.event("disconnect") != nil)
        }
        #expect(try drop.login().ask("STAT") == "+OK 1 2400014")
    }
}
