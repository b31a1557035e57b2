import Foundation
import TestSupport
import Testing

/// What many tests of smtp-serve do.
enum ServeSupport {
    /// The test certificates: an authority, and a server for mx.example.org, localhost and 127.0.0.1.
    static func certificate(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("OpenSSLTests/Data/\(name)").path
    }

    static var certificates: [String] {
        ["--cert", certificate("server.pem"), "--key", certificate("server.key")]
    }

    /// The messages in a Maildir's `new/`.
    static func messages(_ directory: TestDirectory, _ maildir: String) throws -> [String] {
        try directory.names("\(maildir)/new").map {
            String(decoding: try directory.read("\(maildir)/new/\($0)"), as: UTF8.self)
        }
    }
}

extension LineClient {
    /// Reads the greeting, says EHLO.
    func greet(_ hello: String = "EHLO client.example") -> [String] {
        _ = reply()
        send(hello + "\r\n")
        return reply()
    }

    /// The last line of the reply to a command.
    func code(_ command: String) -> String {
        send(command + "\r\n")
        return String((reply().last ?? LineClient.silence).prefix(3))
    }

    /// The code when there was no reply.
    static let silence = "---"

    /// One message from the transaction's begin to its end; the code of the last reply.
    func deliver(_ content: String, from: String = "a@example.org", to recipients: [String] = ["b@example.net"])
        -> String
    {
        var last = code("MAIL FROM:<\(from)>")
        guard last == "250" else { return last }
        for recipient in recipients { last = code("RCPT TO:<\(recipient)>") }
        if last == "250" { last = code("DATA") }
        guard last == "354" else {
            _ = code("RSET")
            return last
        }
        return code(content + "\r\n.")
    }
}

@Suite("smtp-serve")
struct SmtpServeTests {
    @Test("a message is in the Maildir with Return-Path, Delivered-To and Received when it is answered")
    func delivery() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail"), "--hostname", "mx.example"])
        let client = try LineClient(port: server.port)
        #expect(client.greet().first == "250-mx.example")
        #expect(client.deliver("Subject: x\r\n\r\n..dot", to: ["b@example.net"]) == "250")
        #expect(client.deliver("Subject: y\r\n\r\ny", from: "", to: ["b@example.net", "C+tag@example.net"]) == "250")
        let all = try ServeSupport.messages(directory, "mail/b")
        #expect(all.count == 2)
        let first = all.first { $0.contains("Subject: x") } ?? ""
        #expect(
            first.hasPrefix("Return-Path: <a@example.org>\nDelivered-To: b@example.net\nReceived: from client.example"))
        #expect(first.contains("by mx.example (Facteur) with ESMTP id ") && first.contains("for <b@example.net>;"))
        #expect(first.hasSuffix("Subject: x\n\n.dot\n"))
        let second = try ServeSupport.messages(directory, "mail/c").first ?? ""
        #expect(second.hasPrefix("Return-Path: <>\n") && !second.contains("for <") && !second.contains("b@example.net"))
        #expect(client.code("QUIT") == "221")
        #expect(server.stop() == 0)
    }

    @Test("a file where the folder of the mailboxes belongs is told at the start", arguments: ["--mail", "--mbox"])
    func noFolder(_ option: String) throws {
        let file = try TestDirectory()
        let result = try ToolProcess.run(
            "smtp-serve", ["--listen", "127.0.0.1:0", option, try file.write("mail", "")])
        #expect(result.status == 73 && result.diagnostics.contains("Not a directory: name another directory"))
    }

    @Test("what got 250 before kill -9 is there, whole and once (RFC 1123 5.3.3)")
    func durability() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")])
        let body = String(repeating: "0123456789abcdef\r\n", count: 200)
        let accepted = Locked<[String]>([])
        let threads = (0..<10).map { number in
            let port = server.port
            let thread = Thread {
                guard let client = try? LineClient(port: port) else { return }
                _ = client.greet()
                for index in 0..<200 {
                    let mark = "mark-\(number)-\(index)"
                    guard client.deliver("Subject: \(mark)\r\n\r\n\(body)end") == "250" else { return }
                    accepted.change { $0.append(mark) }
                }
            }
            thread.start()
            return thread
        }
        while accepted.value.count < 100, threads.contains(where: { !$0.isFinished }) { usleep(1_000) }
        server.process.signal(SIGKILL)
        _ = server.process.wait()
        while threads.contains(where: { !$0.isFinished }) { usleep(1_000) }
        let promised = accepted.value
        #expect(promised.count >= 100)
        let stored = try ServeSupport.messages(directory, "mail/b")
        let ending = "end\n"
        #expect(stored.allSatisfy { $0.hasSuffix(ending) })
        var counts: [Substring: Int] = [:]
        for message in stored {
            if let mark = message.firstMatch(of: /Subject: (mark-[0-9]+-[0-9]+)/)?.1 { counts[mark, default: 0] += 1 }
        }
        for mark in promised { #expect(counts[Substring(mark)] == 1) }
        #expect(counts.values.allSatisfy { $0 == 1 })
    }

    @Test("no room for a message is 452, and nothing of it remains")
    func fullDisk() throws {
        let directory = try TestDirectory()
        // Files may have 200 blocks of 512 or 1024 bytes: a small message fits, a large one does not.
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")], limits: "-f 200")
        let client = try LineClient(port: server.port)
        _ = client.greet()
        #expect(client.deliver("Subject: small\r\n\r\nx") == "250")
        #expect(client.deliver(String(repeating: String(repeating: "x", count: 70) + "\r\n", count: 10_000)) == "452")
        #expect(client.deliver("Subject: small again\r\n\r\nx") == "250")
        #expect(directory.names("mail/b/new").count == 2 && directory.names("mail/b/tmp").isEmpty)
        #expect(server.stop() == 0)
    }

    @Test("a Maildir that cannot be made is 451")
    func unusableMaildir() throws {
        let directory = try TestDirectory()
        try directory.write("mail/b", "a file")
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")])
        let client = try LineClient(port: server.port)
        _ = client.greet()
        #expect(client.deliver("x") == "451")
        #expect(client.deliver("x", to: ["c@example.net"]) == "250")
        #expect(client.deliver("x", to: ["..@example.net"]) == "501")
        #expect(client.deliver("x", to: ["\"../b\"@example.net"]) == "550")
    }

    @Test("a connection that is cut at any byte stores nothing that was not answered, and the server lives on")
    func vanishing() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")])
        let session = "EHLO c\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<b@c.d>\r\nDATA\r\nSubject: x\r\n\r\nbody\r\n.\r\n"
        let bytes = Array(session.utf8)
        for length in 0..<bytes.count {
            let client = try LineClient(port: server.port)
            client.send(Array(bytes[..<length]))
            client.closeSending()
            _ = client.rest()
        }
        #expect(directory.names("mail/b/new").isEmpty && directory.names("mail/b/tmp").isEmpty)
        let client = try LineClient(port: server.port)
        client.send(bytes + Array("QUIT\r\n".utf8))
        #expect(
            String(decoding: client.rest(), as: UTF8.self).hasSuffix("221 2.0.0 \(host()) closes the connection\r\n"))
        #expect(directory.names("mail/b/new").count == 1)
    }

    private func host() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        gethostname(&buffer, 255)
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    @Test("garbage, HTTP and an endless line end or are refused, and memory stays small")
    func hostile() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")])
        let browser = try LineClient(port: server.port)
        browser.send("GET / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<a@b.c>\r\n")
        #expect(String(decoding: browser.rest(), as: UTF8.self).split(separator: "\r\n").last?.hasPrefix("554") == true)
        var generator = SeededGenerator(seed: 4)
        for _ in 0..<20 {
            let client = try LineClient(port: server.port)
            client.send(generator.bytes(20_000))
            client.closeSending()
            _ = client.rest()
        }
        let before = residentKilobytes(server.process.pid)
        let client = try LineClient(port: server.port)
        _ = client.reply()
        let piece = [UInt8](repeating: 65, count: 1 << 20)
        for _ in 0..<64 { client.send(piece) }
        #expect(client.code("") == "500")
        _ = client.code("EHLO c")
        _ = client.code("MAIL FROM:<a@b.c>")
        _ = client.code("RCPT TO:<b@c.d>")
        _ = client.code("DATA")
        // Larger than a message may be: counted, not kept.
        for _ in 0..<64 { client.send(piece) }
        #expect(client.code("\r\n.") == "552")
        #expect(residentKilobytes(server.process.pid) - before < 20_000)
        #expect(client.code("NOOP") == "250")
    }

    private func residentKilobytes(_ pid: pid_t) -> Int {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        return text.firstMatch(of: /VmRSS:\s+([0-9]+)/).flatMap { Int($0.1) } ?? 0
    }

    @Test("without descriptors connections wait, and are served when there are some again")
    func descriptors() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")], limits: "-n 40")
        var clients = try (0..<60).map { _ in try LineClient(port: server.port, seconds: 2) }
        clients.removeFirst(50)
        let client = try LineClient(port: server.port)
        #expect(client.greet().last?.hasPrefix("250") == true)
        #expect(client.deliver("x") == "250")
    }

    @Test("descriptors that mail needs are not taken by connections, nor by the Maildirs of others")
    func keptDescriptors() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")], limits: "-n 400")
        let clients = try (0..<400).map { _ in try LineClient(port: server.port) }
        _ = clients[0].greet()
        let codes = (0..<120).map { clients[0].deliver("x", to: ["user\($0)@example.net"]) }
        #expect(Set(codes) == ["250"])
        #expect(directory.names("mail").count == 120)
        withExtendedLifetime(clients) {}
    }

    @Test("STARTTLS: what was said before and put in with it is forgotten, and mail arrives as ESMTPS")
    func startTLS() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")] + ServeSupport.certificates)
        let client = try LineClient(port: server.port)
        #expect(client.greet().contains("250-STARTTLS"))
        // Commands put in behind STARTTLS are in clear, and must not be answered within TLS.
        client.send("STARTTLS\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<b@example.net>\r\n")
        #expect(client.reply() == ["220 2.0.0 begin TLS"])
        client.send("NOOP\r\n")
        let rest = client.rest()
        #expect(rest.first == 0x15 || rest.isEmpty)  // a TLS alert, or nothing
        let sent = try ToolProcess.run(
            "smtp-send",
            [
                "--server", "localhost:\(server.port)", "--ca", ServeSupport.certificate("authority.pem"), "--from",
                "a@example.org", "--to", "b@example.net",
            ], input: Array("Subject: x\n\nx".utf8))
        #expect(sent.status == 0)
        let message = try ServeSupport.messages(directory, "mail/b").first ?? ""
        #expect(message.contains("with ESMTPS\n\t(using TLSv1.3 "))
    }

    @Test("--require-tls takes no mail in the clear, and SIGHUP reads another certificate")
    func requiredTLS() throws {
        let directory = try TestDirectory()
        let first = try Data(contentsOf: URL(fileURLWithPath: ServeSupport.certificate("server.pem")))
        try directory.write("server.pem", Array(first))
        let server = try TestServer(
            "smtp-serve",
            [
                "--mail", directory.file("mail"), "--cert", directory.file("server.pem"), "--key",
                ServeSupport.certificate("server.key"), "--require-tls",
            ])
        let client = try LineClient(port: server.port)
        _ = client.greet()
        #expect(client.code("MAIL FROM:<a@b.c>") == "530")
        let words = [
            "--server", "localhost:\(server.port)", "--ca", ServeSupport.certificate("authority.pem"), "--from",
            "a@b.c",
            "--to", "b@c.d",
        ]
        #expect(try ToolProcess.run("smtp-send", words, input: Array("x: y\n\nz".utf8)).status == 0)
        // A certificate that cannot be read leaves the old one in use.
        try directory.write("server.pem", "nonsense")
        server.process.signal(SIGHUP)
        while let line = server.process.nextLine(), !line.contains("\"reload\"") {}
        #expect(try ToolProcess.run("smtp-send", words, input: Array("x: y\n\nz".utf8)).status == 0)
        // One of the same key for another name.
        try directory.write("server.pem", try TestData.bytes("other-name.pem"))
        server.process.signal(SIGHUP)
        while let line = server.process.nextLine(), !line.contains("\"reload\"") {}
        #expect(try ToolProcess.run("smtp-send", words, input: Array("x: y\n\nz".utf8)).status != 0)
        #expect(directory.names("mail/b/new").count == 2)
    }

    @Test("SIGTERM: what has begun to send data is finished, the others get 421")
    func stopping() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")])
        let idle = try LineClient(port: server.port)
        _ = idle.greet()
        let busy = try LineClient(port: server.port)
        _ = busy.greet()
        _ = busy.code("MAIL FROM:<a@b.c>")
        _ = busy.code("RCPT TO:<b@c.d>")
        #expect(busy.code("DATA") == "354")
        busy.send("Subject: late\r\n")
        server.process.signal(SIGTERM)
        #expect(idle.line()?.hasPrefix("421 4.3.2") == true && idle.line() == nil)
        #expect(busy.code("\r\nbody\r\n.") == "250")
        #expect(busy.line()?.hasPrefix("421") == true)
        #expect(server.process.wait() == 0)
        #expect(directory.names("mail/b/new").count == 1)
    }

    @Test("a silent client is told and closed when its time is over, in commands and in data")
    func timeouts() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail"), "--timeout", "300ms"])
        let idle = try LineClient(port: server.port)
        _ = idle.greet()
        #expect(idle.line()?.hasPrefix("421 4.4.2") == true && idle.line() == nil)
        let client = try LineClient(port: server.port)
        _ = client.greet()
        _ = client.code("MAIL FROM:<a@b.c>")
        _ = client.code("RCPT TO:<b@c.d>")
        _ = client.code("DATA")
        client.send("half of\r\n")
        #expect(client.line()?.hasPrefix("421") == true)
        #expect(directory.names("mail/b/new").isEmpty && directory.names("mail/b/tmp").isEmpty)
    }

    @Test("clients that stall do not hold up the others")
    func stalled() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")])
        let stalled = try (0..<30).map { _ in
            let client = try LineClient(port: server.port)
            _ = client.greet()
            client.send("MAIL FROM:<a@b.c>\r\nRCPT TO:<b@c.d>\r\nDATA\r\nhalf")
            return client
        }
        let client = try LineClient(port: server.port)
        _ = client.greet()
        let begin = Date()
        for _ in 0..<20 { #expect(client.deliver("x") == "250") }
        #expect(Date().timeIntervalSince(begin) < 5)
        #expect(stalled.count == 30 && directory.names("mail/b/new").count == 20)
    }

    @Test("more connections than allowed are told 421")
    func connectionLimit() throws {
        let server = try TestServer("smtp-serve", ["--sink", "--max-connections", "2"])
        let clients = try (0..<2).map { _ in
            let client = try LineClient(port: server.port)
            _ = client.greet()
            return client
        }
        let third = try LineClient(port: server.port)
        #expect(third.reply().last?.hasPrefix("421 4.3.2") == true && third.line() == nil)
        #expect(clients[0].code("NOOP") == "250")
    }

    @Test("a message with more than a hundred Received fields goes in circles (RFC 5321 6.3)")
    func loop() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")])
        let client = try LineClient(port: server.port)
        _ = client.greet()
        let trace = String(repeating: "Received: from x by y; Mon, 2 Nov 2026 10:00:00 +0000\r\n", count: 100)
        #expect(client.deliver(trace + "\r\nx") == "250")
        #expect(client.deliver(trace + "Received: y\r\n\r\nx") == "554")
    }

    /// Options, one string a case, and the exit code.
    static let badOptions: [(String, Int32)] = [
        ("--rule nonsense", 64), ("--rule foo=451", 64), ("--max-rate many", 64), ("--listen nonsense", 64),
        ("--listen 192.0.2.1:25", 64), ("--relay-for auth", 64), ("--relay-for x --queue q", 64),
        ("--dnsbl a..b", 64), ("--cert x", 64), ("--mail x --mbox y", 64), ("--filter spamd:a:b:c", 64),
        ("operand", 64), ("--users /nonexistent", 78), ("--aliases /nonexistent", 78),
        ("--cert /nonexistent --key /nonexistent", 78), ("--queue /dev/null/q", 73),
        ("--greylist /dev/null/g", 73), ("--dns /nonexistent", 78), ("--user no-such-user", 78),
    ]

    @Test(
        "bad options are 64, unusable files 78, a directory that cannot be made 73",
        arguments: badOptions)
    func badOption(_ text: String, _ code: Int32) throws {
        let directory = try TestDirectory()
        let words = text.split(separator: " ").map(String.init)
        let arguments = words.contains("--listen") ? words : ["--listen", "127.0.0.1:0"] + words
        let result = try ToolProcess.run("smtp-serve", arguments, directory: directory.path, seconds: 10)
        #expect(result.status == code, "\(words): \(result.diagnostics)")
        #expect(result.diagnostics.hasPrefix("smtp-serve: ") && result.bytes.isEmpty)
    }

    @Test("a port in use is 71 and says what to do")
    func portInUse() throws {
        let server = try TestServer("smtp-serve", ["--sink"])
        let result = try ToolProcess.run("smtp-serve", ["--sink", "--listen", "127.0.0.1:\(server.port)"], seconds: 10)
        #expect(result.status == 71 && result.diagnostics.contains("choose another --listen"))
    }
}

/// A value that threads share.
final class Locked<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var stored: Value

    init(_ value: Value) { stored = value }

    var value: Value { lock.withLock { stored } }
    func change(_ body: (inout Value) -> Void) { lock.withLock { body(&stored) } }
}
