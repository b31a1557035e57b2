import Foundation
import Synchronization
import TestSupport
import Testing

/// A milter of a test's own making: it notes what it is told, and answers each command as the test says.
private final class TestMilter: Sendable {
    private let heard = Mutex<[String]>([])
    private let service = Mutex<StandIn?>(nil)

    /// The commands in their order, without macros.
    var commands: String { heard.withLock { $0.map { String($0.prefix(1)) }.joined() } }
    /// The data of a command, its NULs as spaces.
    func data(_ command: Character) -> [String] {
        heard.withLock { $0.filter { $0.first == command }.map { String($0.dropFirst()) } }
    }
    var port: UInt16 { service.withLock { $0?.port ?? 0 } }

    /// `answer` gets a command with its data, and how many times this command came before.
    init(
        protocolFlags: [UInt8] = [0, 0, 0, 0],
        answer: @escaping @Sendable (String, Int) -> [(Character, String)] = { _, _ in [("c", "")] }
    )
        throws
    {
        let negotiation = TestMilter.packet("O", [0, 0, 0, 6, 0, 0, 0, 0x7F] + protocolFlags)
        let service = try StandIn { [self] received, _ in
            guard received.count >= 5 else { return nil }
            let size = received[..<4].reduce(0) { $0 << 8 | Int($1) }
            guard received.count >= 4 + size else { return nil }
            let command = Character(UnicodeScalar(received[4]))
            let data = String(decoding: received[5..<(4 + size)].map { $0 == 0 ? 32 : $0 }, as: UTF8.self)
            if command == "D" { return ([], 4 + size, false) }
            let before = heard.withLock { heard in
                let before = heard.count { $0.first == command }
                heard.append("\(command)\(data)")
                return before
            }
            switch command {
            case "O": return (negotiation, 4 + size, false)
            case "Q": return ([], 4 + size, true)
            case "A": return ([], 4 + size, false)
            default:
                let packets = answer("\(command)\(data)", before)
                return (packets.flatMap { TestMilter.packet($0.0, Array($0.1.utf8)) }, 4 + size, false)
            }
        }
        self.service.withLock { $0 = service }
    }

    private static func packet(_ command: Character, _ data: [UInt8]) -> [UInt8] {
        let size = UInt32(data.count + 1)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: size >> $0) } + [command.asciiValue ?? 0] + data
    }
}

@Suite("smtp-serve asks milters")
struct SmtpServeMilterTests {
    private let directory: TestDirectory

    init() throws { directory = try TestDirectory() }

    private func server(_ milter: TestMilter, _ more: [String] = []) throws -> TestServer {
        try TestServer(
            "smtp-serve", ["--mail", directory.file("mail"), "--filter", "milter:127.0.0.1:\(milter.port)"] + more)
    }

    /// The code of the last reply of a session with one message, and what was said on the way.
    private func session(_ server: TestServer, to recipients: [String] = ["b@c.d"]) throws -> [String] {
        let client = try LineClient(port: server.port)
        var codes = [String((client.reply().last ?? "none").prefix(3))]
        codes.append(client.code("EHLO client.example"))
        codes.append(client.code("MAIL FROM:<a@example.org> BODY=8BITMIME"))
        for recipient in recipients { codes.append(client.code("RCPT TO:<\(recipient)>")) }
        codes.append(client.code("DATA"))
        if codes.last == "354" { codes.append(client.code("Subject: x\r\nTo: y\r\n\r\nbody\r\n.")) }
        return codes
    }

    @Test("at each step, as the session comes to it, for all messages of a connection")
    func steps() throws {
        let milter = try TestMilter()
        let server = try server(milter)
        let client = try LineClient(port: server.port)
        _ = client.greet()
        #expect(milter.commands == "OCH")
        #expect(client.code("MAIL FROM:<a@example.org> SIZE=100 BODY=8BITMIME") == "250" && milter.commands == "OCHM")
        #expect(milter.data("M") == ["<a@example.org> SIZE=100 BODY=8BITMIME "])
        #expect(client.code("RCPT TO:<b@c.d>") == "250" && client.code("RCPT TO:<e@c.d> NOTIFY=NEVER") == "250")
        #expect(milter.data("R") == ["<b@c.d> ", "<e@c.d> NOTIFY=NEVER "])
        #expect(client.code("DATA") == "354" && milter.commands == "OCHMRRT")
        #expect(client.code("Subject: x\r\nX-Folded: a\r\n b\r\n\r\nbody\r\n.") == "250")
        #expect(milter.commands == "OCHMRRTLLNBE")
        #expect(milter.data("L") == ["Subject x ", "X-Folded a\n b "] && milter.data("B") == ["body\r\n"])
        // A transaction that is broken off, and another.
        #expect(client.code("MAIL FROM:<z@example.org>") == "250" && client.code("RSET") == "250")
        #expect(client.deliver("x: y\r\n\r\nz") == "250")
        #expect(milter.commands == "OCHMRRTLLNBE" + "MAMRTLNBE")
        #expect(
            client.code("EHLO again.example") == "250" && milter.data("H") == ["client.example ", "again.example "])
        #expect(client.code("QUIT") == "221" && client.line() == nil)
        let deadline = Date().addingTimeInterval(10)
        while !milter.commands.hasSuffix("Q"), Date() < deadline { usleep(2_000) }
        #expect(milter.commands.hasSuffix("HQ"))
    }

    /// The command that is answered, the answer, and the codes of the session.
    static let refusals: [(command: Character, answer: Character, text: String, codes: [String])] = [
        ("C", "r", "", ["554"]), ("C", "t", "", ["421"]), ("C", "y", "554 5.7.1 go away\0", ["554"]),
        ("H", "y", "550 5.7.1 no\0", ["220", "550", "503", "503", "503", "503"]),
        ("M", "t", "", ["220", "250", "451", "503", "503", "503"]),
        ("R", "y", "450 4.7.1 later\0", ["220", "250", "250", "450", "250", "354", "250"]),
        ("T", "r", "", ["220", "250", "250", "250", "250", "550"]),
        ("L", "r", "", ["220", "250", "250", "250", "250", "354", "550"]),
        ("N", "t", "", ["220", "250", "250", "250", "250", "354", "451"]),
        ("B", "y", "552 5.3.4 fat\0", ["220", "250", "250", "250", "250", "354", "552"]),
        ("E", "r", "", ["220", "250", "250", "250", "250", "354", "550"]),
        ("E", "y", "554-5.7.1 one\r\n554 5.7.1 two\0", ["220", "250", "250", "250", "250", "354", "554"]),
        ("E", "y", "250 2.0.0 taken\0", ["220", "250", "250", "250", "250", "354", "451"]),
        ("R", "y", "421 4.7.0 bye\0", ["220", "250", "250", "421", LineClient.silence]),
    ]

    @Test("a binary message keeps CRLF in its header, whoever has written there")
    func binary() throws {
        let milter = try TestMilter { heard, _ in
            heard.first == "E" ? [("h", "X-New\0one\r\n two\0"), ("c", "")] : [("c", "")]
        }
        let server = try server(milter)
        let client = try LineClient(port: server.port)
        _ = client.greet()
        #expect(client.code("MAIL FROM:<a@b.c> BODY=BINARYMIME") == "250" && client.code("RCPT TO:<b@c.d>") == "250")
        #expect(client.code("BDAT 14 LAST\r\nA: b\r\n\r\nx\ny\0") == "250")
        let stored = try #require(try ServeSupport.messages(directory, "mail/b").first)
        let header = stored.components(separatedBy: "\r\n\r\n")[0]
        #expect(header.hasSuffix("\r\nA: b\r\nX-New: one\r\n two") && stored.hasSuffix("\r\n\r\nx\ny\0\r\n"))
        #expect(header.components(separatedBy: "\r\n").allSatisfy { !$0.contains("\n") && !$0.contains("\r") })
    }

    @Test("what it refuses is refused there; the rest of the session goes on", arguments: refusals)
    func refuses(_ command: Character, _ answer: Character, _ text: String, _ codes: [String]) throws {
        let milter = try TestMilter { heard, before in
            heard.first == command && before == 0 ? [(answer, text)] : [("c", "")]
        }
        let server = try server(milter)
        #expect(Array(try session(server, to: ["b@c.d", "e@c.d"]).prefix(codes.count)) == codes)
        let stored = directory.names("mail/b/new").count + directory.names("mail/e/new").count
        #expect(stored == (codes.last == "250" ? 1 : 0))
    }

    @Test("accepted before MAIL, nothing more is asked; after it, not of this message")
    func accepts() throws {
        for (command, commands) in [("C", "OC"), ("H", "OCH"), ("M", "OCHMMRTLNBE"), ("R", "OCHMRMRTLNBE")] {
            let milter = try TestMilter { heard, before in
                heard.hasPrefix(command) && before == 0 ? [("a", "")] : [("c", "")]
            }
            let server = try server(milter)
            let client = try LineClient(port: server.port)
            _ = client.greet()
            #expect(client.deliver("x: y\r\n\r\none") == "250" && client.deliver("x: y\r\n\r\ntwo") == "250")
            #expect(milter.commands.filter { !"AQ".contains($0) } == commands, "\(command)")
        }
    }

    @Test("what it does not want to be told is left out; what it does not answer is not waited for")
    func negotiation() throws {
        let silent = try TestMilter(protocolFlags: [0, 0, 0x10 | 0xE0, 0x0F]) { heard, _ in
            "TLNB".contains(heard.first ?? "T") ? [("c", "")] : heard.hasPrefix("E") ? [("c", "")] : []
        }
        let server = try server(silent)
        #expect(try session(server).last == "250")
        // The end of the connection (Q) may have come by now, or not yet.
        #expect(silent.commands.filter { $0 != "Q" } == "OTLLNBE")
        // No answers to MAIL and RCPT (SMFIP_NR_MAIL, SMFIP_NR_RCPT).
        let quiet = try TestMilter(protocolFlags: [0, 0, 0xC0, 0]) { heard, _ in
            "MR".contains(heard.first ?? "M") ? [] : [("c", "")]
        }
        #expect(try session(try self.server(quiet)).last == "250")
        #expect(quiet.commands.filter { $0 != "Q" } == "OCHMRTLLNBE")
    }

    @Test("its changes are made at the end: fields, body, recipients, quarantine, or the message is dropped")
    func changes() throws {
        for (end, code, stored) in [
            ([("c", "")], "250", 1), ([("h", "X-Milter\0seen\0"), ("+", "<e@c.d>\0"), ("a", "")], "250", 2),
            ([("d", "")], "250", 0), ([("q", "suspicious\0"), ("c", "")], "554", 0),
            ([("b", "new\r"), ("b", "\nbody\r\n"), ("p", ""), ("c", "")], "250", 1),
        ] as [([(Character, String)], String, Int)] {
            let directory = try TestDirectory()
            let milter = try TestMilter { heard, _ in heard.hasPrefix("E") ? end : [("c", "")] }
            let server = try TestServer(
                "smtp-serve",
                ["--mail", directory.file("mail"), "--filter", "milter:127.0.0.1:\(milter.port)"])
            #expect(try session(server).last == code)
            let count = directory.names("mail/b/new").count + directory.names("mail/e/new").count
            #expect(count == stored)
            let first = try ServeSupport.messages(directory, "mail/b").first ?? ""
            if end[0].0 == "h" { #expect(first.hasSuffix("\nTo: y\nX-Milter: seen\n\nbody\n")) }
            if end[0].0 == "b" {
                #expect(first.contains("\nReceived: from client.example ") && first.hasSuffix("\n\nnew\nbody\n"))
            }
        }
    }

    @Test("discarded at RCPT, the message is taken and thrown away")
    func discards() throws {
        let milter = try TestMilter { heard, _ in heard.hasPrefix("R") ? [("d", "")] : [("c", "")] }
        #expect(try session(try server(milter)).last == "250")
        #expect(directory.names("mail/b/new").isEmpty && milter.commands.hasPrefix("OCHMR"))
    }

    @Test("one that is not there is 451 at MAIL, or passed over with --filter-open")
    func absent() throws {
        let probe = try TestServer("smtp-serve", ["--sink"])
        let port = probe.port
        probe.stop()
        let words = ["--mail", directory.file("mail"), "--filter", "milter:127.0.0.1:\(port)"]
        let strict = try TestServer("smtp-serve", words)
        #expect(try session(strict).prefix(3) == ["220", "250", "451"])
        let open = try TestServer("smtp-serve", words + ["--filter-open"])
        #expect(try session(open).last == "250" && directory.names("mail/b/new").count == 1)
    }

    @Test("a large message passes it whole, in packets of at most 65,535 octets")
    func large() throws {
        let milter = try TestMilter { heard, _ in
            heard.hasPrefix("E") ? [("h", "X-Seen\0yes\0"), ("c", "")] : [("c", "")]
        }
        let server = try server(milter)
        let client = try LineClient(port: server.port)
        _ = client.greet()
        let text = String(repeating: String(repeating: "x", count: 70) + "\r\n", count: 4_000)
        #expect(client.deliver("Subject: x\r\n\r\n\(text)end", to: ["b@c.d"]) == "250")
        let body = milter.data("B")
        #expect(body.allSatisfy { $0.utf8.count <= 65_535 } && body.joined() == text + "end\r\n")
        let stored = try ServeSupport.messages(directory, "mail/b").first ?? ""
        #expect(
            stored.hasSuffix("\n\(text.replacingOccurrences(of: "\r", with: ""))end\n")
                && stored.contains("\nX-Seen: yes\n\n"))
    }

    @Test("a user's own milter is asked for that user's mail alone")
    func ofOneUser() throws {
        let milter = try TestMilter { heard, _ in
            heard.hasPrefix("E") ? [("h", "X-Own\0yes\0"), ("c", "")] : [("c", "")]
        }
        let users = try directory.write("users", "b filter=milter:127.0.0.1:\(milter.port)\ne\n")
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail"), "--users", users])
        #expect(try session(server, to: ["b@c.d", "e@c.d"]).last == "250")
        #expect(try ServeSupport.messages(directory, "mail/b").first?.contains("\nX-Own: yes\n") == true)
        #expect(try ServeSupport.messages(directory, "mail/e").first?.contains("X-Own") == false)
        #expect(milter.commands.hasPrefix("OCHMRT") && milter.data("R") == ["<b@c.d> "])
    }
}
