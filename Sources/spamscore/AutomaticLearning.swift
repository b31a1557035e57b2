import Bytes
import CommandLineTool
import SpamClassifier
import SpamRules

/// bayes_auto_learn: a message that the rules are very sure of is learned as what they take it for. Off by default.
///
/// The points of the rules alone decide, without those that a person has set; spam needs points of the header and of the
/// body beside its sum; and what was learned must not say the contrary.
struct AutomaticLearning: Sendable {
    /// What became of a message.
    enum Outcome: String, Sendable { case no, spam, ham, failed }

    private let file: String
    private let hamBelow: Double
    private let spamFrom: Double
    /// Only what the learned part is wrong about.
    private let learnsErrorsOnly: Bool

    private static let leastOfEach = 3.0
    /// Log-odds from which on the learned part says something.
    private static let conviction = 1.0

    /// Nil when the rules do not ask for it.
    init?(_ settings: RuleSettings, _ folder: UserFolder) {
        guard settings.isOn("bayes_auto_learn", default: false), let file = try? folder.weights() else { return nil }
        self.file = file
        hamBelow = settings.number("bayes_auto_learn_threshold_nonspam") ?? 0.1
        spamFrom = settings.number("bayes_auto_learn_threshold_spam") ?? 12
        learnsErrorsOnly = settings.isOn("bayes_auto_learn_on_error", default: false)
    }

    func learn(_ message: Span<UInt8>, _ lesson: LessonPoints, logOdds: Double?) -> Outcome {
        guard let kind = kind(lesson, logOdds) else { return .no }
        return learn(message.array, kind)
    }

    private func learn(_ message: [UInt8], _ kind: MessageClass) -> Outcome {
        do throws(WeightFileError) {
            let outcome = try Lessons.teach(file) { learner throws(WeightFileError) in
                try learner.learn(message.span, as: kind, FeatureExtractor())
            }
            return outcome == .learned ? (kind == .spam ? .spam : .ham) : .no
        } catch {
            return .failed
        }
    }

    private func kind(_ lesson: LessonPoints, _ logOdds: Double?) -> MessageClass? {
        let odds = logOdds ?? 0
        if lesson.sum < hamBelow {
            if odds >= Self.conviction || (learnsErrorsOnly && odds < 0) { return nil }
            return .ham
        }
        guard lesson.sum >= spamFrom, lesson.header >= Self.leastOfEach, lesson.body >= Self.leastOfEach else {
            return nil
        }
        if odds <= -Self.conviction || (learnsErrorsOnly && odds > 0) { return nil }
        return .spam
    }
}
