import TestSupport
import Testing

@Suite("spamscore as a filter")
struct SpamscoreFilterTests {
    static let spam = "body SPAM /buy/\nscore SPAM 9\ndescribe SPAM wants to sell\n"

    static func filter(_ message: String, _ rules: String = spam) throws -> String {
        let folder = try TestDirectory()
        let path = try folder.write("r.cf", rules)
        return try ToolProcess.run(
            "spamscore", ["-f", "--rules", path, "--user-dir", folder.file("none")], input: Array(message.utf8)
        ).text
    }

    @Test("X-Spam fields are removed wherever they stand, with their folded lines")
    func removes() throws {
        let text = try Self.filter(
            "A: 1\nX-Spam-Status: Yes\n\tmore\nB: 2\nx-spam-report: x\n y\n z\nC: 3\n\nX-Spam-A: body\n")
        #expect(text.hasSuffix("A: 1\nB: 2\nC: 3\n\nX-Spam-A: body\n"))
        #expect(!text.contains("more") && text.hasPrefix("X-Spam-Checker-Version: "))
    }

    @Test("mixed line ends, a missing last one, and bytes that are no text pass as they are")
    func exact() throws {
        let folder = try TestDirectory()
        let rules = try folder.write("r.cf", Self.spam)
        let message: [UInt8] = Array("A: 1\r\nB: 2\nC: \u{1}\r\r\n\r\nx\ny\r\nbuy".utf8) + [0, 0xFF, 0xFE]
        let result = try ToolProcess.run(
            "spamscore", ["-f", "--rules", rules, "--user-dir", folder.file("none")], input: message)
        #expect(result.bytes.suffix(message.count) == message[...])
    }

    @Test("an mbox line stays the first, and a body without a header is told from our fields by an empty line")
    func places() throws {
        let mbox = try Self.filter("From a Thu Jan  1 00:00:00 1970\nA: 1\n\nx\n")
        #expect(mbox.hasPrefix("From a Thu Jan  1 00:00:00 1970\nX-Spam-Checker-Version: "))
        #expect(try Self.filter("just text\n").hasSuffix("\n\njust text\n"))
        #expect(try Self.filter("\nbody\n").hasSuffix("\n\nbody\n"))
    }

    @Test("report_safe 1 wraps spam: the original is inside, unchanged; ham passes")
    func wraps() throws {
        let message = "From: a@example.org\nSubject: hi\nX-Spam-Level: **\n\nbuy\n--x\n"
        let text = try Self.filter(message, "\(Self.spam)report_safe 1\n")
        #expect(text.contains("\nFrom: a@example.org\nSubject: hi\nMIME-Version: 1.0\nContent-Type: multipart/mixed; "))
        #expect(text.contains("\n\n\(message)\n--"))
        #expect(text.contains("wants to sell") && text.contains("Content-Type: message/rfc822"))
        #expect(
            try Self.filter(message, "\(Self.spam)report_safe 2\n").contains("Content-Type: text/plain; charset=iso"))
        let ham = try Self.filter("Subject: hi\n\nhello\n", "\(Self.spam)report_safe 1\n")
        #expect(ham.hasSuffix("Subject: hi\n\nhello\n") && !ham.contains("multipart"))
    }

    @Test("rewrite_header marks the subject of spam; add_header fills its template")
    func templates() throws {
        let rules = """
            \(Self.spam)rewrite_header Subject [SPAM _SCORE_]
            add_header all Points "_SCORE_ of _REQD_"
            add_header ham Only no
            remove_header all Level

            """
        let text = try Self.filter("Subject: hi\n there\nTo: b\n\nbuy\n", rules)
        #expect(text.contains("\nSubject: [SPAM 9.0] hi\n there\nTo: b\n\nbuy\n"), "\(text)")
        #expect(text.contains("X-Spam-Points: 9.0 of 5.0\n") && !text.contains("X-Spam-Only"))
        #expect(!text.contains("X-Spam-Level"))
    }
}
