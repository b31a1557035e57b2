import Foundation
import TestSupport
import Testing

/// Whole mail servers of others beside ours, over private instances on loopback. They need root.
@Suite("smtp-serve and smtp-send among mail servers", .serialized)
struct MailServerPeerTests {
    private let directory: TestDirectory

    init() throws {
        directory = try TestDirectory()
        // Other users work below it.
        chmod(directory.path, 0o755)
    }

    private static func peer(_ name: String, needsRoot: Bool = true) -> String? {
        guard let path = ToolProcess.peer(name), !needsRoot || geteuid() == 0 else {
            print("\(name) is not installed, or this is not root: left out")
            return nil
        }
        return path
    }

    private static var root: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }

    private static func certificate(_ name: String) -> String {
        root.appendingPathComponent("Tests/OpenSSLTests/Data/\(name)").path
    }

    private func messages(_ maildir: String) throws -> [String] {
        try directory.names("\(maildir)/new").map {
            String(decoding: try directory.read("\(maildir)/new/\($0)"), as: UTF8.self)
        }
    }

    /// Waits until a folder has so many entries.
    private func wait(for count: Int, in folder: String, seconds: Double = 60) {
        let deadline = Date().addingTimeInterval(seconds)
        while directory.names(folder).count < count, Date() < deadline { usleep(20_000) }
    }

    /// Waits until somebody greets on a port.
    private func awaitGreeting(_ port: UInt16) {
        for _ in 0..<300 {
            if let client = try? LineClient(port: port), client.line() != nil { return }
            usleep(100_000)
        }
    }

    private func startPostfix(_ settings: [String]) throws -> UInt16 {
        let script = Self.root.appendingPathComponent("Benchmarks/postfix-peer").path
        let port = UInt16.random(in: 21_000...29_000)
        let words = (["start", directory.file("postfix"), "\(port)"] + settings).map { "'\($0)'" }
        _ = try ToolProcess.run(
            "/bin/sh", ["-c", "\(script) \(words.joined(separator: " ")) >\(directory.file("log")) 2>&1"])
        awaitGreeting(port)
        return port
    }

    private func stopPostfix() {
        let script = Self.root.appendingPathComponent("Benchmarks/postfix-peer").path
        _ = try? ToolProcess.run(script, ["stop", directory.file("postfix")])
    }

    @Test("Postfix is the next hop of our queue: dots, 8 bits, notifications asked for")
    func postfixAsNextHop() throws {
        guard Self.peer("postfix") != nil else { return }
        defer { stopPostfix() }
        let port = try startPostfix([])
        let queue = directory.file("queue")
        let text = "Subject: caf\u{e9}\n\n.dot\n..\nFrom here\n\u{e9}\n"
        for number in 0..<20 {
            let result = try ToolProcess.run(
                "smtp-send",
                [
                    "--queue", queue, "--queue-only", "--from", "a@example.org", "--to", "bob@example.net", "--notify",
                    "failure", "--envid", "n\(number)",
                ], input: Array(text.utf8))
            #expect(result.status == 0, "\(result.diagnostics)")
        }
        let run = try ToolProcess.run("smtp-send", ["--queue", queue, "--run", "--server", "127.0.0.1:\(port)"])
        #expect(run.status == 0 && directory.names("queue") == ["tmp"], "\(run.diagnostics) \(run.text)")
        wait(for: 20, in: "postfix/mail/bob/new")
        let stored = try messages("postfix/mail/bob")
        #expect(
            stored.count == 20
                && stored.allSatisfy {
                    $0.hasSuffix("\n\n.dot\n..\nFrom here\n\u{e9}\n") && $0.contains("\nSubject: caf\u{e9}\n")
                })
    }

    @Test("Postfix relays to us, by STARTTLS, in several sessions")
    func postfixAsSource() throws {
        guard Self.peer("postfix") != nil, let source = Self.peer("smtp-source") else { return }
        defer { stopPostfix() }
        let server = try TestServer(
            "smtp-serve",
            [
                "--mail", directory.file("mail"), "--cert", Self.certificate("server.pem"), "--key",
                Self.certificate("server.key"),
            ])
        let port = try startPostfix([
            "relayhost = [127.0.0.1]:\(server.port)", "smtp_tls_security_level = encrypt",
        ])
        let words = ["-s", "5", "-m", "30", "-l", "3000", "-f", "a@example.org", "-t", "far@elsewhere.example"]
        #expect(try ToolProcess.run(source, words + ["127.0.0.1:\(port)"]).status == 0)
        wait(for: 30, in: "mail/far/new")
        let stored = try messages("mail/far")
        #expect(stored.count == 30 && stored.allSatisfy { $0.contains(" with ESMTPS\n") && $0.utf8.count > 3_000 })
        #expect(directory.names("mail/far/tmp").isEmpty)
    }

    @Test("Dovecot takes mail by LMTP, from the queue too, with an answer for each recipient")
    func dovecotLMTP() throws {
        guard let dovecot = Self.peer("dovecot"), access("/usr/lib/dovecot/lmtp", X_OK) == 0 else {
            print("dovecot's lmtp is not installed, or this is not root: left out")
            return
        }
        let folder = directory.path
        for name in ["mail", "run", "state"] {
            try FileManager.default.createDirectory(
                atPath: directory.file(name), withIntermediateDirectories: true)
        }
        try directory.write(
            "users", "bob::65534:65534::\(folder)/mail/bob::\ncarol::65534:65534::\(folder)/mail/carol::\n")
        let configuration = try directory.write(
            "dovecot.conf",
            """
            base_dir = \(folder)/run
            state_dir = \(folder)/state
            log_path = \(folder)/log
            protocols = lmtp
            ssl = no
            mail_location = maildir:\(folder)/mail/%n
            first_valid_uid = 1
            auth_username_format = %n
            passdb {
              driver = static
              args = password=secret
            }
            userdb {
              driver = passwd-file
              args = \(folder)/users
            }
            service lmtp {
              unix_listener \(folder)/lmtp {
                mode = 0666
              }
            }

            """)
        _ = try ToolProcess.run("/bin/sh", ["-c", "chown nobody '\(folder)/mail'"])
        let server = try ToolProcess(dovecot, ["-F", "-c", configuration])
        defer { server.signal(SIGTERM) }
        for _ in 0..<200 where !FileManager.default.fileExists(atPath: directory.file("lmtp")) { usleep(50_000) }
        let words = ["--lmtp", directory.file("lmtp"), "--from", "a@example.org", "--json"]
        let message = Array("Subject: x\n\n.dot\n".utf8)
        let sent = try ToolProcess.run(
            "smtp-send", words + ["--to", "bob@example.net,nobody@example.net,carol@example.net"], input: message)
        #expect(sent.status == 69, "\(sent.diagnostics)")
        #expect(sent.lines.map { $0.contains("\"outcome\":\"accepted\"") } == [true, false, true], "\(sent.text)")
        let queued = try ToolProcess.run(
            "smtp-send",
            [
                "--lmtp", directory.file("lmtp"), "--from", "carol@example.net", "--queue", directory.file("queue"),
                "--to", "bob@example.net", "--notify", "success",
            ], input: message)
        #expect(queued.status == 0, "\(queued.diagnostics)")
        wait(for: 2, in: "mail/bob/new")
        let stored = try messages("mail/bob")
        #expect(stored.count == 2 && stored.allSatisfy { $0.hasSuffix("\n.dot\n") })
        // Dovecot offers no DSN: of the success that the sender wants to hear of, the queue tells.
        wait(for: 2, in: "mail/carol/new")
        let mine = try messages("mail/carol")
        #expect(mine.count == 2 && mine.contains { $0.contains("Action: delivered") })
    }

    @Test("opendkim signs as our milter, and what it has signed is valid for us")
    func opendkim() throws {
        guard let filter = Self.peer("opendkim", needsRoot: false),
            let openssl = Self.peer("openssl", needsRoot: false)
        else { return }
        let key = directory.file("key.pem")
        _ = try ToolProcess.run(openssl, ["genrsa", "-out", key, "2048"])
        chmod(key, 0o600)
        let open = try ToolProcess.run(openssl, ["rsa", "-in", key, "-pubout", "-outform", "DER"])
        let record = Data(open.bytes).base64EncodedString()
        let halves = [record.prefix(200), record.dropFirst(200)].map { "\"\($0)\"" }.joined(separator: " ")
        let zone = try directory.write(
            "zone", "s1._domainkey.example.org. TXT \"v=DKIM1; k=rsa; p=\" \(halves)\n")
        let socket = directory.file("milter")
        let configuration = try directory.write(
            "opendkim.conf",
            """
            Socket local:\(socket)
            Mode s
            Domain example.org
            Selector s1
            KeyFile \(key)
            Canonicalization relaxed/relaxed
            InternalHosts 127.0.0.1
            RequireSafeKeys no
            PidFile \(directory.file("pid"))

            """)
        let milter = try ToolProcess(filter, ["-f", "-x", configuration])
        defer { milter.signal(SIGTERM) }
        for _ in 0..<200 where !FileManager.default.fileExists(atPath: socket) { usleep(50_000) }
        let signing = try TestServer(
            "smtp-serve", ["--mail", directory.file("signed"), "--filter", "milter:unix:\(socket)"])
        let words = ["--from", "a@example.org", "--to", "b@example.net"]
        for number in 0..<3 {
            let message =
                "From: a@example.org\nTo: b@example.net\nSubject: \(number)\nDate: Mon, 2 Nov 2026 09:15:00 +0000\n\n.dot\n\(String(repeating: "text \(number)\n", count: 30_000))"
            let sent = try ToolProcess.run(
                "smtp-send", ["--server", "127.0.0.1:\(signing.port)"] + words, input: Array(message.utf8))
            #expect(sent.status == 0, "\(sent.diagnostics)")
        }
        let signed = try messages("signed/b")
        #expect(signed.count == 3 && signed.allSatisfy { $0.contains("DKIM-Signature: v=1; a=rsa-sha256;") })
        let verifying = try TestServer(
            "smtp-serve", ["--mail", directory.file("verified"), "--dkim,reject", "--dns", zone])
        // It has been at this address before: it goes to another.
        let others = ["--from", "a@example.org", "--to", "other@example.net"]
        for (number, message) in signed.enumerated() {
            let text = number == 0 ? message.replacingOccurrences(of: "text", with: "txet") : message
            let sent = try ToolProcess.run(
                "smtp-send", ["--server", "127.0.0.1:\(verifying.port)"] + others, input: Array(text.utf8))
            #expect(sent.status == (number == 0 ? 69 : 0), "\(sent.text)")
        }
        #expect(try messages("verified/other").map { $0.contains("dkim=pass") } == [true, true])
    }
}
