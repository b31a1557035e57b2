import Bytes
import CommandLineTool
import SpamClassifier
import SpamRules
import Unix

/// What all scorers of a run share: the rules and the learned weights.
struct ScoringBasis: Sendable {
    let rules: RuleSet
    let weights: LearnedWeights?
    let required: Double
    /// The learned words are looked up too.
    var explains = false
    /// The log-odds alone.
    let isLearnedOnly: Bool
    /// Of a larger message so many bytes are scored.
    let sizeLimit: Int

    init(_ arguments: Arguments, _ folder: UserFolder) throws(ToolFailure) {
        let options = SpamscoreOptions.self
        isLearnedOnly = arguments[options.learnedOnly]
        if isLearnedOnly, arguments[options.noLearned] {
            throw ToolFailure(.usage, "--learned-only and --no-learned exclude each other")
        }
        rules = isLearnedOnly ? RuleSet() : try RuleFiles.load(arguments, folder)
        weights = arguments[options.noLearned] ? nil : try folder.openWeights(mustExist: isLearnedOnly)
        required = isLearnedOnly ? 0 : arguments[options.threshold] ?? rules.requiredScore ?? 5
        explains = arguments[options.explain] || arguments[options.json]
        sizeLimit = arguments[options.maximumSize] ?? .max
    }
}

/// Scores messages, one after another: one a thread.
final class MessageScorer {
    let basis: ScoringBasis
    private let rules: RuleScorer
    private lazy var extractor = FeatureExtractor()

    init(_ basis: ScoringBasis) {
        self.basis = basis
        rules = RuleScorer(basis.rules)
    }

    /// The log-odds that a message is spam, by what was learned.
    func logOdds(_ message: Span<UInt8>) -> Double? { basis.weights?.logOdds(of: message, extractor) }

    func score(_ message: Span<UInt8>) throws(PerlRegexError) -> Verdict {
        let message = message.extracting(0..<min(message.count, basis.sizeLimit))
        let logOdds = logOdds(message)
        if basis.isLearnedOnly {
            return Verdict(logOdds: logOdds ?? 0, text: evidence(message))
        }
        let hits = try rules.score(message)
        var tests = hits.hits.map {
            Verdict.Test(
                name: $0.name, points: $0.points, description: $0.description, area: $0.area, text: $0.text)
        }
        if let logOdds, let weights = basis.weights {
            let points = LearnedPoints(weights.counts)
            if let balance = points.balance(tests) { tests.append(balance) }
            tests.append(points.test(logOdds, text: evidence(message)))
        }
        return Verdict(
            tests, required: basis.required, learned: logOdds.map(LearnedPoints.probability), cut: hits.cut)
    }

    private func evidence(_ message: Span<UInt8>) -> String? {
        guard basis.explains, let weights = basis.weights else { return nil }
        let words = weights.evidence(in: message, extractor)
        return words.isEmpty ? nil : words.joined(separator: " ")
    }
}
