import Bytes
import MessageFormat
import Testing

@Suite("Composed header fields")
struct HeaderCompositionTests {
    @Test(
        "no line with an encoded word is longer than 76 characters (RFC 2047 2), and the text is read back",
        arguments: ["Subject", "X", "X-A-Name-Of-Some-Length-That-Leaves-Little", String(repeating: "N", count: 70)])
    func lines(_ name: String) {
        for text in [
            String(repeating: "\u{E9}", count: 120), "plain " + String(repeating: "\u{E9}a", count: 90),
            "mostly" + String(repeating: " plain \u{E9}", count: 20), String(repeating: "\u{1F600}", count: 40),
        ] {
            let field = HeaderComposition.field(name, text)
            for line in field.split(separator: ASCII.lf) {
                #expect(line.count <= 77 || !line.text.contains("=?"), "\(line.text)")
            }
            let unfolded = field.dropFirst(name.utf8.count + 1).filter { $0 != ASCII.cr && $0 != ASCII.lf }
            let read = HeaderText.decode(Array(unfolded)).text
            #expect(String(read.drop { $0 == " " }) == text)
        }
    }
}
