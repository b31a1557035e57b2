import Foundation
import TestSupport
import Testing

@Suite("smtp-send beside the programs that call it, and that it calls")
struct SmtpSendPeerTests {
    private let directory: TestDirectory

    init() throws {
        directory = try TestDirectory()
        try FileManager.default.createSymbolicLink(
            atPath: directory.file("sendmail"), withDestinationPath: ToolProcess.path(of: "smtp-send"))
    }

    /// A server of ours that keeps mail, and a sendmail that sends to it.
    private func server() throws -> TestServer {
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")])
        try directory.write(".smtp-send", "server 127.0.0.1:\(server.port)\n")
        return server
    }

    private func mail(_ user: String) throws -> [String] {
        try directory.names("mail/\(user)/new").map {
            String(decoding: try directory.read("mail/\(user)/new/\($0)"), as: UTF8.self)
        }
    }

    private func run(_ program: String, _ arguments: [String], input: String = "") throws -> ToolProcess.Result {
        let environment = [
            "HOME": directory.path, "EMAIL": "ann@example.org", "GIT_CONFIG_NOSYSTEM": "1", "MAILRC": "/dev/null",
            "GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.org", "GIT_COMMITTER_NAME": "Ann",
            "GIT_COMMITTER_EMAIL": "ann@example.org",
        ]
        return try ToolProcess.run(
            program, arguments, input: Array(input.utf8), environment: environment, directory: directory.path)
    }

    @Test(
        "s-nail sends through our sendmail",
        .enabled(if: ToolProcess.peer("s-nail") != nil, "s-nail is not installed"))
    func nail() throws {
        let server = try server()
        let result = try run(
            try #require(ToolProcess.peer("s-nail")),
            [
                "-:/", "-Smta=\(directory.file("sendmail"))",
                "-Smta-arguments=--server 127.0.0.1:\(server.port)", "-Sfrom=ann@example.org", "-s", "hi", "-c",
                "carl@example.org",
                "bob@example.org",
            ], input: "hello\n.\nmore\n")
        #expect(result.status == 0, "\(result.diagnostics)")
        for user in ["bob", "carl"] {
            let mail = try mail(user)
            #expect(mail.count == 1 && mail[0].contains("Subject: hi\n"))
        }
        server.stop()
    }

    @Test(
        "git send-email sends through our sendmail",
        .enabled(
            if: ToolProcess.peer("git") != nil && access("/usr/lib/git-core/git-send-email", X_OK) == 0,
            "git send-email is not installed"))
    func gitSendEmail() throws {
        let server = try server()
        let git = try #require(ToolProcess.peer("git"))
        #expect(try run(git, ["init", "-q", "."]).status == 0)
        try directory.write("file", "text\n")
        #expect(try run(git, ["add", "file"]).status == 0)
        #expect(try run(git, ["commit", "-q", "-m", "A change"]).status == 0)
        for command in [
            "\(directory.file("sendmail"))", "\(ToolProcess.path(of: "smtp-send")) --server 127.0.0.1:\(server.port)",
        ] {
            let result = try run(
                git,
                [
                    "send-email", "--quiet", "--confirm=never", "--sendmail-cmd=\(command)", "--from=ann@example.org",
                    "--to=bob@example.org", "-1", "--root",
                ])
            #expect(result.status == 0, "\(result.diagnostics)")
        }
        let mail = try mail("bob")
        #expect(mail.count == 2 && mail.allSatisfy { $0.contains("Subject: [PATCH] A change\n") })
        server.stop()
    }

    @Test(
        "Postfix's smtp-sink takes what we send, over several connections and with BDAT",
        .enabled(if: ToolProcess.peer("smtp-sink") != nil, "smtp-sink of Postfix is not installed"))
    func sink() throws {
        let probe = try TestServer("smtp-serve", ["--sink"])
        let port = probe.port
        probe.stop()
        let sink = try ToolProcess(
            try #require(ToolProcess.peer("smtp-sink")),
            (getuid() == 0 ? ["-u", "nobody"] : []) + ["-c", "127.0.0.1:\(port)", "10"])
        defer { sink.signal(SIGTERM) }
        let words = [
            "--server", "127.0.0.1:\(port)", "--from", "a@example.org", "--to", "b@example.org", "--subject", "x",
        ]
        var result = try run("smtp-send", words)
        for _ in 0..<50 where result.status == 75 {
            usleep(50_000)
            result = try run("smtp-send", words)
        }
        #expect(result.status == 0)
        #expect(try run("smtp-send", words + ["--repeat", "200", "--parallel", "4"]).text.contains("200 accepted"))
    }
}
