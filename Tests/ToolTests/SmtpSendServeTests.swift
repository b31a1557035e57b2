import Foundation
import TestSupport
import Testing

@Suite("smtp-send to smtp-serve")
struct SmtpSendServeTests {
    /// The test certificates: an authority, and a server for mx.example.org, localhost and 127.0.0.1.
    private static func certificate(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("OpenSSLTests/Data/\(name)").path
    }

    private func send(_ server: TestServer, _ arguments: [String], host: String = "127.0.0.1") throws
        -> ToolProcess.Result
    {
        try ToolProcess.run(
            "smtp-send",
            ["--server", "\(host):\(server.port)", "--from", "a@example.org", "--to", "b@example.org", "--json"]
                + arguments,
            input: Array("Subject: x\n\n.dot\nhello".utf8))
    }

    /// What lies in a mailbox, without the trace fields of the delivery.
    private func delivered(_ directory: TestDirectory) throws -> [String] {
        try directory.names("mail/b/new").map { name in
            let text = String(decoding: try directory.read("mail/b/new/\(name)"), as: UTF8.self)
            return text.firstRange(of: "Subject:").map { String(text[$0.lowerBound...]) } ?? text
        }
    }

    @Test("a message arrives as it was sent")
    func whole() throws {
        let directory = try TestDirectory()
        let server = try TestServer("smtp-serve", ["--mail", directory.file("mail")])
        #expect(try send(server, []).status == 0)
        #expect(try send(server, ["--no-pipelining"]).status == 0)
        let messages = try delivered(directory).map { $0.replacingOccurrences(of: "\r\n", with: "\n") }
        #expect(messages == ["Subject: x\n\n.dot\nhello\n", "Subject: x\n\n.dot\nhello\n"])
    }

    @Test("STARTTLS is verified: an authority that is not trusted, or another name, is no delivery")
    func verified() throws {
        let directory = try TestDirectory()
        let server = try TestServer(
            "smtp-serve",
            [
                "--mail", directory.file("mail"), "--cert", Self.certificate("server.pem"),
                "--key", Self.certificate("server.key"),
            ])
        let good = try send(server, ["--ca", Self.certificate("authority.pem")], host: "localhost")
        #expect(good.status == 0 && good.text.contains("\"tls\":\"TLSv1.3\""))
        let untrusted = try send(server, [])
        #expect(untrusted.status == 75)
        #expect(untrusted.diagnostics.contains("127.0.0.1") && untrusted.diagnostics.contains("not trusted"))
        #expect(try send(server, ["--insecure"]).status == 0)
        #expect(try send(server, ["--tls", "never"]).text.contains("\"tls\":null"))
        let directoryOfZone = try directory.write("zone", "other.example. A 127.0.0.1\n")
        let words = ["--ca", Self.certificate("authority.pem"), "--dns", directoryOfZone]
        let other = try send(server, words, host: "other.example")
        #expect(other.status == 75 && other.diagnostics.contains("it is for mx.example.org, localhost"))
        #expect(try delivered(directory).count == 3)
    }

    @Test("TLS from the first octet on")
    func implicit() throws {
        let directory = try TestDirectory()
        let server = try TestServer(
            "smtp-serve",
            [
                "--mail", directory.file("mail"), "--cert", Self.certificate("server.pem"),
                "--key", Self.certificate("server.key"),
            ], listen: "127.0.0.1:0,tls")
        let words = ["--tls", "implicit", "--timeout", "5"]
        #expect(try send(server, words + ["--ca", Self.certificate("authority.pem")]).status == 0)
        #expect(try send(server, words).status == 75)
        #expect(try delivered(directory).count == 1)
    }
}
