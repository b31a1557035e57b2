import Foundation
import TestSupport
import Testing

/// Other people's clients against smtp-serve. A test of a program that is not here says so.
@Suite("smtp-serve and its peers")
struct SmtpServePeerTests {
    private static func needs(_ name: String) -> String? {
        guard let path = ToolProcess.peer(name) else {
            print("\(name) is not installed: left out")
            return nil
        }
        return path
    }

    private func messages(_ directory: TestDirectory, _ maildir: String) throws -> [String] {
        try directory.names("\(maildir)/new").map {
            String(decoding: try directory.read("\(maildir)/new/\($0)"), as: UTF8.self)
        }
    }

    private static func certificate(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("OpenSSLTests/Data/\(name)").path
    }

    private func server(_ directory: TestDirectory, _ more: [String] = []) throws -> TestServer {
        let accounts = try directory.write("accounts", "anna:{PLAIN}secret\n")
        return try TestServer(
            "smtp-serve",
            [
                "--mail", directory.file("mail"), "--cert", Self.certificate("server.pem"), "--key",
                Self.certificate("server.key"), "--auth-file", accounts,
            ] + more)
    }

    @Test("swaks: plain, TLS, every kind of login it has")
    func swaks() throws {
        guard let swaks = Self.needs("swaks") else { return }
        let directory = try TestDirectory()
        let server = try server(directory)
        let words = ["--server", "127.0.0.1:\(server.port)", "--from", "a@b.c", "--to", "d@e.f", "--silent", "3"]
        for more in [
            [], ["-tls"], ["-tls", "-a", "PLAIN", "-au", "anna", "-ap", "secret"],
            ["-a", "LOGIN", "-au", "anna", "-ap", "secret"], ["-a", "CRAM-MD5", "-au", "anna", "-ap", "secret"],
        ] {
            let result = try ToolProcess.run(swaks, words + more)
            // 28 and so on: a library of swaks is missing.
            #expect(
                result.status == 0 || result.status == 10 || result.diagnostics.contains("not available"),
                "\(more) \(result.diagnostics)")
        }
        #expect(try ToolProcess.run(swaks, words + ["-a", "PLAIN", "-au", "anna", "-ap", "wrong"]).status == 28)
        #expect(directory.names("mail/d/new").count >= 2)
    }

    @Test("curl: STARTTLS that is verified, a login, a large message")
    func curl() throws {
        guard let curl = Self.needs("curl") else { return }
        let directory = try TestDirectory()
        let server = try server(directory)
        let line = String(repeating: "x", count: 70) + "\r\n"
        let file = try directory.write("m", "Subject: large\r\n\r\n.dot\r\n" + String(repeating: line, count: 20_000))
        let result = try ToolProcess.run(
            curl,
            [
                "-sS", "--ssl-reqd", "--cacert", Self.certificate("authority.pem"), "-u", "anna:secret",
                "smtp://localhost:\(server.port)/client.example", "--mail-from", "a@b.c", "--mail-rcpt", "d@e.f",
                "--mail-rcpt", "g@e.f", "-T", file,
            ])
        #expect(result.status == 0, "\(result.diagnostics)")
        for name in ["d", "g"] {
            let stored = try messages(directory, "mail/\(name)").first ?? ""
            #expect(stored.contains("\n.dot\nxxx") && stored.contains("with ESMTPSA") && stored.utf8.count > 1_400_000)
        }
    }

    @Test("msmtp: STARTTLS and SCRAM or PLAIN")
    func msmtp() throws {
        guard let msmtp = Self.needs("msmtp") else { return }
        let directory = try TestDirectory()
        let server = try server(directory)
        let result = try ToolProcess.run(
            msmtp,
            [
                "--host=localhost", "--port=\(server.port)", "--tls=on", "--tls-starttls=on",
                "--tls-trust-file=\(Self.certificate("authority.pem"))", "--auth=plain", "--user=anna",
                "--passwordeval=echo secret", "--from=a@b.c", "d@e.f",
            ], input: Array("Subject: x\n\nbody\n".utf8))
        #expect(result.status == 0, "\(result.diagnostics)")
        #expect(try messages(directory, "mail/d").first?.hasSuffix("body\n") == true)
    }

    @Test("smtp-source: many messages in many sessions, LMTP too")
    func smtpSource() throws {
        guard let source = Self.needs("smtp-source") else { return }
        let directory = try TestDirectory()
        let server = try server(directory)
        let words = ["-s", "10", "-m", "100", "-l", "5000", "-f", "a@b.c", "-t", "d@e.f"]
        #expect(try ToolProcess.run(source, words + ["127.0.0.1:\(server.port)"]).status == 0)
        #expect(try ToolProcess.run(source, words + ["-d", "-N", "127.0.0.1:\(server.port)"]).status == 0)
        let lmtp = try TestServer("smtp-serve", ["--lmtp", "--mail", directory.file("lmtp")])
        #expect(try ToolProcess.run(source, ["-L"] + words + ["127.0.0.1:\(lmtp.port)"]).status == 0)
        #expect(directory.names("lmtp/d/new").count == 100)
        let count = directory.names("mail").map { directory.names("mail/\($0)/new").count }.reduce(0, +)
        #expect(count == 200 && directory.names("mail/d/tmp").isEmpty)
    }

    @Test("s-nail")
    func nail() throws {
        guard let nail = Self.needs("s-nail") else { return }
        let directory = try TestDirectory()
        let server = try server(directory)
        let result = try ToolProcess.run(
            nail,
            [
                "-:/", "-Smta=smtp://127.0.0.1:\(server.port)", "-Ssmtp-auth=none", "-r", "a@b.c",
                "-s",
                "x", "d@e.f",
            ], input: Array("body\n".utf8))
        #expect(result.status == 0, "\(result.diagnostics)")
        let stored = try messages(directory, "mail/d")
        #expect(stored.first?.contains("\nSubject: x\n") == true)
    }
}
