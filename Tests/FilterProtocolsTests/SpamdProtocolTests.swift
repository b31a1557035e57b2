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
        #expect(Self.read("") == .nothing)
    }

    @Test("an answer is read back as it was written")
    func answers() throws {
        let verdict = SpamdVerdict(isSpam: true, score: "15.0", required: "5.0")
        let bytes = SpamdAnswer.content(Array("body\n".utf8), verdict, version: 15)
        let answer = try #require(SpamdClientMessage.answer(bytes))
        #expect(answer.verdict == verdict && answer.content == Array("body\n".utf8) && answer.code == 0)
        #expect(SpamdClientMessage.answer(Array(bytes.dropLast())) == nil)
        let told = try #require(SpamdClientMessage.answer(SpamdAnswer.told(didSet: true, didRemove: false)))
        #expect(told.didSet && !told.didRemove)
    }

    @Test("any bytes are read without a trap")
    func hostile() {
        var generator = SeededGenerator(seed: 9)
        let seed = Array("PROCESS SPAMC/1.5\r\nContent-length: 3\r\nUser: a\r\nCompress: zlib\r\n\r\nabc".utf8)
        for _ in 0..<2_000 {
            let bytes = generator.mutated(seed)
            var reader = SpamdRequestReader(messageLimit: 100)
            _ = reader.next(bytes.span, isEnd: true)
            _ = SpamdClientMessage.answer(bytes)
        }
    }
}
