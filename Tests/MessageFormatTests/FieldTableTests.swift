import Bytes
import MessageFormat
import TestSupport
import Testing

@Suite("Fields, by tables of cases") struct FieldTableTests {
    @Test("dates: RFC 5322 with its obsolete forms, and what mail has besides", arguments: CaseTable.read("dates.txt"))
    func dates(_ row: CaseTable.Case) {
        let date = DateTime(row.input)
        #expect((date.map { "\($0.epoch) \($0.offset.map(String.init) ?? "-")" } ?? "none") == row.expected)
    }

    @Test("addresses: RFC 5322 A.1 to A.6.3, and what mail has besides", arguments: CaseTable.read("addresses.txt"))
    func addresses(_ row: CaseTable.Case) {
        let parsed = AddressList.parse(row.input)
        let list = parsed.addresses.map { "\($0.name ?? "-")|\($0.address ?? "-")|\($0.group ?? "-")" }
        let guessed = parsed.defects.contains(.badAddress) ? " !" : ""
        #expect(list.joined(separator: "; ") + guessed == row.expected)
    }

    @Test("encoded words: RFC 2047 8, split characters, what is broken", arguments: CaseTable.read("encoded-words.txt"))
    func encodedWords(_ row: CaseTable.Case) {
        let decoded = HeaderText.decode(row.input)
        let defects = decoded.defects.sorted().map { " ! \($0.rawValue)" }.joined()
        #expect(decoded.text + defects == row.expected)
    }

    @Test("parameters: RFC 2231 3 and 4, RFC 2045 5.1, what is broken", arguments: CaseTable.read("parameters.txt"))
    func parameters(_ row: CaseTable.Case) {
        let field = ParameterizedField(row.input)
        let list = field.parameters.map { "\($0.name)=\($0.value)" }.joined(separator: "; ")
        #expect(list + field.defects.sorted().map { " ! \($0.rawValue)" }.joined() == row.expected)
    }

    @Test("identifiers: glued, with comments, without brackets", arguments: CaseTable.read("identifiers.txt"))
    func identifiers(_ row: CaseTable.Case) {
        #expect(MessageIDs.list(row.input).joined(separator: " ") == row.expected)
    }

    @Test(
        "charsets by their labels: content, encoded words of both encodings, parameters",
        arguments: CaseTable.read("charsets.txt"))
    func charsets(_ row: CaseTable.Case) throws {
        let words = String(decoding: row.input, as: UTF8.self).split(separator: " ").map(String.init)
        let label = try #require(words.first)
        let digits = Array(try #require(words.last).utf8)
        let decodedDigits = Hexadecimal.decode(digits.span)
        let bytes = try #require(decodedDigits)
        let content = Charset.decode(bytes.span, label: label)
        #expect(content.text == row.expected && content.problem == nil, "\(label)")
        #expect(String(decoding: Charset.decode(bytes, label: label.uppercased()).text, as: UTF8.self) == row.expected)
        let percent = bytes.map { "%" + Hexadecimal.encode([$0]) }.joined()
        let quoted = "=?\(label)?q?\(percent.replacing("%", with: "="))?="
        let base64 = "=?\(label)?B?\(Base64.encode(bytes))?="
        for word in [quoted, base64] {
            let decoded = HeaderText.decode(Array(word.utf8))
            #expect(decoded.text == row.expected && decoded.defects.isEmpty, "\(label)")
        }
        let field = ParameterizedField(Array("a/b; n*=\(label)''\(percent)".utf8))
        #expect(field["n"] == row.expected && field.defects.isEmpty, "\(label)")
    }

    @Test("HTML as text", arguments: CaseTable.read("html.txt"))
    func html(_ row: CaseTable.Case) {
        let text = String(decoding: HTMLText.render(row.input.span), as: UTF8.self)
        #expect(text.replacing("\n", with: "\\n") == row.expected)
    }

    @Test("format=flowed: stuffing, quotes, signatures, DelSp (RFC 3676 4)", arguments: CaseTable.read("flowed.txt"))
    func flowed(_ row: CaseTable.Case) {
        let deletes = row.input.first == UInt8(ascii: "|")
        let head = "Content-Type: text/plain; format=Flowed\(deletes ? "; DelSp=Yes" : "")\n\n"
        let message = Array(head.utf8) + row.input.dropFirst(deletes ? 1 : 0)
        let structure = MessageStructure(message.span)
        let text = String(decoding: ReadableText.render(0, structure, message.span), as: UTF8.self)
        #expect(text.replacing("\n", with: "\\n") == row.expected)
    }

    @Test("file names made fit for a directory", arguments: CaseTable.read("filenames.txt"))
    func fileNames(_ row: CaseTable.Case) {
        #expect(SafeFileName.make(String(decoding: row.input, as: UTF8.self)) == row.expected)
    }

    @Test("file names have at most 200 bytes, end between characters, and keep their extension")
    func longFileNames() {
        for piece in ["x", "é", "名", "😀", "e\u{301}"] {
            let name = SafeFileName.make(String(repeating: piece, count: 300) + ".pdf")
            #expect(name.utf8.count <= 200 && name.utf8.count > 190 && name.hasSuffix(".pdf"), "\(piece)")
            #expect(name.unicodeScalars.dropLast(4).allSatisfy { piece.unicodeScalars.contains($0) }, "\(piece)")
            let numbered = SafeFileName.numbered(name, 12)
            #expect(numbered.utf8.count <= 200 && numbered.hasSuffix("-12.pdf"))
        }
        #expect(SafeFileName.make("a." + String(repeating: "b", count: 250)).utf8.count == 200)
    }

    @Test("tables are there")
    func tables() {
        for name in [
            "dates", "addresses", "encoded-words", "parameters", "identifiers", "charsets", "html", "flowed",
            "filenames",
        ] {
            #expect(CaseTable.read("\(name).txt").count > 10, "\(name)")
        }
    }

    @Test("any mutation of any case gives an answer")
    func mutations() {
        var generator = SeededGenerator(seed: 7)
        for name in ["dates", "addresses", "encoded-words", "parameters", "identifiers"] {
            for row in CaseTable.read("\(name).txt") {
                for _ in 0..<4 {
                    let value = generator.mutated(row.input)
                    _ = DateTime(value)
                    _ = AddressList.parse(value)
                    _ = HeaderText.decode(value)
                    _ = ParameterizedField(value)
                    _ = MessageIDs.list(value)
                    _ = ReceivedHop(value)
                    _ = AuthenticationResults(value)
                }
                for length in stride(from: 0, to: row.input.count, by: 3) {
                    _ = DateTime(Array(row.input[..<length]))
                    _ = ParameterizedField(Array(row.input[..<length]))
                }
            }
        }
    }
}
