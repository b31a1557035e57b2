import Bytes
import DNS
import SenderAuthentication
import TestSupport
import Testing
import Unix

/// One case of the openspf suite.
struct SPFCase: Sendable, CustomTestStringConvertible {
    let name: String
    let zone: Zone
    let request: SPFRequest
    let wanted: [String]
    let explanation: String
    var testDescription: String { name }

    /// Reads the data file: scenarios with their zones and cases.
    static func all() throws -> [SPFCase] {
        var cases: [SPFCase] = []
        for scenario in String(decoding: try TestData.bytes("rfc7208-tests"), as: UTF8.self).split(separator: "\n= ")
            .dropFirst()
        {
            let lines = scenario.split(separator: "\n").dropFirst()
            let zoneText = lines.filter { !$0.contains("\t") }.joined(separator: "\n")
            let zone = try Zone(parsing: Array(zoneText.utf8), name: "zone")
            for line in lines where line.contains("\t") {
                let fields = line.split(separator: "\t").map { $0 == "-" ? "" : String($0) }
                guard fields.count == 6, let address = IPAddress(fields[1]) else {
                    throw TestFailure("a bad line: \(line)")
                }
                cases.append(
                    SPFCase(
                        name: fields[0], zone: zone,
                        request: SPFRequest(address: address, mailFrom: fields[3], helo: fields[2]),
                        wanted: fields[4].split(separator: ",").map(String.init), explanation: fields[5]))
            }
        }
        return cases
    }
}

@Suite struct SPFSuiteTests {
    @Test("the openspf suite has 203 cases") func count() throws {
        #expect(try SPFCase.all().count == 203)
    }

    @Test("RFC 7208: the openspf suite", arguments: try SPFCase.all())
    func suite(_ test: SPFCase) async throws {
        let outcome = await SPFEvaluator(Resolver(.zone(test.zone))).check(test.request)
        #expect(test.wanted.contains(outcome.result.rawValue), "\(outcome.result) \(outcome.problem ?? "")")
        if outcome.result == .fail, !test.explanation.isEmpty, test.explanation != "DEFAULT" {
            #expect(outcome.explanation == test.explanation)
        }
        if test.explanation == "DEFAULT" { #expect(outcome.explanation == nil) }
    }
}
