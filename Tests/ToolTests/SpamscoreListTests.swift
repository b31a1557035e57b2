import Foundation
import TestSupport
import Testing

@Suite("spamscore: lists, reputations, learning by itself, the cache of rules")
struct SpamscoreListTests {
    static func message(_ subject: String) -> [UInt8] {
        Array(
            "From: Ann <ann@a.example>\nTo: b@b.example\nSubject: \(subject)\nMessage-ID: <1@a.example>\nDate: x\n\nhello\n"
                .utf8)
    }

    @Test("one's own user_prefs list senders for the standard rules")
    func userPreferences() throws {
        let folder = try TestDirectory()
        _ = try folder.write("user_prefs", "blacklist_from *@a.example\n")
        func run() throws -> String {
            try ToolProcess.run(
                "spamscore", ["--local", "--user-dir", folder.path], input: Self.message("hi")
            ).text
        }
        #expect(try run().contains(" spam "))
        _ = try folder.write(
            "user_prefs", "blacklist_from *@a.example\nunblacklist_from *@a.example\nwhitelist_from ann@*\n")
        let text = try run()
        #expect(text.hasPrefix("-1") && text.contains(" ham "), "\(text)")
    }

    @Test("use_auto_welcomelist draws a score towards the sender's mean, and keeps it in a file")
    func reputation() throws {
        let folder = try TestDirectory()
        let rules = try folder.write(
            "r.cf", "header A Subject =~ /bad/\nscore A 10\nuse_auto_whitelist 1\nauto_whitelist_factor 0.5\n")
        func score(_ message: [UInt8]) throws -> String {
            try ToolProcess.run(
                "spamscore", ["-c", "--local", "--no-learned", "--rules", rules, "--user-dir", folder.path],
                input: message
            ).text
        }
        func score(_ subject: String) throws -> String { try score(Self.message(subject)) }
        #expect(try score("good") == "0.0/5.0\n")
        #expect(try score("bad") == "5.0/5.0\n", "10 drawn half the way to the mean 0")
        #expect(try score("bad") == "7.5/5.0\n", "the mean of 0 and 10")
        let files = FileManager.default.enumerator(atPath: folder.file("senders"))?.compactMap { $0 as? String } ?? []
        let file = try #require(files.first { $0.contains("/") })
        let text = try String(contentsOfFile: folder.file("senders/\(file)"), encoding: .utf8)
        #expect(text.split(separator: " ").map(String.init) == ["3", "20.0", "ann@a.example", "none\n"], "\(text)")
        // The local part of an address may have spaces in it.
        let quoted = Array("From: \"ann b\"@b.example\nSubject: bad\n\nhello\n".utf8)
        for expected in ["10.0/5.0\n", "10.0/5.0\n"] { #expect(try score(quoted) == expected) }
        let good = Array("From: \"ann b\"@b.example\nSubject: good\n\nhello\n".utf8)
        #expect(try score(good) == "5.0/5.0\n", "0 drawn half the way to the mean 10")
        // A file that is none of ours counts for nothing and is written anew.
        _ = try folder.write("senders/\(file)", "rubbish")
        #expect(try score("bad") == "10.0/5.0\n")
    }

    @Test("bayes_auto_learn learns what the rules are sure of, and says so")
    func automatic() throws {
        let folder = try TestDirectory()
        let rules = """
            header A Subject =~ /bad/
            score A 8
            body B /hello/
            score B 5
            header N Subject =~ /nice/
            score N -9
            tflags N nice
            header U Subject =~ /listed/
            score U 100
            tflags U userconf

            """
        func run(_ subject: String, _ more: String, _ user: String = "") throws -> String {
            let path = try folder.write("r.cf", rules + more)
            return try ToolProcess.run(
                "spamscore", ["-f", "--local", "--rules", path, "--user-dir", folder.path + user],
                input: Self.message(subject)
            ).text
        }
        #expect(try run("bad", "").contains("autolearn=no"))
        #expect(!FileManager.default.fileExists(atPath: folder.file("learned.weights")))
        #expect(try run("listed", "bayes_auto_learn 1\n").contains("autolearn=no"), "a person's list teaches nothing")
        #expect(try run("bad", "bayes_auto_learn 1\n").contains("autolearn=spam"))
        #expect(try run("nice", "bayes_auto_learn 1\n").contains("autolearn=no"), "what was learned says the contrary")
        #expect(try run("nice", "bayes_auto_learn 1\n", "/other").contains("autolearn=ham"))
        #expect(FileManager.default.fileExists(atPath: folder.file("learned.weights")))
    }

    private static func score(_ rules: String, cachedIn folder: TestDirectory) throws -> String {
        try ToolProcess.run(
            "spamscore", ["-c", "--local", "--no-learned", "--rules", rules],
            input: Array("Subject: x\n\nhello\n".utf8), environment: ["XDG_CACHE_HOME": folder.path]
        ).text
    }

    @Test("a cache is made anew when a file that the others include changes")
    func includedCache() throws {
        let folder = try TestDirectory()
        let filler = (0..<2_000).map { "body __F\($0) /filler\($0)word/\n" }.joined()
        _ = try folder.write("more.cf", "score A 1.5\n")
        let rules = try folder.write("r.cf", "header A Subject =~ /x/\n\(filler)include more.cf\n")
        func score() throws -> String { try Self.score(rules, cachedIn: folder) }
        #expect(try score() == "1.5/5.0\n")
        #expect(try score() == "1.5/5.0\n")
        _ = try folder.write("more.cf", "score A 2.25\n")
        #expect(try score() == "2.3/5.0\n" || score() == "2.2/5.0\n")
        try FileManager.default.removeItem(atPath: folder.file("more.cf"))
        #expect(try score() == "1.0/5.0\n")
    }

    @Test("a rule that calls SpamAssassin's test of reputations gives ours its name and words")
    func reputationRule() throws {
        let folder = try TestDirectory()
        let rules = try folder.write(
            "r.cf",
            "body A /offer/\nscore A 6\nheader MY_AWL eval:check_from_in_auto_welcomelist()\ndescribe MY_AWL from before\n"
        )
        func run(_ body: String) throws -> String {
            try ToolProcess.run(
                "spamscore",
                ["--json", "--local", "--no-learned", "--rules", rules, "--user-dir", folder.file("user")],
                input: Array("From: a@b.example\nSubject: s\n\n\(body)\n".utf8)
            ).text
        }
        #expect(try !run("offer").contains("MY_AWL"))
        let second = try run("hello")
        #expect(second.contains("\"name\":\"MY_AWL\",\"score\":3.0") && second.contains("from before"))
    }

    @Test("rules are read from a cache that is as good as none when it is cut short, another's or of other files")
    func cache() throws {
        let folder = try TestDirectory()
        let filler = (0..<2_000).map { "body __F\($0) /filler\($0)word/\n" }.joined()
        let rules = try folder.write("r.cf", "header A Subject =~ /x/\nscore A 1.5\n\(filler)")
        func score() throws -> String { try Self.score(rules, cachedIn: folder) }
        #expect(try score() == "1.5/5.0\n")
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder.file("facteur")).first)
        let path = folder.file("facteur/\(name)")
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(try score() == "1.5/5.0\n")
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == whole)
        var changed = whole
        changed[whole.count / 2] ^= 1
        for bad in [Data(), whole.prefix(whole.count / 2), changed, Data(repeating: 7, count: 100_000)] {
            try bad.write(to: URL(fileURLWithPath: path))
            #expect(try score() == "1.5/5.0\n")
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == whole, "it is made anew")
        }
        _ = try folder.write("r.cf", "header A Subject =~ /x/\nscore A 2.5\n\(filler)")
        #expect(try score() == "2.5/5.0\n")
    }
}
