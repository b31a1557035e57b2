import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import SpamRules
import Unix

/// Scores mail by rules, and says why.
enum Spamscore: Tool {
    static let description = ToolDescription(
        name: "spamscore",
        summary: "score mail by rules and by what was learned, and say why",
        synopsis: ["[options] [FILE|MAILDIR|-]..."],
        details: """
            Scores messages by rules in SpamAssassin's .cf language: header, body, rawbody, uri, full and meta rules, score, \
            describe, tflags. Past a threshold of points a message is spam. Without a mode it prints score, threshold, \
            verdict and name of each message, one a line.

            As a filter it removes X-Spam fields that are there, puts its own at the top, and changes nothing else. When \
            scoring fails the message comes out unmarked.

            --learn spam and --learn ham teach it from messages, Maildirs and mboxes; --forget takes a lesson back; --train \
            learns one list of both kinds, which is the best way to begin. What was learned is kept in one file, which \
            any number of processes may read while one learns. The learned log-odds give points beside the rules, few \
            after few lessons.

            What of the rules is not supported is told by --lint, with file and line; the scorer runs with the rest.
            """,
        options: SpamscoreOptions.all,
        sections: [
            .init(
                "JSON",
                """
                file, index (in its mailbox), score, required, spam, learned (probability, null when nothing was learned), tests (name, score, description, \
                area, text), unsupported (lines of the rules), cut (rules that met their limit), ms.
                """)
        ],
        examples: [
            .init(
                "Learn from two folders", "spamscore --learn ham ~/Maildir && spamscore --learn spam ~/Maildir/.Spam"),
            .init("Why is it spam?", "spamscore --explain message.eml"),
            .init("As a filter of smtp-serve", "smtp-serve --filter 'spamscore --filter'"),
        ],
        exitCodes: [
            (.ok, "done, ham"), (.negative, "spam (--check, --exit-code), or a --lint problem"),
            (.usage, "wrong usage"),
            (.dataError, "not a message, or no file of weights"), (.noInput, "an input cannot be read"),
            (.unavailable, "PCRE2 is not on this system"), (.ioError, "output failed"),
            (.temporaryFailure, "scoring failed (--filter --fail)"),
        ],
        seeAlso: ["smtp-serve(1)", "mailparse(1)"])

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let options = SpamscoreOptions.self
        let folder = UserFolder(arguments)
        if arguments.isGiven(options.learn) || arguments[options.forget] || arguments.isGiven(options.train) {
            return try Learning.run(arguments, folder)
        }
        if arguments[options.filter] { return try Filter.run(arguments, folder) }
        if arguments[options.lint] { return Reports.lint(try RuleFiles.load(arguments, folder)) }
        if arguments[options.listRules] {
            Reports.list(try RuleFiles.load(arguments, folder))
            return .ok
        }
        let basis = try ScoringBasis(arguments, folder)
        let form: ScoreRun.Form =
            arguments[options.json]
            ? .json : arguments[options.explain] ? .explanation : arguments[options.check] ? .check : .line
        let runs = try Inputs.of(arguments).read(jobs: arguments[options.jobs], write: { Output.standard.write($0) }) {
            ScoreRun(basis, form, Output(to: $0.write))
        }
        return ScoreRun.Outcome(runs.map(\.outcome))
            .exitCode(spamIsNegative: arguments[options.check] || arguments[options.exitCode])
    }
}
