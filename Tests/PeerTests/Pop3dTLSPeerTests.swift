import Foundation
import TestSupport
import Testing

// The same clients over TLS, and Python's; passwords hashed by other programs; Dovecot at work on the same Maildir.
extension Pop3dPeerTests {
    private static func certificate(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("OpenSSLTests/Data/\(name)").path
    }

    static let authority = certificate("authority.pem")
    private static let certificates = ["--cert", certificate("server.pem"), "--key", certificate("server.key")]

    /// A server with STLS, and one with TLS from the start, over the same mail.
    private struct SecureDrop {
        let drop: Drop
        let implicit: TestServer

        init() throws {
            drop = try Drop(Pop3dPeerTests.certificates)
            implicit = try TestServer(
                "pop3d",
                Pop3dPeerTests.certificates + [
                    "--passwd", drop.directory.file("users"), "--maildir", drop.directory.file("mail/%u"),
                ], listen: "127.0.0.1:0,tls")
        }
    }

    @Test("curl over STLS and over TLS from the start")
    func curlTLS() throws {
        let secure = try SecureDrop()
        for url in ["pop3://localhost:\(secure.drop.port)", "pop3s://localhost:\(secure.implicit.port)"] {
            let words = ["-s", "--ssl-reqd", "--cacert", Self.authority, "-u", "anna:secret"]
            guard let result = try run("curl", words + ["\(url)/1"]) else { return }
            #expect(result.text.replacing("\r\n", with: "\n") == Self.messages[0], "\(url): \(result.status)")
        }
    }

    @Test("fetchmail over STLS and over TLS from the start, certificates checked, mail kept")
    func fetchmailTLS() throws {
        let secure = try SecureDrop()
        let directory = secure.drop.directory
        for (port, way) in [(secure.drop.port, "sslproto tls1.2+"), (secure.implicit.port, "ssl")] {
            let out = directory.file("out\(port)")
            let control = try directory.write(
                "fetchmailrc",
                "poll localhost protocol pop3 port \(port) user anna password secret keep \(way) sslcertck "
                    + "sslcertfile \(Self.authority) mda \"cat >>\(out)\"\n")
            chmod(control, 0o600)
            let words = ["-f", control, "-s", "--pidfile", directory.file("pid"), "-i", directory.file("ids\(port)")]
            for _ in 0..<2 {
                guard let result = try run("fetchmail", words, environment: ["HOME": directory.path]) else { return }
                #expect(result.status == 0 || result.status == 1, "\(result.diagnostics)")
            }
            let text = String(decoding: try directory.read("out\(port)"), as: UTF8.self)
            #expect(text.components(separatedBy: "Subject: one\n").count == 2 && text.contains("\n.dot\n..two\nend\n"))
        }
        #expect(directory.names("mail/anna/cur").count == 3)
    }

    @Test("mpop over STLS and over TLS from the start")
    func mpopTLS() throws {
        let secure = try SecureDrop()
        let directory = secure.drop.directory
        for (port, startTLS) in [(secure.drop.port, "on"), (secure.implicit.port, "off")] {
            for folder in ["new", "cur", "tmp"] {
                try FileManager.default.createDirectory(
                    atPath: directory.file("in\(port)/\(folder)"), withIntermediateDirectories: true)
            }
            let control = try directory.write(
                "mpoprc",
                """
                account default
                host localhost
                port \(port)
                user anna
                password secret
                auth on
                tls on
                tls_starttls \(startTLS)
                tls_trust_file \(Self.authority)
                keep on
                received_header off
                uidls_file \(directory.file("uidls\(port)"))
                delivery maildir \(directory.file("in\(port)"))

                """)
            chmod(control, 0o600)
            guard let result = try run("mpop", ["-C", control, "-q"]) else { return }
            #expect(result.status == 0, "\(result.diagnostics)")
            #expect(directory.names("in\(port)/new").count == 3)
        }
    }

    @Test("getmail over TLS delivers into a Maildir, and deletes")
    func getmailTLS() throws {
        let secure = try SecureDrop()
        let directory = secure.drop.directory
        for folder in ["new", "cur", "tmp"] {
            try FileManager.default.createDirectory(
                atPath: directory.file("in/\(folder)"), withIntermediateDirectories: true)
        }
        // As root it delivers with the rights of another user only.
        if geteuid() == 0, let nobody = getpwnam("nobody") {
            chmod(directory.path, 0o755)
            for name in ["in", "in/new", "in/cur", "in/tmp"] {
                chown(directory.file(name), nobody.pointee.pw_uid, nobody.pointee.pw_gid)
            }
        }
        try directory.write(
            "getmailrc",
            """
            [retriever]
            type = SimplePOP3SSLRetriever
            server = localhost
            port = \(secure.implicit.port)
            username = anna
            password = secret
            ca_certs = \(Self.authority)
            [destination]
            type = Maildir
            path = \(directory.file("in"))/
            \(geteuid() == 0 ? "user = nobody" : "")
            [options]
            delivered_to = false
            received = false
            delete = true

            """)
        guard let result = try run("getmail", ["-g", directory.path, "-r", "getmailrc", "-q"]) else { return }
        #expect(result.status == 0, "\(result.diagnostics)\(result.text)")
        let texts = try directory.names("in/new").map {
            String(decoding: try directory.read("in/new/\($0)"), as: UTF8.self)
        }
        #expect(texts.count == 3 && texts.contains { $0.hasSuffix("\n.dot\n..two\nend\n") })
        #expect(directory.names("mail/anna/cur").isEmpty)
    }

    @Test("s-nail over TLS from the start")
    func snailTLS() throws {
        let secure = try SecureDrop()
        let words = [
            "-n", "-S", "v15-compat", "-S", "pop3-no-apop", "-S", "pop3-auth=plain", "-S", "tls-verify=strict", "-S",
            "tls-ca-no-defaults", "-S", "tls-ca-file=\(Self.authority)", "-R", "-f",
            "pop3s://anna:secret@localhost:\(secure.implicit.port)",
        ]
        guard
            let result = try run(
                "s-nail", words, input: "from *\ntype 1\nexit\n", environment: ["HOME": secure.drop.directory.path])
        else { return }
        #expect(result.text.contains("one") && result.text.contains(".dot"), "\(result.diagnostics)")
    }

    @Test("Python's poplib: every command, plain, by STLS and over TLS")
    func poplib() throws {
        let secure = try SecureDrop()
        let script = """
            import poplib, ssl, sys
            way, port, authority = sys.argv[1], int(sys.argv[2]), sys.argv[3]
            context = ssl.create_default_context(cafile=authority)
            if way == "tls":
                box = poplib.POP3_SSL("localhost", port, context=context)
            else:
                box = poplib.POP3("localhost", port)
                if way == "stls":
                    assert "STLS" in box.capa()
                    box.stls(context)
            if way == "plain":
                box.apop("anna", "secret")
            else:
                box.user("anna"); box.pass_("secret")
            print(*box.stat())
            print(len(box.list()[1]), len(box.uidl()[1]), len(box.retr(2)[1]), len(box.top(1, 1)[1]))
            print(b"\\n".join(box.retr(1)[1]).decode())
            box.dele(1); box.rset(); box.noop(); box.utf8() if False else None
            print(box.quit().decode())
            """
        for (way, port) in [("plain", secure.drop.port), ("stls", secure.drop.port), ("tls", secure.implicit.port)] {
            guard let result = try run("python3", ["-c", script, way, "\(port)", Self.authority]) else { return }
            #expect(
                result.text
                    == "3 360148\n3 3 6 4\nFrom: a@example.org\nSubject: one\n\n.dot\n..two\nend\n+OK goodbye\n",
                "\(way): \(result.text)\(result.diagnostics)")
        }
        #expect(secure.drop.directory.names("mail/anna/cur").count == 3)
    }

    @Test("passwords as doveadm pw stores them, in every scheme that is told to work")
    func storedPasswords() throws {
        guard ToolProcess.peer("doveadm") != nil else {
            print("doveadm is not installed: left out")
            return
        }
        let schemes = [
            "PLAIN", "CLEARTEXT", "CRYPT", "MD5-CRYPT", "SHA256-CRYPT", "SHA512-CRYPT", "BLF-CRYPT", "SHA", "SHA256",
            "SHA512", "SSHA", "SSHA256", "SSHA512", "SMD5", "PLAIN-MD5", "LDAP-MD5", "PBKDF2", "SCRAM-SHA-1",
            "SCRAM-SHA-256", "SSHA256.HEX", "SHA512.B64",
        ]
        var accounts = ""
        for (index, scheme) in schemes.enumerated() {
            let made = try run("doveadm", ["-O", "pw", "-s", scheme, "-p", "Hello world!"])
            accounts += "user\(index):\(made?.lines.first ?? "")\n"
        }
        if let mkpasswd = try run("mkpasswd", ["-m", "yescrypt", "Hello world!"]), mkpasswd.status == 0 {
            accounts += "user\(schemes.count):{CRYPT}\(mkpasswd.lines.first ?? "")\n"
        }
        let directory = try TestDirectory()
        let users = try directory.write("users", accounts)
        let server = try TestServer("pop3d", ["--passwd", users, "--maildir", directory.file("%u")])
        for (index, scheme) in schemes.enumerated() {
            let client = try LineClient(port: server.port)
            _ = client.line()
            _ = client.ask("USER user\(index)")
            #expect(client.ask("PASS Hello world!")?.hasPrefix("+OK") ?? false, "\(scheme)")
        }
    }

    // MARK: Dovecot

    /// A Dovecot over the mail of a drop, on a port of its own; nil, and said, when it cannot be had.
    private final class Dovecot {
        let port = UInt16.random(in: 21_000...29_000)
        private let folder: String
        private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Benchmarks/dovecot-peer")
            .path

        init?(_ directory: TestDirectory) throws {
            folder = directory.path
            guard ToolProcess.peer("dovecot") != nil, geteuid() == 0 else {
                print("dovecot is not installed, or this is not root: left out")
                return nil
            }
            chmod(folder, 0o755)
            _ = try ToolProcess.run(
                "/bin/sh",
                ["-c", "\(Self.script) start \(folder) \(port) >/dev/null 2>&1; chown -R nobody \(folder)/mail"])
            for _ in 0..<100 {
                if let client = try? LineClient(port: port), client.line() != nil { return }
                usleep(100_000)
            }
            return nil
        }

        deinit { _ = try? ToolProcess.run(Self.script, ["stop", folder]) }
    }

    private func login(_ port: UInt16) throws -> LineClient {
        let client = try LineClient(port: port)
        _ = client.line()
        _ = client.ask("USER anna")
        guard client.ask("PASS secret")?.hasPrefix("+OK") ?? false else { throw TestFailure("no login") }
        return client
    }

    private func lines(_ client: LineClient, _ command: String) -> [String]? {
        guard client.ask(command)?.hasPrefix("+OK") ?? false else { return nil }
        var lines: [String] = []
        while let line = client.line(), line != "." { lines.append(line) }
        return lines
    }

    @Test("Dovecot at work on the same Maildir: what it removes is gone, what it flags is found, ids stay")
    func besideDovecot() throws {
        let drop = try Drop()
        try drop.directory.write("mail/anna/new/1700000003.M1P1Q3.host", "Subject: four\n\nx\n")
        guard let dovecot = try Dovecot(drop.directory) else { return }
        let before = try login(drop.port)
        let ids = try #require(lines(before, "UIDL"))
        #expect(ids.count == 4)
        // Dovecot reads the new message (and moves it to cur/ with a flag), and removes the second.
        let theirs = try login(dovecot.port)
        #expect(lines(theirs, "RETR 4") == ["Subject: four", "", "x"])
        #expect(theirs.ask("DELE 2")?.hasPrefix("+OK") ?? false)
        #expect(theirs.ask("QUIT")?.hasPrefix("+OK") ?? false)
        #expect(lines(before, "RETR 4") == ["Subject: four", "", "x"])
        #expect(before.ask("RETR 2")?.hasPrefix("-ERR") ?? false)
        #expect(lines(before, "RETR 1")?.last == "end")
        #expect(before.ask("DELE 1")?.hasPrefix("+OK") ?? false)
        #expect(before.ask("DELE 2")?.hasPrefix("+OK") ?? false)
        #expect(before.ask("QUIT") == "+OK goodbye")
        let after = try login(drop.port)
        #expect(lines(after, "UIDL")?.map { $0.dropFirst(2) } == [ids[2].dropFirst(2), ids[3].dropFirst(2)])
        _ = after.ask("QUIT")
        let last = try login(dovecot.port)
        #expect(last.ask("STAT")?.hasPrefix("+OK 2 ") ?? false)
        #expect(lines(last, "LIST")?.count == 2)
        let ours = try login(drop.port)
        #expect(lines(last, "RETR 1") == lines(ours, "RETR 1"))
    }

    @Test("mboxconv fetches from Dovecot: every octet, once, and clears the mailbox")
    func fetchFromDovecot() throws {
        let drop = try Drop()
        guard let dovecot = try Dovecot(drop.directory) else { return }
        let password = try drop.directory.write("password", "secret\n")
        let source = "pop3://anna@127.0.0.1:\(dovecot.port)/"
        for words in [["--count", source], [source, "in/"], [source, "in/"], ["--delete-after", source, "in/"]] {
            let result = try ToolProcess.run(
                "mboxconv", ["--password-file", password] + words, directory: drop.directory.path)
            #expect(result.status == 0, "\(result.diagnostics)")
        }
        let texts = try drop.directory.names("in/new").map {
            String(decoding: try drop.directory.read("in/new/\($0)"), as: UTF8.self)
        }
        #expect(texts.count == 3 && Set(texts) == Set(Self.messages.map(Self.stored)))
        #expect(drop.directory.names("mail/anna/cur").isEmpty)
    }
}
