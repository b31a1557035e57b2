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
        let parts = ClamdProtocol.beginning + ClamdProtocol.chunk(Array("abc".utf8)) + ClamdProtocol.end
        #expect(parts == request)
    }

    @Test("clamd's answers")
    func clamdAnswers() {
        #expect(ClamdProtocol.answer(Array("stream: OK".utf8)) == .clean)
        #expect(ClamdProtocol.answer(Array("stream: Eicar-Test FOUND".utf8)) == .found("Eicar-Test"))
        let exceeded = "INSTREAM size limit exceeded. ERROR"
        #expect(ClamdProtocol.answer(Array(exceeded.utf8)) == .failed(exceeded))
        #expect(ClamdProtocol.answer([]) == .failed("no answer"))
    }

    private static let start = Array("Subject: x\nX-Old: 1\n folded\nX-Old: 2\n\nbody\n".utf8)
    private static let own = Array("Received: from x\n\tby y\n".utf8)

    /// What is left of a message when it has passed a milter.
    private struct Passed: Equatable {
        var header: String
        var body: String?
        var sender: String
        var recipients: [String]
        var quarantine: String?
    }

    /// Plays a milter that answers `end` at the end of the message and continues otherwise.
    private func play(
        _ end: [MilterPacket], protocolFlags: [UInt8] = [0, 0, 0, 0], own: [UInt8] = []
    ) -> (reaction: MilterSession.Reaction?, passed: Passed?, sent: [MilterPacket]) {
        var session = MilterSession()
        var sent: [MilterPacket] = []
        func note(_ request: MilterSession.Request) {
            var rest = request.bytes
            while case .packet(let packet, let length) = MilterPacket.read(rest.span) {
                sent.append(packet)
                rest.removeFirst(length)
            }
            #expect(rest.isEmpty)
        }
        note(session.begin())
        let answer = [0, 0, 0, 6, 0, 0, 0, 0x7F] + protocolFlags
        #expect(session.receive(MilterPacket("O", answer)) == .goOn)
        let client = MilterConnection(
            hostName: "mx.example", clientName: "[192.0.2.1]", clientAddress: ("192.0.2.1", false, 1234))
        session.open(
            MilterEdit(own: own, start: Self.start, sender: "<a@example.org>", recipients: ["<b@example.net>"]))
        let steps: [MilterStep] =
            [
                .connect(client), .hello("client", tls: nil),
                .mail("<a@example.org>", parameters: ["SIZE=10"], user: nil, identifier: "Q1"),
                .recipient("<b@example.net>", parameters: []), .data,
            ] + session.headerSteps + [.endOfHeader, .body(Array("body\r\n".utf8))]
        for step in steps {
            let request = session.take(step)
            note(request)
            if request.expectsAnswer { #expect(session.receive(MilterPacket("c")) == .goOn) }
        }
        note(session.take(.endOfMessage))
        var body: [UInt8]?
        for packet in end {
            let reaction = session.receive(packet)
            if case .body(let piece) = reaction {
                body = (body ?? []) + piece
                continue
            }
            if reaction == .wait { continue }
            let passed = session.edit.map {
                Passed(
                    header: $0.header.text, body: body?.text, sender: $0.sender, recipients: $0.recipients,
                    quarantine: $0.quarantine)
            }
            return (reaction, passed, sent)
        }
        return (nil, nil, sent)
    }

    private func commands(_ sent: [MilterPacket]) -> String {
        sent.filter { $0.command != UInt8(ascii: "D") }.map { [$0.command].text }.joined()
    }

    @Test("a milter sees the envelope, every field but the server's own, and the body")
    func shown() {
        let (reaction, passed, sent) = play([MilterPacket("c")], own: Self.own)
        #expect(reaction == .goOn)
        #expect(passed?.header == (Self.own + Self.start).text.replacing("\nbody\n", with: "\n"))
        #expect(passed?.sender == "<a@example.org>" && passed?.recipients == ["<b@example.net>"])
        #expect(commands(sent) == "OCHMRTLLLNBE")
        let fields = sent.filter { $0.command == UInt8(ascii: "L") }.map(\.data.text)
        #expect(fields == ["Subject\0x\0", "X-Old\u{0}1\n folded\0", "X-Old\u{0}2\0"])
        let connect = sent.first { $0.command == UInt8(ascii: "C") }
        #expect(
            connect?.data == Array("[192.0.2.1]\0".utf8) + [UInt8(ascii: "4"), 0x04, 0xD2] + Array("192.0.2.1\0".utf8))
        #expect(sent.first { $0.command == UInt8(ascii: "M") }?.data.text == "<a@example.org>\0SIZE=10\0")
    }

    @Test("what a milter does not want to see is left out, and what it does not answer is not waited for")
    func leftOut() {
        #expect(commands(play([MilterPacket("c")], protocolFlags: [0, 0, 0, 0x7F]).sent) == "OTE")
        var session = MilterSession()
        _ = session.begin()
        _ = session.receive(MilterPacket("O", [0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0x10, 0]))
        let client = MilterConnection(hostName: "mx.example", clientName: "localhost")
        #expect(!session.take(.connect(client)).expectsAnswer && session.take(.hello("x", tls: nil)).expectsAnswer)
    }

    @Test("a message that is broken off is told of, once")
    func aborted() {
        var session = MilterSession()
        _ = session.begin()
        _ = session.receive(MilterPacket("O", [0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0]))
        #expect(session.abort().isEmpty)
        _ = session.take(.mail("<>", parameters: [], user: nil, identifier: "Q1"))
        #expect(session.abort() == MilterPacket("A").bytes && session.abort().isEmpty)
    }

    @Test("line ends of a body become CRLF, also over the end of a part")
    func bodyLineEnds() {
        var previous: UInt8 = 0
        let parts = ["a\nb\r", "\nc\n", "\n"].map { MilterSession.withCRLF(Array($0.utf8), previous: &previous).text }
        #expect(parts.joined() == "a\r\nb\r\nc\r\n\r\n")
    }

    @Test("changes to header, body and envelope; the server's own fields do not count")
    func changes() {
        func field(_ text: String) -> [UInt8] { Array(text.utf8) }
        let (reaction, passed, _) = play(
            [
                MilterPacket("h", field("X-New\0value\0")), MilterPacket("i", [0, 0, 0, 0] + field("X-Top\0top\0")),
                MilterPacket("m", [0, 0, 0, 2] + field("X-Old\0\0")),
                MilterPacket("m", [0, 0, 0, 1] + field("x-old\0one\0")),
                MilterPacket("m", [0, 0, 0, 1] + field("Received\0\0")),
                MilterPacket("b", field("new\r")), MilterPacket("b", field("\nbody\r\n")), MilterPacket("p"),
                MilterPacket("+", field("<c@example.net>\0")),
                MilterPacket("-", field("<b@example.net>\0")), MilterPacket("e", field("<z@example.org>\0")),
                MilterPacket("a"),
            ], own: Self.own)
        #expect(reaction == .accept)
        #expect(
            passed
                == Passed(
                    header: "X-Top: top\nReceived: from x\n\tby y\nSubject: x\nX-Old: one\nX-New: value\n\n",
                    body: "new\nbody\n", sender: "<z@example.org>", recipients: ["<c@example.net>"]))
    }

    @Test("a value with a line end cannot make a field of its own")
    func injection() {
        let passed = play([MilterPacket("h", Array("X-A\0one\r\nBcc: x\0".utf8)), MilterPacket("a")]).passed
        #expect(passed?.header.hasSuffix("X-A: one\n\tBcc: x\n\n") == true)
    }

    @Test("verdicts")
    func verdicts() {
        #expect(play([MilterPacket("r")]).reaction == .reject(nil))
        #expect(play([MilterPacket("t")]).reaction == .tempfail(nil))
        #expect(play([MilterPacket("d")]).reaction == .discard)
        #expect(play([MilterPacket("y", Array("550 5.7.1 no\0".utf8))]).reaction == .reject("550 5.7.1 no"))
        #expect(play([MilterPacket("y", Array("451 later\0".utf8))]).reaction == .tempfail("451 later"))
        for reply in ["250 2.0.0 taken\0", "999 x\0", "no\0", "\0"] {
            guard case .malformed = play([MilterPacket("y", Array(reply.utf8))]).reaction else {
                Issue.record("\(reply) refuses nothing")
                continue
            }
        }
        #expect(play([MilterPacket("q", Array("why\0".utf8)), MilterPacket("c")]).passed?.quarantine == "why")
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
