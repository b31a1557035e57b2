import Bytes
import FilterProtocols
import TestSupport
import Testing

@Suite("clamd and milter")
struct FilterProtocolTests {
    @Test("a stream is sent in chunks with their lengths and an empty one at the end")
    func clamdRequest() {
        let request = ClamdProtocol.request(Array("abc".utf8).span)
        #expect(request == Array("zINSTREAM\0".utf8) + [0, 0, 0, 3] + Array("abc".utf8) + [0, 0, 0, 0])
        #expect(
            ClamdProtocol.request([UInt8](repeating: 1, count: 70_000).span).count == 10 + 4 + 65_536 + 4 + 4_464 + 4)
    }

    @Test("clamd's answers")
    func clamdAnswers() {
        #expect(ClamdProtocol.answer(Array("stream: OK".utf8)) == .clean)
        #expect(ClamdProtocol.answer(Array("stream: Eicar-Test FOUND".utf8)) == .found("Eicar-Test"))
        let exceeded = "INSTREAM size limit exceeded. ERROR"
        #expect(ClamdProtocol.answer(Array(exceeded.utf8)) == .failed(exceeded))
        #expect(ClamdProtocol.answer([]) == .failed("no answer"))
    }

    private static let message: MilterMessage = {
        var message = MilterMessage(
            hostName: "mx.example", clientName: "[192.0.2.1]", helloName: "client", sender: "<a@example.org>",
            recipients: ["<b@example.net>"], identifier: "Q1",
            content: Array("Subject: x\nX-Old: 1\n folded\nX-Old: 2\n\nbody\n".utf8))
        message.clientAddress = ("192.0.2.1", false, 1234)
        return message
    }()

    /// Plays a milter that answers `end` at the end of the message and continues otherwise.
    private func play(
        _ end: [MilterPacket], protocolFlags: UInt8 = 0, _ message: MilterMessage = message
    ) -> (verdict: MilterSession.Reaction?, sent: [MilterPacket]) {
        var session = MilterSession(message)
        var sent: [MilterPacket] = []
        while let (bytes, expectsAnswer) = session.next() {
            var rest = bytes
            while case .packet(let packet, let length) = MilterPacket.read(rest.span) {
                sent.append(packet)
                rest.removeFirst(length)
            }
            #expect(rest.isEmpty)
            guard expectsAnswer, let last = sent.last else { continue }
            if last.command == UInt8(ascii: "O") {
                let answer = [0, 0, 0, 6, 0, 0, 0, 0x7F, 0, 0, 0, protocolFlags] as [UInt8]
                #expect(session.receive(MilterPacket("O", answer)) == .goOn)
            } else if last.command == UInt8(ascii: "E") {
                for packet in end {
                    let reaction = session.receive(packet)
                    if reaction != .wait { return (reaction, sent) }
                }
            } else {
                #expect(session.receive(MilterPacket("c")) == .goOn)
            }
        }
        return (nil, sent)
    }

    @Test("a milter sees the envelope, every field, and the body with CRLF")
    func shown() {
        let (verdict, sent) = play([MilterPacket("c")])
        #expect(
            verdict
                == .done(
                    .accept(content: Self.message.content, sender: "<a@example.org>", recipients: ["<b@example.net>"])))
        #expect(sent.filter { $0.command != UInt8(ascii: "D") }.map { [$0.command].text }.joined() == "OCHMRTLLLNBE")
        let body = sent.first { $0.command == UInt8(ascii: "B") }
        #expect(body?.data == Array("body\r\n".utf8))
        let fields = sent.filter { $0.command == UInt8(ascii: "L") }.map(\.data.text)
        #expect(fields == ["Subject\0x\0", "X-Old\u{0}1\n folded\0", "X-Old\u{0}2\0"])
        let connect = sent.first { $0.command == UInt8(ascii: "C") }
        #expect(
            connect?.data == Array("[192.0.2.1]\0".utf8) + [UInt8(ascii: "4"), 0x04, 0xD2] + Array("192.0.2.1\0".utf8))
    }

    @Test("what a milter does not want to see is left out")
    func leftOut() {
        let (_, sent) = play([MilterPacket("c")], protocolFlags: 0x7F)
        #expect(sent.filter { $0.command != UInt8(ascii: "D") }.map { [$0.command].text }.joined() == "OTE")
    }

    @Test("changes to header, body and envelope")
    func changes() {
        func field(_ text: String) -> [UInt8] { Array(text.utf8) }
        let (verdict, _) = play([
            MilterPacket("h", field("X-New\0value\0")), MilterPacket("i", [0, 0, 0, 0] + field("X-Top\0top\0")),
            MilterPacket("m", [0, 0, 0, 2] + field("X-Old\0\0")),
            MilterPacket("m", [0, 0, 0, 1] + field("x-old\0one\0")),
            MilterPacket("b", field("new\r\nbody\r\n")), MilterPacket("p"),
            MilterPacket("+", field("<c@example.net>\0")),
            MilterPacket("-", field("<b@example.net>\0")), MilterPacket("e", field("<z@example.org>\0")),
            MilterPacket("a"),
        ])
        let content = "X-Top: top\nSubject: x\nX-Old: one\nX-New: value\n\nnew\nbody\n"
        #expect(
            verdict
                == .done(
                    .accept(content: Array(content.utf8), sender: "<z@example.org>", recipients: ["<c@example.net>"])))
    }

    @Test("a value with a line end cannot make a field of its own")
    func injection() {
        let (verdict, _) = play([MilterPacket("h", Array("X-A\0one\r\nBcc: x\0".utf8)), MilterPacket("a")])
        guard case .done(.accept(let content, _, _)) = verdict else { return #expect(Bool(false)) }
        #expect(content.text.contains("X-A: one\n\tBcc: x\n\n"))
    }

    @Test("verdicts")
    func verdicts() {
        #expect(play([MilterPacket("r")]).verdict == .done(.reject(nil)))
        #expect(play([MilterPacket("t")]).verdict == .done(.tempfail(nil)))
        #expect(play([MilterPacket("d")]).verdict == .done(.discard))
        #expect(play([MilterPacket("y", Array("550 5.7.1 no\0".utf8))]).verdict == .done(.reject("550 5.7.1 no")))
        #expect(play([MilterPacket("y", Array("451 later\0".utf8))]).verdict == .done(.tempfail("451 later")))
        #expect(play([MilterPacket("q", Array("why\0".utf8)), MilterPacket("c")]).verdict == .done(.quarantine("why")))
    }

    @Test("mutated packets never trap")
    func mutations() {
        var generator = SeededGenerator(seed: 3)
        let seed = MilterPacket("m", [0, 0, 0, 1] + Array("X-Old\0one\0".utf8)).bytes
        for _ in 0..<2_000 {
            let bytes = generator.mutated(seed)
            guard case .packet(let packet, _) = MilterPacket.read(bytes.span) else { continue }
            _ = play([packet, MilterPacket("c")])
        }
    }
}
