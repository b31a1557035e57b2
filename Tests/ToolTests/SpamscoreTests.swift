import Foundation
import TestSupport
import Testing

@Suite("spamscore")
struct SpamscoreTests {
    static let rules = """
        header   CAPS   Subject =~ /^[^a-z]+$/
        score    CAPS   1.5
        describe CAPS   all capitals
        body     BUY    m{buy \\s now}ix
        score    BUY    1 2 3 4
        tflags   BUY    multiple maxhits=2
        uri      LINK   /^http:\\/\\/spam\\./
        full     RAW    /X-Raw: yes/
        header   __TO   exists:To
        meta     BOTH   CAPS && (BUY > 1)
        score    BOTH   2.5
        header   NOTE   X-Note !~ /./
        score    NOTE   -0.1
        header   FROM_A From:addr =~ /@a\\.example$/
        body     FUN    eval:check_fun()
        nonsense here

        """
    static let message =
        "From: X <x@a.example>\nSubject: BUY NOW\nX-Raw: yes\nX-Spam-Flag: NO\n\tfolded\n\nbuy now, Buy\nnow\nhttp://spam.example/\n"

    func run(_ arguments: [String], _ input: String = message) throws -> ToolProcess.Result {
        let folder = try TestDirectory()
        let rules = try folder.write("r.cf", Self.rules)
        return try ToolProcess.run("spamscore", ["--rules", rules] + arguments, input: Array(input.utf8))
    }

    @Test("rules of every kind hit, and the points add up")
    func kinds() throws {
        let result = try run(["--json"])
        let json = try #require(try JSONSerialization.jsonObject(with: Data(result.bytes)) as? [String: Any])
        let tests = try #require(json["tests"] as? [[String: Any]])
        let names = Set(tests.compactMap { $0["name"] as? String })
        #expect(names == ["CAPS", "BUY", "LINK", "RAW", "BOTH", "NOTE", "FROM_A"])
        let sum = tests.compactMap { $0["score"] as? Double }.reduce(0, +)
        #expect(abs(sum - (json["score"] as? Double ?? 0)) < 0.05)
        #expect(json["spam"] as? Bool == true && (json["unsupported"] as? [String])?.count == 2)
    }

    @Test("the standard rules know the test string of filters")
    func standardTestString() throws {
        let text = "Subject: x\n\nXJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n"
        let folder = try TestDirectory()
        let result = try ToolProcess.run(
            "spamscore", ["--local", "--no-learned", "--user-dir", folder.path, "-c"], input: Array(text.utf8))
        #expect(result.status == 1 && result.text.hasPrefix("1001"))
    }

    @Test("as a filter it replaces X-Spam fields and changes nothing else")
    func filter() throws {
        let text = try run(["-f"]).text
        #expect(text.hasPrefix("X-Spam-Checker-Version: ") && text.contains("\nX-Spam-Flag: YES\n"))
        #expect(!text.contains("X-Spam-Flag: NO") && !text.contains("folded"))
        #expect(text.hasSuffix("X-Raw: yes\n\nbuy now, Buy\nnow\nhttp://spam.example/\n"))
        let unscored = try ToolProcess.run(
            "spamscore", ["-f", "-x", "--rules", "/nonexistent"], input: Array(Self.message.utf8))
        #expect(unscored.text == Self.message && unscored.status == 75)
    }

    @Test("a folder without rules is an error, not a set that finds nothing")
    func noRules() throws {
        let folder = try TestDirectory()
        try folder.write("notes.txt", "no rules\n")
        let result = try ToolProcess.run(
            "spamscore", ["--local", "--rules", folder.path], input: Array("Subject: x\n\nx\n".utf8))
        withExtendedLifetime(folder) {}
        #expect(result.status == 66 && result.diagnostics.contains("no rules in it"), "\(result.diagnostics)")
    }

    @Test("check, lint, threshold and exit codes")
    func modes() throws {
        #expect(try run(["-c"]).status == 1)
        #expect(try run(["-c", "--threshold", "50"]).status == 0)
        let lint = try run(["--lint"])
        #expect(lint.status == 1 && lint.lines.count == 2 && lint.lines[1].contains("r.cf:16: nonsense"))
        #expect(try run([], "").status == 65)
        #expect(try run(["/nonexistent"]).status == 66)
    }

    @Test("no expression hangs the scorer: one that meets its limit is reported")
    func limits() throws {
        let folder = try TestDirectory()
        let rules = try folder.write("r.cf", "body SLOW /^(a+)+$/\n")
        let message = "Subject: x\n\n" + String(repeating: "a", count: 5_000) + "b\n"
        let result = try ToolProcess.run(
            "spamscore", ["--json", "--rules", rules], input: Array(message.utf8), seconds: 20)
        #expect(result.status == 0)
    }

    @Test("mutated messages and rules never trap")
    func hostile() throws {
        var generator = SeededGenerator(seed: 41)
        let folder = try TestDirectory()
        for number in 0..<20 {
            let rules = try folder.write("\(number).cf", generator.mutated(Array(Self.rules.utf8)))
            let message = try folder.write("\(number).eml", generator.mutated(Array(Self.message.utf8)) + [10])
            let status = try ToolProcess.run("spamscore", ["--json", "--rules", rules, message]).status
            #expect(status == 0)
        }
    }

    @Test("--explain shows the sum and points that add up to it, and what was not looked at")
    func explanation() throws {
        let folder = try TestDirectory()
        let rules = try folder.write("e.cf", "body A /buy/i\nscore A 4.25\ndescribe A sells\n")
        let result = try ToolProcess.run(
            "spamscore",
            ["--local", "--explain", "--rules", rules, "--user-dir", folder.file("u"), "--clamd", "unix:/nonexistent"],
            input: Array(Self.message.utf8))
        let head = "4.25  ham (5.0 needed)"
        #expect(
            result.text == """
                \(head)\(String(repeating: " ", count: 60 - head.count))-
                4.25  A                sells: "BUY"
                   -  not looked at: clamd: No such file or directory

                """)
    }

    @Test(
        "modes exclude each other, and those that take no messages say so",
        arguments: [
            ["-f", "-c"], ["-f", "--json"], ["-f", "--explain"], ["--lint", "--list-rules"], ["--learn", "spam", "-c"],
            ["--learn", "spam", "--forget"], ["--train", "x", "--forget"], ["--evaluate", "--serve", "127.0.0.1:0"],
            ["--connect", "127.0.0.1:9", "--train", "x"], ["--connect", "127.0.0.1:9", "--lint"],
            ["--serve", "127.0.0.1:0", "m.eml"], ["--lint", "m.eml"], ["--train", "x", "m.eml"],
            ["--list-rules", "--files", "x"],
        ])
    func modes(_ arguments: [String]) throws {
        #expect(try run(arguments).status == 64)
    }

    @Test(
        "points of any size are added and shown as numbers",
        arguments: [("1e308", "2000000000.0"), ("-1e308", "-2000000000.0")])
    func largePoints(_ points: String, _ sum: String) throws {
        let folder = try TestDirectory()
        let rules = try folder.write("l.cf", "body A /buy/i\nscore A \(points)\nbody B /now/\nscore B \(points)\n")
        let result = try ToolProcess.run(
            "spamscore", ["--local", "--json", "--rules", rules, "--user-dir", folder.file("u")],
            input: Array(Self.message.utf8))
        #expect(result.text.contains(#""score":\#(sum),"required""#), "\(result.text)")
    }

    @Test("--lint and --list-rules have JSON too")
    func ruleJSON() throws {
        let folder = try TestDirectory()
        let rules = try folder.write("r.cf", "body A /x/\nscore A 2\nnonsense\nbody B /(/\nscore B 1\ndescribe B b\n")
        let lint = try ToolProcess.run("spamscore", ["--lint", "--json", "--rules", rules])
        let lines = lint.text.split(separator: "\n")
        #expect(lint.status == 1 && lines.count == 2)
        #expect(lines.first?.contains(#""line":3,"rule":null,"reason":"nonsense"#) ?? false, "\(lint.text)")
        #expect(lines.last?.hasPrefix(#"{"file":null,"line":null,"rule":"B","reason":""#) ?? false, "\(lint.text)")
        let list = try ToolProcess.run("spamscore", ["--list-rules", "--json", "--rules", rules])
        #expect(list.text.hasPrefix(#"{"name":"A","area":"body","score":2.000,"description":null}"#))
    }
}
