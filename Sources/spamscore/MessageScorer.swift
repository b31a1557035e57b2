import Bytes
import CommandLineTool
import SpamClassifier
import SpamRules
import Unix

/// What all scorers of a run share: the rules, the learned weights, and whom else to ask.
struct ScoringBasis: Sendable {
    let plan: RulePlan
    /// How messages are marked.
    let marking: MarkingOptions
    /// What whoever runs this has of their own.
    let personal: PersonalState
    let required: Double
    /// What the rules could give in all beside a learned part.
    let possiblePoints: Double
    /// The learned words are looked up too.
    let explains: Bool
    /// The log-odds alone.
    let isLearnedOnly: Bool
    /// Of a larger message so many bytes are scored.
    let sizeLimit: Int
    let virusScan: VirusScan?
    /// Nil when nothing but the message is looked at.
    let network: NetworkTests?
    private let usesLearned: Bool

    /// - Parameter network: what asks the network, when that is there already.
    init(
        _ arguments: Arguments, _ folder: UserFolder, network: NetworkTests? = nil, isCached: Bool = true,
        isServing: Bool = false
    ) throws(ToolFailure) {
        let options = SpamscoreOptions.self
        isLearnedOnly = arguments[options.learnedOnly]
        if isLearnedOnly, arguments[options.noLearned] {
            throw ToolFailure(.usage, "--learned-only and --no-learned exclude each other")
        }
        plan = isLearnedOnly ? RulePlan(RuleSet()) : try RuleFiles.plan(arguments, folder, isCached: isCached)
        let settings = plan.settings
        marking = MarkingOptions(plan)
        usesLearned = !arguments[options.noLearned] && settings.isOn("use_bayes", default: true)
        let weights =
            usesLearned || isLearnedOnly ? try folder.openWeights(mustExist: isLearnedOnly, isServing: isServing) : nil
        required = isLearnedOnly ? 0 : arguments[options.threshold] ?? plan.requiredScore ?? 5
        explains = arguments[options.explain] || arguments[options.json]
        sizeLimit = arguments[options.maximumSize] ?? .max
        virusScan = try arguments[options.clamd].map { address throws(ToolFailure) in
            try VirusScan(address, patience: arguments[options.deadline])
        }
        let isLocal = arguments[options.local] || !settings.isOn("dns_available", default: true)
        if isLocal || isLearnedOnly {
            self.network = nil
        } else {
            self.network = if let network { network } else { try NetworkTests(arguments) }
        }
        possiblePoints = plan.possiblePoints(
            scoreSet: LearnedPoints.scoreSet(isNetworked: self.network != nil, isLearned: true),
            below: LearnedPoints.decision)
        personal = PersonalState(
            weights: weights, reputation: SenderReputation(plan, folder),
            automatic: isLearnedOnly || !usesLearned ? nil : AutomaticLearning(settings, folder))
    }

    /// What another one has of their own, with weights that are open already.
    func personal(_ folder: UserFolder, _ weights: LearnedWeights?) -> PersonalState {
        PersonalState(
            weights: weights, reputation: SenderReputation(plan, folder),
            automatic: isLearnedOnly || !usesLearned ? nil : AutomaticLearning(plan.settings, folder))
    }
}

/// What one person has of their own: what was learned, what their senders' messages have scored, and where new lessons go.
struct PersonalState: Sendable {
    let weights: LearnedWeights?
    let reputation: SenderReputation?
    let automatic: AutomaticLearning?
}

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
