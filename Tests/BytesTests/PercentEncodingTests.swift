import Bytes
import Testing

@Suite("Percent-encoding")
struct PercentEncodingTests {
    @Test(
        "escapes become bytes; what is none stays (RFC 3986 2.1)",
        arguments: [
            ("a%41b", "aAb"), ("%4", "%4"), ("%", "%"), ("%%41", "%A"), ("%zz%4g", "%zz%4g"), ("%2541", "%41"),
            ("", ""),
            ("%41", "A"), ("x%c3%A9", "x\u{E9}"),
        ])
    func decoding(_ text: String, _ expected: String) {
        #expect(Array(text.utf8).percentDecoded() == Array(expected.utf8))
    }

    @Test("bytes that are not wanted stay escaped")
    func choice() {
        #expect(Array("%41%0A%20".utf8).percentDecoded { (0x21...0x7E).contains($0) } == Array("A%0A%20".utf8))
    }
}
