import Bytes
import SMTP
import TestSupport
import Testing

@Suite("The server's extensions")
struct ServerExtensionsTests {
    static let hello = "EHLO client.example\r\n"
    static let start = hello + "MAIL FROM:<a@example.org>\r\n"
    static let ready = start + "RCPT TO:<b@example.net>\r\n"

    /// The codes of a whole session, fed at once and byte by byte.
    private func codes(
        _ input: String, isTLS: Bool = false, _ configure: (inout ServerSession.Configuration) -> Void = { _ in }
    ) -> (codes: String, dialogue: ServerDialogue) {
        var whole = ServerDialogue(isTLS: isTLS, configure)
        let expected = whole.codes(input).joined(separator: " ")
        var slow = ServerDialogue(isTLS: isTLS, configure)
        var slowCodes: [String] = []
        for byte in input.utf8 where !slow.isClosed {
            slowCodes += slow.send([byte]).filter { Array($0.utf8)[3] != UInt8(ascii: "-") }.map {
                String($0.prefix(3))
            }
        }
        #expect(slowCodes.joined(separator: " ") == expected)
        #expect(slow.messages.map(\.content) == whole.messages.map(\.content))
        return (expected, whole)
    }

    @Test("EHLO lists what is offered, and only where it may be used")
    func offer() {
        var plain = ServerDialogue {
            $0.offersTLS = true
            $0.mechanismsOverTLS = ["PLAIN"]
            $0.mechanisms = ["CRAM-MD5"]
        }
        let lines = plain.send(Self.hello).map { String($0.dropFirst(4)) }
        #expect(
            lines == [
                "mx.example", "PIPELINING", "SIZE 1000000", "8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN",
                "ENHANCEDSTATUSCODES", "LIMITS RCPTMAX=100", "STARTTLS", "AUTH CRAM-MD5", "HELP",
            ])
        var secure = ServerDialogue(isTLS: true) {
            $0.offersTLS = true
            $0.mechanismsOverTLS = ["PLAIN"]
            $0.offersETRN = true
        }
        let more = secure.send(Self.hello).map { String($0.dropFirst(4)) }
        #expect(more.suffix(4) == ["REQUIRETLS", "AUTH PLAIN", "ETRN", "HELP"] && !more.contains("STARTTLS"))
        #expect(secure.send("HELO client\r\n") == ["250 mx.example"])
    }

    @Test(
        "BDAT: chunks are counted exactly (RFC 3030)",
        arguments: [
            ("BDAT 4 LAST\r\na\r\nbNOOP\r\n", "250 250", "a\nb"),
            ("BDAT 4\r\na\r\nbBDAT 2 LAST\r\n\r\n", "250 250", "a\nb\n"),
            ("BDAT 2\r\na\rBDAT 2 LAST\r\n\nb", "250 250", "a\nb"),
            ("BDAT 3\r\nabcBDAT 0 LAST\r\n", "250 250", "abc"),
            ("BDAT 0\r\nBDAT 5 LAST\r\n.\r\n.a", "250 250", ".\n.a"),
            ("bdat 1 last\r\nx", "250", "x"), ("BDAT 3 LAST\r\na\nb", "250", "a\nb"),
            ("BDAT 3 LAST\r\na\rbNOOP\r\n", "550 250", ""), ("BDAT 1 LAST\r\n\rNOOP\r\n", "550 250", ""),
            ("BDAT 3\r\nabcDATA\r\n", "250 503", ""), ("BDAT 3\r\nabcRCPT TO:<c@d.e>\r\n", "250 503", ""),
            ("BDAT 3\r\nabcMAIL FROM:<>\r\n", "250 503", ""),
            ("BDAT 3\r\nabcRSET\r\nBDAT 3 LAST\r\nabcNOOP\r\n", "250 250 503 250", ""),
            ("BDAT 3 FIRST\r\nabcNOOP\r\n", "501 250", ""), ("BDAT\r\nNOOP\r\n", "501", ""),
            ("BDAT x\r\nNOOP\r\n", "501", ""), ("BDAT -1\r\nNOOP\r\n", "501", ""),
            ("BDAT 99999999999999999999\r\nNOOP\r\n", "501", ""), ("BDAT +1\r\nx", "501", ""),
        ])
    func chunks(_ input: String, _ expected: String, _ content: String) {
        let (codes, dialogue) = codes(Self.ready + input)
        #expect(codes == "250 250 250 " + expected)
        #expect(dialogue.messages.map(\.content) == (content.isEmpty ? [] : [content]))
    }

    @Test("a chunk without a transaction or a recipient is read and refused")
    func chunksOutOfOrder() {
        #expect(codes(Self.hello + "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n").codes == "250 503 250")
        #expect(codes(Self.start + "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n").codes == "250 250 554 250")
        let pipelined = Self.start + "RCPT TO:<nobody@x.y>\r\nBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nQUIT\r\n"
        #expect(codes(pipelined).codes == "250 250 550 554 554 221")
    }

    @Test("a message too large is refused at the chunk in which it grows too large, and after it until RSET")
    func largeChunks() {
        let input = Self.ready + "BDAT 8\r\n12345678BDAT 8\r\n12345678BDAT 2\r\nabBDAT 2 LAST\r\nabRSET\r\nNOOP\r\n"
        let (codes, dialogue) = codes(input) { $0.maximumSize = 10 }
        #expect(codes == "250 250 250 250 552 503 503 250 250" && dialogue.messages.isEmpty)
    }

    @Test("a binary message comes by BDAT alone and is not changed (RFC 3030 3)")
    func binary() {
        let start = Self.hello + "MAIL FROM:<a@example.org> BODY=BINARYMIME\r\nRCPT TO:<b@example.net>\r\n"
        #expect(codes(start + "DATA\r\n").codes == "250 250 250 503")
        let (codes, dialogue) = codes(start + "BDAT 6 LAST\r\n\r\r\n\0\n\r")
        #expect(codes == "250 250 250 250")
        #expect(dialogue.messages.map(\.content) == ["\r\r\n\0\n\r"])
        #expect(dialogue.messages.first?.envelope.parameters.body == .binary)
    }

    @Test(
        "DSN parameters (RFC 3461)",
        arguments: [
            ("<a@b.c> RET=FULL ENVID=QQ314159", "", "250 250"), ("<a@b.c> RET=HDRS", "", "250 250"),
            ("<a@b.c> RET=ALL", "", "501 503"), ("<a@b.c> RET", "", "501 503"), ("<a@b.c> ENVID=a+2", "", "501 503"),
            ("<a@b.c> ENVID=a+2Bb", "", "250 250"), ("<a@b.c>", " NOTIFY=NEVER", "250 250"),
            ("<a@b.c>", " NOTIFY=success,Failure,DELAY ORCPT=rfc822;Bob@Example.net", "250 250"),
            ("<a@b.c>", " NOTIFY=NEVER,DELAY", "250 501"), ("<a@b.c>", " NOTIFY=", "250 501"),
            ("<a@b.c>", " NOTIFY=SOMETIMES", "250 501"), ("<a@b.c>", " ORCPT=bob", "250 501"),
            ("<a@b.c>", " ORCPT=rfc822;b+zz", "250 501"), ("<a@b.c>", " NOTIFY=DELAY NOTIFY=DELAY", "250 501"),
        ])
    func notifications(_ sender: String, _ parameters: String, _ expected: String) {
        let input = Self.hello + "MAIL FROM:\(sender)\r\nRCPT TO:<b@example.net>\(parameters)\r\n"
        #expect(codes(input).codes == "250 " + expected)
    }

    @Test(
        "UTF-8 in addresses needs SMTPUTF8 (RFC 6531)",
        arguments: [
            ("<ä@exämple.org> SMTPUTF8", "<ü@example.net>", "250 250"), ("<ä@example.org>", "<b@c.d>", "553 503"),
            ("<a@example.org>", "<ü@example.net>", "250 553"), ("<a@example.org> SMTPUTF8=1", "<b@c.d>", "501 503"),
            ("<\"ä b\"@example.org> SMTPUTF8", "<b@c.d> ORCPT=utf-8;ü@example.net", "250 250"),
        ])
    func internationalized(_ sender: String, _ recipient: String, _ expected: String) {
        #expect(codes(Self.hello + "MAIL FROM:\(sender)\r\nRCPT TO:\(recipient)\r\n").codes == "250 " + expected)
    }

    @Test("what is not UTF-8 is no address")
    func notUTF8() {
        var dialogue = ServerDialogue()
        _ = dialogue.send(Self.hello)
        let line = Array("MAIL FROM:<".utf8) + [0xC3, 0x28] + Array("@example.org> SMTPUTF8\r\n".utf8)
        #expect(dialogue.send(line).first?.hasPrefix("501") == true)
    }

    @Test("REQUIRETLS is offered and taken over TLS only (RFC 8689)")
    func requireTLS() {
        let input = Self.hello + "MAIL FROM:<a@b.c> REQUIRETLS\r\n"
        #expect(codes(input).codes == "250 530")
        #expect(codes(input, isTLS: true).codes == "250 250")
    }

    @Test("LMTP greets with LHLO and answers for each recipient (RFC 2033)")
    func lmtp() {
        #expect(codes("EHLO c\r\nHELO c\r\nLHLO c\r\n") { $0.isLMTP = true }.codes == "500 500 250")
        #expect(codes("LHLO c\r\n").codes == "500")
        let start = "LHLO c\r\nMAIL FROM:<>\r\n"
        let recipients = "RCPT TO:<b@c.d>\r\nRCPT TO:<nobody@c.d>\r\nRCPT TO:<full@c.d>\r\nRCPT TO:<e@c.d>\r\n"
        let input = start + recipients + "DATA\r\nx\r\n.\r\nQUIT\r\n"
        #expect(codes(input) { $0.isLMTP = true }.codes == "250 250 250 550 250 250 354 250 452 250 221")
        let chunked = start + recipients + "BDAT 1 LAST\r\nxNOOP\r\n"
        #expect(codes(chunked) { $0.isLMTP = true }.codes == "250 250 250 550 250 250 250 452 250 250")
        #expect(codes(start + "DATA\r\n") { $0.isLMTP = true }.codes == "250 250 503")
        let large = start + "RCPT TO:<b@c.d>\r\nRCPT TO:<e@c.d>\r\nDATA\r\n12345\r\n.\r\n"
        let verdicts = codes(large) {
            $0.isLMTP = true
            $0.maximumSize = 3
        }
        #expect(verdicts.codes == "250 250 250 250 354 552 552")
        // So is the last chunk answered when one before it was refused.
        let chunks = start + "RCPT TO:<b@c.d>\r\nRCPT TO:<e@c.d>\r\nBDAT 4\r\n1234BDAT 1 LAST\r\n5NOOP\r\n"
        let refused = codes(chunks) {
            $0.isLMTP = true
            $0.maximumSize = 3
        }
        #expect(refused.codes == "250 250 250 250 552 503 503 250")
    }

    private static func mechanisms(_ configuration: inout ServerSession.Configuration) {
        configuration.mechanisms = ["PLAIN", "LOGIN"]
    }

    @Test(
        "AUTH (RFC 4954)",
        arguments: [
            ("AUTH PLAIN Z29vZA==\r\n", "503"), (hello + "AUTH PLAIN Z29vZA==\r\n", "250 235"),
            (hello + "auth plain\r\nZ29vZA==\r\nNOOP\r\n", "250 334 235 250"),
            (hello + "AUTH PLAIN\r\n*\r\nNOOP\r\n", "250 334 501 250"),
            (hello + "AUTH PLAIN %\r\n", "250 501"), (hello + "AUTH\r\n", "250 501"),
            (hello + "AUTH PLAIN a b\r\n", "250 501"), (hello + "AUTH DIGEST-MD5\r\n", "250 504"),
            (hello + "AUTH PLAIN Z29vZA==\r\nAUTH PLAIN Z29vZA==\r\n", "250 235 503"),
            (start + "AUTH PLAIN Z29vZA==\r\n", "250 250 503"),
            (hello + "AUTH PLAIN YmFk\r\nAUTH PLAIN YmFk\r\nAUTH PLAIN YmFk\r\nNOOP\r\n", "250 535 535 535 421"),
            (hello + "MAIL FROM:<a@b.c> AUTH=<>\r\n", "250 250"),
            (hello + "MAIL FROM:<a@b.c> AUTH=e+3Dmc2@example.com\r\n", "250 250"),
            (hello + "MAIL FROM:<a@b.c> AUTH\r\n", "250 501"), (hello + "MAIL FROM:<a@b.c> AUTH=e+3\r\n", "250 501"),
        ])
    func authentication(_ input: String, _ expected: String) {
        #expect(codes(input, Self.mechanisms).codes == expected)
    }

    @Test("a mechanism that TLS is needed for is 538 without; no mechanism at all is 502; LOGIN is asked for a name")
    func mechanismsAndTLS() {
        #expect(codes(Self.hello + "AUTH PLAIN YQ==\r\n") { $0.mechanismsOverTLS = ["PLAIN"] }.codes == "250 538")
        #expect(codes(Self.hello + "AUTH PLAIN YQ==\r\n").codes == "250 502")
        var dialogue = ServerDialogue { Self.mechanisms(&$0) }
        _ = dialogue.send(Self.hello)
        #expect(dialogue.send("AUTH LOGIN\r\n") == ["334 VXNlcm5hbWU6"])
        _ = dialogue.send("Z29vZA==\r\n")
        #expect(dialogue.session.user == "anna")
        #expect(!dialogue.send(Self.hello).contains { $0.contains("AUTH") })
    }

    @Test("a response may be long, but not endless")
    func longResponse() {
        var dialogue = ServerDialogue { Self.mechanisms(&$0) }
        _ = dialogue.send(Self.hello + "AUTH PLAIN\r\n")
        #expect(dialogue.codes(String(repeating: "A", count: 12_288) + "\r\n") == ["535"])
        _ = dialogue.send("AUTH PLAIN\r\n")
        for _ in 0..<20 { #expect(dialogue.send([UInt8](repeating: 65, count: 10_000)).isEmpty) }
        #expect(dialogue.send("\r\nNOOP\r\n").map { String($0.prefix(9)) } == ["500 5.5.6", "250 2.0.0"])
        // An initial response has the same room (RFC 4954 4).
        #expect(dialogue.codes("AUTH PLAIN " + String(repeating: "A", count: 12_288) + "\r\n") == ["535"])
    }

    @Test("VRFY, EXPN and ETRN are the driver's when it wants them (RFC 5321 3.5, RFC 1985)")
    func users() {
        let input = Self.hello + "VRFY bob SMTPUTF8\r\nEXPN list\r\nETRN example.org\r\nETRN\r\n"
        let (codes, _) = codes(input) {
            $0.showsUsers = true
            $0.offersETRN = true
        }
        #expect(codes == "250 250 250 250 501")
        #expect(self.codes(Self.hello + "ETRN example.org\r\n").codes == "250 502")
        #expect(self.codes(Self.start + "ETRN example.org\r\n") { $0.offersETRN = true }.codes == "250 250 503")
    }

    @Test("every command is shown before it is carried out, and a chunk that is refused is still counted")
    func inspection() {
        let input = Self.ready + "NOOP refuse\r\nBDAT 6 refuse\r\nQUIT\r\nBDAT 1 LAST\r\nx"
        let (codes, dialogue) = codes(input) { $0.inspectsCommands = true }
        #expect(codes == "250 250 250 451 451 250")
        #expect(
            dialogue.inspected == [
                "EHLO client.example", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.net>", "NOOP refuse",
                "BDAT 6 refuse", "BDAT 1 LAST",
            ])
    }

    @Test("the words of an answer can be another's, where it is of the same kind; 421 ends the session")
    func otherWords() {
        var configuration = ServerSession.Configuration(hostName: "mx.example")
        configuration.inspectsCommands = true
        var session = ServerSession(configuration)
        let nothing: [UInt8] = []
        func answer(_ line: String, _ act: (inout ServerSession) -> Void) -> String {
            let bytes = Array((line + "\r\n").utf8)
            guard case .inspect = session.next(bytes.span).step else { return "no command" }
            act(&session)
            if case .checkSender = session.next(nothing.span).step { session.answerSender(nil) }
            return session.takeOutput().text
        }
        func answer(_ line: String, inWords words: Reply) -> String {
            answer(line) { session in
                session.word(words)
                session.proceed()
            }
        }
        #expect(answer("EHLO c", inWords: Reply(250, nil, "old.example")) == "250 old.example\r\n")
        #expect(answer("MAIL FROM:<a@b.c>", inWords: Reply(250, "2.1.0", "yes")) == "250 2.1.0 yes\r\n")
        #expect(session.isExtended && session.sender != nil)
        #expect(answer("DATA", inWords: Reply(354, nil, "go")).hasPrefix("554 "))
        #expect(answer("RSET") { $0.proceed() } == "250 2.0.0 ok\r\n")
        #expect(answer("NOOP") { $0.refuse(Reply(421, "4.3.2", "bye")) } == "421 4.3.2 bye\r\n")
        let step = session.next(nothing.span).step
        #expect(step == .close)
    }

    @Test("a bare LF is refused at once, and what follows it on the line is no command")
    func bareLineFeed() {
        var dialogue = ServerDialogue()
        #expect(dialogue.codes("NOOP\n") == ["500"])
        #expect(dialogue.codes("QUIT\r\nNOOP\r\n") == ["250"])
    }

    @Test("TLS from the first octet on a port without is told so")
    func impliedTLS() {
        var dialogue = ServerDialogue()
        let hello: [UInt8] = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]
        #expect(dialogue.send(hello).first?.hasPrefix("554") == true && dialogue.isClosed)
    }

    @Test("mutated sessions of every extension never trap")
    func mutations() {
        var generator = SeededGenerator(seed: 11)
        let chunked = Self.ready + "BDAT 4\r\na\r\nbBDAT 2 LAST\r\n\r\nAUTH LOGIN\r\nYQ==\r\nVRFY x\r\nQUIT\r\n"
        for _ in 0..<3_000 {
            var dialogue = ServerDialogue { Self.mechanisms(&$0) }
            _ = dialogue.send(generator.mutated(Array(chunked.utf8)))
            #expect(dialogue.messages.count <= 2)
        }
    }

    @Test("a reply can be read from its text")
    func replyText() {
        #expect(Reply("451 4.3.0 try later") == Reply(451, "4.3.0", "try later"))
        #expect(Reply("550 no such user") == Reply(550, nil, "no such user"))
        #expect(Reply("421") == Reply(421, nil, ""))
        #expect(Reply(wireLines: "554-5.7.1 one\r\n554 5.7.1 two") == Reply(554, "5.7.1", lines: ["one", "two"]))
        #expect(Reply(wireLines: "554 one") == Reply(554, nil, "one") && Reply(wireLines: "554-a\r\n550 b") == nil)
        #expect(Reply(wireLines: "") == nil && Reply(wireLines: "554-a\r\nb") == nil)
        #expect(Reply("550 4.1.1 x") == Reply(550, nil, "4.1.1 x"))
        #expect(Reply("55 x") == nil && Reply("abc") == nil && Reply("650 x") == nil && Reply("") == nil)
    }
}
