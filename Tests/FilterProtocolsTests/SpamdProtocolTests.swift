import Bytes
import FilterProtocols
import TestSupport
import Testing

@Suite("The spamd protocol")
struct SpamdProtocolTests {
    static func read(_ text: String, step size: Int = .max, limit: Int = 1_000) -> SpamdRequestReader.Step {
        var reader = SpamdRequestReader(messageLimit: limit)
        var pending: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while true {
            pending += rest.prefix(size)
            rest = rest.dropFirst(size)
            let input = pending
            let (consumed, step) = reader.next(input.span, isEnd: rest.isEmpty)
            pending.removeFirst(consumed)
            if step != .needInput || rest.isEmpty { return step }
        }
    }

    @Test("a request is the same in whatever pieces it comes")
    func pieces() {
        let text =
            "TELL SPAMC/1.5\r\nUser: ann\r\nMessage-class: ham\nSET: local, remote\r\nContent-length: 4\r\n\r\nabcd"
        var expected = SpamdRequest(.tell)
        expected.user = "ann"
        expected.telling.kind = .ham
        expected.telling.setsLocal = true
        expected.message = Array("abcd".utf8)
        for size in [1, 2, 3, 7, .max] { #expect(Self.read(text, step: size) == .request(expected)) }
    }

    @Test("without a length the message goes to the end; one that is too long is refused")
    func lengths() {
        guard case .request(let request) = Self.read("CHECK SPAMC/1.2\r\n\r\nabc") else {
            Issue.record("no request")
            return
        }
        #expect(request.message == Array("abc".utf8) && request.version == 12)
        guard case .failure(let failure) = Self.read("CHECK SPAMC/1.5\r\nContent-length: 11\r\n\r\n", limit: 10) else {
            Issue.record("not refused")
            return
        }
        #expect(failure.code == 76)
        #expect(Self.read("") == .failure(.badHeader("(closed before headers)")))
    }

    @Test("before version 1.5 PING and SKIP are one line; from then on a header follows")
    func oneLine() {
        for version in ["1.0", "1.2", "1.4"] {
            var reader = SpamdRequestReader(messageLimit: 1_000)
            guard
                case .request(let request) = reader.next(Array("PING SPAMC/\(version)\r\n".utf8).span, isEnd: false)
                    .step
            else {
                Issue.record("PING of \(version) was not taken")
                continue
            }
            #expect(request.method == .ping)
        }
        var reader = SpamdRequestReader(messageLimit: 1_000)
        #expect(reader.next(Array("PING SPAMC/1.5\r\n".utf8).span, isEnd: false).step == .needInput)
    }

    @Test("TELL cannot set and remove in one request; a user's name has no control characters")
    func refusals() {
        let both = "TELL SPAMC/1.5\r\nMessage-class: spam\r\nSet: local\r\nRemove: local\r\n\r\nx"
        let control = "CHECK SPAMC/1.5\r\nUser: a\u{1}b\r\n\r\nx"
        for text in [both, control] {
            guard case .failure(let failure) = Self.read(text) else {
                Issue.record("not refused")
                continue
            }
            #expect(failure.code == 76)
        }
    }

    @Test("answers to old versions have the head that spamd gives them")
    func versions() {
        func head(_ method: SpamdMethod, _ version: Int) -> String {
            let verdict = SpamdVerdict(isSpam: true, score: "15.0", required: "5.0")
            return SpamdAnswer.content(Array("body".utf8), verdict, for: method, version: version).text
        }
        let ok = "SPAMD/1.1 0 EX_OK\r\n"
        #expect(head(.process, 11) == "SPAMD/1.0 0 EX_OK\r\nbody")
        #expect(head(.headers, 12) == "\(ok)Content-length: 4\r\n\r\nbody")
        #expect(head(.process, 13) == "\(ok)Content-length: 4\r\nSpam: True ; 15.0 / 5.0\r\n\r\nbody")
        #expect(head(.report, 12) == "\(ok)Spam: True ; 15.0 / 5.0\r\n\r\nbody")
        #expect(head(.reportIfSpam, 15) == "\(ok)Content-length: 4\r\nSpam: True ; 15.0 / 5.0\r\n\r\nbody")
    }

    @Test("an answer is read back as it was written")
    func answers() throws {
        let verdict = SpamdVerdict(isSpam: true, score: "15.0", required: "5.0")
        let bytes = SpamdAnswer.content(Array("body\n".utf8), verdict, for: .process, version: 15)
        let answer = try #require(SpamdClientMessage.answer(bytes, to: .process))
        #expect(answer.verdict == verdict && answer.content == Array("body\n".utf8) && answer.code == 0)
        // Cut anywhere it is no answer: what came is not taken for the whole message.
        for count in 0..<bytes.count {
            #expect(SpamdClientMessage.answer(Array(bytes.prefix(count)), to: .process) == nil, "\(count)")
        }
        #expect(SpamdClientMessage.answer(bytes + [0], to: .process) == nil)
        let unmeasured = SpamdAnswer.content(Array("body\n".utf8), verdict, for: .process, version: 11)
        #expect(SpamdClientMessage.answer(unmeasured, to: .process) == nil)
        let told = try #require(
            SpamdClientMessage.answer(SpamdAnswer.told(didSet: true, didRemove: false), to: .tell))
        #expect(told.didSet && !told.didRemove)
        #expect(SpamdClientMessage.answer(Array("SPAMD/1.1 0 EX_OK\r\n\r\n".utf8), to: .check) == nil)
        let refused = SpamdFailure(code: 75, reason: "later").line
        #expect(SpamdClientMessage.answer(Array(refused.utf8), to: .check)?.code == 75)
    }

    @Test("any bytes are read without a trap")
    func hostile() {
        var generator = SeededGenerator(seed: 9)
        let seed = Array("PROCESS SPAMC/1.5\r\nContent-length: 3\r\nUser: a\r\nCompress: zlib\r\n\r\nabc".utf8)
        for _ in 0..<2_000 {
            let bytes = generator.mutated(seed)
            var reader = SpamdRequestReader(messageLimit: 100)
            _ = reader.next(bytes.span, isEnd: true)
            _ = SpamdClientMessage.answer(bytes, to: .process)
        }
    }
}
