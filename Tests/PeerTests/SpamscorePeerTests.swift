import Foundation
import TestSupport
import Testing

@Suite("spamscore with SpamAssassin's spamc and spamd")
struct SpamscorePeerTests {
    static let rules = "body BUY /buy now/i\nscore BUY 6\ndescribe BUY asks to buy\n"
    static let message = "From: a@example.org\nSubject: x\n\nbuy now\n"
    static let spamc = ToolProcess.peer("spamc")

    @Test("spamc's options work unchanged", .enabled(if: spamc != nil, "spamc is not installed"))
    func options() throws {
        let spamc = try #require(Self.spamc)
        let folder = try TestDirectory()
        let path = try folder.write("r.cf", Self.rules)
        let server = try ToolProcess(
            "spamscore", ["--serve", "127.0.0.1:0", "--json", "--rules", path, "--user-dir", folder.file("%u")])
        defer { server.signal(SIGTERM) }
        let line = try #require(server.nextLine(seconds: 30))
        let port = try #require(line.matches(of: /:([0-9]+)"/).last.map { String($0.1) })
        func ask(_ options: [String], _ input: String = Self.message) throws -> ToolProcess.Result {
            try ToolProcess.run(spamc, ["-d", "127.0.0.1", "-p", port] + options, input: Array(input.utf8))
        }
        let check = try ask(["-c"])
        #expect(check.text == "6.0/5.0\n" && check.status == 1)
        #expect(try ask(["-R"]).text.hasPrefix("6.0/5.0\n"))
        let report = try ask(["-r", "-E"])
        #expect(report.text.hasPrefix("6.0/5.0\n") && report.text.contains("asks to buy") && report.status == 1)
        #expect(try ask(["-r"], "Subject: x\n\nhello\n").text.isEmpty)
        #expect(try ask(["-y"]).text.hasPrefix("BUY"))
        let marked = try ask(["-E"])
        #expect(marked.status == 1 && marked.text.contains("X-Spam-Flag: YES\n"))
        #expect(try ask(["-u", "ann", "-L", "spam"]).text == "Message successfully un/learned\n")
        #expect(try ask(["-u", "ann", "-L", "spam"]).text == "Message was already un/learned\n")
        #expect(try ask(["-u", "ann", "-L", "forget"]).text == "Message successfully un/learned\n")
        #expect(try ask(["-s", "10", "-x"]).text == Self.message)
        #expect(try ask(["-t", "20"]).text.hasSuffix("Subject: x\n\nbuy now\n"))
        #expect(try ask(["--headers"]).text.hasSuffix("Subject: x\n\nbuy now\n"))
        #expect(try ask(["-C", "report"]).status == 0)
        #expect(try ask(["-K"], "").text.hasPrefix("SPAMD/1.5 0"))
    }

    static let spamd = ToolProcess.peer("spamd")

    @Test("--connect asks SpamAssassin's spamd", .enabled(if: spamd != nil, "spamd is not installed"))
    func client() throws {
        let spamd = try #require(Self.spamd)
        let folder = try TestDirectory()
        // Started by root it becomes another user, who has to find its rules.
        chmod(folder.path, 0o755)
        _ = try folder.write("r.cf", "\(Self.rules)report_safe 0\n")
        _ = try folder.write("init.pre", "loadplugin Mail::SpamAssassin::Plugin::Check\n")
        let socket = folder.file("socket")
        let server = try ToolProcess(
            spamd,
            ["-L", "-x", "-m", "1", "--configpath", folder.path, "--siteconfigpath", folder.path, "-s", "stderr"]
                + ["--socketpath", socket, "--pidfile", folder.file("pid")])
        defer {
            server.signal(SIGTERM)
            _ = server.wait(seconds: 20)
        }
        let limit = ContinuousClock.now + .seconds(30)
        while !FileManager.default.fileExists(atPath: folder.file("pid")), ContinuousClock.now < limit {
            usleep(50_000)
        }
        func ask(_ options: [String]) throws -> ToolProcess.Result {
            let to = ["--connect", "unix:\(socket)", "--user", "nobody"]
            return try ToolProcess.run("spamscore", to + options, input: Array(Self.message.utf8))
        }
        let check = try ask(["-c"])
        #expect(check.text == "6.0/5.0\n" && check.status == 1, "\(check.diagnostics)")
        #expect(try ask([]).text == "6.0/5.0 spam -\n")
        let marked = try ask(["-f"]).text
        #expect(marked.contains("SpamAssassin") && marked.hasSuffix("\n\nbuy now\n"))
        #expect(try ask(["--json"]).text.contains(#""spam":true,"learned":null,"tests":[{"name":"BUY","score":null"#))
        #expect(try ask(["--learn", "spam"]).status == 69)
    }
}
