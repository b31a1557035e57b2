import Foundation
import TestSupport
import Testing

@Suite("smtp-send: servers without 8BITMIME (RFC 6152 3)")
struct SmtpSendEncodingTests {
    private let directory: TestDirectory
    private let message = "Subject: x\nMessage-ID: <m1@example.org>\n\ncaf\u{E9}\n"
    private let encoded =
        "Subject: x\r\nMessage-ID: <m1@example.org>\r\nMIME-Version: 1.0\r\n"
        + "Content-Type: text/plain; charset=unknown-8bit\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        + "caf=C3=A9\r\n"
    private let envelope = ["--from", "a@example.org", "--to", "b@example.net"]

    init() throws { directory = try TestDirectory() }

    private func server(_ extensions: [String] = ["PIPELINING", "SIZE"], refusing: String = "nobody") throws
        -> ScriptedServer
    {
        try ScriptedServer { line, _ in
            line.hasPrefix("RCPT TO:<\(refusing)")
                ? .say("550 5.1.1 no such user") : ScriptedServer.good(line, extensions)
        }
    }

    private func send(
        _ server: ScriptedServer, _ options: [String], _ message: String
    ) throws -> ToolProcess.Result {
        try ToolProcess.run(
            "smtp-send", ["--server", "127.0.0.1:\(server.port)"] + options, input: Array(message.utf8), seconds: 60)
    }

    private func messages(_ server: ScriptedServer) -> [String] { server.log.messages.filter { $0 != ".\r\n" } }

    @Test("the message is encoded on its way, and SIZE is that of what is sent")
    func direct() throws {
        let server = try server()
        let result = try send(server, envelope, message)
        #expect(result.status == 0, "\(result.diagnostics)")
        #expect(messages(server) == [encoded + ".\r\n"])
        #expect(server.log.lines.contains("MAIL FROM:<a@example.org> SIZE=\(encoded.utf8.count)"))
    }

    @Test("a server that offers 8BITMIME gets the message as it is")
    func plain() throws {
        let server = try self.server(["8BITMIME"])
        #expect(try send(server, envelope, message).status == 0)
        #expect(messages(server) == [message.replacingOccurrences(of: "\n", with: "\r\n") + ".\r\n"])
    }

    @Test("a line that is too long is encoded, and not for a server with BINARYMIME", arguments: [true, false])
    func longLine(holdsLines: Bool) throws {
        let server = try self.server(["8BITMIME"] + (holdsLines ? ["BINARYMIME"] : []))
        let line = String(repeating: "x", count: 999)
        #expect(try send(server, envelope, "Subject: x\n\n\(line)\n").status == 0)
        let lines = try #require(messages(server).first).components(separatedBy: "\r\n")
        #expect(lines.contains(line) == holdsLines)
        #expect(lines.contains("Content-Transfer-Encoding: quoted-printable") == !holdsLines)
    }

    @Test("what cannot be encoded is refused, with the reason")
    func refused() throws {
        let server = try server()
        let signed = "Content-Type: multipart/signed; boundary=b\n\n--b\n\n\u{E9}\n--b--\n"
        let result = try send(server, envelope + ["--json"], signed)
        #expect(result.status == 69 && messages(server).isEmpty)
        #expect(result.text.contains("8BITMIME: it cannot be encoded: a signed part has 8-bit octets"))
    }

    @Test("with --no-encoding nothing is encoded")
    func asItIs() throws {
        let server = try server()
        let result = try send(server, envelope + ["--no-encoding"], message)
        #expect(result.status == 69 && messages(server).isEmpty)
        #expect(result.diagnostics.contains("8BITMIME: encode it") || result.text.contains("8BITMIME: encode it"))
        let line = String(repeating: "x", count: 999)
        #expect(try send(server, envelope + ["--no-encoding"], "Subject: x\n\n\(line)\n").status == 0)
        #expect(messages(server) == ["Subject: x\r\n\r\n\(line)\r\n.\r\n"])
    }

    @Test("the queue runner encodes, and the queue keeps the message as it came")
    func queued() throws {
        let queue = ["--queue", directory.file("queue")]
        let intake = try ToolProcess.run(
            "smtp-send", queue + ["--queue-only"] + envelope, input: Array(message.utf8), seconds: 60)
        #expect(intake.status == 0)
        let server = try server()
        let result = try send(server, queue + ["--run"], "")
        #expect(result.status == 0, "\(result.diagnostics)")
        #expect(messages(server) == [encoded + ".\r\n"])
    }

    @Test("a bounce that holds the whole message reaches a sender whose server takes 7bit only")
    func bounce() throws {
        let queue = ["--queue", directory.file("queue")]
        let server = try server()
        let result = try send(
            server, queue + ["--from", "a@example.org", "--to", "nobody@example.net"], message)
        #expect(result.status == 69)
        let bounce = try #require(messages(server).first)
        #expect(bounce.utf8.allSatisfy { $0 < 0x80 })
        #expect(
            bounce.contains(
                "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
                    + "Subject: x\r\nMessage-ID: <m1@example.org>\r\n"))
        #expect(bounce.contains("\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9\r\n"))
        #expect(!bounce.contains("Content-Transfer-Encoding: 8bit"))
    }

    @Test("a binary message of a queue becomes base64 for a server without BINARYMIME (RFC 3030 3)")
    func binary() throws {
        let server = try server()
        let batch = directory.file("batch")
        let content = "MIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\n\r\na\nb\0"
        try Data(
            ("EHLO c\r\nMAIL FROM:<a@example.org> BODY=BINARYMIME\r\nRCPT TO:<b@example.net>\r\n"
                + "BDAT \(content.utf8.count) LAST\r\n\(content)QUIT\r\n").utf8
        ).write(to: URL(fileURLWithPath: batch))
        let result = try send(server, ["--batch", batch], "")
        #expect(result.status == 0, "\(result.text)\(result.diagnostics)")
        #expect(
            messages(server) == ["MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nYQpiAA==\r\n.\r\n"])
        #expect(server.log.lines.contains { $0.hasPrefix("MAIL") && !$0.contains("BODY=") })
    }

    @Test(
        "the signature is that of the message as it is sent, also when it waits in a queue", arguments: [true, false])
    func signed(isQueued: Bool) throws {
        let server = try server()
        let queue = isQueued ? ["--queue", directory.file("queue")] : []
        let key = directory.file("key.pem")
        try Data(Self.key.utf8).write(to: URL(fileURLWithPath: key))
        let result = try send(
            server, queue + envelope + ["--dkim", "example.org:s:\(key)"], "From: a@example.org\n" + message)
        #expect(result.status == 0, "\(result.diagnostics)")
        let sent = try #require(messages(server).first).replacingOccurrences(of: "\r\n.\r\n", with: "\r\n")
        #expect(sent.contains("caf=C3=A9"))
        let file = directory.file("sent.eml")
        try Data(sent.utf8).write(to: URL(fileURLWithPath: file))
        let zone = directory.file("zone")
        try Data(Self.zone.utf8).write(to: URL(fileURLWithPath: zone))
        let verified = try ToolProcess.run("mailparse", ["--verify", "--dns", zone, file])
        #expect(verified.text.contains("DKIM   pass"), "\(verified.text)\(verified.diagnostics)\n\(sent)")
    }

    // The key of RFC 8463 A.
    private static let key = """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
        -----END PRIVATE KEY-----

        """
    private static let zone =
        "s._domainkey.example.org. TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n"
}
