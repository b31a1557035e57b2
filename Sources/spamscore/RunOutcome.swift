import CommandLineTool
import Mailboxes
import Unix

/// What came of a run over messages, and how it ends.
struct RunOutcome: Sendable {
    private var hadUnreadable = false
    private var hadNoMessage = false
    var hasSpam = false

    init() {}

    /// The outcome of shares of a run.
    init(_ shares: [RunOutcome]) {
        hadUnreadable = shares.contains { $0.hadUnreadable }
        hadNoMessage = shares.contains { $0.hadNoMessage }
        hasSpam = shares.contains { $0.hasSpam }
    }

    /// Tells of an input that gave no message.
    mutating func take(_ problem: InputProblem) {
        switch problem.kind {
        case .unreadable: hadUnreadable = true
        case .notMessage: hadNoMessage = true
        }
        Diagnostics.say("\(TerminalText.escape(problem.file)): \(problem.reason)")
    }

    /// How the run ends for inputs that gave no message; nil when all gave one.
    var problemCode: ExitCode? { hadUnreadable ? .noInput : hadNoMessage ? .dataError : nil }

    func exitCode(spamIsNegative: Bool) -> ExitCode {
        problemCode ?? (hasSpam && spamIsNegative ? .negative : .ok)
    }
}
