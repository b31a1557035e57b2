import Bytes
import CommandLineTool
import SpamClassifier
import SpamRules
import Unix

/// What all scorers of a run share: the rules and the learned weights.
struct ScoringBasis: Sendable {
    let rules: RuleSet
    /// How messages are marked.
    let marking: MarkingOptions
    let weights: LearnedWeights?
    let required: Double
    /// The learned words are looked up too.
    var explains = false
    /// The log-odds alone.
    let isLearnedOnly: Bool
    /// Of a larger message so many bytes are scored.
    let sizeLimit: Int
    let virusScan: VirusScan?

    init(_ arguments: Arguments, _ folder: UserFolder) throws(ToolFailure) {
        let options = SpamscoreOptions.self
        isLearnedOnly = arguments[options.learnedOnly]
        if isLearnedOnly, arguments[options.noLearned] {
            throw ToolFailure(.usage, "--learned-only and --no-learned exclude each other")
        }
        var settings = MarkingSettings()
        rules = isLearnedOnly ? RuleSet() : try RuleFiles.load(arguments, folder, &settings)
        marking = MarkingOptions(settings)
        weights = arguments[options.noLearned] ? nil : try folder.openWeights(mustExist: isLearnedOnly)
        required = isLearnedOnly ? 0 : arguments[options.threshold] ?? rules.requiredScore ?? 5
        explains = arguments[options.explain] || arguments[options.json]
        sizeLimit = arguments[options.maximumSize] ?? .max
        virusScan = try arguments[options.clamd].map { address throws(ToolFailure) in try VirusScan(address) }
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
    private func logOdds(_ message: Span<UInt8>, _ weights: LearnedWeights?) -> Double? {
        weights?.logOdds(of: message, extractor)
    }

    /// Scores by the rules of the basis and by `weights`.
    func score(_ message: Span<UInt8>, _ weights: LearnedWeights?) throws(PerlRegexError) -> Verdict {
        var cut = message.count > basis.sizeLimit ? ["max-size"] : []
        let message = message.extracting(0..<min(message.count, basis.sizeLimit))
        let logOdds = logOdds(message, weights)
        if basis.isLearnedOnly {
            return Verdict(logOdds: logOdds ?? 0, text: evidence(message, weights))
        }
        let hits = try rules.score(message)
        var tests = hits.hits.map {
            Verdict.Test(
                name: $0.name, points: $0.points, description: $0.description, area: $0.area, text: $0.text)
        }
        cut += hits.cut
        if let scan = basis.virusScan?.run(message) {
            if let test = scan.test { tests.append(test) }
            if let problem = scan.problem { cut.append(problem) }
        }
        if let logOdds, let weights {
            let points = LearnedPoints(weights.counts)
            if let balance = points.balance(tests) { tests.append(balance) }
            tests.append(points.test(logOdds, text: evidence(message, weights)))
        }
        return Verdict(
            tests, required: basis.required, learned: logOdds.map(LearnedPoints.probability), cut: cut)
    }

    private func evidence(_ message: Span<UInt8>, _ weights: LearnedWeights?) -> String? {
        guard basis.explains, let weights else { return nil }
        let words = weights.evidence(in: message, extractor)
        return words.isEmpty ? nil : words.joined(separator: " ")
    }
}
