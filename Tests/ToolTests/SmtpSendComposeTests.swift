import Foundation
import TestSupport
import Testing

@Suite("smtp-send composes messages and reads recipients")
struct SmtpSendComposeTests {
    /// What --dry-run prints, divided at DATA.
    private func compose(_ arguments: [String], input: String = "") throws -> (envelope: [String], message: String) {
        let result = try ToolProcess.run(
            "smtp-send", ["--dry-run", "--helo", "me.example"] + arguments, input: Array(input.utf8))
        #expect(result.status == 0 && result.diagnostics.isEmpty)
        let text = result.text.replacingOccurrences(of: "\r\n", with: "\n")
        let place = try #require(text.firstRange(of: "DATA\n"))
        let end = try #require(text.range(of: ".\nQUIT\n", options: .backwards))
        return (
            text[..<place.lowerBound].split(separator: "\n").map(String.init).filter { !$0.hasPrefix("EHLO") },
            String(text[place.upperBound..<end.lowerBound])
        )
    }

    @Test("a message of subject and body has the fields that every message must have")
    func plain() throws {
        let words = [
            "--from", "a@example.org", "--to", "b@example.org,c@example.org", "--subject", "hi", "--body", "hello",
        ]
        let message = try compose(words).message
        let pattern =
            /Date: \w+, \d+ \w+ \d{4} \d\d:\d\d:\d\d [+-]\d{4}\nFrom: a@example.org\nTo: b@example.org, c@example.org\nSubject: hi\nMessage-ID: <[^ <>@]+@[^ <>@]+>\nMIME-Version: 1.0\nContent-Type: text\/plain; charset=us-ascii\n\nhello\n/
        #expect(try pattern.wholeMatch(in: message) != nil, "\(message)")
        #expect(try compose(words).message != message, "identifiers differ")
    }

    @Test("what is not ASCII is encoded in header and body: any server takes it (RFC 2047, RFC 2045)")
    func encoded() throws {
        let message = try compose([
            "--from", "a@example.org", "--to", "b@example.org", "--subject", "Grüße aus München und anderswo, weit weg",
            "--header", "Cc: \"Jürgen, K\" <j@example.org>", "--body", "hällo, how are you?",
        ]).message
        #expect(message.utf8.allSatisfy { $0 < 0x80 })
        #expect(message.split(separator: "\n").allSatisfy { $0.utf8.count <= 78 || $0.hasPrefix("Message-ID") })
        #expect(
            message.contains("Cc: =?utf-8?Q?J=C3=BCrgen=2C_K?= <j@example.org>\n"))
        #expect(message.contains("Content-Transfer-Encoding: quoted-printable\n\nh=C3=A4llo, how are you?\n"))
    }

    @Test("attached files come as base64 with their names; --body @FILE reads the text")
    func attachments() throws {
        let directory = try TestDirectory()
        let text = try directory.write("body.txt", "two\nlines\n")
        let first = try directory.write("a.pdf", Array(0...255))
        let second = try directory.write("ü \".txt", "x")
        let message = try compose([
            "--to", "b@example.org", "--from", "a@example.org", "--body", "@\(text)", "--attach", first, "--attach",
            second,
        ]).message
        let boundary = try #require(message.firstMatch(of: /boundary="([^"]+)"/)).1
        let parts = message.components(separatedBy: "--\(boundary)")
        try #require(parts.count == 5)
        #expect(parts[1] == "\nContent-Type: text/plain; charset=us-ascii\n\ntwo\nlines\n\n")
        #expect(parts[2].contains("Content-Type: application/pdf\n") && parts[2].contains("filename=a.pdf"))
        let encoded = parts[2].components(separatedBy: "\n\n")[1].replacingOccurrences(of: "\n", with: "")
        #expect(Data(base64Encoded: encoded) == Data(0...255))
        #expect(parts[3].contains("filename*=utf-8''%C3%BC%20%22.txt"))
        #expect(parts[4] == "--\n")
    }

    @Test("a field of the command line takes the place of our own")
    func replaced() throws {
        let message = try compose([
            "--from", "a@example.org", "--to", "b@example.org", "--header", "From: Bob <bob@example.org>", "--header",
            "date: Thu, 1 Jan 1970 00:00:00 +0000", "--header", "Bcc: secret@example.org",
        ]).message
        #expect(message.hasPrefix("To: b@example.org\n"))
        #expect(message.contains("From: Bob <bob@example.org>\ndate: Thu, 1 Jan 1970 00:00:00 +0000\n"))
        #expect(!message.contains("a@example.org") || message.contains("@example.org>") && !message.contains("secret"))
    }

    @Test("-t takes the recipients of To, Cc and Bcc, removes Bcc and adds what is missing")
    func recipients() throws {
        let message = """
            From: Ann <ann@example.org>
            to: b@example.org, "A, B" <c@example.org>, b@EXAMPLE.org
            Cc: group: d@example.org, e@example.org;
            Bcc: secret@example.org,
             other@example.org
            Subject: x

            Bcc: stays
            """
        let result = try compose(["-t", "--to", "z@example.org"], input: message)
        let names = ["z", "b", "c", "d", "e", "secret", "other"].map { "RCPT TO:<\($0)@example.org>" }
        #expect(Array(result.envelope.dropFirst()) == names)
        #expect(result.envelope.first?.hasPrefix("MAIL FROM:<ann@example.org>") ?? false)
        #expect(!result.message.contains("secret") && !result.message.contains("other"))
        #expect(result.message.hasPrefix("Date: ") && result.message.contains("Message-ID: <"))
        #expect(result.message.hasSuffix("Subject: x\n\nBcc: stays\n"))
    }

    @Test("without -t the message is sent as it is; its header still names the sender of the envelope")
    func untouched() throws {
        let message = "From: Ann <ann@example.org>\nSender: sec@example.org\nBcc: x@example.org\n\nbody\n"
        let result = try compose(["--to", "b@example.org"], input: message)
        #expect(result.message == message)
        #expect(result.envelope.first?.hasPrefix("MAIL FROM:<sec@example.org>") ?? false)
    }

    /// Command lines and messages that cannot work.
    static let badUses: [([String], String, Int32)] = [
        (["--to", "b@example.org", "--subject", "two\nlines"], "", 64),
        (["--to", "b@example.org", "--header", "X: y\r\nBcc: z@example.org"], "", 64),
        (["--to", "b@example.org", "--header", "no colon"], "", 64),
        (["--to", "b@example.org", "--subject", "x", "message.eml"], "", 64),
        (["--to", "b@example.org", "--attach", "/no/such/file"], "", 66),
        (["--to", "b@example.org", "--body", "@/no/such/file"], "", 66),
        (["-t"], "Subject: x\n\nnobody\n", 65),
        (["-t"], "To: a@@b\n\nx\n", 65),
        (["-t"], "To: bare\n\nx\n", 65),
        (["-t"], "", 65),
    ]

    @Test("wrong usage and messages without recipients", arguments: badUses)
    func badUse(_ arguments: [String], _ input: String, _ status: Int32) throws {
        let result = try ToolProcess.run("smtp-send", ["--dry-run"] + arguments, input: Array(input.utf8))
        #expect(result.status == status)
        #expect(result.diagnostics.hasPrefix("smtp-send: ") && result.bytes.isEmpty)
    }
}
