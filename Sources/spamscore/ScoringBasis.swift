import CommandLineTool
import SpamClassifier
import SpamRules

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
    private let learnsByItself: Bool

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
        let usesLearned = !arguments[options.noLearned] && settings.isOn("use_bayes", default: true)
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
        learnsByItself = usesLearned && !isLearnedOnly
        personal = PersonalState(plan, folder, weights, learnsByItself: learnsByItself)
    }

    /// What another one has of their own, with weights that are open already.
    func personal(_ folder: UserFolder, _ weights: LearnedWeights?) -> PersonalState {
        PersonalState(plan, folder, weights, learnsByItself: learnsByItself)
    }
}

/// What one person has of their own: what was learned, what their senders' messages have scored, and where new lessons go.
struct PersonalState: Sendable {
    let weights: LearnedWeights?
    let reputation: SenderReputation?
    let automatic: AutomaticLearning?

    init(_ plan: RulePlan, _ folder: UserFolder, _ weights: LearnedWeights?, learnsByItself: Bool) {
        self.weights = weights
        reputation = SenderReputation(plan, folder)
        automatic = learnsByItself ? AutomaticLearning(plan.settings, folder) : nil
    }
}
