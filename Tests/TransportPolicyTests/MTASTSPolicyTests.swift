import Bytes
import TestSupport
import Testing
import TransportPolicy

@Suite("MTA-STS policies (RFC 8461)")
struct MTASTSPolicyTests {
    private static let good =
        "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.Example.net\r\nmax_age: 604800\r\n"

    @Test("a policy names hosts; a star stands for one label (4.1)")
    func names() throws {
        let policy = try MTASTSPolicy(parsing: Array(Self.good.utf8))
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
        "version: STSv1\nmode: enforce\nmx: a\nmax_age: -1\n",
        "version: STSv1\nmode: enforce\nmx: a\nmax_age: 31557601\n",
        "version: STSv1\nmode: enforce\nmx: *\nmax_age: 1\n",
        "version: STSv1\nmode: enforce\nmx: mail.*.example\nmax_age: 1\n",
        "version: STSv1\nmode: enforce\nmx: mx.example.\nmax_age: 1\n", "<html>version: STSv1</html>",
    ]

    @Test("what is no policy", arguments: bad)
    func badPolicy(_ text: String) {
        #expect(throws: MTASTSPolicyError.self) { try MTASTSPolicy(parsing: Array(text.utf8)) }
    }

    @Test("LF ends lines too, of a field that stands twice the first counts, and none needs no host")
    func tolerated() throws {
        let policy = try MTASTSPolicy(
            parsing: Array("version: STSv1\nmode: none\nmode: enforce\nmax_age: 1\nx: y\n".utf8))
        #expect(policy.mode == MTASTSPolicy.Mode.none)
    }

    @Test("an announcement has a version and an identifier (3.1)")
    func announcements() {
        for (text, id) in [
            ("v=STSv1; id=20160831085700Z;", "20160831085700Z"), ("v=STSv1;id=a", "a"), ("v=STSv1; x=y; id=1", "1"),
        ] { #expect(MTASTSPolicy.announcedID(Array(text.utf8)) == id) }
        for text in ["v=STSv1", "v=STSv1; id=", "v=STSv2; id=1", "id=1; v=STSv1", "v=STSv1; id=a-b", ""] {
            #expect(MTASTSPolicy.announcedID(Array(text.utf8)) == nil)
        }
    }

    @Test("mutated policies never trap")
    func mutations() {
        var random = SeededGenerator(seed: 8_461)
        for _ in 0..<500 { _ = try? MTASTSPolicy(parsing: random.mutated(Array(Self.good.utf8))) }
    }
}
