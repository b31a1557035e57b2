import Foundation
import TestSupport
import Testing

@Suite("pop3d: the ways to it")
struct Pop3dListeningTests {
    @Test("--stdio: one session through pipes, to the end of what comes in")
    func standardStreams() throws {
        let directory = try TestDirectory()
        try MailDrop.fill(directory, "anna", ["Subject: x\n"])
        let users = try directory.write("users", MailDrop.accounts)
        let words = ["--stdio", "--passwd", users, "--maildir", directory.file("%u"), "--json"]
        let whole = try ToolProcess.run(
            "pop3d", words, input: Array("USER anna\r\nPASS secret\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n".utf8))
        #expect(whole.status == 0)
        #expect(
            whole.text.hasSuffix(
                "+OK 12 octets\r\nSubject: x\r\n.\r\n+OK message 1 is marked as deleted\r\n+OK goodbye\r\n"))
        #expect(whole.diagnostics.contains("\"deleted\":1") && directory.names("anna/cur").isEmpty)
        let cut = try ToolProcess.run("pop3d", words, input: Array("CAPA\r\n".utf8))
        #expect(cut.status == 0 && cut.text.hasSuffix(".\r\n"))
    }

    @Test("a PROXY header tells the client: passwords in the clear are refused to one beyond loopback")
    func proxied() throws {
        let directory = try TestDirectory()
        let users = try directory.write("users", MailDrop.accounts)
        let server = try TestServer(
            "pop3d", ["--passwd", users, "--maildir", directory.file("%u")], listen: "127.0.0.1:0,proxy")
        var client = try LineClient(port: server.port)
        client.send("PROXY TCP4 192.0.2.7 192.0.2.1 4000 110\r\n")
        #expect(client.line()?.hasPrefix("+OK") ?? false)
        #expect(client.ask("USER anna")?.hasPrefix("-ERR") ?? false)
        #expect(server.process.nextLine()?.contains("\"client\":\"192.0.2.7:4000\"") ?? false)
        client = try LineClient(port: server.port)
        client.send("PROXY TCP4 127.0.0.1 127.0.0.1 4000 110\r\nUSER anna\r\nPASS secret\r\n")
        _ = client.line()
        _ = client.line()
        #expect(client.line()?.hasPrefix("+OK") ?? false)
        client = try LineClient(port: server.port)
        client.send("USER anna\r\n")
        #expect(client.rest().isEmpty)
    }

    @Test("wrong usage is 64, an address that is taken 71, a password file that cannot be read 78")
    func exitCodes() throws {
        let directory = try TestDirectory()
        for words in [
            ["x"], ["--listen", "nowhere"], ["--maildir", "a", "--mbox", "b"], ["--any-password", "--system"],
            ["--listen", "0.0.0.0:0"], ["--cert", "x"], ["--require-tls"], ["--hostname", "a b"],
            ["--trust-loopback", "--no-trust-loopback"], ["--listen", "127.0.0.1:0,tls"],
        ] {
            #expect(try ToolProcess.run("pop3d", words).status == 64, "\(words)")
        }
        let drop = try MailDrop(in: directory)
        #expect(try ToolProcess.run("pop3d", ["--listen", "127.0.0.1:\(drop.server.port)"]).status == 71)
        #expect(try ToolProcess.run("pop3d", ["--passwd", directory.file("none")]).status == 78)
        let broken = try directory.write("broken", "a:{WHAT}x\n")
        let result = try ToolProcess.run("pop3d", ["--passwd", broken])
        #expect(result.status == 78 && result.diagnostics.contains("broken:1: "))
    }
}
