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

    @Test(
        "a line of marking that says nothing is passed over",
        arguments: ["add_header", "add_header all", "add_header all Name", "remove_header", "rewrite_header", "report"])
    func emptyLines(_ line: String) throws {
        let text = try Self.filter("A: 1\n\nbuy\n", "\(Self.spam)\(line)\n")
        #expect(text.contains("\nX-Spam-Flag: YES\n") && text.hasSuffix("\nA: 1\n\nbuy\n"))
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

    @Test("a field From with a space before its colon is no mbox line; a line that continues nothing continues no mark")
    func tops() throws {
        #expect(try Self.filter("From : a\nB: 2\n\nx\n").hasPrefix("X-Spam-Checker-Version: "))
        let text = try Self.filter(" loose\nB: 2\n\nx\n")
        #expect(text.hasPrefix(" loose\nX-Spam-Checker-Version: ") && text.hasSuffix("\nB: 2\n\nx\n"))
    }

    @Test("the header around wrapped spam is one that can be read, whatever the original's is")
    func wrappingHeader() throws {
        let message = "From : a@example.org\nSubject: x\r\r\n\t\n y\u{0}\n\nbuy\n"
        let text = try Self.filter(message, "\(Self.spam)report_safe 1\n")
        #expect(text.contains("\nFrom: a@example.org\nSubject: x\n y\nMIME-Version: 1.0\n"), "\(text)")
        #expect(text.contains("\n\n\(message)\n--"))
    }

    @Test("rewrite_header adds a Subject that is missing, and goes before an address as a comment, in no second line")
    func rewriting() throws {
        let rules = """
            \(Self.spam)rewrite_header Subject [SPAM] _HEADER(X-Note)_
            rewrite_header From (bad)

            """
        let text = try Self.filter("From: =?utf-8?q?J?= <a@example.org>\nX-Note: =?utf-8?q?a=0Ab=0Dc?=\n\nbuy\n", rules)
        #expect(text.contains("\nFrom: ([bad]) =?utf-8?q?J?= <a@example.org>\n"), "\(text)")
        #expect(text.contains("\nSubject: [SPAM] a b c\n\nbuy\n"), "\(text)")
    }

    @Test("template tags as SpamAssassin fills them")
    func tags() throws {
        let message = """
            Return-Path: <a@bounce.Example.com>
            Received: from relay.example.org (relay.example.org [192.0.2.9]) by mail.example.org (Postfix)
            \twith ESMTP id 1235 for <c@example.org>; Thu, 26 Nov 2026 10:00:01 +0000
            Received: from mx.example.net (mx.example.net [198.51.100.7]) by relay.example.org (Postfix)
            \twith ESMTP id 1234 for <c@example.org>; Thu, 26 Nov 2026 10:00:00 +0000
            From: A <a@mail.example.com>
            Subject: =?utf-8?q?h=C3=A9?=

            buy this

            """
        let tags = [
            ("SCORE(0)", "09.3"), ("SCORE(00)", "009.3"), ("TESTS(,)", "A,SPAM"), ("TESTSSCORES(;)", "A=0.25;SPAM=9"),
            ("SUBTESTS(,)", "__SUB"), ("HEADER(Subject)", "=?utf-8?B?aMOp?="), ("LASTEXTERNALIP", "198.51.100.7"),
            ("LASTEXTERNALHELO", "mx.example.net"), ("AUTHORDOMAIN", "mail.example.com"),
            ("SENDERDOMAIN", "bounce.example.com"),
            ("FIRSTTRUSTEDIP", "192.0.2.9"), ("FIRSTTRUSTEDREVIP", "9.2.0.192"), ("STARS(x)", "xxxxxxxxx"),
            ("YESNO(is,is not)", "is"), ("YESNOCAPS", "YES"), ("PREVIEW", "buy this"), ("NOSUCHTAG", "_NOSUCHTAG_"),
            ("RBL", ""),
            ("REPORT", "\n\t*  9.0 SPAM wants to sell\n\t*  0.3 A body"),
        ]
        let fields = tags.enumerated().map { "add_header all T\($0.offset)T _\($0.element.0)_\n" }.joined()
        let rules =
            "\(Self.spam)trusted_networks 192.0.2.0/24\nbody A /this/\nscore A 0.25\nbody __SUB /this/\n\(fields)"
        let text = try Self.filter(message, rules)
        for (index, tag) in tags.enumerated() {
            let expected = "\nX-Spam-T\(index)T:\(tag.1.isEmpty || tag.1.hasPrefix("\n") ? "" : " ")\(tag.1)\n"
            #expect(text.contains(expected), "\(tag.0): \(text)")
        }
    }

    @Test("of several messages an mboxrd stream comes out, of one file the message")
    func several() throws {
        let folder = try TestDirectory()
        let rules = try folder.write("r.cf", Self.spam)
        let first = try folder.write("1", "A: 1\n\nbuy\nFrom me\n")
        let second = try folder.write("2", "B: 2\n\nhello")
        let options = ["-f", "--rules", rules, "--user-dir", folder.file("none")]
        let one = try ToolProcess.run("spamscore", options + [first])
        #expect(one.text.hasPrefix("X-Spam-") && one.text.hasSuffix("\nA: 1\n\nbuy\nFrom me\n"))
        let both = try ToolProcess.run("spamscore", options + ["--exit-code", first, second])
        #expect(both.text.hasPrefix("From MAILER-DAEMON Thu Jan  1 00:00:00 1970\nX-Spam-") && both.status == 1)
        #expect(both.text.contains("\nA: 1\n\nbuy\n>From me\n\nFrom MAILER-DAEMON"))
        let again = try ToolProcess.run("spamscore", options + ["--mbox"], input: Array(both.text.utf8))
        #expect(again.text == both.text)
        let binary = "From a\n\u{0}\u{1}\u{2}\n\nFrom b\nA: 1\n\nx\n"
        let kept = try ToolProcess.run("spamscore", options + ["--mbox"], input: Array(binary.utf8))
        #expect(kept.status == 0 && kept.text.contains("\n\u{0}\u{1}\u{2}\n") && kept.text.contains("\nA: 1\n\nx\n"))
        let gone = try ToolProcess.run("spamscore", options + [first, folder.file("none"), second])
        #expect(gone.status == 66 && gone.text == both.text)
        let unmarked = try ToolProcess.run("spamscore", ["-f", "-x", "--rules", "/nonexistent", first, second])
        #expect(unmarked.status == 75 && unmarked.text.contains("00 1970\nA: 1\n\nbuy\n>From me\n\nFrom "))
    }

    @Test("a large message comes through a pipe in time", .timeLimit(.minutes(2)))
    func large() throws {
        let folder = try TestDirectory()
        let rules = try folder.write("r.cf", Self.spam)
        let message = Array("A: 1\n\n".utf8) + [UInt8](repeating: 0x78, count: 20_000_000)
        let result = try ToolProcess.run(
            "spamscore", ["-f", "--rules", rules, "--user-dir", folder.file("none")], input: message)
        #expect(result.bytes.suffix(message.count) == message[...])
    }

    @Test("header rules do not see what others have concluded, though a full rule sees the message as it came")
    func foreignMarks() throws {
        let rules = """
            header A X-Spam-Flag =~ /YES/
            header B exists:X-Spam-Foo
            header C ALL =~ /X-Spam-F/i
            full D /X-Spam-F/
            header E exists:X-SpamE

            """
        let text = try Self.filter("X-Spam-Flag: YES\nX-Spam-Foo: a\nX-SpamE: a\n\nx\n", rules)
        #expect(text.contains(" tests=D,E "), "\(text)")
    }

    @Test("the stock rules' own templates give our fields; others are followed as they are")
    func stockTemplates() throws {
        let rules = """
            \(Self.spam)clear_headers
            add_header all Checker-Version SpamAssassin _VERSION_ (_SUBVERSION_) on _HOSTNAME_
            add_header spam Flag _YESNOCAPS_
            add_header all Level _STARS(*)_
            add_header all Status "_YESNO_, score=_SCORE_ required=_REQD_ tests=_TESTS_ autolearn=_AUTOLEARN_ version=_VERSION_"
            add_header all Note it is_YESNO(, not)_ spam

            """
        let text = try Self.filter("A: 1\n\nhello\n", rules)
        #expect(text.hasPrefix("X-Spam-Checker-Version: Facteur "), "\(text)")
        #expect(text.contains("\nX-Spam-Status: No, score=0.0 required=5.0 tests=none learned=none"), "\(text)")
        #expect(text.contains("\nX-Spam-Note: it is not spam\n"), "\(text)")
    }

    @Test("what is not ASCII goes into our fields as encoded words (RFC 2047)")
    func encodedMarks() throws {
        let rules = """
            \(Self.spam)add_header all Note \u{E9}t\u{E9} _HEADER(Subject)_
            rewrite_header Subject \u{E9}
            rewrite_header From \u{E9}

            """
        let message =
            "Subject: =?utf-8?q?\(String(repeating: "=C3=A9", count: 60))?=\r\nFrom: a@example.org\r\n\r\nbuy\r\n"
        let text = try Self.filter(message, rules)
        let head = text.prefix(while: { $0.isASCII })
        #expect(head.count == text.count, "\(text)")
        #expect(text.contains("\r\nX-Spam-Note: =?utf-8?") && text.contains("\r\nSubject: =?utf-8?B?w6k=?= =?utf-8?q?"))
        #expect(text.contains("\r\nFrom: (=?utf-8?B?w6k=?=) a@example.org\r\n\r\nbuy\r\n"))
        let longest = text.split(separator: "\r\n").filter { !$0.hasPrefix("Subject") }.map(\.utf8.count).max() ?? 0
        #expect(longest <= 78)
    }
}
