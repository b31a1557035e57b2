import Bytes
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
}
