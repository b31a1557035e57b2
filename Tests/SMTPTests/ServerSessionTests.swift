import Bytes
import SMTP
import TestSupport
import Testing

@Suite("The server's session (RFC 5321)")
struct ServerSessionTests {
    static let hello = "EHLO client.example\r\n"
    static let start = hello + "MAIL FROM:<a@example.org>\r\n"
    static let ready = start + "RCPT TO:<b@example.net>\r\nDATA\r\n"

    @Test(
        "every command, in and out of order, gets its code",
        arguments: [
            ("NOOP\r\nNOOP with words\r\nnoop\r\n", "250 250 250"),
            ("MAIL FROM:<a@example.org>\r\n", "503"),
            ("HELO client\r\nMAIL FROM:<a@example.org>\r\n", "250 250"),
            (hello + "RCPT TO:<b@example.net>\r\n", "250 503"),
            (hello + "DATA\r\n", "250 503"),
            (start + "DATA\r\n", "250 250 554"),
            (start + "MAIL FROM:<c@example.org>\r\n", "250 250 503"),
            (start + "RSET\r\nMAIL FROM:<c@example.org>\r\n", "250 250 250 250"),
            (start + hello + "RCPT TO:<b@example.net>\r\n", "250 250 250 503"),
            (start + "RCPT TO:<nobody@example.net>\r\nRCPT TO:<b@example.net>\r\n", "250 250 550 250"),
            (start + "RCPT TO:<nobody@example.net>\r\nDATA\r\n", "250 250 550 554"),
            ("VRFY bob\r\nEXPN list\r\nVRFY\r\nEXPN\r\n", "252 502 501 501"),
            ("HELP\r\nhElP MAIL\r\n", "214 214"),
            ("EHLO\r\nHELO\r\nRSET x\r\n", "501 501 501"),
            (start + "RCPT TO:<b@example.net>\r\nDATA now\r\nQUIT now\r\n", "250 250 250 501 501"),
            ("FOO\r\n\r\nMAILFROM:<a@b>\r\n", "500 500 500"),
            ("STARTTLS\r\n", "502"),
            ("QUIT\r\n", "221"),
            (hello + "NOOP   \r\nRSET \t\r\n", "250 250 250"),
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "554"), ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "554"),
            ("DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", "554"),
            ("EHLO not_a.valid-.name\r\n", "250"),
        ])
    func order(_ input: String, _ codes: String) {
        var dialogue = ServerDialogue()
        #expect(dialogue.codes(input).joined(separator: " ") == codes)
        // The same a byte at a time: the split must not matter.
        var slow = ServerDialogue()
        var slowCodes: [String] = []
        for byte in input.utf8 where !slow.isClosed { slowCodes += slow.codes(String(UnicodeScalar(byte))) }
        #expect(slowCodes.joined(separator: " ") == codes)
    }

    @Test(
        "reverse-paths and their parameters",
        arguments: [
            ("<>", "250"), ("<a@example.org>", "250"), (" <a@example.org>", "250"), ("<A.B+c@[192.0.2.1]>", "250"),
            ("<a@[192.0.2.256]>", "501"), ("<a@[IPv6:xyz]>", "501"),
            ("<a@[tag:any thing]>", "501"), ("<a@[tag:thing]>", "250"), ("<banned@example.org>", "550"),
            ("<a@[IPv6:2001:db8::1]>", "250"), ("<\"quoted local\"@example.org>", "250"),
            ("<\"with \\\" quote\"@example.org>", "250"), ("<@relay.example,@hub.example:a@example.org>", "250"),
            ("<a@example.org> SIZE=100", "250"), ("<a@example.org> size=100 BODY=8BITMIME", "250"),
            ("<a@example.org> BODY=7bit", "250"), ("<a@example.org>  SIZE=0", "250"),
            ("<a@example.org", "501"), ("a@example.org", "501"), ("<a@>", "501"), ("<@example.org>", "501"),
            ("<a..b@example.org>", "501"), ("<.a@example.org>", "501"), ("<a b@example.org>", "501"),
            ("<a@exa mple.org>", "501"), ("<a@-example.org>", "250"), ("<\"open@example.org>", "501"),
            ("<a@[192.0.2.1>", "501"), ("<a>", "501"), ("", "501"), ("<a@b>x", "501"), ("<a@b> =x", "501"),
            ("<a@example.org> SIZE=", "501"), ("<a@example.org> SIZE", "501"), ("<a@example.org> SIZE=ten", "501"),
            ("<a@example.org> SIZE=1 SIZE=2", "501"), ("<a@example.org> BODY=BINARY", "501"),
            ("<a@example.org> SIZE=1000001", "552"), ("<a@example.org> SIZE=99999999999999999999", "552"),
            ("<a@example.org> X-NEW=1", "555"), ("<a@example.org> NOTIFY=NEVER", "555"),
            ("<a@example.org> AUTH=<>", "555"), ("<ä@example.org>", "553"),
            ("<a@[IPv6:::ffff:192.0.2.1]>", "250"), ("<a@[IPv6:1::2::3]>", "501"), ("<a@[IPv6:12345::]>", "501"),
            ("<a@[IPv6:1:2:3:4:5:6:7:8:9]>", "501"), ("<a@[IPv6:::192.0.2.400]>", "501"),
            ("<a@[IPv6:fe80::1%eth0]>", "501"), ("<a@[IPv6:192.0.2.1]>", "501"),
        ])
    func senders(_ argument: String, _ code: String) {
        let expected = argument.contains("-example.org") ? "501" : code
        var dialogue = ServerDialogue()
        #expect(dialogue.codes(Self.hello + "MAIL FROM:\(argument)\r\n") == ["250", expected])
    }

    @Test(
        "forward-paths",
        arguments: [
            ("<b@example.net>", "250"), ("<postmaster>", "250"), ("<PostMaster>", "250"), ("<bob>", "501"),
            ("<>", "501"), ("<b@example.net> SIZE=1", "555"), ("<@relay.example:b@example.net>", "250"),
            ("b@example.net", "501"), ("<nobody@example.net>", "550"),
        ])
    func recipients(_ argument: String, _ code: String) {
        var dialogue = ServerDialogue()
        #expect(dialogue.codes(Self.start + "RCPT TO:\(argument)\r\n") == ["250", "250", code])
    }

    @Test("a message arrives with its dots, whatever pieces it comes in")
    func message() {
        let input = Self.ready + "Subject: x\r\n\r\n..dot\r\n.\r\n".replacing("..dot", with: "..\r\n...\r\n..a")
        for size in [1, 2, 3, 7, 1_000] {
            var dialogue = ServerDialogue()
            let bytes = Array(input.utf8)
            for start in stride(from: 0, to: bytes.count, by: size) {
                _ = dialogue.send(Array(bytes[start..<min(start + size, bytes.count)]))
            }
            #expect(dialogue.messages.map(\.content) == ["Subject: x\n\n.\n..\n.a\n"])
        }
    }

    @Test("the dot of the first line is transparent too, and a message may be empty (RFC 5321 4.5.2)")
    func firstLine() {
        var dialogue = ServerDialogue()
        _ = dialogue.send(Self.ready + "..\r\n.\r\n" + "MAIL FROM:<>\r\nRCPT TO:<b@c.d>\r\nDATA\r\n.\r\n")
        #expect(dialogue.messages.map(\.content) == [".\n", ""])
    }

    @Test("a pipeline is answered in one piece, and a refused recipient does not lose the others (RFC 2920)")
    func pipelining() {
        var dialogue = ServerDialogue()
        let codes = dialogue.codes(
            Self.start + "RCPT TO:<nobody@x.y>\r\nRCPT TO:<b@x.y>\r\nDATA\r\nhello\r\n.\r\nNOOP\r\nQUIT\r\n")
        #expect(codes == ["250", "250", "550", "250", "354", "250", "250", "221"])
        #expect(dialogue.messages.count == 1 && dialogue.isClosed)
        #expect(dialogue.messages.first?.envelope.recipients.map(\.description) == ["b@x.y"])
    }

    @Test(
        "nothing but CRLF.CRLF ends a message",
        arguments: [
            "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r\r\n.\r\r\n", "\n.\r", "\r.\n", "\r\n.\0\r\n",
            "\r\n\0.\r\n", "\r\n.\r\0\n", "\r.\r\n", "\n\r.\n\r", "\r\n. \r\n", "\r\n.\r\r\n",
        ])
    func smuggling(_ fake: String) {
        let smuggled = "MAIL FROM:<evil@x.y>\r\nRCPT TO:<b@x.y>\r\nDATA\r\nevil\r\n"
        let input = Array((Self.ready + "one" + fake + smuggled + "\r\n.\r\nNOOP\r\n").utf8)
        for split in 0...input.count {
            var dialogue = ServerDialogue()
            _ = dialogue.send(Array(input[..<split]))
            _ = dialogue.send(Array(input[split...]))
            #expect(dialogue.messages.count + dialogue.abandoned == 1, "split at \(split)")
            #expect(dialogue.messages.allSatisfy { $0.envelope.reversePath.description == "a@example.org" })
        }
    }

    @Test("a bare CR in the data is refused, a bare LF is a line end of the content")
    func bareLineEnds() {
        var dialogue = ServerDialogue()
        #expect(dialogue.codes(Self.ready + "a\rb\r\n.\r\n").last == "550")
        #expect(dialogue.codes("MAIL FROM:<>\r\nRCPT TO:<b@c.d>\r\nDATA\r\na\nb\r\n.\r\n").last == "250")
        #expect(dialogue.messages.map(\.content) == ["a\nb\n"])
    }

    @Test(
        "commands with a bare LF, a bare CR or a NUL are refused", arguments: ["NO\nOP", "NO\rOP", "NOOP\0", "\nNOOP"])
    func bareInCommands(_ command: String) {
        var dialogue = ServerDialogue()
        #expect(dialogue.codes(command + "\r\nNOOP\r\n") == ["500", "250"])
    }

    @Test("too many recipients are 452, and those accepted stay (RFC 5321 4.5.3.1.10)")
    func manyRecipients() {
        var dialogue = ServerDialogue()
        let all = (0..<101).map { "RCPT TO:<r\($0)@x.y>\r\n" }.joined()
        let codes = dialogue.codes(Self.start + all + "DATA\r\nx\r\n.\r\n")
        #expect(codes.filter { $0 == "452" }.count == 1 && codes.last == "250")
        #expect(dialogue.messages.first?.envelope.recipients.count == 100)
    }

    @Test("a message that grows too large is counted, not stored, and refused with 552 5.3.4 (RFC 1870)")
    func tooLarge() {
        var dialogue = ServerDialogue { $0.maximumSize = 1_000 }
        _ = dialogue.send(Self.ready)
        for _ in 0..<100 { #expect(dialogue.send(String(repeating: "x", count: 100) + "\r\n").isEmpty) }
        #expect(dialogue.send(".\r\n").first?.hasPrefix("552 5.3.4 ") == true)
        #expect(dialogue.messages.isEmpty && dialogue.codes("NOOP\r\n") == ["250"])
        // No limit is told as 0.
        var open = ServerDialogue { $0.maximumSize = .max }
        #expect(open.send(Self.hello).contains("250-SIZE 0"))
        #expect(open.codes("MAIL FROM:<a@b.c> SIZE=99999999999999999999\r\n") == ["250"])
    }

    @Test("STARTTLS drops what came before the handshake and everything the client said (RFC 3207 4.2)")
    func startTLS() {
        var dialogue = ServerDialogue { $0.offersTLS = true }
        #expect(dialogue.send(Self.hello).contains { $0.hasSuffix("STARTTLS") })
        #expect(dialogue.send("STARTTLS\r\nMAIL FROM:<evil@x.y>\r\n") == ["220 2.0.0 begin TLS"])
        #expect(dialogue.hasStartedTLS)
        #expect(dialogue.codes("MAIL FROM:<a@x.y>\r\n") == ["503"])
        #expect(!dialogue.send(Self.hello).contains { $0.hasSuffix("STARTTLS") })
        #expect(dialogue.codes("STARTTLS\r\n") == ["503"])
    }

    @Test("without TLS where it is required: 530")
    func requiredTLS() {
        var dialogue = ServerDialogue {
            $0.offersTLS = true
            $0.requiresTLS = true
        }
        #expect(dialogue.codes(Self.start) == ["250", "530"])
        // All but greetings, NOOP, STARTTLS and QUIT (RFC 3207 4); the octets of a chunk are no commands even so.
        let others = "RCPT TO:<b@c.d>\r\nDATA\r\nBDAT 6 LAST\r\nQUIT\r\nRSET\r\nVRFY b\r\nEXPN b\r\nHELP\r\n"
        #expect(dialogue.codes(others) == Array(repeating: "530", count: 7))
        #expect(dialogue.codes("NOOP\r\nHELO c\r\nSTARTTLS\r\n") == ["250", "250", "220"])
    }

    @Test("an endless line and binary garbage never grow memory, and too many errors end the session")
    func garbage() {
        var generator = SeededGenerator(seed: 5)
        var dialogue = ServerDialogue()
        for _ in 0..<200 { _ = dialogue.send([UInt8](repeating: 0x41, count: 10_000)) }
        #expect(dialogue.codes("\r\nNOOP\r\n") == ["500", "250"])
        var replies = 0
        while !dialogue.isClosed, replies < 10_000 {
            replies += 1
            _ = dialogue.send(generator.bytes(50) + [13, 10])
        }
        #expect(dialogue.isClosed)
    }

    @Test("mutated sessions never trap, and deliver only what DATA ended")
    func mutations() {
        var generator = SeededGenerator(seed: 9)
        let whole = Array((Self.ready + "Subject: x\r\n\r\nbody\r\n.\r\nQUIT\r\n").utf8)
        for _ in 0..<3_000 {
            var dialogue = ServerDialogue()
            _ = dialogue.send(generator.mutated(whole))
            #expect(dialogue.messages.count <= 2)
        }
    }

    @Test("every reply line ends with CRLF, has at most 512 octets and nothing but printable ASCII")
    func replies() {
        let reply = Reply(250, "2.0.0", lines: [String(repeating: "é\r\n", count: 500), "ok"])
        let lines = reply.bytes.text.split(separator: "\r\n", omittingEmptySubsequences: true)
        #expect(lines.count == 2 && lines.allSatisfy { $0.utf8.count <= 510 })
        #expect(lines[0].hasPrefix("250-2.0.0 ") && lines[1] == "250 2.0.0 ok")
    }
}
