import Foundation
import TestSupport
import Testing

@Suite("spamscore --serve with SpamAssassin's spamc")
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
        #expect(try ask(["-r"]).text.contains("asks to buy"))
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
}
