import Bytes
import TestSupport
import Testing

@Suite("Base64, quoted-printable, uuencode")
struct TransferEncodingTests {
    @Test(
        "base64: RFC 4648 10",
        arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")])
    func base64(_ plain: String, _ encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decodeStrictly(Array(encoded.utf8).span)?.text == plain)
    }

    @Test(
        "base64 as mail has it",
        arguments: [
            ("Zg", "f", false), ("Z g\r\n==", "f", false), ("Zg==Zm8=", "ffo", false), ("Zm9vY", "foo", false),
            ("Zm!9v", "foo", true), ("=Zm9v", "foo", false), ("Zm9v====", "foo", false),
            ("QUJD!!!RE*VG\nRw=", "ABCDEFG", true),
        ])
    func lenient(_ encoded: String, _ plain: String, _ hasJunk: Bool) {
        let result = Base64.decode(Array(encoded.utf8).span)
        #expect(result.bytes.text == plain && result.hasJunk == hasJunk)
    }

    @Test(
        "strict base64 takes nothing else",
        arguments: ["Zg", "Zg=", "Z===", "Zg==Zm8=", "Zm 9v", "Zh==", "Zm9v\n", "===="])
    func strict(_ text: String) { #expect(Base64.decodeStrictly(Array(text.utf8).span) == nil) }

    @Test(
        "quoted-printable as mail has it",
        arguments: [
            ("a=3Db", "a=b", false), ("caf=c3=A9", "café", false), ("soft=\nbreak", "softbreak", false),
            ("soft= \t\r\nbreak", "softbreak", false), ("trailing  \nnext \r\n", "trailing\nnext\r\n", false),
            ("kept=20\n", "kept \n", false), ("end=", "end", false), ("end  ", "end", false), ("=ZZ x", "=ZZ x", true),
            ("=4", "=4", true), ("=4=41", "=4A", true), ("a==41", "a=A", true), ("=0D=0A", "\r\n", false),
            ("= x", "= x", true), ("a\rb", "a\rb", false), ("=\rx", "=\rx", true),
        ])
    func quotedPrintable(_ encoded: String, _ plain: String, _ isBroken: Bool) {
        let result = QuotedPrintable.decode(Array(encoded.utf8).span)
        #expect(result.bytes.text == plain && result.isBroken == isBroken, "\(encoded) -> \(result.bytes.text)")
        // Byte by byte it must be the same.
        var decoder = QuotedPrintable.Decoder()
        var pieces: [UInt8] = []
        for byte in encoded.utf8 { decoder.decode([byte].span, into: &pieces) }
        decoder.finish(into: &pieces)
        #expect(pieces == result.bytes)
    }

    @Test(
        "quoted-printable: white space of any length, held back or behind an escape, costs linear time",
        .timeLimit(.minutes(1)))
    func longWhiteSpace() {
        let spaces = [UInt8](repeating: ASCII.space, count: 1_000_000)
        #expect(QuotedPrintable.decode(([ASCII.equals] + spaces).span).bytes.isEmpty)
        #expect(QuotedPrintable.decode((spaces + [ASCII.lf]).span).bytes == [ASCII.lf])
        let broken = QuotedPrintable.decode(([ASCII.equals] + spaces + [0x78]).span)
        #expect(broken.isBroken && broken.bytes == [ASCII.equals] + spaces + [0x78])
        // In pieces, of which each leaves something open.
        var decoder = QuotedPrintable.Decoder()
        var result: [UInt8] = []
        decoder.decode([ASCII.equals].span, into: &result)
        for start in stride(from: 0, to: spaces.count, by: 1_000) {
            decoder.decode(spaces.span.extracting(start..<(start + 1_000)), into: &result)
        }
        decoder.decode([ASCII.lf, 0x78].span, into: &result)
        decoder.finish(into: &result)
        #expect(result == [0x78])
    }

    @Test("decoding in pieces, wherever they are cut, gives what the whole gives")
    func cuts() {
        var generator = SeededGenerator(seed: 23)
        for _ in 0..<2_000 {
            let text = generator.bytes(Int(generator.next() % 60), of: "a=4F \t\r\n=*QUJD")
            let cut = Int(generator.next() % UInt64(text.count + 1))
            var printable = QuotedPrintable.Decoder()
            var base64 = Base64.Decoder()
            var (first, second): ([UInt8], [UInt8]) = ([], [])
            for piece in [text.span.array(0..<cut), text.span.array(cut..<text.count)] {
                printable.decode(piece.span, into: &first)
                base64.decode(piece.span, into: &second)
            }
            printable.finish(into: &first)
            base64.finish(into: &second)
            #expect(first == QuotedPrintable.decode(text.span).bytes, "\(text.text)")
            #expect(second == Base64.decode(text.span).bytes, "\(text.text)")
        }
    }

    @Test("what is encoded comes back, whole or in pieces")
    func roundTrips() {
        var generator = SeededGenerator(seed: 21)
        for round in 0..<300 {
            let bytes = round % 2 == 0 ? generator.bytes(round) : generator.bytes(round, of: "ab =.\tF\nö")
            for line in [nil, 76, 4] {
                #expect(Base64.decode(Base64.encode(bytes.span, lineLength: line).span).bytes == bytes)
            }
            var decoder = Base64.Decoder()
            var pieces: [UInt8] = []
            for byte in Base64.encode(bytes.span, lineLength: 8) { decoder.decode([byte].span, into: &pieces) }
            decoder.finish(into: &pieces)
            #expect(pieces == bytes)
            #expect(Hexadecimal.decode(Array(Hexadecimal.encode(bytes).utf8).span) == bytes)
            let text = bytes.filter { $0 != 13 }
            let encoded = QuotedPrintable.encode(text.span)
            #expect(encoded.split(separator: 10).allSatisfy { $0.count <= 76 && $0.allSatisfy { $0 < 127 } })
            #expect(QuotedPrintable.decode(encoded.span).bytes == text)
            // Piece by piece, with CRLF; nothing but CRLF is a line end then.
            var printable = QuotedPrintable.Encoder(breaksAt: .crlf, lineEnd: [13, 10])
            var base64 = Base64.Encoder(lineEnd: [13, 10])
            var (quoted, digits): ([UInt8], [UInt8]) = ([], [])
            let line = bytes + [10, 13, 13, 10, 32]
            for piece in stride(from: 0, to: line.count, by: 1 + round % 7) {
                let piece = line[piece..<min(piece + 1 + round % 7, line.count)]
                printable.encode(Array(piece).span, into: &quoted)
                base64.encode(Array(piece).span, into: &digits)
            }
            printable.finish(into: &quoted)
            base64.finish(into: &digits)
            for lines in [quoted, digits] {
                #expect(lines.text.unicodeScalars.split(separator: "\r\n".unicodeScalars).allSatisfy { $0.count <= 76 })
            }
            #expect(QuotedPrintable.decode(quoted.span).bytes == line)
            #expect(Base64.decode(digits.span).bytes == line)
        }
    }

    @Test("no line of quoted-printable begins as a boundary does (RFC 2046 5.1.1)")
    func noBoundary() {
        let text = "--b\n" + String(repeating: "x", count: 75) + "--b\n-\n"
        let encoded = QuotedPrintable.encode(Array(text.utf8).span).text
        #expect(encoded == "=2D-b\n" + String(repeating: "x", count: 75) + "=\n=2D-b\n-\n")
    }

    @Test("uuencode: blocks within text are those that look like one")
    func uuencodedBlocks() {
        func blocks(_ text: String) -> [String] {
            let text = Array(text.utf8)
            var found: [String] = []
            var place = 0
            while let block = Uuencode.block(in: text.span, from: place) {
                var content: [UInt8] = []
                var line = block.lines.lowerBound
                while Uuencode.decodeLines(text.span, from: &line, into: &content) {}
                found.append("\(text[block.name].text)=\(content.text)")
                place = block.next
            }
            return found
        }
        let block = "begin 644 cat.txt\n#0V%T\n`\nend\n"
        #expect(blocks("hello\n" + block + "and\n" + block) == ["cat.txt=Cat", "cat.txt=Cat"])
        #expect(blocks(block.replacing("\n", with: "\r\n")) == ["cat.txt=Cat"])
        #expect(blocks("begin 0755 a name.bin\n#0V%T\n") == ["a name.bin=Cat"])
        #expect(blocks("we begin 644 x\nbegin 6 x\nbegin 644 the game\nof chess at once\nend\n").isEmpty)
        #expect(blocks("begin 644 a\nend\nbegin 644 b\nbegin 644 c\n#0V%T\nend\n") == ["c=Cat"])
        #expect(blocks("begin 644 a\n#0V%T\nlower case\nend\n").isEmpty)
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<500 { _ = blocks(generator.mutated(Array((block + block).utf8)).text) }
    }

    @Test("uuencode: the first block, and nothing without one")
    func uuencode() {
        let text = "text\nbegin 644 cat.txt\n#0V%T\n`\nend\nmore"
        #expect(Uuencode.decode(Array(text.utf8).span)?.text == "Cat")
        #expect(Uuencode.decode(Array("nothing here".utf8).span) == nil)
        var generator = SeededGenerator(seed: 2)
        for _ in 0..<500 { _ = Uuencode.decode(generator.mutated(Array(text.utf8)).span) }
    }
}
