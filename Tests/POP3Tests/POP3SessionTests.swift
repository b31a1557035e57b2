import Bytes
import POP3
import SASL
import TestSupport
import Testing

/// A session driven with text over two messages.
struct POP3Dialogue {
    static let stored = ["Subject: a\n\n.dot\nline\n", "Subject: b\r\n\r\nno end"]
    var session: POP3Session
    var removed: [Int]?
    /// What AUTH has brought.
    var authentications: [String] = []
    /// The messages have vanished.
    var isGone = false
    var isClosed = false
    private var input: [UInt8] = []

    init(_ configuration: POP3Session.Configuration = .init()) { session = POP3Session(configuration) }

    static func octets(_ text: String) -> Int {
        var size = MessageSize()
        size.add(Array(text.utf8).span)
        return size.octets
    }

    static func table(_ messages: [String]) -> MaildropTable {
        var table = MaildropTable()
        for (index, message) in messages.enumerated() {
            table.append(octets: octets(message), uniqueID: Array("id\(index)".utf8))
        }
        return table
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
            case .send: break
            case .login(let user, let proof):
                let isRight = user == "anna" && proof == .password(Array("a b".utf8))
                session.answerLogin(
                    isRight
                        ? .success(Self.table(Self.stored))
                        : .failure(user == "busy" ? .inUse : user == "fast" ? .tooSoon(60) : .wrongCredentials))
            case .authenticate(let mechanism, let initialResponse):
                authentications.append("\(mechanism.rawValue) \(initialResponse?.text ?? "-")")
                session.challenge(mechanism == .plain ? "" : "Zm9v")
            case .authenticationResponse(let line):
                authentications.append(line.text)
                session.answerLogin(
                    line == Array("*".utf8) ? .failure(.cancelled) : .success(Self.table(Self.stored)))
            case .retrieve(let index, let lines):
                let octets = Self.octets(Self.stored[index])
                session.beginMessage(index, bodyLines: lines, octets: isGone ? nil : octets)
                if isGone { break }
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
            (
                "USER fast\r\nPASS y\r\n",
                "+OK now the password\r\n-ERR [LOGIN-DELAY] one login in 60 seconds is allowed\r\n"
            ),
            ("USER\r\n", "-ERR USER needs a name\r\n"), ("AUTH FOO\r\n", "-ERR the mechanism is not offered\r\n"),
            ("UTF8\r\n", "+OK UTF-8 is sent\r\n"), ("LANG\r\n", "+OK languages follow\r\nen English\r\n.\r\n"),
            ("LANG EN\r\n", "+OK en English it is\r\n"), ("LANG *\r\n", "+OK en English it is\r\n"),
            ("LANG tlh\r\n", "-ERR the language is not known\r\n"), ("NOOP\r\n", "-ERR log in first\r\n"),
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
            (
                "TOP 1 99999999999999999999\r\n",
                "+OK the top of the message follows\r\nSubject: a\r\n\r\n..dot\r\nline\r\n.\r\n"
            ),
            ("RSET x\r\n", "-ERR RSET takes no argument\r\n"), ("LIST 1 2\r\n", "-ERR which message?\r\n"),
            ("UTF8\r\n", "-ERR the login is over\r\n"), ("LANG i-default\r\n", "+OK en English it is\r\n"),
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

    @Test("CAPA lists what holds, and the same in both states (RFC 2449 6)")
    func capabilities() {
        var dialogue = POP3Dialogue(
            .init(
                offersTLS: true, allowsPlaintext: false, mechanisms: [.scramSHA256Plus, .scramSHA256, .plain],
                loginDelay: 60, expiry: .days(30)))
        let before = dialogue.send("CAPA\r\n")
        let common = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE 30", "LOGIN-DELAY 60"]
        for tag in common + ["STLS", "UTF8 USER", "LANG", "IMPLEMENTATION Facteur", "SASL SCRAM-SHA-256"] {
            #expect(before.contains("\r\n\(tag)\r\n"), "\(tag)")
        }
        #expect(!before.contains("\r\nUSER\r\n"))
        #expect(dialogue.send("USER anna\r\n").hasPrefix("-ERR"))
        #expect(dialogue.send("AUTH PLAIN\r\n").hasPrefix("-ERR"))
        #expect(dialogue.send("STLS\r\nUSER evil\r\n") == "+OK begin TLS\r\n")
        let within = dialogue.send("CAPA\r\n")
        #expect(
            within
                == before.replacing("STLS\r\n", with: "").replacing(
                    "SASL SCRAM-SHA-256\r\n", with: "USER\r\nSASL SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN\r\n"))
        #expect(dialogue.send("PASS x\r\n") == "-ERR say USER first\r\n")
        #expect(dialogue.send(Self.login).hasSuffix("+OK 2 messages (48 octets)\r\n"))
        #expect(dialogue.send("CAPA\r\n") == within)
    }

    @Test("where TLS is required nobody logs in before it")
    func requiredTLS() {
        var dialogue = POP3Dialogue(
            .init(offersTLS: true, timestamp: "<1@x>", requiresTLS: true, mechanisms: [.cramMD5]))
        let capabilities = dialogue.send("CAPA\r\n")
        #expect(!capabilities.contains("SASL") && !capabilities.contains("USER\r\nSASL"))
        for command in ["USER anna", "APOP anna 00", "AUTH CRAM-MD5"] {
            #expect(dialogue.send(command + "\r\n").hasPrefix("-ERR"))
        }
        #expect(dialogue.authentications.isEmpty)
    }

    @Test("AUTH: initial response, challenge, cancelling, long lines (RFC 5034)")
    func authentication() {
        var dialogue = POP3Dialogue(.init(mechanisms: [.plain, .cramMD5]))
        #expect(dialogue.send("AUTH\r\n") == "+OK mechanisms follow\r\nPLAIN\r\nCRAM-MD5\r\n.\r\n")
        #expect(dialogue.send("auth plain\r\n") == "+ \r\n")
        #expect(dialogue.send("*\r\n") == "-ERR cancelled\r\n")
        #expect(dialogue.send("AUTH CRAM-MD5 =\r\n") == "+ Zm9v\r\n")
        let long = String(repeating: "A", count: 60_000)
        #expect(dialogue.send("\(long)\r\n") == "+OK 2 messages (48 octets)\r\n")
        #expect(dialogue.authentications == ["PLAIN -", "*", "CRAM-MD5 =", long])
        #expect(dialogue.send("AUTH PLAIN\r\n") == "-ERR the login is over\r\n")
        var other = POP3Dialogue(.init(mechanisms: [.plain]))
        #expect(other.send("AUTH PLAIN \(long)\r\n") == "+ \r\n")
        #expect(other.send("\(long)\(long)\r\nNOOP\r\n") == "-ERR the line is too long\r\n-ERR log in first\r\n")
    }

    @Test("a message that has vanished is an error of that one alone")
    func vanished() {
        var dialogue = POP3Dialogue()
        _ = dialogue.send(Self.login)
        dialogue.isGone = true
        #expect(dialogue.send("RETR 1\r\nSTAT\r\n") == "-ERR [SYS/TEMP] the message is gone\r\n+OK 2 48\r\n")
    }

    @Test("EXPIRE 0: what was retrieved is removed at QUIT (RFC 2449 6.7)")
    func expiry() {
        var dialogue = POP3Dialogue(.init(expiry: .days(0)))
        _ = dialogue.send(Self.login + "RETR 2\r\nTOP 1 0\r\nRSET\r\nQUIT\r\n")
        #expect(dialogue.removed == [1])
    }

    @Test("read-only: DELE is refused, and nothing is removed")
    func readOnly() {
        var dialogue = POP3Dialogue(.init(expiry: .days(0), isReadOnly: true))
        _ = dialogue.send(Self.login)
        #expect(dialogue.send("DELE 1\r\nRETR 1\r\nSTAT\r\n").hasPrefix("-ERR [SYS/PERM]"))
        #expect(dialogue.send("QUIT\r\n") == "+OK goodbye\r\n" && dialogue.removed == [])
    }

    @Test("long listings are sent in pieces, whole and in order")
    func listings() {
        var table = MaildropTable()
        for index in 0..<5_000 { table.append(octets: index, uniqueID: Array("id\(index)".utf8)) }
        var session = POP3Session(.init())
        let input = Array("USER x\r\nPASS y\r\nDELE 3\r\nLIST\r\nUIDL\r\nSTAT\r\n".utf8)
        var rest = input[...]
        var text: [UInt8] = []
        var largest = 0
        loop: while true {
            let given = Array(rest)
            let (consumed, step) = session.next(given.span)
            rest = rest.dropFirst(consumed)
            let output = session.takeOutput()
            largest = max(largest, output.count)
            text += output
            switch step {
            case .login: session.answerLogin(.success(table))
            case .send: continue
            default: break loop
            }
        }
        var lines = text.text.split(separator: "\r\n").map(String.init)[...]
        #expect(lines.prefix(4).last == "+OK scan listing follows")
        lines = lines.dropFirst(4)
        let numbers = (1...5_000).filter { $0 != 3 }
        #expect(Array(lines.prefix(4_999)) == numbers.map { "\($0) \($0 - 1)" })
        lines = lines.dropFirst(5_001)
        #expect(Array(lines.prefix(4_999)) == numbers.map { "\($0) id\($0 - 1)" })
        #expect(lines.last == "+OK 4999 \(table.totalOctets - 2)")
        #expect(largest < 40_000)
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
        let whole = Array(
            (Self.login + "AUTH PLAIN =\r\n*\r\nLANG\r\nLIST\r\nRETR 1\r\nTOP 2 1\r\nDELE 1\r\nUIDL 2\r\nQUIT\r\n").utf8
        )
        for _ in 0..<2_000 {
            var dialogue = POP3Dialogue(.init(offersTLS: true, timestamp: "<1@x>", mechanisms: SASLMechanism.allCases))
            _ = dialogue.send(generator.mutated(whole).text)
        }
    }
}
