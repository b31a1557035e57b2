import Bytes
import OpenSSL
import POP3
import SASL
import TestSupport
import Testing

/// A client's session driven with text, with what it says and what it tells.
struct POP3ClientDialogue {
    var session: POP3ClientSession
    var events: [POP3ClientSession.Event] = []
    /// What has come of messages.
    var content: [UInt8] = []
    var wantsTLS = false
    private var input: [UInt8] = []

    init(
        tls: POP3ClientSession.TLSPolicy = .opportunistic, method: POP3ClientSession.Method? = nil,
        secret: SASLCredentials.Secret = .password(Array("tanstaaf".utf8)), user: String = "mrose",
        isLocal: Bool = false, allowedInClear: Bool = false
    ) {
        session = POP3ClientSession(
            .init(
                tls: tls,
                credentials: SASLCredentials(
                    user: Array(user.utf8), secret: secret, allowedInClear: allowedInClear
                ) { () throws(OpenSSLError) in Array("nonce".utf8) },
                method: method, isLocal: isLocal))
    }

    /// The server says `text`; returns what the client says then.
    mutating func hear(_ text: String) throws -> String {
        input += Array(text.utf8)
        while true {
            let pending = input
            let (consumed, event) = try session.next(pending.span)
            input.removeFirst(consumed)
            events.append(event)
            switch event {
            case .needInput: return session.takeOutput().text
            case .startTLS:
                wantsTLS = true
                return session.takeOutput().text
            case .content, .end: session.takeContent { content.append(span: $0) }
            default: break
            }
        }
    }

    /// Goes through the login, and returns what the client said.
    static func loggedIn(_ capabilities: String = "PIPELINING\r\n") throws -> POP3ClientDialogue {
        var dialogue = POP3ClientDialogue(isLocal: true)
        _ = try dialogue.hear("+OK ready\r\n")
        _ = try dialogue.hear("+OK\r\nUSER\r\n\(capabilities).\r\n")
        _ = try dialogue.hear("+OK\r\n")
        _ = try dialogue.hear("+OK\r\n")
        dialogue.events = []
        return dialogue
    }

    var isLoggedIn: Bool { events.contains(.loggedIn) }
}

@Suite("POP3, the client's side")
struct POP3ClientSessionTests {
    private static let greeting = "+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\r\n"

    @Test("APOP says what the example of RFC 1939 7 says")
    func apop() throws {
        var dialogue = POP3ClientDialogue()
        #expect(try dialogue.hear(Self.greeting) == "CAPA\r\n")
        #expect(try dialogue.hear("-ERR what?\r\n") == "APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n")
        _ = try dialogue.hear("+OK maildrop has 1 message (369 octets)\r\n")
        #expect(dialogue.isLoggedIn)
    }

    @Test("a time stamp that is no plain text is not answered (CVE-2007-1558)")
    func strangeTimestamp() {
        for greeting in ["+OK <a\u{1}@b>", "+OK <a b@c>", "+OK <ab>", "+OK <@b>", "+OK <a@é>", "+OK", "+OK <a@b"] {
            #expect(APOP.timestamp(inGreeting: Array(greeting.utf8)) == nil)
        }
        #expect(APOP.timestamp(inGreeting: Array("+OK <a@b> x".utf8)) == "<a@b>")
    }

    @Test("STLS is begun when it is offered; what was said in the clear is forgotten (RFC 2595 4)")
    func startTLS() throws {
        var dialogue = POP3ClientDialogue()
        _ = try dialogue.hear(Self.greeting)
        #expect(try dialogue.hear("+OK\r\nSTLS\r\nSASL PLAIN\r\nUSER\r\n.\r\n") == "STLS\r\n")
        // Whatever follows the answer in the clear is not from the server.
        _ = try dialogue.hear("+OK go on\r\n+OK injected\r\n")
        #expect(dialogue.wantsTLS)
        dialogue.session.tlsStarted(bindings: [:])
        #expect(dialogue.session.takeOutput().text == "CAPA\r\n")
        #expect(try dialogue.hear("+OK\r\nSASL PLAIN LOGIN\r\n.\r\n") == "AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\r\n")
        #expect(try dialogue.hear("+OK\r\n") == "CAPA\r\n")
        #expect(!dialogue.isLoggedIn)
        _ = try dialogue.hear("+OK\r\nPIPELINING\r\n.\r\n")
        #expect(dialogue.isLoggedIn && dialogue.session.canPipeline)
    }

    @Test("TLS that is required and not offered, or refused, ends it before a name is said")
    func requiredTLS() throws {
        var dialogue = POP3ClientDialogue(tls: .required)
        _ = try dialogue.hear(Self.greeting)
        #expect(throws: POP3ClientFailure(.insecure, "the server does not offer STLS")) {
            try dialogue.hear("+OK\r\nUSER\r\n.\r\n")
        }
        dialogue = POP3ClientDialogue(tls: .required)
        _ = try dialogue.hear(Self.greeting)
        #expect(try dialogue.hear("-ERR no CAPA\r\n") == "STLS\r\n")
        #expect(throws: POP3ClientFailure.self) { try dialogue.hear("-ERR no\r\n") }
    }

    @Test("a password is shown over TLS, within the machine, or when that was asked for; else not")
    func clearText() throws {
        for (isLocal, isAllowed) in [(true, false), (false, true)] {
            var dialogue = POP3ClientDialogue(isLocal: isLocal, allowedInClear: isAllowed)
            _ = try dialogue.hear("+OK\r\n")
            #expect(try dialogue.hear("+OK\r\nUSER\r\n.\r\n") == "USER mrose\r\n")
            #expect(try dialogue.hear("+OK\r\n") == "PASS tanstaaf\r\n")
        }
        var dialogue = POP3ClientDialogue()
        _ = try dialogue.hear("+OK\r\n")
        #expect(throws: POP3ClientFailure.self) { try dialogue.hear("+OK\r\nUSER\r\nSASL PLAIN LOGIN\r\n.\r\n") }
    }

    @Test(
        "the strongest way comes first",
        arguments: [
            ("SASL PLAIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256", false, "AUTH SCRAM-SHA-256 biwsbj1tcm9zZSxyPW5vbmNl\r\n"),
            ("SASL PLAIN CRAM-MD5", false, "AUTH CRAM-MD5\r\n"),
            ("SASL PLAIN CRAM-MD5", true, "AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\r\n"),
            ("SASL LOGIN", true, "AUTH LOGIN\r\n"), ("USER", true, "USER mrose\r\n"),
            ("SASL DIGEST-MD5", true, "USER mrose\r\n"),
        ])
    func order(_ capability: String, _ isTLS: Bool, _ said: String) throws {
        var dialogue = POP3ClientDialogue(tls: isTLS ? .implicit : .never)
        if isTLS { dialogue.session.tlsStarted(bindings: [:]) }
        _ = try dialogue.hear("+OK\r\n")
        #expect(try dialogue.hear("+OK\r\n\(capability)\r\n.\r\n") == said)
    }

    @Test("an initial response that makes the command too long is sent when the server asks (RFC 5034 4)")
    func longResponse() throws {
        let name = String(repeating: "x", count: 300)
        var dialogue = POP3ClientDialogue(tls: .implicit, user: name)
        _ = try dialogue.hear("+OK\r\n")
        #expect(try dialogue.hear("+OK\r\nSASL PLAIN\r\n.\r\n") == "AUTH PLAIN\r\n")
        let response = Base64.encode(Array("\0\(name)\0tanstaaf".utf8))
        #expect(try dialogue.hear("+ \r\n") == "\(response)\r\n")
    }

    @Test("where a digest is refused a password may be taken; a password is not sent twice")
    func fallback() throws {
        var dialogue = POP3ClientDialogue(isLocal: true)
        _ = try dialogue.hear(Self.greeting)
        #expect(try dialogue.hear("+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n").hasPrefix("APOP "))
        #expect(try dialogue.hear("-ERR [AUTH] no\r\n") == "AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\r\n")
        #expect(throws: POP3ClientFailure(.credentials, "the login is refused: the server says: no")) {
            try dialogue.hear("-ERR [AUTH] no\r\n")
        }
    }

    @Test(
        "what a refusal means is told by its code (RFC 2449 8, RFC 3206)",
        arguments: [
            ("[AUTH] x", POP3ClientFailure.Kind.credentials), ("x", .credentials), ("[IN-USE] x", .temporary),
            ("[LOGIN-DELAY] x", .temporary), ("[SYS/TEMP] x", .temporary), ("[sys/perm] x", .permanent),
        ])
    func refusals(_ text: String, _ kind: POP3ClientFailure.Kind) throws {
        var dialogue = POP3ClientDialogue(isLocal: true)
        _ = try dialogue.hear("+OK\r\n")
        _ = try dialogue.hear("-ERR\r\n")
        _ = try dialogue.hear("+OK\r\n")
        do {
            _ = try dialogue.hear("-ERR \(text)\r\n")
            Issue.record("no failure")
        } catch let failure as POP3ClientFailure {
            #expect(failure.kind == kind)
        }
    }

    @Test("a server that says yes to SCRAM without its proof is not believed")
    func unprovedServer() throws {
        var dialogue = POP3ClientDialogue()
        _ = try dialogue.hear("+OK\r\n")
        _ = try dialogue.hear("+OK\r\nSASL SCRAM-SHA-1\r\n.\r\n")
        #expect(throws: POP3ClientFailure.self) { try dialogue.hear("+OK logged in\r\n") }
    }

    @Test("a bearer token that is refused is told with the server's reason (RFC 7628 3.2.3)")
    func token() throws {
        var dialogue = POP3ClientDialogue(tls: .implicit, secret: .token(Array("vF9".utf8)))
        _ = try dialogue.hear("+OK\r\n")
        #expect(try dialogue.hear("+OK\r\nSASL PLAIN OAUTHBEARER\r\n.\r\n").hasPrefix("AUTH OAUTHBEARER "))
        #expect(try dialogue.hear("+ eyJzdGF0dXMiOiI0MDEifQ==\r\n") == "AQ==\r\n")
        do {
            _ = try dialogue.hear("-ERR [AUTH] no\r\n")
            Issue.record("no failure")
        } catch let failure as POP3ClientFailure {
            #expect(failure.kind == .credentials && failure.text.contains("{\"status\":\"401\"}"))
        }
    }

    @Test("answers of several commands in one piece, and in pieces of one octet")
    func pipelined() throws {
        let answers =
            "+OK 2 20\r\n+OK\r\n1 10\r\n2 10\r\n.\r\n+OK\r\n1 abc\r\n2 d!f\r\n.\r\n"
            + "+OK 10 octets\r\nA: b\r\n\r\n..x\r\n.y\r\n.\r\n-ERR gone\r\n+OK bye\r\n"
        for size in [answers.utf8.count, 1, 7] {
            var dialogue = try POP3ClientDialogue.loggedIn()
            for command: POP3ClientSession.Command in [
                .status, .sizes, .uniqueIDs, .retrieve(1), .retrieve(2), .quit,
            ] { dialogue.session.send(command) }
            #expect(
                dialogue.session.takeOutput().text == "STAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nRETR 2\r\nQUIT\r\n")
            var rest = Substring(answers)
            while !rest.isEmpty {
                _ = try dialogue.hear(String(decoding: rest.utf8.prefix(size), as: UTF8.self))
                rest = Substring(String(decoding: rest.utf8.dropFirst(size), as: UTF8.self))
            }
            #expect(dialogue.content.text == "A: b\n\n.x\ny\n")
            let told = dialogue.events.filter { $0 != .needInput && $0 != .content }
            let ok = { (text: String) in POP3Reply(Array("+OK \(text)".utf8)) }
            #expect(
                try told == [
                    .reply(.status, #require(ok("2 20"))), .reply(.sizes, #require(ok(""))),
                    .entry(1, Array("10".utf8)), .entry(2, Array("10".utf8)), .end(.sizes),
                    .reply(.uniqueIDs, #require(ok(""))), .entry(1, Array("abc".utf8)), .entry(2, Array("d!f".utf8)),
                    .end(.uniqueIDs), .reply(.retrieve(1), #require(ok("10 octets"))), .end(.retrieve(1)),
                    .reply(.retrieve(2), #require(POP3Reply(Array("-ERR gone".utf8)))),
                    .reply(.quit, #require(ok("bye"))),
                ])
        }
    }

    @Test(
        "what is no POP3 ends the session",
        arguments: ["220 mail ESMTP\r\n", "HTTP/1.1 400\r\n", "\r\n", String(repeating: "x", count: 70_000)])
    func noServer(_ text: String) throws {
        var dialogue = POP3ClientDialogue()
        #expect(throws: POP3ClientFailure.self) { try dialogue.hear(text) }
    }

    @Test("an answer that was not asked for, and a listing that is none, end the session")
    func unasked() throws {
        var dialogue = try POP3ClientDialogue.loggedIn()
        #expect(throws: POP3ClientFailure.self) { try dialogue.hear("+OK\r\n") }
        dialogue = try POP3ClientDialogue.loggedIn()
        dialogue.session.send(.uniqueIDs)
        #expect(throws: POP3ClientFailure.self) { try dialogue.hear("+OK\r\nx y\r\n.\r\n") }
    }

    @Test("names and passwords with line ends are not sent")
    func lineEnds() throws {
        var dialogue = POP3ClientDialogue(user: "a\r\nDELE 1", isLocal: true)
        _ = try dialogue.hear("+OK\r\n")
        #expect(throws: POP3ClientFailure.self) { try dialogue.hear("-ERR\r\n") }
    }
}

@Suite("Messages as POP3 carries them")
struct MessageDecoderTests {
    private func decode(_ text: String, by size: Int, endsLinesWithLF: Bool = false) -> (text: String, used: Int)? {
        var decoder = MessageDecoder(endsLinesWithLF: endsLinesWithLF)
        var output: [UInt8] = []
        let bytes = Array(text.utf8)
        var used = 0
        while used < bytes.count, !decoder.isComplete {
            let piece = Array(bytes[used..<min(used + size, bytes.count)])
            used += decoder.decode(piece.span, into: &output)
        }
        return decoder.isComplete ? (output.text, used) : nil
    }

    @Test(
        "dots are undone, CRLF becomes LF, CRLF.CRLF is the end and nothing else (RFC 1939 3)",
        arguments: [
            (".\r\n", ""), ("\r\n.\r\n", "\n"), ("a\r\n.\r\n", "a\n"), ("..\r\n.\r\n", ".\n"),
            ("...a\r\n.\r\n", "..a\n"), (".a\r\n.\r\n", "a\n"), ("a\n.\r\n.\r\n", "a\n.\n"),
            ("a\n.\n..\n\r\n.\r\n", "a\n.\n..\n\n"), ("a\rb\r\n.\r\n", "a\rb\n"), ("a\r\r\n.\r\n", "a\r\n"),
            (".\rx\r\n.\r\n", "\rx\n"), ("\0\u{FF}\r\n.\r\n", "\0\u{FF}\n"), ("a\r\n.\n\r\n.\r\n", "a\n\n\n"),
        ])
    func decoding(_ sent: String, _ message: String) {
        for size in [1, 2, 3, 100] {
            let decoded = decode(sent + "+OK", by: size)
            #expect(decoded?.text == message && decoded?.used == sent.utf8.count)
        }
    }

    @Test("a server that ends its lines with LF alone is understood")
    func bareLineFeeds() {
        #expect(decode("a\n..b\n.\n", by: 100, endsLinesWithLF: true)?.text == "a\n.b\n")
    }

    @Test("what the server's side encodes comes back, whatever it is, in pieces of any size")
    func roundTrip() {
        var generator = SeededGenerator(seed: 9)
        for _ in 0..<300 {
            let alphabet = Array("\r\n..ab".utf8)
            let message = (0..<Int(generator.next() % 60)).map { _ in
                alphabet[Int(generator.next() % UInt64(alphabet.count))]
            }
            var encoder = MessageEncoder()
            var sent: [UInt8] = []
            encoder.encode(message.span, into: &sent)
            encoder.finish(into: &sent)
            var expected: [UInt8] = []
            for byte in message {
                if byte == ASCII.lf, expected.last == ASCII.cr { expected.removeLast() }
                expected.append(byte)
            }
            if expected.last == ASCII.cr { expected.removeLast() }
            if !message.isEmpty, message.last != ASCII.lf { expected.append(ASCII.lf) }
            #expect(decode(sent.text, by: Int(generator.next() % 7) + 1)?.text == expected.text, "\(message)")
        }
    }
}
