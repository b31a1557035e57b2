import Foundation
import TestSupport
import Testing

@Suite("smtp-serve's checks of clients")
struct SmtpServeCheckTests {
    /// A client that a proxy speaks for.
    private func client(_ server: TestServer, as address: String, _ hello: String = "EHLO c") throws -> LineClient {
        let client = try LineClient(port: server.port)
        let family = address.contains(":") ? "TCP6" : "TCP4"
        client.send("PROXY \(family) \(address) \(address) 1025 25\r\n")
        _ = client.greet(hello)
        return client
    }

    private func rcpt(_ client: LineClient, _ recipient: String = "b@example.net", from: String = "a@example.org")
        -> String
    {
        let first = client.code("MAIL FROM:<\(from)>")
        guard first == "250" else { return first }
        defer { _ = client.code("RSET") }
        return client.code("RCPT TO:<\(recipient)>")
    }

    private static let proxied = "127.0.0.1:0,proxy"

    @Test("the PROXY header names the client in events and trace; without one the connection ends")
    func proxy() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")], listen: Self.proxied)
        #expect(try client(server, as: "192.0.2.7").deliver("x") == "250")
        #expect(try client(server, as: "2001:db8::7").deliver("x") == "250")
        let stored = try ServeSupport.messages(directory, "mail/b")
        #expect(stored.contains { $0.contains("from c ([192.0.2.7])") })
        #expect(stored.contains { $0.contains("from c ([IPv6:2001:db8::7])") })
        let plain = try LineClient(port: server.port)
        plain.send("EHLO c\r\n")
        #expect(plain.rest().isEmpty)
    }

    @Test("greylisting: a triplet comes again after a while; those who may relay do not wait")
    func greylist() throws {
        let directory = try TestDirectory()
        let server = try TestServer(
            "smtp-serve", ["--sink", "--domain", "x", "--greylist", directory.file("grey") + ":1s"],
            listen: Self.proxied)
        #expect(try rcpt(client(server, as: "192.0.2.7")) == "250")  // a sink takes everything
        let real = try TestServer(
            "smtp-serve",
            [
                "--mail", directory.file("mail"), "--greylist", directory.file("grey") + ":1s", "--queue",
                directory.file("queue"), "--relay-for", "192.0.2.99",
            ], listen: Self.proxied)
        #expect(try rcpt(client(real, as: "192.0.2.7")) == "451")
        #expect(try rcpt(client(real, as: "192.0.2.8")) == "451")
        #expect(try rcpt(client(real, as: "192.0.2.99")) == "250")
        #expect(try rcpt(client(real, as: "192.0.2.7"), "postmaster@example.net") == "250")
        usleep(2_100_000)
        #expect(try rcpt(client(real, as: "192.0.2.200"), "B@example.net") == "250")  // the same network, without case
        #expect(try rcpt(client(real, as: "192.0.2.7"), "other@example.net") == "451")
        #expect(try rcpt(client(real, as: "198.51.100.7")) == "451")
        #expect(directory.names("grey").count == 3)
    }

    @Test("DNS lists are weighed, names are looked at, and nothing but a list is enough to be refused (RFC 5782)")
    func lists() throws {
        let directory = try TestDirectory()
        let zone = try directory.write(
            "zone",
            """
            7.2.0.192.bl.example. A 127.0.0.2
            8.2.0.192.bl.example. A 127.0.0.2
            8.2.0.192.half.example. A 127.0.0.4
            9.2.0.192.half.example. A 127.0.0.4
            10.2.0.192.bl.example. A 127.255.255.254
            11.2.0.192.in-addr.arpa. PTR good.example.
            good.example. A 192.0.2.11
            """)
        let server = try TestServer(
            "smtp-serve",
            ["--mail", directory.file("mail"), "--dns", zone, "--dnsbl", "bl.example", "--dnsbl", "half.example=0.3"],
            listen: Self.proxied)
        let listed = try client(server, as: "192.0.2.7")
        _ = listed.code("MAIL FROM:<a@b.c>")
        listed.send("RCPT TO:<b@c.d>\r\n")
        let reply = listed.reply().last ?? ""
        #expect(reply.hasPrefix("554 5.7.1 ") && reply.contains("192.0.2.7") && reply.contains("bl.example"))
        #expect(listed.code("RCPT TO:<postmaster@c.d>") == "250")
        #expect(try rcpt(client(server, as: "192.0.2.8")) == "554")
        #expect(try rcpt(client(server, as: "192.0.2.9")) == "250")
        #expect(try rcpt(client(server, as: "192.0.2.10")) == "250")
        #expect(try rcpt(client(server, as: "192.0.2.11", "EHLO good.example")) == "250")
        let score = try #require(event(server, "reputation", "192.0.2.9"))
        #expect(score.contains("\"score\":0.90"))
        let good = try #require(event(server, "reputation", "192.0.2.11"))
        #expect(good.contains("\"score\":0.00") && good.contains("\"name\":\"good.example"))
    }

    private func event(_ server: TestServer, _ name: String, _ client: String) -> String? {
        while let line = server.process.nextLine(seconds: 3) {
            if line.contains("\"event\":\"\(name)\""), line.contains("\"client\":\"\(client)") { return line }
        }
        return nil
    }

    @Test("--max-rate: 450 for one message too many of a client")
    func rate() throws {
        let server = try TestServer("smtp-serve", ["--sink", "--max-rate", "3/min"], listen: Self.proxied)
        let codes = try (0..<5).map { _ in try rcpt(client(server, as: "192.0.2.7")) }
        #expect(codes == ["250", "250", "250", "450", "450"])
        #expect(try rcpt(client(server, as: "192.0.2.8")) == "250")
    }

    @Test("--greeting-delay: who waits is greeted late, who does not is refused")
    func greetingDelay() throws {
        let server = try TestServer("smtp-serve", ["--sink", "--greeting-delay", "300ms"])
        let begin = Date()
        let patient = try LineClient(port: server.port)
        #expect(patient.greet().last?.hasPrefix("250") == true && Date().timeIntervalSince(begin) > 0.29)
        let hasty = try LineClient(port: server.port)
        hasty.send("EHLO c\r\n")
        #expect(String(decoding: hasty.rest(), as: UTF8.self).hasPrefix("554 "))
    }

    @Test("AUTH: the right password lets mail be relayed, and greylisting is not for those (RFC 4954)")
    func authentication() throws {
        let directory = try TestDirectory()
        let accounts = try directory.write("accounts", "anna:{PLAIN}secret\n")
        let server = try TestServer(
            "smtp-serve",
            [
                "--mail", directory.file("mail"), "--domain", "example.net", "--auth-file", accounts, "--relay-for",
                "auth",
                "--queue", directory.file("queue"), "--greylist", directory.file("grey"),
            ])
        let client = try LineClient(port: server.port)
        #expect(client.greet().contains { $0.hasPrefix("250-AUTH SCRAM-SHA-256 ") && $0.contains(" PLAIN") })
        #expect(rcpt(client, "x@elsewhere.example") == "550" && rcpt(client) == "451")
        let wrong = Data("\0anna\0wrong".utf8).base64EncodedString()
        #expect(client.code("AUTH PLAIN \(wrong)") == "535")
        #expect(client.code("AUTH LOGIN") == "334" && client.code(Data("anna".utf8).base64EncodedString()) == "334")
        #expect(client.code(Data("secret".utf8).base64EncodedString()) == "235")
        #expect(rcpt(client, "x@elsewhere.example") == "250" && rcpt(client) == "250")
        #expect(client.deliver("Subject: x\r\n\r\nx") == "250")
        #expect(try ServeSupport.messages(directory, "mail/b").first?.contains("with ESMTPA id") == true)
        for mechanism in ["cram-md5", "login", "plain"] {
            try directory.write("password", "secret\n")
            let sent = try ToolProcess.run(
                "smtp-send",
                [
                    "--server", "127.0.0.1:\(server.port)", "--from", "a@example.org", "--to", "b@example.net",
                    "--auth",
                    mechanism, "--user", "anna", "--password-file", directory.file("password"),
                ], input: Array("Subject: x\n\nx".utf8))
            #expect(sent.status == 0, "\(mechanism): \(sent.diagnostics)")
        }
    }

    @Test("results in this server's name are no more believed when their sender has logged in (RFC 8601 5)")
    func forgedResults() throws {
        let directory = try TestDirectory()
        let accounts = try directory.write("accounts", "anna:{PLAIN}secret\n")
        let zone = try directory.write("zone", "x.example. TXT \"v=spf1 -all\"\n")
        let server = try TestServer(
            "smtp-serve",
            [
                "--mail", directory.file("mail"), "--auth-file", accounts, "--hostname", "mx.example", "--spf", "--dns",
                zone,
            ])
        let client = try LineClient(port: server.port)
        _ = client.greet()
        #expect(client.code("AUTH PLAIN " + Data("\0anna\0secret".utf8).base64EncodedString()) == "235")
        let forged = "Authentication-Results: mx.example; dkim=pass header.d=x.example\r\n"
        #expect(client.deliver(forged + "Authentication-Results: other.example; none\r\n\r\nx") == "250")
        let stored = try #require(try ServeSupport.messages(directory, "mail/b").first)
        #expect(!stored.contains("dkim=pass") && stored.contains("\nAuthentication-Results: other.example; none\n"))
    }

    @Test("passwords are taken over TLS only where others could listen, and with --require-tls")
    func passwordsInClear() throws {
        let directory = try TestDirectory()
        let accounts = try directory.write("accounts", "anna:{PLAIN}secret\n")
        let words = ["--mail", directory.file("mail"), "--auth-file", accounts] + ServeSupport.certificates
        let far = try TestServer("smtp-serve", words, listen: Self.proxied)
        let client = try client(far, as: "192.0.2.7")
        #expect(client.code("AUTH PLAIN AGFubmEAc2VjcmV0") == "538")
        let strict = try TestServer("smtp-serve", words + ["--require-tls"])
        let near = try LineClient(port: strict.port)
        #expect(!near.greet().contains { $0.contains("AUTH") })
        #expect(near.code("AUTH PLAIN AGFubmEAc2VjcmV0") == "538")
    }
}
