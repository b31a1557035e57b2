import Foundation
import TestSupport
import Testing

@Suite("smtp-serve delivers")
struct SmtpServeDeliveryTests {
    /// A session on an open server; the code of each message's end.
    private func send(_ server: TestServer, _ content: String, to recipients: [String]) throws -> String {
        let client = try LineClient(port: server.port)
        _ = client.greet()
        return client.deliver(content, to: recipients)
    }

    @Test("into mboxes, with From_ lines quoted, one message after the other, under a lock")
    func mboxes() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mbox", directory.file("mail")])
        #expect(try send(server, "Subject: one\r\n\r\nFrom here\r\n>From there", to: ["b@c.d"]) == "250")
        #expect(try send(server, "Subject: two\r\n\r\nx", to: ["b@c.d", "b+tag@c.d"]) == "250")
        let text = String(decoding: try directory.read("mail/b"), as: UTF8.self)
        #expect(text.hasPrefix("From a@example.org "))
        #expect(text.contains("\n>From here\n>>From there\n\nFrom a@example.org "))
        #expect(text.components(separatedBy: "\nReturn-Path: <a@example.org>\n").count == 3)
        #expect(text.hasSuffix("\nx\n\n"))
        #expect(directory.names("mail") == ["b"])
    }

    @Test(
        "a binary message has CRLF in the server's own fields too, and those of a message from elsewhere one Return-Path"
    )
    func binary() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")])
        let client = try LineClient(port: server.port)
        _ = client.greet()
        #expect(client.code("MAIL FROM:<a@b.c> BODY=BINARYMIME") == "250" && client.code("RCPT TO:<b@c.d>") == "250")
        #expect(client.code("BDAT 14 LAST\r\nA: b\r\n\r\nx\ny\0") == "250")
        let binary = try #require(try ServeSupport.messages(directory, "mail/b").first)
        #expect(binary.hasSuffix("\r\nA: b\r\n\r\nx\ny\0\r\n"))
        let header = binary.components(separatedBy: "\r\n\r\n")[0]
        #expect(header.components(separatedBy: "\r\n").allSatisfy { !$0.contains("\n") })
        #expect(client.deliver("Return-Path: <old@x.y>\r\nSubject: x\r\n\r\nx", to: ["e@c.d"]) == "250")
        let text = try #require(try ServeSupport.messages(directory, "mail/e").first)
        #expect(text.hasPrefix("Return-Path: <a@example.org>\n") && !text.contains("old@x.y"))
    }

    @Test("fifty messages at once into one mbox are all there, whole")
    func manyIntoOneMbox() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mbox", directory.file("mail")])
        let threads = (0..<10).map { number in
            let thread = Thread {
                guard let client = try? LineClient(port: server.port) else { return }
                _ = client.greet()
                for index in 0..<5 { _ = client.deliver("Subject: m\(number)-\(index)\r\n\r\nbody") }
            }
            thread.start()
            return thread
        }
        while threads.contains(where: { !$0.isFinished }) { usleep(1_000) }
        let text = String(decoding: try directory.read("mail/b"), as: UTF8.self)
        #expect(Set(text.matches(of: /Subject: (m[0-9]-[0-9])\n\nbody\n\n/).map(\.1)).count == 50)
        #expect(text.components(separatedBy: "\n\nFrom a@example.org ").count == 50)
    }

    @Test("to a program, whose exit code is the answer (sysexits)")
    func programs() throws {
        let directory = try TestDirectory()
        let script =
            "cat >>\(directory.file("out")); echo \"$SENDER $RECIPIENT $USER $EXTENSION\" >>\(directory.file("env")); exit ${EXTENSION:-0}"
        let server = try TestServer("smtp-serve", ["--pipe", script])
        for (address, code) in [
            ("b@c.d", "250"), ("b+67@c.d", "550"), ("b+77@c.d", "550"), ("b+65@c.d", "554"), ("b+75@c.d", "451"),
            ("b+1@c.d", "451"),
        ] { #expect(try send(server, "Subject: x\r\n\r\nbody", to: [address]) == code, "\(address)") }
        let environment = String(decoding: try directory.read("env"), as: UTF8.self)
        #expect(environment.hasPrefix("a@example.org b@c.d b \na@example.org b+67@c.d b 67\n"))
        let out = String(decoding: try directory.read("out"), as: UTF8.self)
        #expect(
            out.hasPrefix("Return-Path: <a@example.org>\nDelivered-To: b@c.d\nReceived: ") && out.contains("\nbody\n"))
    }

    @Test("by the users file: Maildir, mbox, program, filters; nobody else, but a postmaster")
    func users() throws {
        let directory = try TestDirectory()
        let lines = """
            # users
            anna
            bob@example.net   \(directory.file("bobs"))/
            carol             \(directory.file("carol"))   # an mbox
            dave              |cat >\(directory.file("dave"))
            erin              filter='sed s/secret/public/' \(directory.file("erin"))/
            """
        let server = try TestServer(
            "smtp-serve", ["--mail", directory.file("mail"), "--users", try directory.write("users", lines)])
        let message = "Subject: x\r\n\r\nsecret"
        for (address, code) in [
            ("anna@any.where", "250"), ("Anna+tag@example.net", "250"), ("bob@example.net", "250"),
            ("bob@other.example", "550"), ("carol@c.d", "250"), ("dave@c.d", "250"), ("erin@c.d", "250"),
            ("nobody@c.d", "550"), ("postmaster@c.d", "250"), ("Postmaster", "250"),
        ] { #expect(try send(server, message, to: [address]) == code, "\(address)") }
        #expect(directory.names("mail/anna/new").count == 2 && directory.names("bobs/new").count == 1)
        #expect(directory.names("mail/postmaster/new").count == 2)
        #expect(String(decoding: try directory.read("carol"), as: UTF8.self).hasSuffix("secret\n\n"))
        #expect(String(decoding: try directory.read("dave"), as: UTF8.self).hasSuffix("secret\n"))
        #expect(try ServeSupport.messages(directory, "erin").first?.hasSuffix("public\n") == true)
        // A user more, after SIGHUP.
        try directory.write("users", lines + "\nfrank\n")
        server.process.signal(SIGHUP)
        while let line = server.process.nextLine(), !line.contains("\"reload\"") {}
        #expect(try send(server, message, to: ["frank@c.d"]) == "250")
    }

    @Test("by aliases: lists, includes, files, programs, catch-alls; each place once")
    func aliases() throws {
        let directory = try TestDirectory()
        let included = try directory.write("list", "# members\nanna\n\nbob, carol\n")
        let lines = """
            staff:  anna, bob,
                    carol
            anna:   anna, \(directory.file("copies"))
            list:   :include:\(included)
            tool:   "|cat >\(directory.file("tool"))"
            circle: loop
            loop:   circle
            "odd name": bob
            @example.net: catchall
            """
        let server = try TestServer(
            "smtp-serve",
            [
                "--mail", directory.file("mail"), "--aliases", try directory.write("aliases", lines), "--show-users",
                "--domain", "c.d", "--domain", "example.net",
            ])
        #expect(try send(server, "Subject: one\r\n\r\nx", to: ["staff@c.d", "anna@c.d"]) == "250")
        #expect(["anna", "bob", "carol"].allSatisfy { directory.names("mail/\($0)/new").count == 1 })
        #expect(try directory.read("copies").starts(with: "From ".utf8))
        #expect(try send(server, "x", to: ["list@c.d"]) == "250")
        #expect(["anna", "bob", "carol"].allSatisfy { directory.names("mail/\($0)/new").count == 2 })
        #expect(try send(server, "y", to: ["tool@c.d"]) == "250")
        #expect(String(decoding: try directory.read("tool"), as: UTF8.self).hasSuffix("y\n"))
        #expect(try send(server, "x", to: ["circle@c.d"]) == "550")
        #expect(try send(server, "x", to: ["\"odd name\"@c.d"]) == "250")
        #expect(try send(server, "x", to: ["whoever@example.net"]) == "250")
        #expect(directory.names("mail/catchall/new").count == 1)
        let client = try LineClient(port: server.port)
        _ = client.greet()
        #expect(client.code("VRFY anna") == "250" && client.code("VRFY <circle@c.d>") == "550")
        client.send("EXPN staff\r\n")
        #expect(client.reply() == ["250-2.1.5 <anna>", "250-2.1.5 <bob>", "250 2.1.5 <carol>"])
        #expect(client.code("EXPN nolist") == "550")
    }

    @Test("mail for others goes into the queue, for those who may relay, with the parameters of the sender")
    func relaying() throws {
        let directory = try TestDirectory()
        let aliases = try directory.write("aliases", "away: away@elsewhere.example\nowner-away: anna\n")
        let words = ["--mail", directory.file("mail"), "--domain", "example.net", "--aliases", aliases]
        let closed = try TestServer("smtp-serve", words)
        #expect(try send(closed, "x", to: ["a@elsewhere.example"]) == "550")
        #expect(try send(closed, "x", to: ["away@example.net"]) == "451")
        let server = try TestServer(
            "smtp-serve", words + ["--queue", directory.file("queue"), "--relay-for", "127.0.0.0/8"])
        let client = try LineClient(port: server.port)
        #expect(client.greet().contains("250-ETRN"))
        #expect(client.code("MAIL FROM:<a@example.org> BODY=8BITMIME RET=HDRS ENVID=x1") == "250")
        #expect(client.code("RCPT TO:<b@elsewhere.example> NOTIFY=FAILURE ORCPT=rfc822;b@elsewhere.example") == "250")
        #expect(client.code("RCPT TO:<c@example.net>") == "250")
        #expect(client.code("DATA") == "354")
        #expect(client.code("Subject: q\r\n\r\n..dot\r\n.") == "250")
        #expect(directory.names("mail/c/new").count == 1)
        let names = directory.names("queue").filter { $0.hasSuffix(".bsmtp") }
        #expect(names.count == 1)
        let entry = String(decoding: try directory.read("queue/\(names.first ?? "")"), as: UTF8.self)
        #expect(entry.contains("MAIL FROM:<a@example.org> BODY=8BITMIME RET=HDRS ENVID=x1\r\n"))
        #expect(
            entry.contains("RCPT TO:<b@elsewhere.example> NOTIFY=FAILURE ORCPT=rfc822;b@elsewhere.example\r\nDATA\r\n"))
        #expect(entry.contains("Received: from client.example") && entry.contains("\r\n..dot\r\n.\r\n"))
        #expect(!entry.contains("c@example.net"))
        #expect(client.deliver("x", to: ["away@example.net"]) == "250")
        let forwarded = directory.names("queue").filter { $0.hasSuffix(".bsmtp") && !names.contains($0) }
        let second = String(decoding: try directory.read("queue/\(forwarded.first ?? "")"), as: UTF8.self)
        #expect(
            second.contains("MAIL FROM:<owner-away@example.net>") && second.contains("RCPT TO:<away@elsewhere.example>")
        )
    }

    @Test("LMTP: an answer for each recipient, and one that fails does not stop the others (RFC 2033)")
    func lmtp() throws {
        let directory = try TestDirectory()
        let users = try directory.write("users", "b\nc |exit 67\nd\n")
        let server = try TestServer(
            "smtp-serve", ["--lmtp", "--mail", directory.file("mail"), "--users", users])
        let client = try LineClient(port: server.port)
        _ = client.greet("LHLO client.example")
        _ = client.code("MAIL FROM:<a@example.org>")
        for name in ["b", "nobody", "c", "d"] { _ = client.code("RCPT TO:<\(name)@example.net>") }
        #expect(client.code("DATA") == "354")
        client.send("Subject: x\r\n\r\nx\r\n.\r\n")
        let replies = (0..<3).map { _ in client.reply().last.map { String($0.prefix(3)) } }
        #expect(replies == ["250", "550", "250"])
        #expect(directory.names("mail/b/new").count == 1 && directory.names("mail/d/new").count == 1)
        #expect(try ServeSupport.messages(directory, "mail/b").first?.contains(" with LMTP id ") == true)
    }

    @Test("a file that --stdout fills holds whole messages only", arguments: ["mboxrd", "bsmtp"])
    func fullCapture(_ format: String) throws {
        let directory = try TestDirectory()
        let server = try ToolProcess(
            "/bin/sh",
            [
                "-c", "ulimit -f 100 && exec \"$0\" --listen 127.0.0.1:0 --json --stdout \(format) 2>&1 >\"$1\"",
                ToolProcess.path(of: "smtp-serve"), directory.file("out"),
            ])
        defer { server.signal(SIGKILL) }
        let line = server.nextLine(seconds: 20) ?? ""
        let port = try #require(line.firstMatch(of: /127\.0\.0\.1:([0-9]+)/).flatMap { UInt16($0.1) })
        let client = try LineClient(port: port)
        _ = client.greet()
        let large = String(repeating: String(repeating: "x", count: 70) + "\r\n", count: 500)
        let codes = (0..<4).map { client.deliver("X-N: \($0)\r\n\r\n" + large) }
        #expect(codes == ["250", "452", "452", "452"])
        #expect(client.deliver("X-N: 9\r\n\r\nlast") == "250")
        server.signal(SIGTERM)
        #expect(server.wait() == 0)
        let written = String(decoding: try directory.read("out"), as: UTF8.self)
        #expect(written.matches(of: /X-N: [0-9]/).map { String($0.output) } == ["X-N: 0", "X-N: 9"])
        let begin = format == "mboxrd" ? "\n\nFrom a@example.org " : "\r\n.\r\nMAIL FROM:<a@example.org>"
        #expect(written.contains(begin) && written.hasSuffix(format == "mboxrd" ? "\nlast\n\n" : "\r\nQUIT\r\n"))
    }

    @Test("--stdout writes mboxrd or batch SMTP before it answers, and events go to standard error")
    func capture() throws {
        for format in ["mboxrd", "bsmtp"] {
            let directory = try TestDirectory()
            let path = directory.file("unix")
            let process = try ToolProcess(
                "smtp-serve", ["--listen", "unix:\(path)", "--stdout", format, "--hostname", "mx.example"])
            while !FileManager.default.fileExists(atPath: path) { usleep(2_000) }
            let sent = try ToolProcess.run(
                "/bin/sh", ["-c", "socat -t 5 - UNIX-CONNECT:\(path) || exit 99"],
                input: Array(
                    "EHLO c\r\nMAIL FROM:<a@b.c> BODY=8BITMIME\r\nRCPT TO:<d@e.f>\r\nDATA\r\nx\r\n..y\r\n.\r\nQUIT\r\n"
                        .utf8))
            guard sent.status != 99, sent.status != 127 else { continue }  // no socat here
            process.signal(SIGTERM)
            let result = try process.finish()
            #expect(result.status == 0)
            if format == "mboxrd" {
                #expect(result.text.hasPrefix("From a@b.c ") && result.text.hasSuffix("\nx\n.y\n\n"))
                #expect(result.text.contains("\nReturn-Path: <a@b.c>\nDelivered-To: d@e.f\nReceived: from c ([unix])"))
            } else {
                #expect(
                    result.text.hasPrefix(
                        "EHLO mx.example\r\nMAIL FROM:<a@b.c> BODY=8BITMIME\r\nRCPT TO:<d@e.f>\r\nDATA\r\n"))
                #expect(result.text.hasSuffix("\r\nx\r\n..y\r\n.\r\nQUIT\r\n"))
            }
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    @Test("--stdio serves one session, from a pipe and from a file")
    func standardStreams() throws {
        let directory = try TestDirectory()
        let session = "EHLO c\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"
        let words = ["--stdio", "--mail", directory.file("mail"), "--hostname", "mx.example"]
        let piped = try ToolProcess.run("smtp-serve", words, input: Array(session.utf8))
        #expect(piped.status == 0 && piped.text.hasPrefix("220 mx.example ESMTP Facteur\r\n"))
        #expect(piped.text.hasSuffix("221 2.0.0 mx.example closes the connection\r\n"))
        let file = try directory.write("session", session)
        let tool = ToolProcess.path(of: "smtp-serve")
        let script = "exec '\(tool)' --stdio --mail '\(directory.file("mail"))' <'\(file)'"
        let fromFile = try ToolProcess.run("/bin/sh", ["-c", script])
        #expect(fromFile.status == 0 && fromFile.text.contains("\r\n221 "))
        #expect(directory.names("mail/d/new").count == 2)
    }

    @Test("a Unix socket that nobody listens on any more is replaced")
    func unixSocket() throws {
        let directory = try TestDirectory()
        let path = directory.file("socket")
        for _ in 0..<2 {
            let process = try ToolProcess("smtp-serve", ["--listen", "unix:\(path)", "--sink", "--json"])
            #expect(process.nextLine()?.contains("unix:\(path)") == true)
            process.signal(SIGKILL)
            _ = process.wait()
        }
    }

    @Test("a binary message is stored as it came, and one in UTF-8 says so in its trace")
    func encodings() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")])
        let client = try LineClient(port: server.port)
        _ = client.greet()
        _ = client.code("MAIL FROM:<a@b.c> BODY=BINARYMIME")
        _ = client.code("RCPT TO:<d@e.f>")
        #expect(client.code("BDAT 10 LAST\r\na\r\n\r\nb\0\r") == "250")
        #expect(client.code("MAIL FROM:<ä@exämple.org> SMTPUTF8") == "250")
        #expect(client.code("RCPT TO:<d@e.f>") == "250")
        #expect(client.code("BDAT 3 LAST\r\nx\r\n") == "250")
        let stored = try directory.names("mail/d/new").map { try directory.read("mail/d/new/\($0)") }
        #expect(stored.contains { $0.suffix(10).elementsEqual("a\r\n\r\nb\0\r\r\n".utf8) })
        #expect(stored.contains { String(decoding: $0, as: UTF8.self).contains(" with UTF8SMTP id ") })
    }
}
