import Bytes
import SMTP
import TestSupport
import Testing

@Suite("MTA-STS policies (RFC 8461)")
struct MTASTSPolicyTests {
    private static let good =
        "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.Example.net\r\nmax_age: 604800\r\n"

    @Test("a policy names hosts; a star stands for one label (4.1)")
    func names() throws {
        let policy = try #require(MTASTSPolicy(Array(Self.good.utf8)))
        #expect(policy.mode == .enforce && policy.maximumAge == 604_800)
        for host in ["mail.example.com", "MAIL.example.com", "a.example.net"] { #expect(policy.names(host)) }
        for host in ["example.com", "x.mail.example.com", "example.net", "a.b.example.net", ".example.net", ""] {
            #expect(!policy.names(host))
        }
    }

    /// Texts that are no policies (3.2).
    static let bad = [
        "", "version: STSv2\nmode: enforce\nmx: a\nmax_age: 1\n", "version: STSv1\nmode: strict\nmx: a\nmax_age: 1\n",
        "version: STSv1\nmode: enforce\nmax_age: 1\n", "version: STSv1\nmode: enforce\nmx: a\n",
        "version: STSv1\nmode: enforce\nmx: a\nmax_age: 99999999999999999999\n",
        "version: STSv1\nmode: enforce\nmx: a\nmax_age: -1\n", "<html>version: STSv1</html>",
    ]

    @Test("what is no policy", arguments: bad)
    func badPolicy(_ text: String) { #expect(MTASTSPolicy(Array(text.utf8)) == nil) }

    @Test("LF ends lines too, of a field that stands twice the first counts, and none needs no host")
    func tolerated() {
        #expect(
            MTASTSPolicy(Array("version: STSv1\nmode: none\nmode: enforce\nmax_age: 1\nx: y\n".utf8))?.mode
                == MTASTSPolicy.Mode.none)
    }

    @Test("an announcement has a version and an identifier (3.1)")
    func announcements() {
        for text in ["v=STSv1; id=20160831085700Z;", "v=STSv1;id=a", "v=STSv1; id=1; x=y"] {
            #expect(MTASTSPolicy.isAnnouncement(Array(text.utf8)))
        }
        for text in ["v=STSv1", "v=STSv1; id=", "v=STSv2; id=1", "id=1; v=STSv1", "v=STSv1; id=a-b", ""] {
            #expect(!MTASTSPolicy.isAnnouncement(Array(text.utf8)))
        }
    }

    @Test("only a whole response that says 200 and text/plain brings a policy (3.3)")
    func responses() {
        func body(_ text: String) -> String? { MTASTSResponse.body(Array(text.utf8))?.text }
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
        #expect(body(head + "\r\nabc") == "abc")
        #expect(body(head + "Content-Length: 2\r\n\r\nabc") == "ab")
        #expect(body(head + "Content-Length: 4\r\n\r\nabc") == nil)
        #expect(body(head + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n") == "abc")
        #expect(body(head + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\nffffffffffffffff\r\nc") == nil)
        #expect(body("HTTP/1.1 301 Moved\r\nContent-Type: text/plain\r\n\r\nabc") == nil)
        #expect(body("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nabc") == nil)
        #expect(body("") == nil && body("SSH-2.0\r\n\r\n") == nil)
    }

    @Test("mutated policies and responses never trap")
    func mutations() {
        var random = SeededGenerator(seed: 8_461)
        let response = Array(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab\r\n\r\n0\r\n\r\n"
                .utf8)
        for _ in 0..<500 {
            _ = MTASTSPolicy(random.mutated(Array(Self.good.utf8)))
            _ = MTASTSResponse.body(random.mutated(response))
        }
    }
}
