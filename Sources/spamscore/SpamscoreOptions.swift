import CommandLineTool
import Mailboxes
import Unix

/// The options of spamscore.
enum SpamscoreOptions {
    static let json = Option.flag("json", "one JSON object a message", group: modes)
    static let filter = Option.flag("filter", short: "f", "standard input to output, with X-Spam fields", group: modes)
    static let check = Option.flag("check", short: "c", "print score/required; exit 1 if spam", group: modes)
    static let explain = Option.flag("explain", "every point with its reason and text", group: modes)
    static let lint = Option.flag("lint", "tell of each line of the rules that is not understood", group: modes)
    static let listRules = Option.flag("list-rules", "the rules with their points", group: modes)

    static let learn = Option.choice(
        "learn", ["spam", "ham"], default: "", "learn the messages as what they are", group: learning)
    static let forget = Option.flag("forget", "take back what the messages have taught", group: learning)
    static let train = Option.text(
        "train", "LIST", "learn one batch: lines 'spam PATH' or 'ham PATH'", group: learning, completion: .file)
    static let learnedOnly = Option.flag(
        "learned-only", "the score is the log-odds of the learned part alone", group: learning)
    static let noLearned = Option.flag("no-learned", "rules alone", group: learning)
    static let weights = Option.text(
        "weights", "FILE", "the learned weights (DIR/learned.weights)", group: learning, completion: .file)

    static let rules = Option.list(
        "rules", "FILE|DIR", "rules in .cf syntax, repeatable (../share/facteur/spam.cf)", group: settings,
        completion: .file)
    static let userFolder = Option.text(
        "user-dir", "DIR", "one's own rules (*.cf, user_prefs) and weights (~/.config/facteur)", group: settings,
        completion: .directory)
    static let threshold = Option.number("threshold", "N", "from so many points on it is spam (5)", group: settings)
    static let maximumSize = Option.size(
        "max-size", "BYTES", "of a larger message so much is scored", group: settings)
    static let clamd = Option.text(
        "clamd", "ADDR[:PORT]", "ask a virus scanner too (port 3310); unix:PATH too", group: settings)
    static let local = Option.flag("local", "nothing but the message itself: no network", group: network)
    static let server = Option.list(
        "server", "ADDR[:PORT]", "ask this DNS server; may be given again (default: those of resolv.conf)",
        group: network)
    static let dns = Option.text(
        "dns", "FILE", "answer from the lines of this zone file in place of a server", group: network, completion: .file
    )
    static let deadline = Option.duration(
        "deadline", "S", default: .seconds(5),
        "what the network has not said by then counts for nothing (5); with --connect: the server's time, without limit",
        group: network)
    static let exitCode = Option.flag("exit-code", "exit 1 when any message is spam", group: settings)
    static let failClosed = Option.flag(
        "fail", short: "x", "with --filter: exit 75 when scoring fails", group: settings)

    static let mbox = Option.flag("mbox", "inputs are mboxes, whatever they look like", group: inputs)
    static let files = Option.text(
        "files", "LIST", "also the messages that a list names, one a line (- stdin)", group: inputs, completion: .file)
    static let files0 = Option.text(
        "files0", "LIST", "the same with names that end with NUL", group: inputs, completion: .file)
    static let jobs = Option.integer(
        "jobs", short: "j", "N", in: 1...256, default: WorkerThreads.processors,
        "how many messages are worked at at a time (as many as there are processors)", group: inputs)

    static let serve = Option.list(
        "serve", "ADDR:PORT[,tls]", "serve the spamd protocol there, repeatable; unix:PATH too", group: serving)
    static let workers = Option.integer(
        "workers", "N", in: 1...256, default: WorkerThreads.processors,
        "so many messages are scored at once (as many as there are processors)", group: serving)
    static let certificate = Option.text(
        "cert", "FILE", "certificate chain of ,tls (PEM)", group: serving, completion: .file)
    static let key = Option.text("key", "FILE", "its key (PEM)", group: serving, completion: .file)
    static let connect = Option.text(
        "connect", "ADDR:PORT[,tls]", "ask such a server instead, as spamc does; unix:PATH too", group: serving)
    static let user = Option.text("user", short: "u", "NAME", "with --connect: whose rules and weights", group: serving)

    static let evaluate = Option.flag("evaluate", "how well labelled messages are told apart", group: evaluation)
    static let spamFolders = Option.list(
        "spam", "DIR", "spam to evaluate with, repeatable", group: evaluation, completion: .directory)
    static let hamFolders = Option.list(
        "ham", "DIR", "ham to evaluate with, repeatable", group: evaluation, completion: .directory)
    static let folds = Option.integer(
        "folds", "K", in: 2...100, default: 10, "learn from all but one of K parts, score that one (10)",
        group: evaluation)
    static let plot = Option.text(
        "plot", "FILE", "the curves of errors as SVG", group: evaluation, completion: .file)

    static let serving = "Server"
    static let evaluation = "Evaluation"
    static let modes = "Modes"
    static let learning = "Learning"
    static let settings = "Settings"
    static let network = "Network"
    static let inputs = "Inputs"

    static let all: [AnyOption] = [
        AnyOption(json), AnyOption(filter), AnyOption(check), AnyOption(explain), AnyOption(lint),
        AnyOption(listRules), AnyOption(learn), AnyOption(forget), AnyOption(train), AnyOption(learnedOnly),
        AnyOption(noLearned), AnyOption(weights), AnyOption(rules), AnyOption(userFolder), AnyOption(threshold),
        AnyOption(maximumSize), AnyOption(clamd), AnyOption(local), AnyOption(server), AnyOption(dns),
        AnyOption(deadline),
        AnyOption(exitCode), AnyOption(failClosed), AnyOption(mbox), AnyOption(files), AnyOption(files0),
        AnyOption(jobs), AnyOption(serve), AnyOption(workers), AnyOption(certificate), AnyOption(key),
        AnyOption(connect), AnyOption(user), AnyOption(evaluate), AnyOption(spamFolders), AnyOption(hamFolders),
        AnyOption(folds), AnyOption(plot),
    ]

    /// One thing at a time: what was given must not be left undone without a word.
    static func checkModes(_ arguments: Arguments) throws(ToolFailure) {
        let marking = [("--filter", arguments[filter])]
        let local = [
            ("--lint", arguments[lint]), ("--list-rules", arguments[listRules]),
            ("--evaluate", arguments[evaluate]), ("--train", arguments.isGiven(train)),
            ("--serve", !arguments[serve].isEmpty),
        ]
        let lessons = [("--learn", arguments.isGiven(learn)), ("--forget", arguments[forget])]
        try exclude(marking + local + lessons + [("--check", arguments[check])])
        try exclude(marking + local + lessons + [("--explain", arguments[explain])])
        try exclude(marking + [("--json", arguments[json])])
        try exclude(local + [("--connect", arguments.isGiven(connect))])
        let inputs = arguments.operands + [arguments[files], arguments[files0]].compactMap { $0 }
        if let mode = local.first(where: { $0.1 }), let input = inputs.first {
            throw ToolFailure(.usage, "\(mode.0) takes no messages: \(TerminalText.escape(input)) is one too many")
        }
    }

    private static func exclude(_ modes: [(name: String, isGiven: Bool)]) throws(ToolFailure) {
        let given = modes.filter(\.isGiven)
        guard given.count > 1 else { return }
        throw ToolFailure(.usage, "\(given[0].name) and \(given[1].name) exclude each other")
    }
}
