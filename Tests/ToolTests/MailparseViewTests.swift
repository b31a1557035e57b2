import Bytes
import Foundation
import TestSupport
import Testing

@Suite("mailparse: views and selections") struct MailparseViewTests {
    static let trace = """
        Received: from mail.example.org (mail.example.org [192.0.2.1]) by mx.example.net (Postfix) with ESMTPS id 3;
        \tSat, 21 Aug 2004 12:27:43 +0200
        Received: from localhost by mail.example.org with ESMTP id 2; Sat, 21 Aug 2004 12:27:41 +0200
        Received: from laptop (HELO laptop.lan) ([203.0.113.9]) by mail.example.org with ESMTPSA id 1;
        \tSat, 21 Aug 2004 12:27:51 +0200
        Authentication-Results: mx.example.net; dkim=pass header.d=example.org; spf=pass smtp.mailfrom=example.org;
        \tdmarc=pass
        Authentication-Results: forged.example; spf=pass
        From: =?utf-8?q?Ren=C3=A9?= <r@example.org>
        To: b@example.net, G: c@example.net;
        Subject: a\u{1B}[31mb =?utf-8?b?4oCu?= x
        Date: Sat, 21 Aug 2004 12:27:41 -0130

        text
        """

    func run(_ arguments: [String], _ input: String) throws -> ToolProcess.Result {
        try ToolProcess.run("mailparse", arguments, input: Array(input.utf8))
    }

    @Test("hops, newest first, with clock skew and a total; who is trusted of those that judge (RFC 8601 5)")
    func hops() throws {
        let lines = try run(["--hops", "--auth"], Self.trace).lines
        #expect(lines[0].split(separator: " ").map(String.init) == ["#", "delay", "from", "by", "with", "time"])
        #expect(lines[1].hasPrefix("3  +0:00:02") && lines[1].hasSuffix("2004-08-21 12:27:43 +0200"))
        #expect(lines[1].contains("mail.example.org [192.0.2.1]") && lines[1].contains("ESMTPS"))
        #expect(lines[2].hasPrefix("2  -0:00:10!") && lines[2].contains("localhost"))
        #expect(lines[3].contains("laptop [203.0.113.9] (helo laptop.lan)"))
        #expect(lines[4] == "total 0:00:02, 3 hops, 1 clock skew")
        #expect(lines[5].hasPrefix("mx.example.net: dkim=pass (example.org)  spf=pass (example.org)  dmarc=pass"))
        #expect(lines[5].contains("trusted: it is the newest") && lines[6].contains("untrusted"))
    }

    @Test("what would steer a terminal is escaped in lines, also in a pipe; --raw leaves it")
    func escapes() throws {
        #expect(try run(["-h", "subject"], Self.trace).text == "a\\x1b[31mb \\u202e x\n")
        #expect(try run(["-h", "subject", "--raw"], Self.trace).text == "a\u{1B}[31mb \u{202E} x\n")
        let broken = "Subject: =?utf-8?q?a=0Ab?=\n\nx"
        #expect(try run(["-h", "subject"], broken).text == "a\\x0ab\n")
        #expect(try run(["--format", "{subject}"], broken).text == "a\\x0ab\n")
    }

    @Test("templates: dates in every form, addresses, any field, escapes")
    func templates() throws {
        func line(_ template: String) throws -> String { try run(["--format", template], Self.trace).text }
        #expect(
            try line("{date:iso}\\t{from.address}\\t{from.name}\\t{to.address}")
                == "2004-08-21T12:27:41-01:30\tr@example.org\tRené\tb@example.net, c@example.net\n")
        #expect(try line("{date:utc} {date:epoch} {date:day}") == "2004-08-21T13:57:41Z 1093096661 2004-08-21\n")
        #expect(
            try line("{{{index}}} {file} {x-none}|{type}|{text}|{FROM}")
                == "{0} - |text/plain|text|René <r@example.org>\n")
        for template in ["{", "{}", "{date:x}", "{from.x}", "\\q"] {
            #expect(try run(["--format", template], Self.trace).status == 64, "\(template)")
        }
    }

    @Test("selection: what holds is shown, nothing is a negative answer, an error has its place")
    func selection() throws {
        let box = (0..<10).map { "From a@b Mon Nov  2 09:15:00 2026\nSubject: n\($0)\nFrom: a@b.test\n\nx\n" }
            .joined(separator: "\n")
        #expect(try run(["--where", "subject~n[37]", "-h", "subject"], box).text == "n3\nn7\n")
        #expect(try run(["--where", "subject~n[37]", "--count"], box).text == "2\n")
        #expect(try run(["--message", "4", "-h", "subject"], box).text == "n4\n")
        #expect(try run(["--where", "has:attachment", "-h", "subject"], box).status == 1)
        #expect(try run(["--message", "10", "-h", "subject"], box).status == 1)
        let result = try run(["--where", "size>>3"], box)
        #expect(result.status == 64 && result.diagnostics.contains("character 6"))
    }

    @Test("findings name file, place, severity; --strict makes them an answer")
    func findings() throws {
        let message = "Subject : a\nDate: x\n\nb"
        let result = try run(["--findings"], message)
        let ids = result.lines.map { $0.split(separator: ":")[4].trimmingCharacters(in: .whitespaces) }
        #expect(ids == ["missing-from", "space-before-colon", "bad-date"] && result.status == 0)
        #expect(try run(["--findings", "--strict"], message).status == 1)
        let clean = "From: a@b.test\nDate: Sat, 21 Aug 2004 12:27:41 +0200\n\nb\n"
        #expect(try run(["--findings", "--strict"], clean).status == 0)
    }

    @Test("delivery reports and dispositions are told in words (RFC 3464, RFC 8098)")
    func reports() throws {
        let message = """
            From: MAILER-DAEMON@example.org
            Content-Type: multipart/report; report-type=delivery-status; boundary=b

            --b

            It did not work.
            --b
            Content-Type: message/delivery-status

            Reporting-MTA: dns; mail.example.org

            Final-Recipient: rfc822; bob@example.net
            Action: failed
            Status: 5.1.1 (bad)
            Remote-MTA: dns; mx.example.net
            Diagnostic-Code: smtp; 550 no such user

            Final-Recipient: rfc822;eve@example.net
            Action: delayed
            Status: 4.2.2
            --b
            Content-Type: message/disposition-notification

            Final-Recipient: rfc822; ann@example.net
            Disposition: manual-action/MDN-sent-manually; displayed
            --b--

            """
        let text = try run([], message).text
        #expect(text.contains("[report] bob@example.net: failed, 5.1.1, by mx.example.net, 550 no such user\n"))
        #expect(text.contains("[report] eve@example.net: delayed, 4.2.2\n"))
        #expect(text.contains("[report] ann@example.net: displayed\n"))
    }

    @Test("extraction: by type, name and path, NUL behind each, names made unique, none is an answer of its own")
    func extraction() throws {
        let folder = try TestDirectory()
        let message = """
            Content-Type: multipart/mixed; boundary=b

            --b

            text
            --b
            Content-Type: image/png; name="../../a.png"

            1
            --b
            Content-Type: image/png; name="a.png"

            2
            --b
            Content-Type: application/pdf

            3
            --b--

            """
        let all = try run(["-x", folder.path, "-0"], message)
        #expect(all.text == ["a.png", "a-2.png", "part-1.4.pdf"].map { "\(folder.path)/\($0)\0" }.joined())
        #expect(try run(["-x", folder.path, "--only", "image/*"], message).lines.count == 2)
        #expect(try run(["-x", folder.path, "--only", "*.PNG"], message).lines.count == 2)
        #expect(try run(["-x", folder.path, "--only", "1.4"], message).lines.count == 1)
        #expect(try run(["-x", folder.path, "--only", "*.gif"], message).status == 1)
        #expect(try run(["-x", folder.file("missing")], message).status == 73)
        #expect(try folder.read("a-2.png") == Array("2".utf8))
    }

    @Test("extraction: thousands of parts of one name, each with a number of its own, in near-linear time")
    func manyOfOneName() throws {
        let folder = try TestDirectory()
        let part = "--b\nContent-Type: a/b; name=\"a.txt\"\n\nx\n"
        let message =
            "Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: part, count: 12_000) + "--b--\n"
        let result = try ToolProcess.run("mailparse", ["-x", folder.path], input: Array(message.utf8), seconds: 60)
        #expect(result.status == 0 && result.lines.count == 12_000)
        #expect(result.lines.last == "\(folder.path)/a-12000.txt")
    }

    @Test("extraction: uuencoded parts, and uuencoded blocks within text, under the names that they have")
    func uuencoded() throws {
        let folder = try TestDirectory()
        let block = "begin 644 ../cat.txt\n#0V%T\n`\nend\n"
        let plain = "From: a@b.test\n\nhello\n\n\(block)\nbye\n"
        #expect(try run(["-x", folder.path], plain).text == "\(folder.path)/cat.txt\n")
        let part = "Content-Type: application/octet-stream\nContent-Transfer-Encoding: x-uuencode\n\n\(block)"
        #expect(try run(["-x", folder.path], part).text == "\(folder.path)/cat-2.txt\n")
        let encoded = plain.replacing("\n\nhello", with: "\nContent-Transfer-Encoding: quoted-printable\n\nhel=\nlo")
        #expect(try run(["-x", folder.path, "--only", "*.TXT"], encoded).text == "\(folder.path)/cat-3.txt\n")
        #expect(try run(["-x", folder.path, "--only", "*.gif"], plain).status == 1)
        for name in ["cat.txt", "cat-2.txt", "cat-3.txt"] { #expect(try folder.read(name) == Array("Cat".utf8)) }
    }

    @Test("the header of a pipe or of a file that begins with a From_ line, and of one whose header is long")
    func heads() throws {
        let folder = try TestDirectory()
        let long = "X: \(String(repeating: "y", count: 20_000))\nSubject: long\n\nbody\n"
        let names = [
            try folder.write("plain", "Subject: plain\n\nbody\n"), try folder.write("long", long),
            try folder.write("from", "From a@b Mon Nov  2 09:15:00 2026\nSubject: from\n\nbody\n"),
            try folder.write("bare", "Subject: bare"), try folder.write("empty", ""), folder.path,
            folder.file("missing"),
        ]
        let result = try ToolProcess.run("mailparse", ["-h", "subject"] + names)
        #expect(result.text == "plain\nlong\nfrom\nbare\n" && result.status == 66)
        #expect(try run(["-h", "subject", "/dev/stdin"], long).text == "long\n")
        #expect(
            try ToolProcess.run("mailparse", ["--format", "{size}"] + names[0...1]).text == "21\n\(long.utf8.count)\n")
    }

    @Test("every truncation of a message, and changes of its bytes, each give an object in one run")
    func truncations() throws {
        var generator = SeededGenerator(seed: 51)
        let folder = try TestDirectory()
        var box: [UInt8] = []
        var count = 0
        func add(_ message: [UInt8]) {
            // No line of it may be taken for the start of another message.
            let quoted = String(decoding: message, as: UTF8.self).replacing("From ", with: "from ").utf8
            box += Array("From a@b Mon Nov  2 09:15:00 2026\n".utf8) + quoted + Array("\n\n".utf8)
            count += 1
        }
        for (_, bytes) in try TestData.examples() where bytes.count < 1_600 {
            for length in stride(from: 0, to: bytes.count, by: 7) { add(Array(bytes[..<length])) }
            for _ in 0..<60 { add(generator.mutated(bytes)) }
        }
        let path = try folder.write("box", box)
        let result = try ToolProcess.run("mailparse", ["--json", "--mbox", path], seconds: 120)
        #expect(result.lines.count == count && count > 500 && [0, 65].contains(result.status))
    }

    @Test("the output of many workers is that of one")
    func jobs() throws {
        let folder = try TestDirectory()
        var names: [String] = []
        for (name, bytes) in try TestData.examples() { names.append(try folder.write(name, bytes)) }
        let list = try folder.write("list", (0..<10).flatMap { _ in names }.joined(separator: "\n"))
        for view in [["--json"], ["--tree"], [], ["--findings"]] {
            let one = try ToolProcess.run("mailparse", view + ["-j", "1", "--files", list])
            let many = try ToolProcess.run("mailparse", view + ["-j", "4", "--files", list])
            #expect(one.bytes == many.bytes && one.status == many.status && !one.bytes.isEmpty)
        }
    }

    @Test("a large message and its attachment pass in little memory")
    func large() throws {
        let folder = try TestDirectory()
        let line = String(repeating: "QUJD", count: 19) + "\n"
        let text =
            "From: a@b.test\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\n"
            + "Content-Type: a/b; name=x.bin\nContent-Transfer-Encoding: base64\n\n"
            + String(repeating: line, count: 250_000) + "--b--\n"
        let path = try folder.write("large", text)
        let result = try ToolProcess.run("mailparse", ["-x", folder.path, path], limits: "-v 300000")
        #expect(result.status == 0 && result.text == "\(folder.path)/x.bin\n")
        #expect(try folder.read("x.bin").count == 250_000 * 57)
    }
}
