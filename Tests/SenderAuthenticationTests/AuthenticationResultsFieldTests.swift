import Bytes
import DNS
import MessageFormat
import SenderAuthentication
import TestSupport
import Testing
import Unix

@Suite struct AuthenticationResultsFieldTests {
    @Test("RFC 8601 2.2: the field, folded, and what it says can be read back")
    func field() async throws {
        let zone = "example.org. TXT \"v=spf1 -all\"\n_dmarc.example.org. TXT \"v=DMARC1; p=reject\""
        let message = "From: a@example.org\r\n\r\nx\r\n"
        let client = SPFRequest(
            address: try #require(IPAddress("192.0.2.1")), mailFrom: "a@example.org", helo: "h.example")
        let report = try await SenderVerifier(try resolver(zone), .patient).verify(Array(message.utf8), client: client)
        let field = AuthenticationResultsField.field(server: "mx.example.net", report)
        let wanted = """
            Authentication-Results: mx.example.net;\r
            \tspf=fail smtp.mailfrom=a@example.org;\r
            \tdkim=none;\r
            \tdmarc=fail (p=reject dis=reject) header.from=example.org;\r
            \tarc=none\r

            """
        #expect(String(decoding: field, as: UTF8.self) == wanted)
        let read = AuthenticationResults(Array(field.dropFirst(23).filter { $0 != ASCII.cr && $0 != ASCII.lf }))
        #expect(read.server == "mx.example.net")
        #expect(
            read.results.map { "\($0.method)=\($0.result)" } == ["spf=fail", "dkim=none", "dmarc=fail", "arc=none"])
    }

    @Test("what a sender writes cannot break the field")
    func hostile() async throws {
        let message = "From: a@example.org\r\nDKIM-Signature: d=a\"b; c\\;s=(x\r\n\r\nx\r\n"
        let client = SPFRequest(
            address: try #require(IPAddress("192.0.2.1")), mailFrom: "a\r\nX: y;spf=pass (\"@b.example", helo: "h")
        let report = try await SenderVerifier(try resolver("x. A 192.0.2.1"), .patient).verify(
            Array(message.utf8), client: client)
        let text = String(decoding: AuthenticationResultsField.field(server: "mx.example.net", report), as: UTF8.self)
        #expect(text.split(separator: "\r\n").dropFirst().allSatisfy { $0.hasPrefix("\t") })
        let value = Array(text.dropFirst(23).utf8.filter { $0 != ASCII.cr && $0 != ASCII.lf })
        #expect(AuthenticationResults(value).results.count { $0.method == "spf" } == 1)
    }

    @Test("RFC 8601 5: forged fields are found at every place, others are not")
    func forged() {
        let message = """
            Received: a\r
            Authentication-Results: mx.example.net; spf=pass\r
            Subject: x\r
            authentication-results :\r
             (comment) MX.example.NET 1; spf=pass;\r
            \tdkim=pass\r
            Authentication-Results: other.example; spf=pass\r
            Authentication-Results: "mx.example.net"; none\r
            Authentication-Results: spf=pass\r
            From: a@example.org\r
            Authentication-Results: mx.example.net.; none\r
            \r
            Authentication-Results: mx.example.net; in the body\r

            """
        let bytes = Array(message.utf8)
        var rest = bytes
        for range in AuthenticationResultsField.forged(bytes.span, server: "mx.example.net").reversed() {
            rest.removeSubrange(range)
        }
        let wanted = """
            Received: a\r
            Subject: x\r
            Authentication-Results: other.example; spf=pass\r
            Authentication-Results: spf=pass\r
            From: a@example.org\r
            \r
            Authentication-Results: mx.example.net; in the body\r

            """
        #expect(String(decoding: rest, as: UTF8.self) == wanted)
    }

    @Test("the envelope of a stored message: the newest hop from outside, and Return-Path")
    func storedEnvelope() throws {
        let message = """
            Return-Path: <a@example.org>
            Received: from localhost (localhost [127.0.0.1]) by mx.example.net; Thu, 1 Jan 2026 00:00:00 +0000
            Received: from inner (inner [10.0.0.2]) by mx.example.net; Thu, 1 Jan 2026 00:00:00 +0000
            Received: from h.example (h.example [IPv6:2001:db8::7]) by mx.example.net; Thu, 1 Jan 2026 00:00:00 +0000
            Received: from forged (forged [192.0.2.9]) by h.example; Thu, 1 Jan 2026 00:00:00 +0000
            From: a@example.org

            """
        let bytes = Array(message.utf8)
        let found = StoredEnvelope.client(bytes.span)
        let client = try #require(found)
        #expect(client.address == IPAddress("2001:db8::7"))
        #expect(client.helo == "h.example")
        #expect(client.mailFrom == "a@example.org")
    }
}
