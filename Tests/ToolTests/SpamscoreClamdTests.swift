import TestSupport
import Testing

@Suite("spamscore --clamd")
struct SpamscoreClamdTests {
    /// Scores a message with a scanner that answers so.
    static func score(_ answer: String?, _ arguments: [String] = []) throws -> String {
        let folder = try TestDirectory()
        let rules = try folder.write("r.cf", "body A /virus/\nscore A 1\n")
        let scanner = try StandIn { received, answers in
            guard answers == 0, let answer, received.suffix(4) == [0, 0, 0, 0] else { return nil }
            return (Array(answer.utf8), received.count, true)
        }
        return try withExtendedLifetime(scanner) {
            try ToolProcess.run(
                "spamscore",
                ["--local", "--json", "--rules", rules, "--user-dir", folder.file("u")]
                    + ["--clamd", "127.0.0.1:\(scanner.port)"] + arguments, input: Array("A: 1\n\nvirus\n".utf8)
            ).text
        }
    }

    @Test("what is found adds ten points, with its name")
    func found() throws {
        let text = try Self.score("stream: Eicar-Test-Signature FOUND\0")
        #expect(text.contains(#""score":11.0"#) && text.contains(#""name":"CLAMAV","score":10.0"#))
        #expect(text.contains(#""text":"Eicar-Test-Signature""#) && text.contains(#""cut":[]"#))
    }

    @Test("what is clean adds nothing")
    func clean() throws {
        let text = try Self.score("stream: OK\0")
        #expect(text.contains(#""score":1.0"#) && text.contains(#""cut":[]"#))
    }

    @Test(
        "a scanner that refuses or says nothing of use is told of, and the message is scored without it",
        arguments: ["INSTREAM size limit exceeded. ERROR\0", "", "\0", "stream: \0"])
    func refused(_ answer: String) throws {
        let text = try Self.score(answer)
        #expect(text.contains(#""score":1.0"#) && text.contains(#""cut":["clamd: "#))
    }

    @Test("a scanner that says nothing is waited for no longer than --deadline")
    func silent() throws {
        let text = try Self.score(nil, ["--deadline", "0.2"])
        #expect(text.contains(#""score":1.0"#) && text.contains(#""cut":["clamd: no answer in time"]"#))
    }
}
