import Bytes
import TestSupport
import Testing

@testable import MessageFormat

/// What reads the forms that nearly all mail has agrees with what reads every form.
@Suite("Readers of the usual forms agree with the general ones") struct QuickReaderTests {
    @Test("addresses")
    func addresses() {
        var generator = SeededGenerator(seed: 41)
        let pieces = [
            "a@b.example", "<c.d+e=f@example.org>", "Bob", "Marley", "\"Bob  Marley\"", "\"\"", "J.", " ", " ", "\t",
            ",", ", ",
            "<", ">", "@", "=?utf-8?q?x?=", "(c)", ":", ";", "é", "\\", "[1.2.3.4]", "\"=?utf-8?q?x?=\"", "<a@b>", ".",
            "x",
        ]
        var read = 0
        for _ in 0..<20_000 {
            let count = Int(generator.next() % 9)
            let value = Array(
                (0..<count).map { _ in pieces[Int(generator.next() % UInt64(pieces.count))] }.joined().utf8)
            guard let quick = PlainAddressList.parse(value.span) else { continue }
            read += 1
            let general = AddressList.parseGenerally(value.span)
            #expect(quick == general.addresses && general.defects.isEmpty, "\(value.text)")
        }
        #expect(read > 500)
        for row in CaseTable.read("addresses.txt") {
            guard let quick = PlainAddressList.parse(row.input.span) else { continue }
            let general = AddressList.parseGenerally(row.input.span)
            #expect(quick == general.addresses && general.defects.isEmpty, "\(row.input.text)")
        }
        let plain = #"Bob Marley <bob@marley.test>, "Marley, Rita" <rita@marley.test>, x@y.test"#
        #expect(PlainAddressList.parse(Array(plain.utf8).span)?.count == 3)
    }

    @Test("dates")
    func dates() {
        var generator = SeededGenerator(seed: 42)
        let usual = Array("Sat, 21 Aug 2004 12:27:41 +0200 (CEST)".utf8)
        #expect(DateTime(usual: usual.span) == DateTime(epoch: 1_093_084_061, offset: 7_200))
        var read = 0
        for round in 0..<20_000 {
            var value = usual
            for _ in 0..<(round % 4) {
                value[Int(generator.next() % UInt64(value.count))] =
                    generator.bytes(1, of: "0123456789 +-:,()aJSGM").first ?? 0
            }
            guard let quick = DateTime(usual: value.span) else { continue }
            read += 1
            #expect(DateTime(general: value) == quick, "\(value.text)")
        }
        #expect(read > 5_000)
        for row in CaseTable.read("dates.txt") {
            guard let quick = DateTime(usual: row.input.span) else { continue }
            #expect(DateTime(general: row.input) == quick, "\(row.input.text)")
        }
    }

    @Test("a field once more than it may be, also among tens of thousands of fields, in near-linear time")
    func duplicates() {
        let text = (0..<20_000).map { "Content-\($0): x\n" }.joined() + "Subject: a\nCONTENT-77: y\nSubject: b\n\n"
        let message = Array(text.utf8)
        let structure = MessageStructure(headerOf: message.span)
        let clock = ContinuousClock()
        var defects: [FindingID] = []
        let time = clock.measure {
            defects = MessageSummary(structure.fields(of: 0), in: message.span).defects.map(\.id)
        }
        #expect(defects == [.duplicateHeader, .duplicateHeader] && time < .seconds(10))
    }
}
