import Bytes
import DNS
import SenderAuthentication
import TestSupport
import Testing

/// One message of the ARC test suite.
struct ARCCase: Sendable, CustomTestStringConvertible {
    let name: String
    let zone: Zone
    let message: [UInt8]
    let wanted: String
    var testDescription: String { name }

    static func all() throws -> [ARCCase] {
        var cases: [ARCCase] = []
        let text = String(decoding: try TestData.bytes("arc-validation"), as: UTF8.self)
        for scenario in text.split(separator: "\n# ").dropFirst() {
            let parts = scenario.split(separator: "\n= ")
            let keys = parts[0].split(separator: "\n").dropFirst().joined(separator: "\n")
            let zone = try Zone(parsing: Array(keys.utf8), name: "zone")
            for part in parts.dropFirst() {
                let lines = part.split(separator: "\n")
                let words = lines[0].split(separator: " ")
                let message = lines.dropFirst().filter { $0.hasPrefix("|") }.map { $0.dropFirst() + "\r\n" }.joined()
                cases.append(
                    ARCCase(
                        name: String(words[0]), zone: zone, message: Array(message.utf8), wanted: String(words[1])))
            }
        }
        return cases
    }
}

@Suite struct ARCSuiteTests {
    @Test("the ARC suite has 171 messages") func count() throws {
        #expect(try ARCCase.all().count == 171)
    }

    @Test("RFC 8617: the validation half of the ARC test suite", arguments: try ARCCase.all())
    func suite(_ test: ARCCase) async throws {
        let report = try await SenderVerifier(Resolver(.zone(test.zone)), .patient).verify(test.message, client: nil)
        #expect(report.arc.verdict.rawValue == test.wanted, "\(report.arc.reason ?? "")")
    }
}
