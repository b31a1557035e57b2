import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import SpamRules
import Unix

/// Scores the messages of all inputs and prints what was asked for.
final class ScoreRun {
    private let arguments: Arguments
    private let set: RuleSet
    private let scorer: RuleScorer
    private let required: Double
    private let output = Output.standard
    private var hasSpam = false
    private var worst = ExitCode.ok

    init(_ arguments: Arguments, _ set: RuleSet) {
        self.arguments = arguments
        self.set = set
        scorer = RuleScorer(set)
        required = arguments[Spamscore.threshold] ?? set.requiredScore ?? 5
    }

    /// Scores a file, a Maildir or standard input (`-`).
    func score(_ name: String) throws {
        do throws(SystemError) {
            if name == "-" {
                let bytes = try FileDescriptor(owning: dup(0), subject: "standard input").readAll()
                try scoreMessage(bytes.span, name)
            } else if Maildir.isMaildir(name) {
                let maildir = try Maildir(name)
                for entry in try maildir.entries() {
                    let bytes = try maildir.open(entry).readAll()
                    try scoreMessage(bytes.span, "\(name)/\(entry.folder.rawValue)/\(entry.name.bytes.text)")
                }
            } else {
                let bytes = try Files.read(name)
                try scoreMessage(bytes.span, name)
            }
        } catch {
            Diagnostics.say("\(TerminalText.escape(name)): cannot be read: \(error.reason)")
            worst = .noInput
        }
    }

    private func scoreMessage(_ bytes: Span<UInt8>, _ name: String) throws(SystemError) {
        guard !bytes.isEmpty else {
            Diagnostics.say("\(TerminalText.escape(name)): not a message: it is empty")
            if worst == .ok { worst = .dataError }
            return
        }
        let begin = ContinuousClock.now
        let verdict: RuleVerdict
        do throws(PerlRegexError) {
            verdict = try scorer.score(bytes)
        } catch {
            Diagnostics.say("\(error)")
            worst = .unavailable
            return
        }
        let isSpam = verdict.score >= required
        hasSpam = hasSpam || isSpam
        let elapsed = Double((ContinuousClock.now - begin) / .microseconds(1)) / 1_000
        if arguments[Spamscore.json] {
            output.write(Reports.json(verdict, name, required, elapsed, set))
        } else if arguments[Spamscore.explain] {
            output.write(Reports.explanation(verdict, name, required))
        } else if arguments[Spamscore.check] {
            output.writeLine("\(Reports.number(verdict.score))/\(Reports.number(required))")
        } else {
            output.writeLine(
                "\(Reports.number(verdict.score))/\(Reports.number(required)) \(isSpam ? "spam" : "ham") "
                    + TerminalText.escape(name))
        }
    }

    func finish() -> ExitCode {
        if worst != .ok { return worst }
        return hasSpam && (arguments[Spamscore.check] || arguments[Spamscore.exitCode]) ? .negative : .ok
    }
}
