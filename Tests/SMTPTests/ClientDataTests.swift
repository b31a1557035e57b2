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

    @Test("lines of more than 998 octets and NUL are seen, wherever pieces end (RFC 5321 4.5.3.1.6)")
    func irregular() {
        let longest = String(repeating: "x", count: 998)
        let cases: [(String, Bool)] = [
            (longest, false), (longest + "\n", false), (longest + "\r\n", false), (longest + "\r\n" + longest, false),
            (longest + "x", true), (longest + "x\r\n", true), ("a\n\(longest)x\n", true), (longest + "\rx\n", true),
            ("a\0b\n", true), ("a\n\r\n", false),
        ]
        for (text, isIrregular) in cases {
            for size in [1, 7, 4_096] {
                var survey = ClientMessageSurvey()
                let bytes = Array(text.utf8)
                for start in stride(from: 0, to: bytes.count, by: size) {
                    survey.add(bytes.span.extracting(start..<min(start + size, bytes.count)))
                }
                #expect(survey.isIrregular == isIrregular)
            }
        }
    }

    @Test(
        "the content is encoded for what the server does not offer, and for nothing else (RFC 6152 3, RFC 3030 3)",
        arguments: [
            ("x", "", nil), ("é", "8BITMIME", nil), ("é", "", .sevenBit), ("é", "BINARYMIME", .sevenBit),
            ("\0", "", .sevenBit), ("\0", "8BITMIME", .eightBit), ("\0", "8BITMIME BINARYMIME", nil),
            ("\0", "LMTP", nil), ("é", "LMTP", .sevenBit), ("binary", "8BITMIME BINARYMIME", .eightBit),
            ("binary", "", .sevenBit), ("binary", "8BITMIME BINARYMIME CHUNKING", nil),
        ] as [(String, String, ClientContentDomain?)])
    func neededEncoding(content: String, offers: String, expected: ClientContentDomain?) {
        var session = ClientSession(
            ClientConfiguration(heloName: "me.example", dialect: offers == "LMTP" ? .lmtp : .smtp))
        let words = offers.split(separator: " ").map(String.init)
        let lines = ["220 x", "250-x"] + words.map { "250-\($0)" } + ["250 SIZE"]
        for line in lines { session.receive(Array((line + "\r\n").utf8).span) }
        var message = ClientDialogue.message(to: "b@example.org", content: "\r\n\(content)\r\n")
        if content == "binary" { message.envelope.parameters.body = .binary }
        #expect(session.neededEncoding(of: message) == expected)
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
