import Bytes
import CommandLineTool
import Mailboxes
import SpamRules
import Synchronization
import Unix

/// Scores one worker's share of the messages and prints what was asked for.
final class ScoreRun: MessageVisitor, Sendable {
    /// How a message is reported.
    enum Form: Sendable { case line, json, explanation, check }

    /// What came of it.
    struct Outcome: Sendable {
        var hadUnreadable = false
        var hadNoMessage = false
        var hasSpam = false

        init() {}

        init(_ shares: [Outcome]) {
            hadUnreadable = shares.contains { $0.hadUnreadable }
            hadNoMessage = shares.contains { $0.hadNoMessage }
            hasSpam = shares.contains { $0.hasSpam }
        }

        func exitCode(spamIsNegative: Bool) -> ExitCode {
            if hadUnreadable { return .noInput }
            if hadNoMessage { return .dataError }
            return hasSpam && spamIsNegative ? .negative : .ok
        }
    }

    private let form: Form
    private let output: Output
    private let scorer: Mutex<MessageScorer>
    private let state = Mutex(Outcome())

    var outcome: Outcome { state.withLock { $0 } }

    init(_ basis: ScoringBasis, _ form: Form, _ output: Output) {
        self.form = form
        self.output = output
        scorer = Mutex(MessageScorer(basis))
    }

    func visit(_ input: InputMessage, _ bytes: Span<UInt8>) throws -> Bool {
        let begin = ContinuousClock.now
        let verdict = try scorer.withLock { scorer throws in
            do throws(PerlRegexError) {
                return try scorer.score(bytes)
            } catch {
                throw ToolFailure(.unavailable, "\(error)")
            }
        }
        let elapsed = Double((ContinuousClock.now - begin) / .microseconds(1)) / 1_000
        if verdict.isSpam { state.withLock { $0.hasSpam = true } }
        switch form {
        case .json: output.write(Reports.json(verdict, input, elapsed, scorer.withLock { $0.basis.plan.problems }))
        case .explanation: output.write(Reports.explanation(verdict, input.file))
        case .check: output.writeLine(Reports.check(verdict))
        case .line:
            output.writeLine(
                "\(Reports.check(verdict)) \(verdict.isSpam ? "spam" : "ham") \(TerminalText.escape(input.file))")
        }
        return true
    }

    func report(_ problem: InputProblem) {
        state.withLock { state in
            switch problem.kind {
            case .unreadable: state.hadUnreadable = true
            case .notMessage: state.hadNoMessage = true
            }
        }
        output.flush()
        Diagnostics.say("\(TerminalText.escape(problem.file)): \(problem.reason)")
    }

    func endStretch() { output.flush() }
}
