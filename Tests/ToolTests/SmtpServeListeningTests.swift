import Foundation
import TestSupport
import Testing

@Suite("smtp-serve listens")
struct SmtpServeListeningTests {
    private let directory: TestDirectory

    init() throws { directory = try TestDirectory() }

    @Test(
        "on sockets that a service manager hands over (LISTEN_FDS), in place of the addresses, with their words",
        .enabled(if: ToolProcess.peer("python3") != nil, "python3 is not installed"))
    func handedOver() throws {
        let starter = """
            import os, socket, sys
            held = [socket.socket() for _ in range(2)]
            for one in held:
                one.bind(("127.0.0.1", 0))
                one.listen(10)
                os.set_inheritable(one.fileno(), True)
            print(" ".join(str(one.getsockname()[1]) for one in held), flush=True)
            copies = [os.dup(one.fileno()) for one in held]
            for place, copy in enumerate(copies):
                os.dup2(copy, 3 + place)
            os.environ["LISTEN_FDS"] = "2"
            os.environ["LISTEN_PID"] = str(os.getpid())
            os.execv(sys.argv[1], sys.argv[1:])
            """
        let server = try ToolProcess(
            try #require(ToolProcess.peer("python3")),
            [
                "-c", starter, ToolProcess.path(of: "smtp-serve"), "--mail", directory.file("mail"), "--json",
                "--listen", "127.0.0.1:1", "--listen", "127.0.0.1:2,proxy",
            ])
        let ports = (server.nextLine(seconds: 30) ?? "").split(separator: " ").compactMap { UInt16($0) }
        try #require(ports.count == 2)
        let client = try LineClient(port: ports[0])
        _ = client.greet()
        #expect(client.deliver("x") == "250")
        let proxied = try LineClient(port: ports[1])
        proxied.send("PROXY TCP4 192.0.2.9 192.0.2.1 4000 25\r\n")
        _ = proxied.greet()
        #expect(proxied.deliver("Subject: y\r\n\r\ny", to: ["c@example.net"]) == "250")
        #expect(try ServeSupport.messages(directory, "mail/c").first?.contains("([192.0.2.9])") == true)
        server.signal(SIGTERM)
        #expect(server.wait() == 0)
    }

    @Test("and becomes another user after that (--user)", .enabled(if: geteuid() == 0, "this is not root"))
    func becomesAnotherUser() throws {
        chmod(directory.path, 0o777)
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail"), "--user", "nobody"])
        let status = try String(contentsOfFile: "/proc/\(server.process.pid)/status", encoding: .utf8)
        let identifiers = status.split(separator: "\n").filter { $0.hasPrefix("Uid:") || $0.hasPrefix("Gid:") }
        #expect(
            identifiers.count == 2 && identifiers.allSatisfy { !$0.split(separator: "\t").dropFirst().contains("0") })
        #expect(status.split(separator: "\n").contains { $0.hasPrefix("Groups:") && !$0.contains("\t0 ") })
        let client = try LineClient(port: server.port)
        _ = client.greet()
        #expect(client.deliver("x") == "250")
        var entry = stat()
        #expect(stat(directory.file("mail/b"), &entry) == 0 && entry.st_uid != 0)
        let unknown = try ToolProcess.run(
            "smtp-serve", ["--listen", "127.0.0.1:0", "--user", "no such user", "--mail", directory.file("mail")])
        #expect(unknown.status == 78)
    }

    @Test(
        "and what root makes for that user is that user's own", .enabled(if: geteuid() == 0, "this is not root"))
    func foldersOfAnotherUser() throws {
        chmod(directory.path, 0o755)
        let server = try TestServer(
            "smtp-serve",
            [
                "--user", "nobody", "--mail", directory.file("srv/mail"), "--queue", directory.file("srv/queue"),
                "--greylist", directory.file("srv/grey") + ":0s", "--domain", "example.net", "--relay-for",
                "127.0.0.0/8",
            ])
        let client = try LineClient(port: server.port)
        _ = client.greet()
        #expect(client.deliver("x") == "250" && client.deliver("x", to: ["b@elsewhere.example"]) == "250")
        #expect(directory.names("srv/mail/b/new").count == 1)
        #expect(directory.names("srv/queue").contains { $0.hasSuffix(".bsmtp") })
        try directory.write("root's/queue/x", "")
        let refused = try ToolProcess.run(
            "smtp-serve", ["--listen", "127.0.0.1:0", "--user", "nobody", "--mail", directory.file("root's/queue")])
        #expect(
            refused.status == 77
                && refused.diagnostics.contains("root's/queue: Permission denied: let the server's user"))
    }

    @Test(
        "or says what is wrong, and what to do about it",
        arguments: [
            ("--queue file", 73, "file: Not a directory: name another directory with --queue"),
            ("--greylist file", 73, "file: Not a directory: name another directory with --greylist"),
            ("--quarantine file", 73, "file: Not a directory: name another directory with --quarantine"),
            ("--mail file", 73, "file: Not a directory: name another directory with --mail"),
            ("--mbox file/below", 73, "file: Not a directory: name another directory with --mbox"),
            ("--users missing", 78, "missing: No such file or directory: name a file that can be read with --users"),
            ("--auth-file missing", 78, "No such file or directory: name a file that can be read with --auth-file"),
            ("--dns missing --spf", 78, "missing: No such file or directory: name a zone file with --dns"),
            ("--listen unix:missing/socket", 71, "No such file or directory: make the directory first"),
            ("--listen unix:file", 71, "Address already in use: a file is there: remove it"),
            ("--listen 192.0.2.1:0 --domain x", 71, "this machine has no such address, choose another --listen"),
            ("--user missing", 78, "--user missing: there is no such user: name another, or make it"),
            ("--hostname a=b", 64, "--hostname a=b: must be a domain such as mx.example.org"),
            ("--cert missing --key missing", 78, "name PEM files with --cert and --key"),
        ])
    func startErrors(_ arguments: String, _ status: Int32, _ reason: String) throws {
        try directory.write("file", "x")
        let words = arguments.split(separator: " ").map(String.init)
        let result = try ToolProcess.run(
            "smtp-serve", (words.contains("--listen") ? [] : ["--listen", "127.0.0.1:0"]) + words,
            directory: directory.path)
        #expect(result.status == status && result.diagnostics.hasPrefix("smtp-serve: "), "\(result.diagnostics)")
        #expect(result.diagnostics.contains(reason), "\(result.diagnostics)")
    }

    @Test("clients show certificates of --client-ca: --relay-for cert takes their mail, and nobody else's")
    func clientCertificates() throws {
        let server = try TestServer(
            "smtp-serve",
            [
                "--mail", directory.file("mail"), "--domain", "example.net", "--relay-for", "cert", "--queue",
                directory.file("queue"), "--client-ca", ServeSupport.certificate("authority.pem"),
            ] + ServeSupport.certificates)
        let words = [
            "--server", "localhost:\(server.port)", "--tls", "require", "--ca",
            ServeSupport.certificate("authority.pem"), "--from", "a@example.org", "--to", "far@elsewhere.example",
        ]
        let message = Array("Subject: x\n\nx\n".utf8)
        #expect(try ToolProcess.run("smtp-send", words, input: message).status == 69)
        let shown = [
            "--cert", ServeSupport.certificate("server.pem"), "--key", ServeSupport.certificate("server.key"),
        ]
        let relayed = try ToolProcess.run("smtp-send", words + shown, input: message)
        #expect(relayed.status == 0, "\(relayed.diagnostics)")
        #expect(directory.names("queue").count { $0.hasSuffix(".bsmtp") } == 1)
        // Mail for a local domain needs none.
        #expect(
            try ToolProcess.run("smtp-send", words + ["--to", "b@example.net"], input: message).status == 69)
        #expect(directory.names("mail/b/new").count == 1)
    }

    @Test("smtp-send says who the client is by either version of the PROXY protocol", arguments: ["1", "2"])
    func proxyHeaders(_ version: String) throws {
        let server = try TestServer(
            "smtp-serve", ["--mail", directory.file("mail")], listen: "127.0.0.1:0,proxy")
        for (source, shown) in [("192.0.2.7:99", "[192.0.2.7]"), ("[2001:db8::7]:99", "[IPv6:2001:db8::7]")] {
            let destination = source.hasPrefix("[") ? "[2001:db8::1]:25" : "192.0.2.1:25"
            let result = try ToolProcess.run(
                "smtp-send",
                [
                    "--server", "127.0.0.1:\(server.port)", "--proxy-version", version, "--proxy-source", source,
                    "--proxy-dest", destination, "--from", "a@example.org", "--to", "b@example.net",
                ], input: Array("Subject: x\n\nx\n".utf8))
            #expect(result.status == 0, "\(result.diagnostics)")
            #expect(try ServeSupport.messages(directory, "mail/b").contains { $0.contains("(\(shown))") })
        }
    }
}
