import SpamRules

/// What was concluded about a message.
struct Verdict: Sendable {
    /// One reason, with its points.
    struct Test: Sendable {
        let name: String
        let points: Double
        let description: String?
        let area: String
        let text: String?
        /// The text is a reason in words, not a piece of the message.
        let isReason: Bool

        init(name: String, points: Double, description: String?, area: String, text: String?, isReason: Bool = false) {
            self.name = name
            self.points = Verdict.bounded(points)
            self.description = description
            self.area = area
            self.text = text
            self.isReason = isReason
        }

        init(_ hit: RuleHit) {
            self.init(
                name: hit.name, points: hit.points, description: hit.description, area: hit.area, text: hit.text,
                isReason: hit.isReason)
        }
    }

    let tests: [Test]
    /// The sum of the points of the tests.
    let score: Double
    let required: Double
    /// The learned probability of spam; nil when nothing was learned.
    let learned: Double?
    /// Rules that met their limit, and what else was not looked at.
    let cut: [String]
    /// Rules without points that hit.
    var subrules: [String] = []
    /// What the message was learned as by itself.
    var learning = AutomaticLearning.Outcome.no

    /// The score is the log-odds of the learned part, and nothing else was asked.
    let isLearnedOnly: Bool

    /// The names of the tests, sorted.
    var names: [String] { tests.map(\.name).sorted() }

    /// At the threshold it is spam; of log-odds, which are 0 when nothing speaks for either, above it.
    var isSpam: Bool { isLearnedOnly ? score > required : score >= required }

    /// Points are numbers, of a size that can be added and shown; what a strange file of weights gives may be neither.
    private static func bounded(_ points: Double) -> Double { points.isNaN ? 0 : min(max(points, -1e9), 1e9) }

    init(logOdds: Double, text: String?) {
        let score = (Verdict.bounded(logOdds) * 10_000).rounded() / 10_000
        tests = [
            Test(name: "LEARNED", points: score, description: "learned log-odds of spam", area: "learned", text: text)
        ]
        self.score = score
        required = 0
        learned = LearnedPoints.probability(logOdds)
        cut = []
        isLearnedOnly = true
    }

    init(_ tests: [Test], required: Double, learned: Double?, cut: [String]) {
        self.tests = tests
        isLearnedOnly = false
        // Sums of decimals in binary leave crumbs.
        score = (tests.reduce(0) { $0 + $1.points } * 1_000).rounded() / 1_000
        self.required = required
        self.learned = learned
        self.cut = cut
    }
}
