import Foundation
import TestSupport
import Testing

@Suite("mailparse")
struct MailparseTests {
    static let contract = """
        Received: from mail.example.org (mail.example.org [192.0.2.1])
        \tby mx.example.net (Postfix) with ESMTPS id 4ABC
        \tfor <x@example.net>; Sat, 21 Aug 2004 12:27:43 +0200 (CEST)
        From: =?utf-8?q?Ren=C3=A9?= <r@example.org>
        To: A Group: b@example.net;
        Subject: =?utf-8?q?Caf=C3=A9?=
        Date: Sat, 21 Aug 2004 12:27:41 +0200
        Message-ID: <m1@example.org>
        MIME-Version: 1.0
        Content-Type: multipart/mixed; boundary=b

        --b
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: quoted-printable

        Caf=C3=A9
        --b
        Content-Type: application/pdf
        Content-Disposition: attachment; filename*=utf-8''%e2%82%ac.pdf
        Content-Transfer-Encoding: base64

        JVBERg==
        --b--

        """

    func object(_ message: String, _ options: String...) throws -> [String: Any] {
        let result = try ToolProcess.run("mailparse", ["--json"] + options + ["-"], input: Array(message.utf8))
        #expect(result.status == 0)
        return try #require(try JSONSerialization.jsonObject(with: Data(result.bytes)) as? [String: Any])
    }

    @Test("the example of the JSON contract")
    func contractExample() throws {
        let json = try object(Self.contract)
        #expect(
            json["size"] as? Int == 651 && json["lineEnding"] as? String == "lf" && json["text"] as? String == "Café")
        let body = try #require(json["body"] as? [String: Any])
        #expect(body["bodyOffset"] as? Int == 404 && body["bodyEnd"] as? Int == 651)
        let parts = try #require(body["parts"] as? [[String: Any]])
        #expect(
            parts.map { $0["headerOffset"] as? Int } == [408, 507] && parts.map { $0["bodyEnd"] as? Int } == [502, 644])
        #expect(parts[1]["filename"] as? String == "€.pdf" && parts[1]["size"] as? Int == 4)
        #expect(
            parts[0]["sha256"] as? String == "73473dcc12b763085904a5279d048c4d5b3b008c46f1f32443b99de04aa83a14")
        let hop = try #require((json["hops"] as? [[String: Any]])?.first)
        #expect(hop["address"] as? String == "192.0.2.1" && hop["for"] as? String == "x@example.net")
        #expect(hop["epoch"] as? Int == 1_093_084_063)
        #expect((json["findings"] as? [Any])?.isEmpty == true)
        let to = try #require((json["to"] as? [[String: Any]])?.first)
        #expect(to["group"] as? String == "A Group" && to["address"] as? String == "b@example.net")
    }

    @Test("values of address fields: names and comments are decoded, addresses are not")
    func addressValues() throws {
        let json = try object(
            """
            From: =?utf-8?q?a?=@b.test (=?utf-8?q?c?=), =?utf-8?q?d?= <=?utf-8?q?e?=@f.test>
            To: "x < =?utf-8?q?y?=" <a@b.test>, c@d.test
            Message-ID: <=?utf-8?q?g?=@h.test>


            """)
        let headers = try #require(json["headers"] as? [[String: Any]])
        #expect(
            headers.map { $0["value"] as? String } == [
                "=?utf-8?q?a?=@b.test (c), d <=?utf-8?q?e?=@f.test>", "\"x < y\" <a@b.test>, c@d.test",
                "<=?utf-8?q?g?=@h.test>",
            ])
    }

    @Test(
        "the disposition is the first token in lower case, without comment and quotes",
        arguments: [
            ("ATTACHMENT; filename=a", "attachment"), ("inline", "inline"),
            ("(c) attachment (d); filename=a", "attachment"),
            ("\"attachment\"; filename=a", "attachment"), ("attachment(c)", "attachment"), ("; filename=a", nil),
            ("", nil),
        ] as [(String, String?)])
    func disposition(_ value: String, _ expected: String?) throws {
        let body = try #require(try object("Content-Disposition: \(value)\n\nx\n")["body"] as? [String: Any])
        #expect(body["disposition"] as? String == expected)
        #expect(body["filename"] as? String == (value.contains("=") ? "a" : nil))
    }

    @Test("the obsolete syntax of RFC 5322 A.6.3: the first line is a field, not that of an mbox")
    func obsoleteSyntax() throws {
        let json = try object(
            """
            From  : John Doe <jdoe@machine(comment).  example>
            To    : Mary Smith
            \u{20}\u{20}
                      <mary@example.net>
            Subject     : Saying Hello
            Date  : Fri, 21 Nov 1997 09(comment):   55  :  06 -0600
            Message-ID  : <1234   @   local(blah)  .machine .example>

            This is a message just to say hello.

            """)
        #expect(json["envelopeFrom"] is NSNull && json["subject"] as? String == "Saying Hello")
        #expect(json["messageId"] as? String == "1234@local.machine.example")
        #expect((json["date"] as? [String: Any])?["epoch"] as? Int == 880_127_706)
        #expect((json["from"] as? [[String: Any]])?.first?["address"] as? String == "jdoe@machine.example")
        #expect((json["to"] as? [[String: Any]])?.first?["address"] as? String == "mary@example.net")
        #expect((json["findings"] as? [[String: Any]])?.map { $0["id"] as? String } == ["space-before-colon"])
    }

    @Test("every example message gives an object, the malformed one with its findings")
    func examples() throws {
        for (name, bytes) in try TestData.examples() {
            let result = try ToolProcess.run("mailparse", ["--json", "-"], input: bytes)
            #expect(result.status == 0, "\(name)")
            let json = try JSONSerialization.jsonObject(with: Data(result.bytes)) as? [String: Any]
            let findings = (json?["findings"] as? [[String: Any]])?.compactMap { $0["id"] as? String } ?? []
            if name.hasPrefix("18-") {
                for id in [
                    "bad-base64", "bad-quoted-printable", "missing-close-boundary", "header-without-colon", "bare-cr",
                    "bidi-control", "suspicious-filename", "bad-date", "duplicate-header",
                ] { #expect(findings.contains(id), "\(id)") }
            }
        }
    }

    @Test("views: fields, tree, text, parts")
    func views() throws {
        let message = Array(Self.contract.utf8)
        func run(_ arguments: String...) throws -> ToolProcess.Result {
            try ToolProcess.run("mailparse", arguments, input: message)
        }
        #expect(try run("-h", "subject,from").text == "Café\nRené <r@example.org>\n")
        #expect(try run("--text").text == "Café\n")
        #expect(try run("--part", "1.2").text == "%PDF" && run("--raw-part", "1.2").text == "JVBERg==")
        #expect(try run("-t").lines.count == 3)
        #expect(try run("--part", "1.9").status == 1 && run("-h", "x-none").status == 1)
        #expect(try run("--count").text == "1\n")
    }

    @Test("attachments are extracted under safe names, and nothing is overwritten")
    func extraction() throws {
        let folder = try TestDirectory()
        for expected in ["€.pdf", "€-2.pdf"] {
            let result = try ToolProcess.run("mailparse", ["-x", folder.path], input: Array(Self.contract.utf8))
            #expect(result.status == 0 && result.text == "\(folder.path)/\(expected)\n")
        }
        #expect(try folder.read("€-2.pdf") == Array("%PDF".utf8))
    }

    @Test("many messages: an mbox on standard input, a Maildir, and what is no message")
    func streams() throws {
        let box =
            "From a@b Mon Nov  2 09:15:00 2026\nSubject: one\n\nx\n\nFrom a@b Mon Nov  2 09:16:00 2026\nSubject: two\n\ny\n"
        #expect(try ToolProcess.run("mailparse", ["-h", "subject"], input: Array(box.utf8)).text == "one\ntwo\n")
        let folder = try TestDirectory()
        try folder.write("m/new/1.a.b", "Subject: three\n\n")
        try folder.write("m/cur/2.a.b:2,S", "Subject: four\n\n")
        try folder.write("m/tmp/3", "Subject: never\n\n")
        #expect(try ToolProcess.run("mailparse", ["-h", "subject", folder.file("m")]).text == "three\nfour\n")
        #expect(try ToolProcess.run("mailparse", ["--json", folder.write("empty", "")]).status == 65)
        #expect(try ToolProcess.run("mailparse", [folder.file("missing")]).status == 66)
        #expect(
            try ToolProcess.run("mailparse", [folder.write("bin", [UInt8](repeating: 0, count: 5_000))]).status == 65)
    }

    @Test("hostile messages end in time, without a trap")
    func hostile() throws {
        var generator = SeededGenerator(seed: 31)
        let seeds = try TestData.examples().map(\.bytes)
        let folder = try TestDirectory()
        for number in 0..<150 {
            try folder.write("\(number)", generator.mutated(seeds[number % seeds.count]))
        }
        let nested = (0..<1_000).map { "Content-Type: multipart/mixed; boundary=b\($0)\n\n--b\($0)\n" }.joined()
        try folder.write("nested", nested + "\nx")
        try folder.write("comments", "From: " + String(repeating: "(", count: 50_000) + "\n\nx")
        try folder.write("angles", "To: " + String(repeating: "<@a,", count: 20_000) + "\n\nx")
        try folder.write("words", "Subject: " + String(repeating: "=?utf-8?q?a?= ", count: 20_000) + "\n\nx")
        try folder.write("html", "Content-Type: text/html\n\n" + String(repeating: "<", count: 50_000))
        let names = folder.names().map(folder.file)
        let result = try ToolProcess.run("mailparse", ["--json"] + names, seconds: 60)
        #expect(result.status == 0 || result.status == 65)
        #expect(result.lines.count >= names.count)
    }
}
