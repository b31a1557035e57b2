import Bytes
import POP3
import TestSupport
import Testing

/// A session driven with text over two messages.
struct POP3Dialogue {
    static let stored = ["Subject: a\n\n.dot\nline\n", "Subject: b\r\n\r\nno end"]
    var session: POP3Session
    var removed: [Int]?
    var isClosed = false
    private var input: [UInt8] = []

    init(_ configuration: POP3Session.Configuration = .init()) { session = POP3Session(configuration) }

    static func octets(_ text: String) -> Int {
        var size = MessageSize()
        size.add(Array(text.utf8).span)
        return size.octets
    }

    mutating func send(_ text: String) -> String {
        input += Array(text.utf8)
        var answer: [UInt8] = []
        while true {
            let pending = input
            let (consumed, step) = session.next(pending.span)
            input.removeFirst(consumed)
            answer += session.takeOutput()
            switch step {
            case .needInput: return answer.text
            case .close:
                isClosed = true
                return answer.text
            case .login(let user, let proof):
                let isRight = user == "anna" && proof == .password("a b")
                session.answerLogin(
                    isRight
                        ? .success(
                            Self.stored.enumerated().map {
                                MaildropMessage(octets: Self.octets($1), uniqueID: "id\($0)")
                            })
                        : .failure(user == "busy" ? .inUse : .wrongCredentials))
            case .retrieve(let index, let lines):
                session.beginMessage(index, bodyLines: lines, isThere: true)
                answer += session.takeOutput()
                var encoder = MessageEncoder(bodyLines: lines)
                encoder.encode(Array(Self.stored[index].utf8).span, into: &answer)
                encoder.finish(into: &answer)
            case .remove(let indexes):
                removed = indexes
                session.answerQuit(failed: 0)
            case .startTLS:
                session.tlsStarted()
                input = []
                return answer.text
            }
            answer += session.takeOutput()
        }
    }
}

@Suite("The POP3 session (RFC 1939)")
struct POP3SessionTests {
    static let login = "USER anna\r\nPASS a b\r\n"

    @Test(
        "every command in both states",
        arguments: [
            ("STAT\r\n", "-ERR log in first\r\n"), ("FOO\r\n", "-ERR unknown command\r\n"),
            ("PASS x\r\n", "-ERR say USER first\r\n"), ("QUIT\r\n", "+OK goodbye\r\n"),
            ("USER x\r\nPASS y\r\n", "+OK now the password\r\n-ERR [AUTH] user name or password is wrong\r\n"),
            (
                "USER busy\r\nPASS y\r\n",
                "+OK now the password\r\n-ERR [IN-USE] the mailbox is open in another session\r\n"
            ),
            ("APOP anna 00\r\n", "-ERR APOP is not offered\r\n"), ("STLS\r\n", "-ERR TLS is not offered\r\n"),
        ])
    func authorization(_ input: String, _ answer: String) {
        var dialogue = POP3Dialogue()
        #expect(dialogue.send(input) == answer)
    }

    @Test(
        "the transaction state",
        arguments: [
            ("STAT\r\n", "+OK 2 48\r\n"), ("stat\r\n", "+OK 2 48\r\n"),
            ("STAT x\r\n", "-ERR STAT takes no argument\r\n"),
            ("LIST\r\n", "+OK scan listing follows\r\n1 26\r\n2 22\r\n.\r\n"), ("LIST 2\r\n", "+OK 2 22\r\n"),
            ("LIST 3\r\n", "-ERR there is no such message\r\n"), ("LIST 0\r\n", "-ERR there is no such message\r\n"),
            ("LIST x\r\n", "-ERR which message?\r\n"), ("RETR\r\n", "-ERR which message?\r\n"),
            ("LIST 99999999999999999999\r\n", "-ERR which message?\r\n"), ("DELE -1\r\n", "-ERR which message?\r\n"),
            ("UIDL\r\n", "+OK unique-id listing follows\r\n1 id0\r\n2 id1\r\n.\r\n"), ("UIDL 1\r\n", "+OK 1 id0\r\n"),
            ("RETR 1\r\n", "+OK 26 octets\r\nSubject: a\r\n\r\n..dot\r\nline\r\n.\r\n"),
            ("RETR 2\r\n", "+OK 22 octets\r\nSubject: b\r\n\r\nno end\r\n.\r\n"),
            ("TOP 1 0\r\n", "+OK the top of the message follows\r\nSubject: a\r\n\r\n.\r\n"),
            ("TOP 1 1\r\n", "+OK the top of the message follows\r\nSubject: a\r\n\r\n..dot\r\n.\r\n"),
            ("TOP 1\r\n", "-ERR the syntax is TOP message lines\r\n"), ("NOOP\r\n", "+OK\r\n"),
            (
                "DELE 1\r\nDELE 1\r\nSTAT\r\nRSET\r\nSTAT\r\n",
                "+OK message 1 is marked as deleted\r\n-ERR the message is marked as deleted\r\n+OK 1 22\r\n"
                    + "+OK nothing is marked as deleted\r\n+OK 2 48\r\n"
            ),
            ("USER anna\r\n", "-ERR the login is over\r\n"), ("NO\0OP\r\n", "-ERR a line holds no NUL\r\n"),
        ])
    func transaction(_ input: String, _ answer: String) {
        var dialogue = POP3Dialogue()
        _ = dialogue.send(Self.login)
        #expect(dialogue.send(input) == answer)
        var slow = POP3Dialogue()
        _ = slow.send(Self.login)
        #expect(input.utf8.map { slow.send(String(UnicodeScalar($0))) }.joined() == answer)
    }

    @Test("only QUIT removes, and it removes what is marked")
    func quit() {
        var dialogue = POP3Dialogue()
        _ = dialogue.send(Self.login + "DELE 2\r\n")
        #expect(dialogue.removed == nil)
        #expect(dialogue.send("QUIT\r\n") == "+OK goodbye\r\n")
        #expect(dialogue.removed == [1] && dialogue.isClosed)
    }

    @Test("CAPA lists what holds, and the same TOP and UIDL in both states")
    func capabilities() {
        var dialogue = POP3Dialogue(.init(offersTLS: true, allowsPlaintext: false))
        let before = dialogue.send("CAPA\r\n")
        #expect(before.contains("STLS\r\n") && !before.contains("USER\r\n") && before.contains("TOP\r\nUIDL\r\n"))
        #expect(dialogue.send("USER anna\r\n").hasPrefix("-ERR"))
        #expect(dialogue.send("STLS\r\nUSER evil\r\n") == "+OK begin TLS\r\n")
        let within = dialogue.send("CAPA\r\n")
        #expect(!within.contains("STLS\r\n") && within.contains("USER\r\n"))
        #expect(dialogue.send("PASS x\r\n") == "-ERR say USER first\r\n")
        #expect(dialogue.send(Self.login).hasSuffix("+OK 2 messages (48 octets)\r\n"))
        #expect(dialogue.send("CAPA\r\n").contains("TOP\r\nUIDL\r\n"))
    }

    @Test("three wrong passwords end the session; a long line is skipped to its end")
    func limits() {
        var dialogue = POP3Dialogue()
        for _ in 0..<100 { #expect(dialogue.send(String(repeating: "x", count: 5_000)).isEmpty) }
        #expect(dialogue.send("\r\n") == "-ERR the line is too long\r\n")
        for _ in 0..<3 { _ = dialogue.send("USER x\r\nPASS y\r\n") }
        #expect(dialogue.isClosed)
    }

    @Test("the size told is the size sent, whatever the line ends, in pieces too")
    func sizes() {
        var generator = SeededGenerator(seed: 8)
        for _ in 0..<500 {
            let stored = generator.bytes(Int(generator.next() % 60), of: "ab.\r\n\n")
            var size = MessageSize()
            var encoder = MessageEncoder()
            var sent: [UInt8] = []
            var place = 0
            while place < stored.count {
                let end = min(stored.count, place + 1 + Int(generator.next() % 5))
                size.add(Array(stored[place..<end]).span)
                encoder.encode(Array(stored[place..<end]).span, into: &sent)
                place = end
            }
            encoder.finish(into: &sent)
            #expect(sent.suffix(3) == [46, 13, 10])
            // Undo the dots as a client does: lines end with CRLF only.
            var received: [UInt8] = []
            var isAtLineStart = true
            for (index, byte) in sent.dropLast(3).enumerated() {
                if isAtLineStart, byte == 46 { isAtLineStart = false; continue }
                received.append(byte)
                isAtLineStart = byte == 10 && index > 0 && sent[index - 1] == 13
            }
            #expect(received.count == size.octets, "\(stored)")
        }
    }

    @Test("mutated sessions never trap")
    func mutations() {
        var generator = SeededGenerator(seed: 12)
        let whole = Array((Self.login + "LIST\r\nRETR 1\r\nTOP 2 1\r\nDELE 1\r\nUIDL 2\r\nQUIT\r\n").utf8)
        for _ in 0..<2_000 {
            var dialogue = POP3Dialogue(.init(offersTLS: true, timestamp: "<1@x>"))
            _ = dialogue.send(generator.mutated(whole).text)
        }
    }
}
