import Foundation
import TestSupport
import Testing

@Suite("smtp-send as sendmail(8)")
struct SmtpSendSendmailTests {
    private let directory: TestDirectory
    private let server: ScriptedServer

    init() throws {
        directory = try TestDirectory()
        server = try ScriptedServer { line, _ in
            line.contains("nobody") ? .say("550 5.1.1 no such user") : ScriptedServer.good(line)
        }
        for name in ["sendmail", "mailq", "newaliases"] {
            try FileManager.default.createSymbolicLink(
                atPath: directory.file(name), withDestinationPath: ToolProcess.path(of: "smtp-send"))
        }
        try directory.write(".smtp-send", "# by this relay\nserver 127.0.0.1:\(server.port)\n")
    }

    private func run(_ name: String, _ arguments: [String], input: String = "Subject: x\n\nhello\n") throws
        -> ToolProcess.Result
    {
        try ToolProcess.run(
            directory.file(name), arguments, input: Array(input.utf8), environment: ["HOME": directory.path])
    }

    private var message: String { server.log.messages.last ?? "" }
    private var envelope: [String] { server.log.lines.filter { $0.hasPrefix("MAIL") || $0.hasPrefix("RCPT") } }

    @Test("recipients are operands, the sender is who calls, and what a message must have is added")
    func plain() throws {
        let result = try run("sendmail", ["-i", "b@example.org", "--", "c@example.org"])
        #expect(result.status == 0 && result.bytes.isEmpty && result.diagnostics.isEmpty)
        #expect(envelope.dropFirst() == ["RCPT TO:<b@example.org>", "RCPT TO:<c@example.org>"])
        #expect(envelope[0].contains("@"))
        #expect(message.contains("\r\nDate: ") && message.contains("\r\nMessage-ID: <") && message.hasPrefix("From: "))
        #expect(message.hasSuffix("Subject: x\r\n\r\nhello\r\n.\r\n"))
    }

    @Test("-t, -f, -F; settings that mean nothing here are taken; Bcc goes; a dot alone ends the text without -i")
    func letters() throws {
        let text = "From x Thu Jan  1 00:00:00 1970\nTo: b@example.org\nBcc: c@example.org\n\nhello\n.\nmore\n"
        let words = ["-t", "-fann@example.org", "-FAnn Äpfel", "-oem", "-odb", "-O", "ErrorMode=m", "-B8BITMIME", "-U"]
        #expect(try run("sendmail", words, input: text).status == 0)
        #expect(envelope[0].hasPrefix("MAIL FROM:<ann@example.org>") && envelope.count == 3)
        #expect(
            message.hasPrefix("From: Ann =?utf-8?Q?=C3=84pfel?= <ann@example.org>\r\n")
                || message.hasPrefix("From: =?utf-8?"))
        #expect(!message.contains("Bcc") && message.hasSuffix("\r\n\r\nhello\r\n.\r\n"))
        #expect(try run("sendmail", ["-ti", "-r", "<>"], input: text).status == 0)
        #expect(message.hasSuffix("\r\n\r\nhello\r\n..\r\nmore\r\n.\r\n"))
        #expect(server.log.lines.contains { $0.hasPrefix("MAIL FROM:<> ") })
    }

    @Test("names without a domain are of this host; text without a header gets one")
    func bare() throws {
        #expect(try run("sendmail", ["-oi", "-f", "root", "postmaster"], input: "just text\n").status == 0)
        #expect(envelope[0].hasPrefix("MAIL FROM:<root@") && envelope[1].hasPrefix("RCPT TO:<postmaster@"))
        #expect(message.hasSuffix("\r\n\r\njust text\r\n.\r\n") && message.contains("Message-ID: "))
    }

    @Test("-bv says what the server thinks of an address, and sends nothing")
    func verify() throws {
        let result = try run("sendmail", ["-bv", "b@example.org", "nobody@example.org"])
        #expect(result.text.hasPrefix("b@example.org: accepted: 250 ") && server.log.messages.isEmpty)
        #expect(result.status == 69 && result.diagnostics.contains("nobody@example.org: refused"))
        let queued = try run("sendmail", ["--queue", directory.file("q"), "-bv", "b@example.org"])
        #expect(queued.status == 0 && directory.names("q").isEmpty)
    }

    @Test("-odq queues, -bp and mailq list, -q sends")
    func queue() throws {
        let queue = ["--queue", directory.file("q")]
        #expect(try run("sendmail", queue + ["-odq", "b@example.org"]).status == 0)
        #expect(server.log.messages.isEmpty)
        #expect(try run("mailq", queue).text.contains("b@example.org  waiting"))
        #expect(try run("sendmail", queue + ["-bp"]).text.contains("b@example.org  waiting"))
        #expect(try run("sendmail", queue + ["-q"]).status == 0 && server.log.messages.count == 1)
        #expect(try run("newaliases", []).status == 0)
    }

    @Test("-bs speaks SMTP; 250 comes when the message is delivered, or in the queue")
    func session() throws {
        let dialogue =
            "EHLO me\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<%@example.org>\r\nDATA\r\nSubject: x\r\n\r\n..x\r\n.\r\nQUIT\r\n"
        func say(_ name: String) -> String { dialogue.replacingOccurrences(of: "%", with: name) }
        let good = try run("sendmail", ["-bs"], input: say("b"))
        #expect(
            good.status == 0 && good.text.contains("354 ") && good.text.contains("\r\n250 2.0.0 queued as 7F3A\r\n221 ")
        )
        #expect(message == "Subject: x\r\n\r\n..x\r\n.\r\n")
        // As a person or a shell script says it.
        let plain = try run("sendmail", ["-bs"], input: say("b").replacingOccurrences(of: "\r\n", with: "\n"))
        #expect(plain.text.contains("\r\n250 2.0.0 queued as 7F3A\r\n221 "), "\(plain.text)")
        #expect(message == "Subject: x\r\n\r\n..x\r\n.\r\n" && server.log.messages.count == 2)
        let bad = try run("sendmail", ["-bs"], input: say("nobody"))
        #expect(bad.text.contains("\r\n550 5.1.1 no such user\r\n221 "))
        let queued = try run("sendmail", ["-bs", "-odq", "--queue", directory.file("q")], input: say("b"))
        #expect(queued.status == 0 && queued.text.contains("250 2.0.0 queued as "))
        #expect(directory.names("q").count == 2)
    }

    @Test(
        "letters and modes that sendmail has and this has not", arguments: [["-bd"], ["-bt"], ["-Z", "a@b"], ["-i"]])
    func unknown(_ words: [String]) throws {
        let result = try run("sendmail", words)
        #expect(result.status == 64 && result.diagnostics.hasPrefix("sendmail: "))
    }
}
