import Bytes
import CommandLineTool
import Foundation
import TestSupport
import Testing

@Suite("JSON output")
struct JSONWriterTests {
    @Test("objects, arrays and every kind of value")
    func structure() {
        var json = JSONWriter()
        json.object {
            $0.field("a", "x")
            $0.field("b", nil as String?)
            $0.field("c", 3)
            $0.field("d", true)
            $0.array("e") { list in
                list.value(1)
                list.object { $0.field("f", ["g", "h"]) }
                list.array { _ in }
            }
            $0.field("i", 7.25, decimals: 1)
            $0.object("j") { _ in }
        }
        #expect(
            json.takeLine().text
                == #"{"a":"x","b":null,"c":3,"d":true,"e":[1,{"f":["g","h"]},[]],"i":7.3,"j":{}}"# + "\n")
        #expect(json.bytes.isEmpty)
    }

    @Test("any text comes back as it was through another parser")
    func roundTrip() throws {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<200 {
            let text = String(decoding: generator.bytes(40), as: UTF8.self) + "\u{0}\u{1F}\u{7F}\"\\\n\r\t/€😀"
            var json = JSONWriter()
            json.array { $0.value(text) }
            let line = json.takeLine()
            #expect(!line.dropLast().contains { $0 < 0x20 || $0 == 0x7F })
            let back = try JSONSerialization.jsonObject(with: Data(line)) as? [String]
            #expect(back == [text])
        }
    }

    @Test(
        "numbers with a fixed count of decimals",
        arguments: [
            (7.25, 1, "7.3"), (-0.04, 1, "0.0"), (0.005, 2, "0.01"), (1e6, 0, "1000000"), (-2.5, 0, "-3"),
            (0, 3, "0.000"),
        ])
    func decimals(_ number: Double, _ count: Int, _ text: String) {
        #expect(DecimalText.format(number, decimals: count) == text)
    }

    @Test("what is not finite is null")
    func notFinite() {
        var json = JSONWriter()
        json.array { list in
            list.value(Double.nan, decimals: 1)
            list.value(Double.infinity, decimals: 1)
        }
        #expect(json.takeLine().text == "[null,null]\n")
    }
}
