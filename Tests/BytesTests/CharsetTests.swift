import Bytes
import TestSupport
import Testing

@Suite("Charsets")
struct CharsetTests {
    @Test(
        "labels mean what WHATWG says",
        arguments: [
            ("utf-8", [0xC3, 0xA9], "é"), ("UTF8", [0xEF, 0xBB, 0xBF, 0x61], "a"), ("iso-8859-1", [0x80, 0xE9], "€é"),
            ("us-ascii", [0xC3, 0xA9], "é"), ("ascii", [0xE9], "é"), ("windows-1252", [0x81], "\u{81}"),
            ("iso-8859-15", [0xA4], "€"), ("iso-8859-9", [0xFD], "ı"), ("koi8-r", [0xF0, 0xD2], "Пр"),
            ("gb2312", [0xC4, 0xE3], "你"), ("big5", [0xA7, 0x41], "你"), ("shift_jis", [0x87, 0x40], "①"),
            ("euc-jp", [0xC6, 0xFC], "日"), ("ks_c_5601-1987", [0xB0, 0xA1], "가"), ("windows-874", [0xA1], "ก"),
            ("cp437", [0x82], "é"), ("cp850", [0x82], "é"), ("cp866", [0x8F], "П"), ("macintosh", [0x8E], "é"),
            ("utf-7", Array("+AOk-".utf8), "é"), ("utf-16", [0xFE, 0xFF, 0, 0xE9], "é"), ("utf-16", [0xE9, 0], "é"),
            ("utf-16be", [0, 0xE9], "é"), ("utf-32be", [0, 0, 0, 0xE9], "é"),
            ("iso-2022-jp", [0x1B, 0x24, 0x42, 0x46, 0x7C, 0x1B, 0x28, 0x42], "日"),
            ("hz-gb-2312", Array("a~{Dc~}~~".utf8), "a你~"), ("\"ISO-8859-2\"", [0xB1], "ą"),
            ("windows-1251", [0xCF], "П"),
        ])
    func labels(_ label: String, _ bytes: [UInt8], _ text: String) {
        let result = Charset.decode(bytes.span, label: label)
        #expect(result.text == text && result.problem == nil)
    }

    @Test("lying UTF-8 is read as windows-1252 as a whole, an unknown label is guessed, other bad bytes are U+FFFD")
    func problems() {
        #expect(Charset.decode([0xC3, 0xA9, 0xE9].span, label: "utf-8") == ("Ã©é", .badBytes))
        #expect(Charset.decode([0xC3, 0xA9].span, label: "no-such") == ("é", .unknownLabel))
        #expect(Charset.decode([0xE9].span, label: "no-such") == ("é", .unknownLabel))
        #expect(Charset.decode([0x61, 0xFF, 0x62].span, label: "gb18030") == ("a\u{FFFD}b", .badBytes))
        #expect(Charset.decode([0xA7].span, label: "big5") == ("\u{FFFD}", .badBytes))
        #expect(!Charset.isKnown("no-such") && Charset.isKnown("latin1") && Charset.isKnown("koi8-r"))
    }

    @Test("converters serve many threads, and a text begins afresh whatever the one before left open")
    func threads() async {
        let labels = ["koi8-r", "iso-2022-jp", "big5", "utf-7", "windows-1251", "no-such"]
        let texts: [[UInt8]] = [
            [0xF0, 0xD2], [0x1B, 0x24, 0x42, 0x46, 0x7C], [0xA7, 0x41, 0xA7], Array("+AOk".utf8), [0xCF, 0x98], [0xE9],
        ]
        let expected = zip(labels, texts).map { Charset.decode($1.span, label: $0).text }
        #expect(expected[0] == "Пр" && expected[1] == "日" && expected[4].hasPrefix("П"))
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    (0..<200).allSatisfy { round in
                        let index = round % labels.count
                        let text = texts[index]
                        return Charset.decode(text.span, label: labels[index]).text == expected[index]
                    }
                }
            }
            for await isSame in group { #expect(isSame) }
        }
    }

    @Test("labels that would be options of the converter are unknown", arguments: ["utf-8//IGNORE", "", "a b", "\0"])
    func hostileLabels(_ label: String) { #expect(Charset.decode([0x61].span, label: label).text == "a") }

    @Test("charsets whose lines are those of ASCII, and others")
    func lines() {
        let labels = [
            "us-ascii", "utf-8", "iso-8859-2", "koi8-r", "gb2312", "shift_jis", "iso-2022-jp", "x-no-such", "",
        ]
        for label in labels {
            #expect(Charset.hasASCIILines(label), "\(label)")
        }
        for label in ["utf-16", "utf-16le", "UTF-32"] { #expect(!Charset.hasASCIILines(label), "\(label)") }
    }

    @Test("any bytes in any charset give text")
    func hostile() {
        var generator = SeededGenerator(seed: 4)
        let labels = [
            "utf-8", "utf-7", "utf-16", "utf-32", "gb18030", "big5", "iso-2022-jp", "iso-2022-kr", "hz", "cp932",
        ]
        for label in labels {
            for _ in 0..<50 { _ = Charset.decode(generator.bytes(Int(generator.next() % 300)).span, label: label) }
        }
    }

    @Test("UTF-8 is judged as the standard library judges it")
    func validity() {
        var generator = SeededGenerator(seed: 6)
        for _ in 0..<3_000 {
            let bytes = generator.mutated(Array("aé€😀\u{7FF}\u{800}\u{FFFF}".utf8))
            #expect(UTF8Text.isValid(bytes.span) == (String(validating: bytes, as: UTF8.self) != nil))
        }
    }
}
