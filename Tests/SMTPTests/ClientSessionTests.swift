import Bytes
import SMTP
import TestSupport
import Testing

@Suite("The client's session")
struct ClientSessionTests {
    @Test("a dialogue goes as written, however the server's bytes are split", arguments: dialogues)
    func dialogue(_ dialogue: ClientDialogue) {
        for arrival in ClientDialogue.Arrival.allCases {
            #expect(dialogue.run(arrival) == dialogue.expected, "arrival \(arrival)")
        }
    }

    @Test("a connection that ends at any byte is a temporary failure, and the session ends")
    func everyCut() {
        let replies =
            "220 hi\r\n250-x\r\n250-PIPELINING\r\n250 SIZE 1000\r\n250 ok\r\n250 ok\r\n354 go\r\n250 done\r\n221 bye\r\n"
        let bytes = Array(replies.utf8)
        let accepted = bytes.count - "221 bye\r\n".utf8.count
        for cut in 0...bytes.count {
            let result = result(ofServerSaying: Array(bytes[..<cut]))
            #expect(result?.outcome == (cut >= accepted ? .accepted : .temporary), "cut at \(cut)")
        }
    }

    @Test("an answer lost after the final dot is temporary, and known as lost")
    func answerLost() {
        let said = "220 hi\r\n250 x\r\n250 ok\r\n250 ok\r\n354 go\r\n"
        #expect(result(ofServerSaying: Array(said.utf8))?.cause == .answerLost)
    }

    @Test("whatever the server says, the session ends with a result and small memory")
    func mutations() {
        let good = Array(
            "220 hi\r\n250-x\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n250 ok\r\n550 5.1.1 no\r\n354 go\r\n250 done\r\n"
                .utf8)
        var random = SeededGenerator(seed: 2821)
        for _ in 0..<3_000 {
            #expect(result(ofServerSaying: random.mutated(good)) != nil)
        }
        for _ in 0..<300 {
            #expect(result(ofServerSaying: random.bytes(200))?.outcome == .temporary)
        }
    }

    @Test("a reply without end is a violation of the protocol", arguments: ["2", "250-more\r\n", "\0", "\r"])
    func endlessReply(_ piece: String) {
        let bytes = Array(String(repeating: piece, count: 3_000_000 / piece.utf8.count).utf8)
        let result = result(ofServerSaying: bytes)
        #expect(result?.cause == .protocolViolation)
        #expect((result?.text.utf8.count ?? 0) < 1_000)
    }

    /// What becomes of one recipient when the server says these bytes, a few at a time, and then closes.
    private func result(ofServerSaying bytes: [UInt8]) -> ClientResult? {
        var session = ClientSession(ClientConfiguration(heloName: "me.example"))
        var rest = bytes[...]
        var result: ClientResult?
        for _ in 0..<1_000_000 {
            switch session.next() {
            case .write, .startTLS: break
            case .receive:
                if rest.isEmpty { session.connectionLost("was closed") }
                let piece = Array(rest.prefix(7))
                rest = rest.dropFirst(7)
                session.receive(piece.span)
            case .sendMessage: session.messageSent()
            case .results(let results): result = results.first
            case .ready:
                if result == nil {
                    session.begin(ClientDialogue.message(to: "b@example.org"))
                } else {
                    session.quit()
                }
            case .close(let failure): return result ?? failure
            }
        }
        return nil
    }
}
