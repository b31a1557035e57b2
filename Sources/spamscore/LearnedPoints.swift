import CommandLineTool
import Glibc
import SpamClassifier

/// How the learned part and the rules enter the total.
///
/// Rules rank messages far worse than what was learned, so their plain sum would spoil it: the log-odds give points in
/// proportion, without a bound, and the sum of the rules is drawn together beside them. That none of many rules has hit
/// speaks for ham. All of it happens by degrees: with few lessons the learned part gives few points and the rules keep
/// theirs.
struct LearnedPoints {
    /// How much the learned part is trusted, from 0 to 1: by the lessons of the kind that it has seen less of.
    let trust: Double
    /// How much the rules could have said, from 0 to 1.
    private let strength: Double

    /// Lessons of each kind at which the learned part has half its weight.
    private static let halfTrust = 20.0
    // Fitted by cross-validation with the stock rules: what ranks best, and 5 points where a ham in a thousand stands.
    /// Points for one unit of the log-odds.
    private static let slope = 2.2
    /// What the rules' points can become beside a trusted learned part, and the sum from which on they bend towards it.
    private static let ruleBound = 8.8
    private static let ruleScale = 10.0
    /// What it takes away that many rules could have hit, and the possible points that half of it is for.
    private static let silence = 2.3
    private static let halfStrength = 60.0
    /// Points from here on are a decision, as of a list, and are not weighed.
    static let decision = 50.0

    /// - Parameter possiblePoints: what the rules could give in all, `RulePlan.possiblePoints`.
    init(_ counts: LessonCounts, possiblePoints: Double) {
        let lessons = Double(min(counts.spam, counts.ham))
        trust = lessons / (lessons + Self.halfTrust)
        strength = possiblePoints / (possiblePoints + Self.halfStrength)
    }

    /// Which of the four scores of a rule counts.
    static func scoreSet(isNetworked: Bool, isLearned: Bool) -> Int { (isNetworked ? 1 : 0) + (isLearned ? 2 : 0) }

    /// The test that stands for the learned part.
    func test(_ logOdds: Double, text: String?) -> Verdict.Test {
        let probability = LearnedPoints.probability(logOdds)
        let band = Self.bands.last { probability >= $0.from } ?? Self.bands[0]
        return Verdict.Test(
            name: "LEARNED_\(band.name)", points: LearnedPoints.rounded(logOdds * Self.slope * trust),
            description: "learned probability \(band.words)", area: "learned", text: text)
    }

    /// The test that draws the rules' sum together and weighs their silence; nil when there is nothing to change.
    func balance(_ tests: [Verdict.Test]) -> Verdict.Test? {
        let sum = tests.reduce(0) { $0 + (Self.isWeighed($1) ? $1.points : 0) }
        let weighed = Self.ruleBound * tanh(sum / Self.ruleScale) - Self.silence * strength
        let change = LearnedPoints.rounded((weighed - sum) * trust)
        guard change != 0 else { return nil }
        return Verdict.Test(
            name: "LEARNED_BALANCE", points: change,
            description: "the learned part counts more than the rules", area: "learned", text: nil)
    }

    private static func isWeighed(_ test: Verdict.Test) -> Bool {
        test.points.magnitude < decision && test.name != "CLAMAV"
    }

    static func probability(_ logOdds: Double) -> Double { 1 / (1 + exp(-logOdds)) }

    /// With three decimals, so that the points shown add up to the score.
    static func rounded(_ points: Double) -> Double {
        let result = (points * 1_000).rounded() / 1_000
        return result == 0 ? 0 : result
    }

    private static let bands: [(from: Double, name: String, words: String)] = [
        (0, "00", "0 to 0.01"), (0.01, "05", "0.01 to 0.05"), (0.05, "20", "0.05 to 0.2"),
        (0.2, "40", "0.2 to 0.4"), (0.4, "50", "0.4 to 0.6"), (0.6, "60", "0.6 to 0.8"),
        (0.8, "80", "0.8 to 0.95"), (0.95, "95", "0.95 to 0.99"), (0.99, "99", "0.99 to 1"),
    ]
}
