import Bytes
import SMTP
import TestSupport
import Testing

@Suite("What follows DATA")
struct ClientDataTests {
    static let cases: [(stored: String, sent: String)] = [
        ("", ".\r\n"),
        ("a\r\nb\r\n", "a\r\nb\r\n.\r\n"),
        ("a\nb\n", "a\r\nb\r\n.\r\n"),
        ("a\nb", "a\r\nb\r\n.\r\n"),
        ("a\r", "a \r\n.\r\n"),
        ("\r", " \r\n.\r\n"),
        (".", "..\r\n.\r\n"),
        (".\r\n", "..\r\n.\r\n"),
        ("..\n.a\nb.\n", "...\r\n..a\r\nb.\r\n.\r\n"),
        // The ways in which a message could end within itself.
        ("a\n.\nb\n", "a\r\n..\r\nb\r\n.\r\n"),
        ("a\n.\r\nb\n", "a\r\n..\r\nb\r\n.\r\n"),
        ("a\r\n.\nb\n", "a\r\n..\r\nb\r\n.\r\n"),
        ("a\r.\rb\n", "a . b\r\n.\r\n"),
        ("a\r\n.\rb\n", "a\r\n.. b\r\n.\r\n"),
        ("a\r\r\n.\r\r\nb\n", "a \r\n.. \r\nb\r\n.\r\n"),
        ("a\r\n\0.\r\nb\n", "a\r\n\0.\r\nb\r\n.\r\n"),
        ("\r.\r", " . \r\n.\r\n"),
    ]

    @Test("line ends, dots and bare CRs, whatever the pieces (RFC 5321 2.3.8, 4.5.2)", arguments: cases)
    func encoded(_ stored: String, _ sent: String) {
        let bytes = Array(stored.utf8)
        for size in 1...max(1, bytes.count) {
            #expect(encode(bytes, pieces: size) == Array(sent.utf8))
        }
    }

    @Test("random messages: no bare CR or LF leaves, the end occurs once, and the lines come back")
    func random() {
        var random = SeededGenerator(seed: 5321)
        for _ in 0..<2_000 {
            let bytes = random.bytes(Int(random.next() % 60), of: ".\r\n\0a")
            let sent = encode(bytes, pieces: Int(random.next() % 9) + 1)
            #expect(sent == encode(bytes, pieces: bytes.count + 1))
            let text = String(decoding: sent, as: UTF8.self).unicodeScalars.map { $0 }
            for (index, scalar) in text.enumerated() {
                if scalar == "\r" { #expect(index + 1 < text.count && text[index + 1] == "\n") }
                if scalar == "\n" { #expect(index > 0 && text[index - 1] == "\r") }
            }
            let lines = sent.text.unicodeScalars.split(
                separator: "\r\n".unicodeScalars, omittingEmptySubsequences: false
            )
            .map(String.init)
            #expect(lines.firstIndex(of: ".") == lines.count - 2)
        }
    }

    @Test("the size counts CRLF line ends and no stuffing (RFC 1870 3)")
    func survey() {
        var random = SeededGenerator(seed: 1870)
        for _ in 0..<1_000 {
            let bytes = random.bytes(Int(random.next() % 30), of: ".\r\nab")
            var survey = ClientMessageSurvey()
            for byte in bytes { survey.add([byte].span) }
            #expect(survey == ClientMessageSurvey(bytes.span))
            let lines = encode(bytes, pieces: 100).text.unicodeScalars.split(separator: "\r\n".unicodeScalars)
            let stuffed = lines.dropLast().count { $0.first == "." }
            #expect(survey.size == encode(bytes, pieces: 100).count - stuffed - 3)
        }
        #expect(ClientMessageSurvey(Array("a\r\né\r\n".utf8).span).isEightBit)
    }

    private func encode(_ bytes: [UInt8], pieces: Int) -> [UInt8] {
        var encoder = ClientDataEncoder()
        var output: [UInt8] = []
        var start = 0
        while start < bytes.count {
            encoder.encode(bytes.span.extracting(start..<min(bytes.count, start + pieces)), into: &output)
            start += pieces
        }
        encoder.finish(into: &output)
        return output
    }
}
