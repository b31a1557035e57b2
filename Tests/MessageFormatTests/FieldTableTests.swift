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

    @Test("tables are there")
    func tables() {
        for name in ["dates", "addresses", "encoded-words", "parameters", "identifiers"] {
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
