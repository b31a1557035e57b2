import Bytes
import CommandLineTool
import Mailboxes
import SpamClassifier
import SpamRules
import Unix

/// --evaluate: how well spam and ham are told apart, by learning from a part of labelled messages and scoring the rest.
enum Evaluation {
    /// One message: what it is, what it belongs to, its features and what the rules say.
    struct Sample {
        let isSpam: Bool
        /// Messages of equal bodies are in one fold: else the answer would be known before the question.
        let group: UInt64
        let exercise: Learner.Exercise
        let rules: [Verdict.Test]
    }

    /// A learned part is there, and the network is not asked.
    static let scoreSet = LearnedPoints.scoreSet(isNetworked: false, isLearned: true)

    static func run(_ arguments: Arguments, _ folder: UserFolder) throws -> ExitCode {
        let options = SpamscoreOptions.self
        guard !arguments[options.spamFolders].isEmpty, !arguments[options.hamFolders].isEmpty else {
            throw ToolFailure(.usage, "--evaluate: needs --spam and --ham")
        }
        let plan = arguments[options.learnedOnly] ? RulePlan(RuleSet()) : try RuleFiles.plan(arguments, folder)
        let required = arguments[options.threshold] ?? plan.requiredScore ?? 5
        let collector = SampleCollector(plan)
        for (names, kind) in [
            (arguments[options.spamFolders], MessageClass.spam), (arguments[options.hamFolders], .ham),
        ] {
            collector.kind = kind
            var input = MessageInput(try Inputs.expanded(names))
            input.isMbox = arguments[options.mbox]
            try input.read(collector)
        }
        let samples = collector.samples
        guard samples.contains(where: \.isSpam), samples.contains(where: { !$0.isSpam }) else {
            throw ToolFailure(
                collector.hadUnreadable ? .noInput : .dataError, "--evaluate: needs messages of both kinds")
        }
        let folds = arguments[options.folds]
        let outcome = crossValidate(
            samples, folds: folds,
            possiblePoints: plan.possiblePoints(scoreSet: scoreSet, below: LearnedPoints.decision))
        let curves = [
            ("learned", Ranking(outcome.learned, threshold: 0)), ("rules", Ranking(outcome.rules, threshold: required)),
            ("all", Ranking(outcome.all, threshold: required)),
        ]
        report(curves, samples, folds, isJSON: arguments[options.json])
        if let path = arguments[options.plot] {
            do throws(SystemError) {
                try Files.writeDurably(path, Array(RankingPlot.svg(curves).utf8))
            } catch {
                let place = "--plot \(TerminalText.escape(path))"
                throw ToolFailure(.cannotCreate, "\(place): cannot be written: \(error.reason)")
            }
        }
        return collector.hadUnreadable ? .noInput : .ok
    }

    private static func crossValidate(
        _ samples: [Sample], folds: Int, possiblePoints: Double
    ) -> (learned: [Ranking.Point], rules: [Ranking.Point], all: [Ranking.Point]) {
        var learned: [Ranking.Point] = []
        var rules: [Ranking.Point] = []
        var all: [Ranking.Point] = []
        for fold in 0..<folds {
            let learner = Learner()
            _ = learner.train(samples.filter { Int($0.group % UInt64(folds)) != fold }.map(\.exercise))
            let points = LearnedPoints(learner.counts, possiblePoints: possiblePoints)
            for sample in samples where Int(sample.group % UInt64(folds)) == fold {
                let odds = learner.logOdds(of: sample.exercise)
                let test = points.test(odds, text: nil)
                let sum = sample.rules.reduce(0) { $0 + $1.points }
                let total = sum + test.points + (points.balance(sample.rules)?.points ?? 0)
                learned.append(.init(score: odds, isSpam: sample.isSpam))
                rules.append(.init(score: sum, isSpam: sample.isSpam))
                all.append(.init(score: total, isSpam: sample.isSpam))
            }
        }
        return (learned, rules, all)
    }

    private static func report(
        _ curves: [(name: String, ranking: Ranking)], _ samples: [Sample], _ folds: Int, isJSON: Bool
    ) {
        let spam = samples.count(where: \.isSpam)
        if isJSON {
            var json = JSONWriter()
            json.object { json in
                json.field("spam", spam)
                json.field("ham", samples.count - spam)
                json.field("folds", folds)
                for (name, ranking) in curves {
                    json.object(name) {
                        $0.field("oneMinusAUC", ranking.lostArea * 100, decimals: 4)
                        $0.field("hamMisclassified", ranking.hamMisclassified * 100, decimals: 3)
                        $0.field("spamMissed", ranking.spamMissed * 100, decimals: 3)
                        $0.field("spamMissedAtOneInThousand", ranking.missed(atHam: 0.001) * 100, decimals: 3)
                    }
                }
            }
            Output.standard.write(json.takeLine())
            return
        }
        func cell(_ text: String) -> String { String(repeating: " ", count: max(0, 10 - text.count)) + text }
        func row(_ title: String, _ value: (Ranking) -> Double, _ decimals: Int) {
            let cells = curves.map { cell(DecimalText.format(value($0.ranking) * 100, decimals: decimals)) }
            Output.standard.writeLine(title + String(repeating: " ", count: 36 - title.count) + cells.joined())
        }
        Output.standard.writeLine("\(samples.count - spam) ham and \(spam) spam in \(folds) folds")
        Output.standard.writeLine(String(repeating: " ", count: 36) + curves.map { cell($0.name) }.joined())
        row("(1-ROCA) %", \.lostArea, 4)
        row("ham misclassified %", \.hamMisclassified, 3)
        row("spam missed %", \.spamMissed, 3)
        for rate in [0.0001, 0.001, 0.01] {
            let percent = Reports.points(rate * 100)
            row("spam missed % at \(percent) % ham", { $0.missed(atHam: rate) }, 3)
        }
    }
}

/// Reads the labelled messages.
private final class SampleCollector: MessageVisitor {
    var kind = MessageClass.ham
    private(set) var samples: [Evaluation.Sample] = []
    private(set) var hadUnreadable = false
    private let scorer: RuleScorer
    private let extractor = FeatureExtractor()

    init(_ plan: RulePlan) { scorer = RuleScorer(plan) }

    func visit(_ message: InputMessage, _ bytes: Span<UInt8>) throws -> Bool {
        let hits = try scorer.score(bytes, scoreSet: Evaluation.scoreSet).hits.map { Verdict.Test($0) }
        samples.append(
            Evaluation.Sample(
                isSpam: kind == .spam, group: SampleCollector.bodyHash(bytes),
                exercise: try Learner.Exercise(bytes, as: kind, extractor), rules: hits))
        return true
    }

    /// Of all that follows the header, white space aside.
    private static func bodyHash(_ bytes: Span<UInt8>) -> UInt64 {
        var place = 0
        while place < bytes.count {
            let line = bytes.line(at: place)
            place = line.next
            if line.content.isEmpty { break }
        }
        var sum = FNV1a()
        for index in place..<bytes.count where !bytes[index].isMailWhitespace { sum.add(bytes[index]) }
        let hash = sum.value
        return ((hash ^ (hash >> 32)) &* 0x9E37_79B9_7F4A_7C15) >> 16
    }

    func report(_ problem: InputProblem) {
        if problem.kind == .unreadable { hadUnreadable = true }
        Diagnostics.say("\(TerminalText.escape(problem.file)): \(problem.reason)")
    }
}
