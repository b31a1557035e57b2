import Bytes
import TestSupport
import Testing

@testable import SpamRules

@Suite("Rules made ready to run")
struct RulePlanTests {
    static let plan: RulePlan = {
        let cases = ScoringTests.cases.map(\.0) + ListTests.cases.map(\.0)
        let text = cases.enumerated().map {
            $1.replacing(" X ", with: " X\($0) ").replacing("_rules X", with: "_rules X\($0)")
        }
        var set = RuleSet()
        set.read(
            Array((text.joined(separator: "\n") + "\nbody Y /x/ extra\nnonsense\nmeta Z X1 && !X2\n").utf8),
            file: "t.cf")
        return RulePlan(set)
    }()

    @Test("an image gives the rules that it was made of")
    func image() throws {
        let read = try #require(RulePlan(image: RuleImageBytes(Self.plan.image)))
        for message in [ScoringTests.message, ListTests.message, "Subject: x\n\nx\n"] {
            let bytes = Array(message.utf8)
            for set in 0..<4 {
                let first = try RuleScorer(Self.plan).score(bytes.span, scoreSet: set)
                #expect(try RuleScorer(read).score(bytes.span, scoreSet: set) == first)
            }
        }
        #expect(read.problems == Self.plan.problems && !read.problems.isEmpty && read.image == Self.plan.image)
    }

    @Test("compiled expressions are taken over by another plan of the same rules")
    func compiled() throws {
        let compiled = Self.plan.compiledExpressions
        #expect(!compiled.isEmpty)
        let read = try #require(RulePlan(image: RuleImageBytes(Self.plan.image)))
        read.adopt(RuleImageBytes(compiled))
        let bytes = Array(ScoringTests.message.utf8)
        let first = try RuleScorer(Self.plan).score(bytes.span)
        let scorer = RuleScorer(read)
        // Often enough that machine code takes over.
        for _ in 0..<150 { #expect(try scorer.score(bytes.span) == first) }
    }

    @Test("an image that is cut short is none, and a changed one never makes anything trap")
    func damaged() throws {
        let image = Self.plan.image
        for length in stride(from: 0, to: image.count, by: 97) {
            #expect(RulePlan(image: RuleImageBytes(Array(image[..<length]))) == nil)
        }
        var generator = SeededGenerator(seed: 71)
        let message = Array(ScoringTests.message.utf8)
        for _ in 0..<200 {
            guard let plan = RulePlan(image: RuleImageBytes(generator.mutated(image))) else { continue }
            _ = try RuleScorer(plan).score(message.span)
        }
    }

    @Test("one of four scores counts, and zero puts a rule out of force")
    func sets() throws {
        var set = RuleSet()
        set.read(Array("body A /x/\nscore A 1 0 3 4\nmeta B A + 1\nscore B 0 2 0 0\n".utf8), file: "t.cf")
        let scorer = RuleScorer(set)
        let message = Array("Subject: s\n\nx\n".utf8)
        let sums = try (0..<4).map { try scorer.score(message.span, scoreSet: $0).score }
        #expect(sums == [1, 2, 3, 4])
    }

    @Test("a message takes no longer than its time limit, and that is told", .timeLimit(.minutes(2)))
    func time() throws {
        var set = RuleSet()
        let rules = (0..<200).map { "body R\($0) /^(\\w+\\s?)+$/\n" }.joined()
        set.read(Array("time_limit 1\n\(rules)".utf8), file: "t.cf")
        let body = String(repeating: String(repeating: "aaa ", count: 20) + "!\n\n", count: 20)
        let verdict = try RuleScorer(set).score(Array("Subject: !\n\n\(body)".utf8).span)
        #expect(verdict.cut.contains("time_limit") && verdict.cut.contains("R0"))
    }

    @Test("what teaches: points without those that a person has set, by where rules look")
    func lesson() throws {
        var set = RuleSet()
        set.read(
            Array(
                "header H Subject =~ /s/\nscore H 4\nbody B /x/\nscore B 3 3 9 9\nmeta M H && B\nscore M 2\nheader U Subject =~ /s/\nscore U -100\ntflags U userconf nice\n"
                    .utf8), file: "t.cf")
        let lesson = try RuleScorer(set).score(Array("Subject: s\n\nx\n".utf8).span, scoreSet: 2).lesson
        #expect(lesson.sum == 9 && lesson.header == 6 && lesson.body == 5)
    }
}
