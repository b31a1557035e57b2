import Bytes
import TestSupport
import Testing

@Suite struct TextSearchTests {
    @Test("a text is found where it first stands whole within the range")
    func places() {
        let bytes = Array("FrFromFrom From x".utf8)
        #expect(bytes.span.firstIndex(of: "From ", in: 0..<bytes.count) == 6)
        #expect(bytes.span.firstIndex(of: "From ", in: 7..<bytes.count) == 11)
        #expect(bytes.span.firstIndex(of: "From ", in: 7..<15) == nil)
        #expect(bytes.span.firstIndex(of: "From ", in: -5..<1_000) == 6)
        #expect(bytes.span.firstIndex(of: "F", in: 1..<bytes.count) == 2)
        #expect(bytes.span.firstIndex(of: "", in: 0..<bytes.count) == nil)
        #expect([UInt8]().span.firstIndex(of: "x", in: 0..<1) == nil)
    }

    @Test("a search agrees with one that looks at every place, wherever the text stands")
    func everyPlace() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<300 {
            let bytes = generator.bytes(Int(generator.next() % 300), of: "From F\n")
            let start = Int(generator.next() % 40)
            let slow = (start..<max(start, bytes.count)).first { bytes[$0...].starts(with: "From ".utf8) }
            #expect(bytes.span.firstIndex(of: "From ", in: start..<max(start, bytes.count)) == slow)
            let feeds = bytes.indices.dropFirst().count { bytes[$0] == 10 && bytes[$0 - 1] != 13 }
            #expect(bytes.span.loneLineFeedsBehindFirst == feeds)
        }
        let lines = [UInt8](repeating: 10, count: 1_000)
        #expect(lines.span.loneLineFeedsBehindFirst == 999)
    }
}
