import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import SpamRules
import Unix

/// Scores mail by rules, and says why.
enum Spamscore: Tool {
    static let json = Option.flag("json", "one JSON object a message", group: modes)
    static let filter = Option.flag("filter", short: "f", "standard input to output, with X-Spam fields", group: modes)
    static let check = Option.flag("check", short: "c", "print score/required; exit 1 if spam", group: modes)
    static let explain = Option.flag("explain", "every point with its reason and text", group: modes)
    static let lint = Option.flag("lint", "tell of each line of the rules that is not understood", group: modes)
    static let listRules = Option.flag("list-rules", "the rules with their points", group: modes)
    static let rules = Option.list(
        "rules", "FILE|DIR", "rules in .cf syntax, repeatable (../share/facteur/spam.cf)", group: settings,
        completion: .file)
    static let threshold = Option.number("threshold", "N", "from so many points on it is spam (5)", group: settings)
    static let exitCode = Option.flag("exit-code", "exit 1 when any message is spam", group: settings)
    static let failClosed = Option.flag(
        "fail", short: "x", "with --filter: exit 75 when scoring fails", group: settings)

    private static let modes = "Modes"
    private static let settings = "Settings"

    static let description = ToolDescription(
        name: "spamscore",
        summary: "score mail by rules and say why",
        synopsis: ["[options] [FILE|MAILDIR|-]..."],
        details: """
            Scores messages by rules in SpamAssassin's .cf language: header, body, rawbody, uri, full and meta rules, score, \
            describe, tflags. Past a threshold of points a message is spam. Without a mode it prints score, threshold, \
            verdict and name of each message, one a line.

            As a filter it removes X-Spam fields that are there, puts its own at the top, and changes nothing else. When \
            scoring fails the message comes out unmarked.

            What of the rules is not supported is told by --lint, with file and line; the scorer runs with the rest.
            """,
        options: [
            AnyOption(json), AnyOption(filter), AnyOption(check), AnyOption(explain), AnyOption(lint),
            AnyOption(listRules), AnyOption(rules), AnyOption(threshold), AnyOption(exitCode), AnyOption(failClosed),
        ],
        sections: [
            .init(
                "JSON",
                """
                file, score, required, spam, learned (null: there is no learned part), tests (name, score, description, \
                area, text), unsupported (lines of the rules), cut (rules that met their limit), ms.
                """)
        ],
        examples: [
            .init("Why is it spam?", "spamscore --explain message.eml"),
            .init("As a filter of smtp-serve", "smtp-serve --filter 'spamscore --filter'"),
        ],
        exitCodes: [
            (.ok, "done, ham"), (.negative, "spam (--check, --exit-code), or a --lint problem"),
            (.usage, "wrong usage"),
            (.dataError, "not a message"), (.noInput, "an input cannot be read"),
            (.unavailable, "PCRE2 is not on this system"), (.ioError, "output failed"),
            (.temporaryFailure, "scoring failed (--filter --fail)"),
        ],
        seeAlso: ["smtp-serve(1)", "mailparse(1)"])

    static func run(_ arguments: Arguments) throws -> ExitCode {
        if arguments[filter] { return try Filter.run(arguments) }
        let set = try RuleFiles.load(arguments)
        if arguments[lint] { return Reports.lint(set) }
        if arguments[listRules] {
            Reports.list(set)
            return .ok
        }
        let run = ScoreRun(arguments, set)
        for name in arguments.operands.isEmpty ? ["-"] : arguments.operands { try run.score(name) }
        return run.finish()
    }
}
