import Foundation
import TestSupport
import Testing

/// A server of the spamd protocol on a port of the kernel's choice.
final class SpamdTestServer {
    let process: ToolProcess
    let port: UInt16

    init(_ arguments: [String]) throws {
        process = try ToolProcess("spamscore", ["--serve", "127.0.0.1:0", "--json"] + arguments)
        guard let line = process.nextLine(seconds: 30),
            let found = line.matches(of: /:([0-9]+)"/).last.flatMap({ UInt16($0.1) })
        else { throw TestFailure("spamscore did not begin to listen") }
        port = found
    }

    deinit {
        process.signal(SIGTERM)
        _ = process.wait(seconds: 20)
    }

    /// Sends a request and returns all that is answered.
    func ask(_ text: String, endsInput: Bool = true) throws -> String {
        let client = try LineClient(port: port)
        client.send(text)
        if endsInput { client.closeSending() }
        return String(decoding: client.rest(), as: UTF8.self)
    }
}

@Suite("spamscore --serve")
struct SpamscoreServerTests {
    static let rules = "body BUY /buy now/i\nscore BUY 6\ndescribe BUY asks to buy\n"
    static let message = "From: a@example.org\r\nSubject: x\r\nX-Spam-Flag: NO\r\n\r\nbuy now\r\n"

    static func server(_ folder: TestDirectory, _ more: [String] = []) throws -> SpamdTestServer {
        let rules = try folder.write("r.cf", Self.rules)
        return try SpamdTestServer(["--rules", rules, "--user-dir", folder.file("u"), "--workers", "1"] + more)
    }

    static func request(_ method: String, _ fields: String = "", _ message: String = message) -> String {
        "\(method) SPAMC/1.5\r\nContent-length: \(message.utf8.count)\r\n\(fields)\r\n\(message)"
    }

    @Test("every method of the protocol is answered as spamd answers it")
    func methods() throws {
        let server = try Self.server(TestDirectory())
        #expect(try server.ask("PING SPAMC/1.5\r\n\r\n") == "SPAMD/1.5 0 PONG\r\n")
        #expect(try server.ask("SKIP SPAMC/1.5\r\n\r\n") == "")
        let head = "SPAMD/1.1 0 EX_OK\r\n"
        let verdict = "Spam: True ; 6.0 / 5.0\r\n\r\n"
        #expect(try server.ask(Self.request("CHECK"), endsInput: false) == head + verdict)
        #expect(try server.ask(Self.request("SYMBOLS")) == "\(head)Content-length: 3\r\n\(verdict)BUY")
        #expect(try server.ask(Self.request("REPORT")).contains(" 6.0 BUY                    asks to buy\n"))
        let ham = Self.request("REPORT_IFSPAM", "", "Subject: x\n\nhello\n")
        #expect(try server.ask(ham) == "\(head)Content-length: 0\r\nSpam: False ; 0.0 / 5.0\r\n\r\n")
        let processed = try server.ask(Self.request("PROCESS"))
        #expect(processed.contains("X-Spam-Flag: YES\r\n") && !processed.contains("X-Spam-Flag: NO"))
        #expect(processed.hasSuffix("From: a@example.org\r\nSubject: x\r\n\r\nbuy now\r\n"))
        #expect(try server.ask(Self.request("HEADERS")).hasSuffix("Subject: x\r\n\r\n"))
    }

    @Test("TELL learns and forgets, and says only what it has changed")
    func tell() throws {
        let server = try Self.server(TestDirectory())
        let learn = Self.request("TELL", "Message-class: spam\r\nSet: local\r\n")
        let head = "SPAMD/1.1 0 EX_OK\r\n"
        #expect(try server.ask(learn) == "\(head)DidSet: local\r\n\r\n\r\n")
        #expect(try server.ask(learn) == "\(head)\r\n\r\n")
        let forget = Self.request("TELL", "Remove: local\r\n")
        #expect(try server.ask(forget) == "\(head)DidRemove: local\r\n\r\n\r\n")
        #expect(try server.ask(forget) == "\(head)\r\n\r\n")
        let unknown = try server.ask(Self.request("TELL", "Message-class: eggs\r\nSet: local\r\n"))
        #expect(unknown.hasPrefix("SPAMD/1.0 76 "))
    }

    @Test("users have weights of their own; a name that would leave the folder has none")
    func users() throws {
        let folder = try TestDirectory()
        let rules = try folder.write("r.cf", Self.rules)
        let server = try SpamdTestServer(["--rules", rules, "--user-dir", folder.file("users/%u")])
        let learn = Self.request("TELL", "User: ann\r\nMessage-class: ham\r\nSet: local\r\n")
        #expect(try server.ask(learn).contains("DidSet"))
        #expect(FileManager.default.fileExists(atPath: folder.file("users/ann/learned.weights")))
        let escape = Self.request("TELL", "User: ../eve\r\nMessage-class: ham\r\nSet: local\r\n")
        #expect(try server.ask(escape).hasPrefix("SPAMD/1.0 69 "))
    }

    @Test(
        "what cannot be parsed is 76",
        arguments: [
            "FOO SPAMC/1.5\r\n\r\n", "hello\r\n\r\n", "CHECK SPAMC/1.5\r\nfoo\r\n\r\nx", "CHECK SPAMC/1.5\r\n",
            "CHECK SPAMC/1.5\r\nContent-length: 5\r\n\r\nmore than five",
            "CHECK SPAMC/1.5\r\nContent-length: 9\r\n\r\nx",
            "CHECK SPAMC/1.5\r\nContent-length: -5\r\n\r\nx", "CHECK SPAMC/1.5\r\nCompress: zlib\r\n\r\nno zlib",
            "CHECK SPAMC/1.5\r\nCompress: lzma\r\n\r\nx", String(repeating: "A", count: 9_000) + "\r\n\r\n",
            "CHECK SPAMC/1.5\r\n" + String(repeating: "X: y\r\n", count: 12_000) + "\r\n",
        ])
    func refused(_ request: String) throws {
        let server = try Self.server(TestDirectory())
        #expect(try server.ask(request).hasPrefix("SPAMD/1.0 76 "))
    }

    @Test("lines may end with LF alone, names of fields have any case, an mbox line disturbs no length")
    func liberal() throws {
        let server = try Self.server(TestDirectory())
        let message = "From a Thu Jan  1 00:00:00 1970\nSubject: x\n\nbuy now\n"
        let answer = try server.ask("CHECK SPAMC/1.5\ncontent-LENGTH: \(message.utf8.count)\n\n\(message)")
        #expect(answer.contains("Spam: True ; 6.0 / 5.0\r\n"))
    }

    @Test("a server may name weights that it will learn into, and scores by them from then on")
    func namedWeights() throws {
        let folder = try TestDirectory()
        let server = try Self.server(folder, ["--weights", folder.file("w"), "--local"])
        #expect(try server.ask(Self.request("SYMBOLS")).hasSuffix("BUY"))
        #expect(try server.ask(Self.request("TELL", "Message-class: spam\r\nSet: local\r\n")).contains("DidSet: local"))
        #expect(try server.ask(Self.request("SYMBOLS")).contains("LEARNED_"))
    }

    /// 300,000 zeros, by zlib.
    static let bomb = [
        "eNrtwQENAAAAwqD3T20PBxQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPwYlBwAAQ==",
    ].joined()

    @Test("what grows beyond the limit when it is unzipped is refused, however small it comes")
    func bomb() throws {
        let server = try Self.server(TestDirectory(), ["--local", "--max-size", "100000"])
        let bomb = try #require(Data(base64Encoded: Self.bomb))
        let client = try LineClient(port: server.port)
        client.send("CHECK SPAMC/1.5\r\nCompress: zlib\r\nContent-length: \(bomb.count)\r\n\r\n")
        client.send(Array(bomb))
        client.closeSending()
        #expect(String(decoding: client.rest(), as: UTF8.self).hasPrefix("SPAMD/1.0 76 "))
        #expect(try server.ask("PING SPAMC/1.5\r\n\r\n") == "SPAMD/1.5 0 PONG\r\n")
    }

    @Test("idle clients hold no worker")
    func idle() throws {
        let server = try Self.server(TestDirectory())
        var idle: [LineClient] = []
        for _ in 0..<60 {
            let client = try LineClient(port: server.port)
            client.send("CHECK SPAMC/1.5\r\nContent-length: 100\r\n\r\nSubject: ")
            idle.append(client)
        }
        #expect(try server.ask(Self.request("CHECK")).contains("True"))
        #expect(idle.count == 60)
    }

    @Test("--connect asks a server as spamc does")
    func client() throws {
        let server = try Self.server(TestDirectory())
        let to = ["--connect", "127.0.0.1:\(server.port)"]
        let input = Array(Self.message.utf8)
        #expect(try ToolProcess.run("spamscore", to, input: input).text == "6.0/5.0 spam -\n")
        let check = try ToolProcess.run("spamscore", to + ["-c"], input: input)
        #expect(check.text == "6.0/5.0\n" && check.status == 1)
        #expect(try ToolProcess.run("spamscore", to + ["-f"], input: input).text.contains("X-Spam-Flag: YES\r\n"))
        #expect(try ToolProcess.run("spamscore", to + ["--learn", "spam"], input: input).text == "done: -\n")
        let gone = try ToolProcess.run("spamscore", ["--connect", "127.0.0.1:9", "-f", "-x"], input: input)
        #expect(gone.text == Self.message && gone.status == 75)
    }

    @Test("before version 1.5 PING is one line, and old clients get the heads that they know")
    func oldClients() throws {
        let server = try Self.server(TestDirectory())
        #expect(try server.ask("PING SPAMC/1.2\r\n", endsInput: false) == "SPAMD/1.5 0 PONG\r\n")
        let request = Self.request("HEADERS").replacing("SPAMC/1.5", with: "SPAMC/1.2")
        #expect(try server.ask(request).hasPrefix("SPAMD/1.1 0 EX_OK\r\nContent-length: "))
        #expect(try !server.ask(request).contains("Spam: "))
    }

    @Test("users of folders of their own have their own reputations and lessons; who has none teaches nobody")
    func personal() throws {
        let folder = try TestDirectory()
        let rules = try folder.write("r.cf", "\(Self.rules)use_auto_welcomelist 1\n")
        let server = try SpamdTestServer(["--rules", rules, "--user-dir", folder.file("users/%u"), "--local"])
        let ham = "From: a@example.org\r\nSubject: x\r\n\r\nhello\r\n"
        #expect(try server.ask(Self.request("CHECK", "User: ann\r\n")).contains("6.0 / 5.0"))
        #expect(try server.ask(Self.request("CHECK", "User: ann\r\n", ham)).contains("3.0 / 5.0"))
        #expect(try server.ask(Self.request("CHECK", "User: bob\r\n", ham)).contains("0.0 / 5.0"))
        let nobody = try server.ask(Self.request("TELL", "Message-class: spam\r\nSet: local\r\n"))
        #expect(nobody.hasPrefix("SPAMD/1.0 69 Service Unavailable: User: "))
    }

    /// What a server answers to anything, byte for byte.
    static func standIn(_ answer: String) throws -> StandIn {
        try StandIn { received, answers in
            answers == 0 && !received.isEmpty ? (Array(answer.utf8), received.count, true) : nil
        }
    }

    @Test(
        "an answer that is not whole is none: the message comes out unmarked",
        arguments: [
            "", "SPAMD/1.1 0 EX_OK\r\n", "HTTP/1.0 200 OK\r\n\r\n", "SPAMD/1.0 76 Bad header line\r\n",
            "SPAMD/1.1 0 EX_OK\r\nContent-length: 9\r\nSpam: True ; 9.0 / 5.0\r\n\r\nA: 1\n",
            "SPAMD/1.1 0 EX_OK\r\nContent-length: -9\r\nSpam: True ; 9.0 / 5.0\r\n\r\nA: 1\n",
            "SPAMD/1.1 0 EX_OK\r\nContent-length: 0\r\nSpam: True ; 9.0 / 5.0\r\n\r\n",
            "SPAMD/1.1 0 EX_OK\r\nSpam: True ; 9.0 / 5.0\r\n\r\nA: 1\n",
            "SPAMD/1.1 0 EX_OK\r\nContent-length: 5\r\n\r\nA: 1\n",
        ])
    func lies(_ answer: String) throws {
        let server = try Self.standIn(answer)
        try withExtendedLifetime(server) {
            let to = ["--connect", "127.0.0.1:\(server.port)"]
            let input = Array(Self.message.utf8)
            let filtered = try ToolProcess.run("spamscore", to + ["-f", "-x"], input: input)
            #expect(filtered.text == Self.message && filtered.status == 75)
            if !answer.contains("Spam: ") {
                #expect(try ToolProcess.run("spamscore", to + ["-c"], input: input).status == 76)
            }
        }
    }

    @Test("--deadline ends the wait for a server that says nothing")
    func silence() throws {
        let server = try StandIn { _, _ in nil }
        try withExtendedLifetime(server) {
            let result = try ToolProcess.run(
                "spamscore", ["--connect", "127.0.0.1:\(server.port)", "-f", "-x", "--deadline", "0.2"],
                input: Array(Self.message.utf8))
            #expect(result.text == Self.message && result.status == 75)
        }
    }

    @Test("the client's JSON has the keys of a score made here")
    func clientJSON() throws {
        let server = try Self.server(TestDirectory(), ["--local"])
        let to = ["--connect", "127.0.0.1:\(server.port)", "--json"]
        let text = try ToolProcess.run("spamscore", to, input: Array(Self.message.utf8)).text
        let test = #"{"name":"BUY","score":null,"description":null,"area":null,"text":null}"#
        let begin =
            #"{"file":"-","index":0,"score":6.0,"required":5.0,"spam":true,"learned":null,"tests":["# + test
            + #"],"unsupported":[],"cut":[],"ms":"#
        #expect(text.hasPrefix(begin), "\(text)")
        let told = try ToolProcess.run("spamscore", to + ["--learn", "ham"], input: Array(Self.message.utf8)).text
        #expect(told == #"{"file":"-","index":0,"changed":true}"# + "\n")
    }

    @Test("mutated requests never end the server")
    func hostile() throws {
        let server = try Self.server(TestDirectory())
        var generator = SeededGenerator(seed: 77)
        let seed = Array(Self.request("PROCESS", "User: a\r\nCompress: zlib\r\n").utf8)
        for _ in 0..<40 {
            let client = try LineClient(port: server.port)
            client.send(generator.mutated(seed))
            client.closeSending()
            _ = client.rest()
        }
        #expect(try server.ask("PING SPAMC/1.5\r\n\r\n") == "SPAMD/1.5 0 PONG\r\n")
    }
}
