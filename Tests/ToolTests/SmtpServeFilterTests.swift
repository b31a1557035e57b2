import Foundation
import TestSupport
import Testing

@Suite("smtp-serve's filters")
struct SmtpServeFilterTests {
    private func send(_ server: TestServer, _ content: String, to recipients: [String] = ["b@c.d"]) throws -> String {
        let client = try LineClient(port: server.port)
        _ = client.greet()
        return client.deliver(content, to: recipients)
    }

    @Test("a program rewrites, refuses, fails or hangs; several work one after the other")
    func programs() throws {
        for (script, code, stored) in [
            ("sed s/body/BODY/", "250", "BODY\n"), ("cat >/dev/null", "250", "body\n"), ("exit 1", "550", nil),
            ("exit 2", "451", nil), ("kill -9 $$", "451", nil), ("sleep 5", "451", nil),
            ("/no/such/program", "451", nil),
            ("echo \"X-Env: $SENDER $RECIPIENTS $HELO\"; cat", "250", "body\n"),
        ] as [(String, String, String?)] {
            let directory = try TestDirectory()
            let server = try TestServer(
                "smtp-serve", ["--mail", directory.file("mail"), "--filter", script, "--filter-timeout", "500ms"])
            #expect(try send(server, "Subject: x\r\n\r\nbody") == code, "\(script)")
            let messages = try ServeSupport.messages(directory, "mail/b")
            #expect(messages.first?.hasSuffix(stored ?? "nothing") ?? (stored == nil), "\(script)")
            if script.contains("X-Env") {
                #expect(messages[0].contains("\nX-Env: a@example.org b@c.d client.example\n"))
            }
            #expect(directory.names("mail/b/tmp").isEmpty)
        }
        let directory = try TestDirectory()
        let words = ["--filter", "sed s/a/b/g", "--filter", "sed s/b/c/g", "--filter", "exit 7", "--filter-open"]
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")] + words)
        #expect(try send(server, "x: y\r\n\r\naaa") == "250")
        #expect(try ServeSupport.messages(directory, "mail/b").first?.hasSuffix("\nccc\n") == true)
    }

    @Test("messages of any size, through a filter too", arguments: ["0", "9223372036854775807"])
    func anySize(_ limit: String) throws {
        let directory = try TestDirectory()
        let server = try TestServer(
            "smtp-serve", ["--mail", directory.file("mail"), "--filter", "cat", "--max-size", limit])
        #expect(try send(server, "Subject: x\r\n\r\nbody") == "250")
    }

    @Test("a large message goes through a filter whole")
    func large() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail"), "--filter", "cat"])
        let line = String(repeating: "x", count: 70) + "\r\n"
        #expect(try send(server, "Subject: x\r\n\r\n" + String(repeating: line, count: 5_000) + "end") == "250")
        let stored = try ServeSupport.messages(directory, "mail/b").first ?? ""
        #expect(stored.hasSuffix("xx\nend\n") && stored.utf8.count > 5_000 * 71)
    }

    @Test("clamd: clean, infected into the quarantine or refused, failing, absent")
    func clamd() throws {
        let scanner = try StandIn { received, _ in
            guard received.count >= 14, received.suffix(4).elementsEqual([0, 0, 0, 0]) else { return nil }
            let text = String(decoding: received, as: UTF8.self)
            let answer =
                text.contains("EICAR") ? "stream: Eicar-Test FOUND" : text.contains("LIMIT") ? "x ERROR" : "stream: OK"
            return (Array((answer + "\0").utf8), received.count, true)
        }
        let directory = try TestDirectory()
        let words = ["--mail", directory.file("mail"), "--filter", "clamd:127.0.0.1:\(scanner.port)"]
        let server = try TestServer("smtp-serve", words)
        #expect(try send(server, "x: y\r\n\r\nclean") == "250" && send(server, "x: y\r\n\r\nEICAR") == "554")
        #expect(try send(server, "x: y\r\n\r\nLIMIT") == "451")
        let keeping = try TestServer("smtp-serve", words + ["--quarantine", directory.file("infected")])
        #expect(try send(keeping, "x: y\r\n\r\nEICAR") == "250")
        let kept = try ServeSupport.messages(directory, "infected").first ?? ""
        #expect(kept.contains("X-Quarantine-Reason: infected: Eicar-Test\nX-Quarantine-Recipients: b@c.d\n"))
        #expect(directory.names("mail/b/new").count == 1)
        let sink = try TestServer("smtp-serve", ["--sink", "--filter", "clamd:unix:\(directory.file("none"))"])
        #expect(try send(sink, "x: y\r\n\r\nx") == "451")
        let alone = try TestServer(
            "smtp-serve", ["--mail", directory.file("mail"), "--filter", "clamd:unix:\(directory.file("none"))"])
        #expect(try send(alone, "x: y\r\n\r\nx") == "451")
    }

    @Test("spamd: the message comes back rewritten; half an answer is none")
    func spamd() throws {
        let service = try StandIn { received, _ in
            let text = String(decoding: received, as: UTF8.self)
            guard let length = text.firstMatch(of: /Content-length: ([0-9]+)\r\n\r\n/).flatMap({ Int($0.1) }),
                let end = text.firstRange(of: "\r\n\r\n"), text[end.upperBound...].utf8.count >= length
            else { return nil }
            let message = "X-Spam-Status: No\n" + text[end.upperBound...]
            let claimed = message.utf8.count + (message.contains("HALF") ? 10 : 0)
            let head = "SPAMD/1.1 0 EX_OK\r\nContent-length: \(claimed)\r\nSpam: False ; 0.1 / 5.0\r\n\r\n"
            return (Array((head + message).utf8), received.count, true)
        }
        let directory = try TestDirectory()
        let server = try TestServer(
            "smtp-serve", ["--mail", directory.file("mail"), "--filter", "spamd:127.0.0.1:\(service.port)"])
        #expect(try send(server, "x: y\r\n\r\nbody") == "250" && send(server, "x: y\r\n\r\nHALF") == "451")
        let stored = try ServeSupport.messages(directory, "mail/b")
        #expect(
            stored.count == 1 && stored[0].contains("\nX-Spam-Status: No\nReceived: ") && stored[0].hasSuffix("body\n"))
    }

    @Test("SPF, DKIM and DMARC are noted, and enforced when asked to")
    func senders() throws {
        let directory = try TestDirectory()
        let zone = try directory.write(
            "zone",
            """
            good.example. TXT "v=spf1 ip4:127.0.0.0/8 -all"
            bad.example. TXT "v=spf1 -all"
            _dmarc.bad.example. TXT "v=DMARC1; p=reject"
            """)
        let words = ["--mail", directory.file("mail"), "--dns", zone, "--hostname", "mx.example"]
        let noting = try TestServer("smtp-serve", words + ["--spf", "--dkim", "--dmarc", "--arc"])
        func deliver(_ server: TestServer, _ domain: String) throws -> String {
            let client = try LineClient(port: server.port)
            _ = client.greet()
            let forged = "Authentication-Results: mx.example; spf=pass smtp.mailfrom=forged.example\r\n"
            return client.deliver("\(forged)From: a@\(domain)\r\nSubject: x\r\n\r\nbody", from: "a@\(domain)")
        }
        #expect(try deliver(noting, "good.example") == "250" && deliver(noting, "bad.example") == "250")
        let stored = try ServeSupport.messages(directory, "mail/b")
        let good = stored.first { $0.contains("From: a@good") } ?? ""
        #expect(good.contains("Authentication-Results: mx.example;\n\tspf=pass smtp.mailfrom="))
        #expect(good.contains("dkim=none") && good.contains("arc=none") && !good.contains("forged.example"))
        let bad = stored.first { $0.contains("From: a@bad") } ?? ""
        #expect(bad.contains("spf=fail") && bad.contains("dmarc=fail"))
        let strict = try TestServer("smtp-serve", words + ["--spf,reject"])
        #expect(try deliver(strict, "bad.example") == "550" && deliver(strict, "good.example") == "250")
        let policy = try TestServer("smtp-serve", words + ["--dmarc=reject"])
        #expect(try deliver(policy, "bad.example") == "550" && deliver(policy, "good.example") == "250")
    }

    @Test("NOTIFY=SUCCESS is answered with a report when the message is delivered (RFC 3461)")
    func successReport() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")])
        let client = try LineClient(port: server.port)
        _ = client.greet()
        _ = client.code("MAIL FROM:<sender@example.org> ENVID=E1")
        _ = client.code("RCPT TO:<b@c.d> NOTIFY=SUCCESS ORCPT=rfc822;orig@c.d")
        _ = client.code("RCPT TO:<e@c.d> NOTIFY=NEVER")
        _ = client.code("DATA")
        #expect(client.code("Subject: x\r\n\r\nbody\r\n.") == "250")
        let report = try ServeSupport.messages(directory, "mail/sender").first ?? ""
        #expect(report.hasPrefix("Return-Path: <>\n") && report.contains("report-type=delivery-status"))
        #expect(
            report.contains("Action: delivered") && report.contains("b@c.d")
                && report.contains("Original-Envelope-Id: E1"))
        #expect(!report.contains("e@c.d") && !report.contains("\nbody"))
    }
}
