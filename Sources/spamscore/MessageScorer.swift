import Bytes
import CommandLineTool
import SpamClassifier
import SpamRules
import Unix

/// Scores messages, one after another: one a thread.
final class MessageScorer {
    let basis: ScoringBasis
    private let rules: RuleScorer
    private lazy var extractor = FeatureExtractor()

    init(_ basis: ScoringBasis) {
        self.basis = basis
        rules = RuleScorer(basis.plan)
    }

    /// Scores by the rules of the basis and by what a person has; nil for whoever runs this.
    func score(_ message: Span<UInt8>, for person: PersonalState? = nil) throws(PerlRegexError) -> Verdict {
        let person = person ?? basis.personal
        let weights = person.weights
        var cut = message.count > basis.sizeLimit ? ["max-size"] : []
        let message = message.extracting(0..<min(message.count, basis.sizeLimit))
        let logOdds = weights?.logOdds(of: message, extractor)
        if basis.isLearnedOnly {
            return Verdict(logOdds: logOdds ?? 0, text: evidence(message, weights))
        }
        let isLearned = weights.map { $0.counts.spam + $0.counts.ham > 0 } ?? false
        let network = basis.network
        let ask: ((NetworkSurvey) -> NetworkFacts)? = network.map { network in { network.facts($0) } }
        let outcome = try rules.score(
            message, scoreSet: LearnedPoints.scoreSet(isNetworked: network != nil, isLearned: isLearned),
            learned: isLearned ? logOdds.map(LearnedPoints.probability) : nil, network: ask)
        var tests = outcome.hits.map { Verdict.Test($0) }
        cut += outcome.cut
        if let scan = basis.virusScan?.run(message) {
            if let test = scan.test { tests.append(test) }
            if let problem = scan.problem { cut.append(problem) }
        }
        if let logOdds, let weights, isLearned, !outcome.tellsLearned {
            let points = LearnedPoints(weights.counts, possiblePoints: basis.possiblePoints)
            if let balance = points.balance(tests) { tests.append(balance) }
            tests.append(points.test(logOdds, text: evidence(message, weights)))
        }
        if let correspondent = outcome.correspondent, let reputation = person.reputation {
            switch reputation.test(correspondent, tests) {
            case .success(let test): if let test { tests.append(test) }
            case .failure(let error): cut.append("\(reputation.name): \(error.subject): \(error.reason)")
            }
        }
        var verdict = Verdict(
            tests, required: basis.required, learned: isLearned ? logOdds.map(LearnedPoints.probability) : nil, cut: cut
        )
        verdict.subrules = outcome.subrules
        if let automatic = person.automatic {
            verdict.learning = automatic.learn(message, outcome.lesson, logOdds: isLearned ? logOdds : nil)
        }
        return verdict
    }

    private func evidence(_ message: Span<UInt8>, _ weights: LearnedWeights?) -> String? {
        guard basis.explains, let weights else { return nil }
        let words = weights.evidence(in: message, extractor)
        return words.isEmpty ? nil : words.joined(separator: " ")
    }
}
