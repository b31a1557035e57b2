import Foundation
import TestSupport
import Testing

@Suite("mailparse: findings") struct MailparseFindingsTests {
    private struct Case {
        let name: String
        let message: [UInt8]
        let findings: [String]
    }

    /// The cases of the data file; see its head.
    private static func cases(_ name: String) throws -> [Case] {
        let text = String(decoding: try TestData.bytes(name), as: UTF8.self)
        return text.components(separatedBy: "\n== ").dropFirst().map { block in
            let lines = block.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            let divider = lines.lastIndex(of: "--") ?? lines.count
            return Case(
                name: lines[0], message: message(lines[1..<divider]),
                findings: lines[divider...].dropFirst().filter { $0.hasPrefix("! ") }.map { String($0.dropFirst(2)) })
        }
    }

    /// Lines with LF; `\r` and `\xHH` stand for other bytes, and `\` at the end of a line for no line end.
    private static func message(_ lines: ArraySlice<String>) -> [UInt8] {
        var bytes = Array(lines.map { $0 + "\n" }.joined().replacing("\\\n", with: "").utf8)
        while let place = bytes.firstIndex(of: UInt8(ascii: "\\")), place + 1 < bytes.count {
            if bytes[place + 1] == UInt8(ascii: "r") {
                bytes.replaceSubrange(place...(place + 1), with: [13])
            } else {
                let digits = String(decoding: bytes[(place + 2)...(place + 3)], as: UTF8.self)
                bytes.replaceSubrange(place...(place + 3), with: [UInt8(digits, radix: 16) ?? 0])
            }
        }
        return bytes
    }

    @Test("every finding with its place, its part and its severity, and nothing else")
    func findings() throws { #expect(try seen(in: "mailparse-findings.txt").count == 31) }

    @Test("what just has a finding, and what just has not")
    func nearCases() throws { #expect(try seen(in: "mailparse-near.txt").count == 30) }

    /// The findings of all cases of a file, each case compared.
    private func seen(in name: String) throws -> Set<String> {
        let folder = try TestDirectory()
        let cases = try Self.cases(name)
        var names: [String] = []
        for (number, row) in cases.enumerated() { names.append(try folder.write("\(number)", row.message)) }
        let result = try ToolProcess.run("mailparse", ["--json", "--digest", "none"] + names)
        #expect(result.lines.count == cases.count && cases.count > 30)
        var seen: Set<String> = []
        for (row, line) in zip(cases, result.lines) {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            let findings = (object?["findings"] as? [[String: Any]] ?? []).map { finding in
                "\(finding["id"] ?? "") \(finding["offset"] ?? "") \(finding["path"] as? String ?? "-") "
                    + "\(finding["severity"] ?? "")"
            }
            #expect(findings == row.findings, "\(row.name)")
            seen.formUnion(findings.compactMap { $0.split(separator: " ").first.map(String.init) })
        }
        return seen
    }
}
