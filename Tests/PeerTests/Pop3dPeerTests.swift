import Foundation
import TestSupport
import Testing

/// pop3d with the clients that people use, and beside Dovecot on the same Maildir.
@Suite("pop3d and its peers")
struct Pop3dPeerTests {
    /// Messages with every kind of line end and dot.
    static let messages = [
        "From: a@example.org\nSubject: one\n\n.dot\n..two\nend\n",
        "From: a@example.org\r\nSubject: two\r\n\r\nCRLF\r\n.\r\nno end",
        "From: a@example.org\nSubject: three\n\n"
            + String(repeating: String(repeating: "x", count: 70) + "\n", count: 5_000),
    ]

    struct Drop {
        let directory: TestDirectory
        let server: TestServer
        var port: UInt16 { server.port }

        init(_ arguments: [String] = []) throws {
            directory = try TestDirectory()
            for folder in ["new", "cur", "tmp"] {
                try FileManager.default.createDirectory(
                    atPath: directory.file("mail/anna/\(folder)"), withIntermediateDirectories: true)
            }
            for (index, message) in Pop3dPeerTests.messages.enumerated() {
                try directory.write("mail/anna/cur/\(1_700_000_000 + index).M1P1Q\(index).host:2,S", message)
            }
            let users = try directory.write("users", "anna:{PLAIN}secret\n")
            server = try TestServer("pop3d", ["--passwd", users, "--maildir", directory.file("mail/%u")] + arguments)
        }
    }

    /// Runs a peer; nil, and said, when it is not here.
    func run(
        _ name: String, _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) throws -> ToolProcess.Result? {
        guard let program = ToolProcess.peer(name) else {
            print("\(name) is not installed: left out")
            return nil
        }
        return try ToolProcess.run(
            program, arguments, input: Array(input.utf8), environment: environment, seconds: 30)
    }

    /// A message with LF line ends and one at its end, as mail programs store it.
    static func stored(_ message: String) -> String {
        let text = message.replacing("\r\n", with: "\n")
        return text.hasSuffix("\n") ? text : text + "\n"
    }

    @Test("curl: RETR, LIST, UIDL, TOP, APOP, SASL, DELE")
    func curl() throws {
        let drop = try Drop()
        let url = "pop3://127.0.0.1:\(drop.port)"
        guard let first = try run("curl", ["-s", "-u", "anna:secret", "\(url)/1"]) else { return }
        #expect(first.text.replacing("\r\n", with: "\n") == Self.messages[0])
        let list = try run("curl", ["-s", "-u", "anna:secret", url])
        #expect(list?.text.replacing("\r\n", with: "\n").hasPrefix("1 55\n2 54\n") ?? false)
        for mechanism in ["AUTH=PLAIN", "AUTH=LOGIN", "AUTH=CRAM-MD5", "AUTH=+APOP"] {
            let result = try run("curl", ["-s", "--login-options", mechanism, "-u", "anna:secret", "\(url)/2"])
            #expect(
                result?.text == "From: a@example.org\r\nSubject: two\r\n\r\nCRLF\r\n.\r\nno end\r\n", "\(mechanism)")
        }
        let third = try run("curl", ["-s", "-u", "anna:secret", "\(url)/3"])
        #expect(third?.bytes.count == 360_039)
        _ = try run("curl", ["-s", "-u", "anna:secret", "-X", "DELE", "-l", "\(url)/1"])
        #expect(drop.directory.names("mail/anna/cur").count == 2)
    }

    @Test("fetchmail takes all mail and deletes it")
    func fetchmail() throws {
        let drop = try Drop()
        let out = drop.directory.file("out")
        let control = try drop.directory.write(
            "fetchmailrc",
            "poll 127.0.0.1 protocol pop3 port \(drop.port) user anna password secret sslproto '' mda \"cat >>\(out)\"\n"
        )
        chmod(control, 0o600)
        let words = ["-f", control, "-s", "--pidfile", drop.directory.file("pid"), "-i", drop.directory.file("ids")]
        guard let result = try run("fetchmail", words, environment: ["HOME": drop.directory.path]) else { return }
        #expect(result.status == 0, "\(result.diagnostics)")
        let text = String(decoding: try drop.directory.read("out"), as: UTF8.self)
        #expect(text.contains("\n.dot\n..two\nend\n") && text.contains("\nCRLF\n.\nno end"))
        #expect(drop.directory.names("mail/anna/cur").isEmpty)
    }

    @Test("mpop pipelines into a Maildir, keeps, and takes nothing twice")
    func mpop() throws {
        let drop = try Drop()
        for folder in ["new", "cur", "tmp"] {
            try FileManager.default.createDirectory(
                atPath: drop.directory.file("in/\(folder)"), withIntermediateDirectories: true)
        }
        let control = try drop.directory.write(
            "mpoprc",
            """
            account default
            host 127.0.0.1
            port \(drop.port)
            user anna
            password secret
            auth apop
            tls off
            keep on
            received_header off
            uidls_file \(drop.directory.file("uidls"))
            delivery maildir \(drop.directory.file("in"))

            """)
        chmod(control, 0o600)
        for _ in 0..<2 {
            guard let result = try run("mpop", ["-C", control, "-q"]) else { return }
            #expect(result.status == 0, "\(result.diagnostics)")
        }
        let texts = try drop.directory.names("in/new").map {
            String(decoding: try drop.directory.read("in/new/\($0)"), as: UTF8.self)
        }
        #expect(Set(texts) == Set(Self.messages.map(Self.stored)) && texts.count == 3)
    }

    @Test("getmail takes all mail and deletes it")
    func getmail() throws {
        let drop = try Drop()
        let out = drop.directory.file("out")
        try drop.directory.write(
            "getmailrc",
            """
            [retriever]
            type = SimplePOP3Retriever
            server = 127.0.0.1
            port = \(drop.port)
            username = anna
            password = secret
            [destination]
            type = MDA_external
            path = /bin/sh
            arguments = ("-c", "cat >>\(out)")
            allow_root_commands = true
            [options]
            delivered_to = false
            received = false
            delete = true

            """)
        guard let result = try run("getmail", ["-g", drop.directory.path, "-r", "getmailrc", "-q"]) else { return }
        #expect(result.status == 0, "\(result.diagnostics)\(result.text)")
        #expect(String(decoding: try drop.directory.read("out"), as: UTF8.self).contains("\n.dot\n..two\nend\n"))
        #expect(drop.directory.names("mail/anna/cur").isEmpty)
    }

    @Test("s-nail lists and reads")
    func snail() throws {
        let drop = try Drop()
        let words = [
            "-n", "-S", "v15-compat", "-S", "pop3-no-apop", "-S", "pop3-auth=plain", "-R", "-f",
            "pop3://anna:secret@127.0.0.1:\(drop.port)",
        ]
        guard
            let result = try run(
                "s-nail", words, input: "from *\ntype 1\nexit\n", environment: ["HOME": drop.directory.path])
        else { return }
        #expect(result.text.contains("one") && result.text.contains(".dot"), "\(result.diagnostics)")
    }

    @Test("Dovecot over the same Maildir sends the same octets, and tells the same sizes")
    func dovecot() throws {
        guard ToolProcess.peer("dovecot") != nil, geteuid() == 0 else {
            print("dovecot is not installed, or this is not root: left out")
            return
        }
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Benchmarks/dovecot-peer").path
        let drop = try Drop()
        chmod(drop.directory.path, 0o755)
        let port = UInt16.random(in: 21_000...29_000)
        let folder = drop.directory.path
        defer { _ = try? ToolProcess.run(script, ["stop", folder]) }
        _ = try ToolProcess.run(
            "/bin/sh", ["-c", "\(script) start \(folder) \(port) >/dev/null 2>&1; chown -R nobody \(folder)/mail"])
        var theirs: [[String]] = []
        for _ in 0..<50 {
            if let client = try? LineClient(port: port), client.line() != nil {
                theirs = try Self.conversation(client)
                break
            }
            usleep(100_000)
        }
        let client = try LineClient(port: drop.port)
        _ = client.line()
        let ours = try Self.conversation(client)
        #expect(ours.count == 4 && theirs.count == 4)
        #expect(ours.dropFirst() == theirs.dropFirst())
        // Dovecot does not count the last line end that it adds.
        #expect(ours.first == ["1 55", "2 54", "3 360039"] && theirs.first == ["1 55", "2 52", "3 360039"])
    }

    private static func conversation(_ client: LineClient) throws -> [[String]] {
        _ = client.ask("USER anna")
        guard client.ask("PASS secret")?.hasPrefix("+OK") ?? false else { throw TestFailure("no login") }
        return ["LIST", "RETR 1", "RETR 2", "RETR 3"].map { command in
            var lines: [String] = []
            guard client.ask(command)?.hasPrefix("+OK") ?? false else { return lines }
            while let line = client.line(), line != "." { lines.append(line) }
            return lines
        }
    }
}
