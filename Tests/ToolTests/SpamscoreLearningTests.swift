import Foundation
import TestSupport
import Testing

@Suite("spamscore learns")
struct SpamscoreLearningTests {
    static func message(_ number: Int, spam: Bool) -> String {
        let words = spam ? "cheap pills for the winner, click" : "the patch for the meeting, please review"
        return "From: u\(number)@example.org\nSubject: number \(number)\n\n\(words) \(number * 7)\n"
    }

    /// A folder with 20 messages of each kind and a list for --train.
    static func corpus() throws -> TestDirectory {
        let folder = try TestDirectory()
        var list = ""
        for number in 0..<20 {
            for spam in [true, false] {
                let path = try folder.write("\(spam ? "spam" : "ham")-\(number)", message(number, spam: spam))
                list += "\(spam ? "spam" : "ham") \(path)\n"
            }
        }
        _ = try folder.write("list", list)
        return folder
    }

    @Test("--train, --learned-only: the log-odds with four decimals, 0 required")
    func train() throws {
        let folder = try Self.corpus()
        let weights = ["--weights", folder.file("w")]
        let trained = try ToolProcess.run("spamscore", ["--train", folder.file("list")] + weights)
        #expect(trained.text == "learned 40 of 40 messages: 20 spam and 20 ham in all\n")
        let spam = try ToolProcess.run(
            "spamscore", ["--learned-only"] + weights, input: Array(Self.message(30, spam: true).utf8))
        #expect(spam.text.wholeMatch(of: /[0-9]+\.[0-9]{4}\/0 spam -\n/) != nil, "\(spam.text)")
        let ham = try ToolProcess.run(
            "spamscore", ["--learned-only"] + weights, input: Array(Self.message(31, spam: false).utf8))
        #expect(ham.text.hasPrefix("-") && ham.text.hasSuffix("/0 ham -\n"))
        let again = try ToolProcess.run("spamscore", ["--train", folder.file("list")] + weights)
        #expect(again.text == "learned 0 of 40 messages: 20 spam and 20 ham in all\n")
    }

    @Test("one kind learned after the other: the second does not wash away the first")
    func sequence() throws {
        let folder = try Self.corpus()
        let weights = ["--weights", folder.file("w")]
        for kind in ["ham", "spam"] {
            let names = (0..<20).map { folder.file("\(kind)-\($0)") }
            #expect(try ToolProcess.run("spamscore", ["--learn", kind] + weights + names).status == 0)
        }
        let ham = try ToolProcess.run(
            "spamscore", ["--learned-only"] + weights, input: Array(Self.message(31, spam: false).utf8))
        #expect(ham.text.hasSuffix("ham -\n"), "\(ham.text)")
    }

    @Test("the points shown add up, and the learned part is explained in words")
    func explained() throws {
        let folder = try Self.corpus()
        let weights = ["--weights", folder.file("w")]
        _ = try ToolProcess.run("spamscore", ["--train", folder.file("list")] + weights)
        let rules = try folder.write("r.cf", "body PILLS /pills/\nscore PILLS 2.5\n")
        let input = Array(Self.message(30, spam: true).utf8)
        let arguments = ["--rules", rules, "--user-dir", folder.file("none")] + weights
        let result = try ToolProcess.run("spamscore", ["--json"] + arguments, input: input)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(result.bytes)) as? [String: Any])
        let tests = try #require(json["tests"] as? [[String: Any]])
        let sum = tests.compactMap { $0["score"] as? Double }.reduce(0, +)
        #expect(abs(sum - (json["score"] as? Double ?? 0)) < 0.001)
        #expect((json["learned"] as? Double ?? 0) > 0.5)
        let explained = try ToolProcess.run("spamscore", ["--explain"] + arguments, input: input)
        #expect(explained.text.contains("LEARNED_") && explained.text.contains("\"pills\""), "\(explained.text)")
        let without = try ToolProcess.run("spamscore", ["--no-learned"] + arguments, input: input)
        #expect(without.text == "2.5/5.0 ham -\n")
    }

    @Test("--forget takes back; a file that is no file of weights is 65 and stays as it is")
    func forget() throws {
        let folder = try Self.corpus()
        let weights = ["--weights", folder.file("w")]
        _ = try ToolProcess.run("spamscore", ["--learn", "spam", folder.file("spam-1")] + weights)
        let forgotten = try ToolProcess.run("spamscore", ["--forget", folder.file("spam-1")] + weights)
        #expect(forgotten.text == "forgot 1 of 1 messages: 0 spam and 0 ham in all\n")
        let bad = try folder.write("bad", "not weights\n")
        for mode in [["--learn", "spam"], ["--learned-only"], []] {
            let result = try ToolProcess.run("spamscore", mode + ["--weights", bad, folder.file("spam-1")])
            #expect(result.status == 65 && result.diagnostics.contains("not a file of learned weights"))
        }
        #expect(try folder.read("bad") == Array("not weights\n".utf8))
        for (place, advice) in [("missing/w", "make its folder"), ("bad/w", "make its folder"), ("", "name a file")] {
            let nowhere = ["--learn", "spam", "--weights", folder.file(place), folder.file("spam-1")]
            let result = try ToolProcess.run("spamscore", nowhere)
            #expect(result.status == 73 && result.diagnostics.contains(advice))
        }
    }

    @Test("a learner killed at any instant leaves a file that can be used")
    func killed() throws {
        let folder = try Self.corpus()
        let path = folder.file("w")
        _ = try ToolProcess.run("spamscore", ["--train", folder.file("list"), "--weights", path])
        for number in 0..<8 {
            let process = try ToolProcess(
                "spamscore", ["--learn", number % 2 == 0 ? "spam" : "ham", "--weights", path])
            process.send(Self.message(100 + number, spam: number % 2 == 0))
            process.closeInput()
            usleep(useconds_t(number * 15_000))
            process.signal(SIGKILL)
            _ = process.wait(seconds: 10)
            let result = try ToolProcess.run(
                "spamscore", ["--learned-only", "--weights", path, folder.file("spam-3")])
            #expect(result.status == 0, "\(result.diagnostics)")
        }
    }

    @Test("--evaluate: a table, JSON and a plot")
    func evaluate() throws {
        let folder = try TestDirectory()
        for spam in [true, false] {
            for number in 0..<12 {
                _ = try folder.write(
                    "\(spam ? "spam" : "ham")/\(number)", Self.message(number, spam: spam))
            }
        }
        let result = try ToolProcess.run(
            "spamscore",
            [
                "--evaluate", "--spam", folder.file("spam"), "--ham", folder.file("ham"), "--folds", "3", "--plot",
                folder.file("roc.svg"), "--user-dir", folder.file("none"),
            ])
        #expect(result.text.contains("12 ham and 12 spam in 3 folds") && result.text.contains("(1-ROCA) %"))
        let plot = String(decoding: try folder.read("roc.svg"), as: UTF8.self)
        #expect(plot.hasPrefix("<svg ") && plot.contains("polyline"))
    }
}
