import Bytes
import Foundation
import MessageFormat
import TestSupport
import Testing

@Suite("Structure (RFC 2045 to 2049)") struct StructureTests {
    struct Case: Sendable, CustomStringConvertible {
        let description: String
        let message: [UInt8]
        let expected: String
    }

    static let cases: [Case] = {
        let text = (try? TestData.bytes("structure.txt", #filePath)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.components(separatedBy: "\n== ").dropFirst().map { block in
            let lines = block.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            let divider = lines.lastIndex(of: "--") ?? lines.count
            let message = lines[1..<divider].map { $0 + "\n" }.joined()
            return Case(
                description: lines[0], message: CaseTable.unescaped(message),
                expected: lines[divider...].dropFirst().filter { !$0.isEmpty }.joined(separator: "\n"))
        }
    }()

    /// The parts and findings of a message in the words of the data file.
    static func describe(_ message: [UInt8]) -> String {
        let structure = MessageStructure(message.span)
        var lines: [String] = []
        for part in structure.walk() {
            let node = structure.parts[part]
            var line = "\(structure.path(of: part)) \(node.contentType.name)"
            if node.isLeaf {
                let content = String(decoding: structure.content(of: part, in: message.span).bytes, as: UTF8.self)
                line += " \"\(escaped(content))\""
            }
            lines.append(line)
        }
        let findings = structure.findings.map { (structure.path(of: $0.part), $0.id.rawValue) }
        lines += findings.sorted { $0 < $1 }.map { "! \($0.1) \($0.0)" }
        return lines.joined(separator: "\n")
    }

    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.map { $0 == "\r" ? "\\r" : $0 == "\n" ? "\\n" : String($0) }.joined()
    }

    @Test("parts and their content", arguments: cases)
    func parts(_ row: Case) { #expect(Self.describe(row.message) == row.expected) }

    @Test("the same with CRLF", arguments: cases)
    func withCRLF(_ row: Case) {
        guard !row.message.contains(ASCII.cr) else { return }
        let message = Array(row.message.map { $0 == ASCII.lf ? [ASCII.cr, ASCII.lf] : [$0] }.joined())
        #expect(
            Self.describe(message).replacing("\\r\\n", with: "\\n") == row.expected.replacing("\\r\\n", with: "\\n"))
    }

    @Test("every truncation of every case has parts within its bytes, children within their parents")
    func truncations() {
        for row in Self.cases {
            let bad = (0...row.message.count).filter { !Self.isSound(Array(row.message[..<$0])) }
            #expect(bad.isEmpty, "\(row.description)")
        }
    }

    @Test("so has every change of one byte of the small ones")
    func mutations() {
        for row in Self.cases where row.message.count < 90 {
            var bad: [Int] = []
            for place in row.message.indices {
                for byte in [0, 10, 13, 32, 34, 40, 45, 58, 59, 98, 255] as [UInt8] {
                    var message = row.message
                    message[place] = byte
                    if !Self.isSound(message) { bad.append(place) }
                }
            }
            #expect(bad.isEmpty, "\(row.description)")
        }
    }

    /// Whether all parts of a message lie where they can lie; reads all that can be read of it.
    static func isSound(_ message: [UInt8]) -> Bool {
        let structure = MessageStructure(message.span)
        let headers = structure.parts.indices.map { structure.header(of: $0, in: message.span) }
        _ = ReadableText(structure, ReadableParts(structure, headers: headers), in: message.span)
        return structure.parts.allSatisfy { node in
            let limit = node.source == 0 ? message.count : structure.decoded[node.source - 1].count
            guard node.headerOffset <= node.bodyOffset, node.bodyOffset <= node.bodyEnd, node.bodyEnd <= limit else {
                return false
            }
            guard let parent = node.parent, structure.parts[parent].source == node.source else { return true }
            return node.bodyEnd <= structure.parts[parent].bodyEnd
        }
    }

    @Test("ten thousand levels and a hundred thousand parts, in near-linear time")
    func extremes() {
        let clock = ContinuousClock()
        let nested = (0..<10_000).map { "Content-Type: multipart/mixed; boundary=b\($0)\n\n--b\($0)\n" }.joined()
        let same = String(repeating: "Content-Type: multipart/mixed; boundary=b\n\n--b\n", count: 10_000)
        let messages = String(repeating: "Content-Type: message/rfc822\n\n", count: 10_000)
        let parts = "Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: "--b\n\nx\n", count: 100_000)
        for text in [nested, same, messages, parts] {
            let message = Array(text.utf8)
            var count = 0
            let time = clock.measure { count = MessageStructure(message.span).parts.count }
            #expect(count >= 10_000 && time < .seconds(10))
        }
    }
}
