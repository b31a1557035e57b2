import Foundation
import TestSupport
import Testing

/// smtp-send signs, mailparse verifies.
@Suite struct SenderAuthenticationVerifyTests {
    private let folder: TestDirectory
    private let key: String
    private let zone: String
    private let message: String

    private static let pem = """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEIDttU7u3MZroTfs6+zq+EiB5ZORfbI7nVm9QtzE/tVVx
        -----END PRIVATE KEY-----

        """
    private static let text = """
        From: a@example.org
        To: b@example.net
        Subject: hi

        Hello
        .dot

        """

    init() throws {
        folder = try TestDirectory()
        key = try folder.write("key.pem", Self.pem)
        zone = try folder.write(
            "zone",
            """
            s1._domainkey.example.org. TXT "v=DKIM1; k=ed25519; p=WdtmEDqvZNJ2ECwidwzR9j9I6V5HHPKypXzbC+pK0OA="
            _dmarc.example.org. TXT "v=DMARC1; p=reject"
            slow._domainkey.example.org. SERVFAIL
            example.org. TXT "v=spf1 ip4:192.0.2.1 -all"
            """)
        message = try folder.write("m.eml", Self.text)
    }

    private func send(_ words: [String]) throws -> ToolProcess.Result {
        try ToolProcess.run("smtp-send", ["--dry-run", "--time", "1000"] + words + [message])
    }

    /// The message of batch SMTP.
    private func message(of batch: String) -> String {
        let start = batch.range(of: "DATA\r\n")?.upperBound ?? batch.startIndex
        let end = batch.range(of: "\r\n.\r\n")?.lowerBound ?? batch.endIndex
        return batch[start..<end].components(separatedBy: "\r\n").map {
            $0.hasPrefix("..") ? String($0.dropFirst()) : $0
        }
        .joined(separator: "\r\n") + "\r\n"
    }

    private func signed(_ selector: String = "s1") throws -> String {
        let result = try send([
            "--dkim", "example.org:\(selector):\(key)", "--from", "a@example.org", "--to", "b@example.net",
        ])
        #expect(result.status == 0)
        return message(of: result.text)
    }

    private func verify(_ files: [String], _ words: [String] = ["--json"]) throws -> ToolProcess.Result {
        try ToolProcess.run("mailparse", ["--verify", "--dns", zone, "--time", "1000"] + words + files)
    }

    @Test("smtp-send --dkim signs, mailparse --verify passes it: the keys of the contract")
    func roundTrip() throws {
        let file = try folder.write("signed.eml", try signed())
        let result = try verify([file])
        #expect(result.status == 0)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(result.bytes)) as? [String: Any])
        let dkim = try #require((json["dkim"] as? [[String: Any]])?.first)
        #expect(dkim["result"] as? String == "pass")
        #expect(dkim["domain"] as? String == "example.org")
        #expect(dkim["algorithm"] as? String == "ed25519-sha256")
        #expect(dkim["identity"] as? String == "@example.org")
        #expect(dkim["canonicalization"] as? String == "relaxed/relaxed")
        #expect(dkim["bodyHash"] as? String == "pass")
        #expect(dkim["signature"] as? String == "pass")
        #expect(dkim["keyBits"] as? Int == 256)
        #expect(dkim["expired"] as? Bool == false)
        #expect(dkim["length"] is NSNull)
        let dmarc = try #require(json["dmarc"] as? [String: Any])
        #expect(dmarc["result"] as? String == "pass")
        #expect(dmarc["alignedBy"] as? [String] == ["dkim"])
        #expect(dmarc["organizationalBy"] as? String == "tree-walk")
        #expect((json["arc"] as? [String: Any])?["result"] as? String == "none")
        #expect(json["spf"] is NSNull)
    }

    @Test("mailparse --verify: exit codes, several files in order")
    func exitCodes() throws {
        let good = try folder.write("good.eml", try signed())
        let changed = try folder.write("changed.eml", try signed().replacingOccurrences(of: "Hello", with: "Hi"))
        let slow = try folder.write("slow.eml", try signed("slow"))
        #expect(try verify([message]).status == 0)
        #expect(try verify([changed]).status == 1)
        #expect(try verify([slow]).status == 75)
        let all = try verify([good, changed, message, slow])
        #expect(all.status == 75)
        let verdicts = ["\"pass\"", "\"fail\"", "\"dkim\":[]", "\"temperror\""]
        for (line, verdict) in zip(all.lines, verdicts) { #expect(line.contains(verdict), "\(line)") }
        #expect(try verify([folder.file("missing")]).status == 66)
    }

    @Test("mailparse --verify: SPF of the client that is given, DMARC with it")
    func client() throws {
        let words = ["--json", "--spf-ip", "192.0.2.1", "--helo", "h.example", "--mail-from", "a@example.org"]
        let result = try verify([message], words)
        #expect(result.text.contains(#""alignedBy":["spf"]"#))
        #expect(result.text.contains(#""from":"options"}"#))
        #expect(try verify([message], ["--mail-from", "a@example.org"]).status == 64)
    }

    @Test("smtp-send --dry-run: what is refused, with 65", arguments: ["h=to", "i=a@example.com"])
    func refused(_ options: String) throws {
        let result = try send(["--dkim", "example.org:s1:\(key)", "--dkim-options", options, "--to", "b@example.net"])
        #expect(result.status == 65)
        #expect(result.text.isEmpty)
    }

    @Test("smtp-send --dry-run --arc-seal: a set that passes")
    func seal() throws {
        let result = try send([
            "--arc-seal", "example.org:s1:\(key)", "--authserv-id", "mx.example.org", "--dns", zone, "--arc-time",
            "1000",
        ])
        #expect(result.status == 0)
        let file = try folder.write("sealed.eml", message(of: result.text))
        #expect(try verify([file]).text.contains(#""arc":{"result":"pass","instances":1,"reason":null}"#))
    }
}
