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
            Scores messages by rules in SpamAssassin's .cf language: header, body, rawbody, uri, full and meta rules, \
            score, describe, tflags. Past a threshold of points a message is spam. Without a mode it prints score, \
            threshold, verdict and name of each message, one a line.

            As a filter it removes X-Spam fields that are there, puts its own at the top, and changes nothing else. \
            When scoring fails the message comes out unmarked. One message, on standard input or in the one file that \
            is named, comes out as it is; of several, or with --mbox, an mboxrd stream comes out.

            --learn spam and --learn ham teach it from messages, Maildirs and mboxes; --forget takes a lesson back; \
            --train learns one list of both kinds, which is the best way to begin. What was learned is kept in one \
            file, which any number of processes may read while one learns. The learned log-odds give points beside the \
            rules, few after few lessons.

            --serve answers the spamd protocol, so that spamc and what else speaks it work unchanged; idle clients \
            hold no worker. --connect is the client's side: with -f, -c, --explain, --json, --learn and --forget; the \
            server is told whose rules and weights are meant, by default those of whoever runs it. What it refuses is \
            one message, and the others are asked about. --evaluate learns from all but one part of labelled messages, \
            scores that part, and so on in turn, and prints how well that went.

            Rules may ask the network: lists of addresses and of the hosts of links, the sender's domain, the relay's \
            name, SPF, DKIM, DMARC, ARC. All questions of a message are asked at the same time, and what is not known \
            by --deadline counts for nothing. --local leaves them out.

            What of the rules is not supported is told by --lint, with file, line and reason, and so are options that \
            have no effect here; the scorer runs with the rest. Large rule sets are made ready once and kept in \
            ~/.cache/facteur.
            """,
        options: SpamscoreOptions.all,
        sections: [
            .init(
                "JSON",
                """
                file, index (in its mailbox), score, required, spam, learned (probability, null when nothing was \
                learned), tests (name, score, description, area, text), unsupported (lines of the rules), cut (rules \
                that met their limit, and who was not asked), ms. With --connect what the server does not tell is \
                null. --lint: file, line, rule (of an expression), reason; --list-rules: name, area, score, \
                description.
                """),
            .init(
                "Marking",
                """
                Of the rules' options these are followed: report_safe (0 leaves spam as it is, 1 wraps it as \
                message/rfc822, 2 as text), rewrite_header (a Subject that is missing is added), add_header, \
                remove_header, clear_headers, report, report_contact, report_hostname. The fields that SpamAssassin's \
                own rules ask for are given in the form that is used here. Templates know _SCORE_, _REQD_, \
                _YESNO(yes,no)_, _YESNOCAPS_, _STARS(*)_, _TESTS(,)_, _TESTSSCORES(,)_, _SUBTESTS(,)_, _LEARNED_, \
                _AUTOLEARN_, _VERSION_, _HOSTNAME_, _CONTACTADDRESS_, _DATE_, _PREVIEW_, _REPORT_, _SUMMARY_, \
                _HEADER(NAME)_, _RELAYSTRUSTED_, _RELAYSUNTRUSTED_, _RELAYSINTERNAL_, _RELAYSEXTERNAL_, \
                _LASTEXTERNALIP_, _LASTEXTERNALRDNS_, _LASTEXTERNALHELO_, _LASTEXTERNALREVIP_, _FIRSTTRUSTEDIP_, \
                _FIRSTTRUSTEDREVIP_, _AUTHORDOMAIN_, _SENDERDOMAIN_; the others of SpamAssassin's are empty.
                """),
            .init(
                "Points",
                """
                LEARNED_00 to LEARNED_99 stand for what was learned; their points grow with the log-odds, and with the \
                number of lessons of the kind that was learned less. LEARNED_BALANCE draws the sum of the rules \
                together beside it, by the same degree, and takes something away for the rules that could have hit; \
                rules of 50 points and more, as of lists, are left alone. The points shown add up to the score. Of \
                four scores of a rule one counts: the first without network and lessons, then with the network, with \
                lessons, with both. Rules that call check_bayes hit by the learned probability. Those of the reference \
                rules (the folder of 10_default_prefs.cf) give no points, as LEARNED_xx has them; those that a file of \
                one's own defines or scores take the place of LEARNED_xx. After a rule that a shortcircuit line names \
                nothing of a later priority counts, and SHORTCIRCUIT tells so.
                """),
            .init(
                "Lists",
                """
                Of one's own, in user_prefs or any .cf file: welcomelist_from, blocklist_from, welcomelist_to, \
                blocklist_to, more_spam_to, all_spam_to (addresses, where * stands for anything and ? for a \
                character), welcomelist_from_rcvd ADDRESS RELAY (the end of the relay's name, or [ADDRESS/BITS]), \
                welcomelist_auth, welcomelist_from_spf and welcomelist_from_dkim (the sender's domain is proved), the \
                same with def_ and with un before them, welcomelist_subject, blocklist_subject, enlist_uri_host, \
                enlist_addrlist; trusted_networks, internal_networks, msa_networks. Names with whitelist and blacklist \
                mean the same.
                """),
            .init(
                "Reputation and learning by itself",
                """
                use_auto_welcomelist 1 draws each score towards the mean of the sender's earlier ones, by \
                auto_welcomelist_factor (0.5): AWL. A rule that calls check_from_in_auto_welcomelist or \
                check_senders_reputation asks for it too, and gives it its name and description. bayes_auto_learn 1 \
                learns messages that the rules are sure of (bayes_auto_learn_threshold_nonspam 0.1, \
                bayes_auto_learn_threshold_spam 12). Both are off without these lines.
                """),
            .init(
                "Server",
                """
                With %u, %l or %d in --user-dir each user has a folder: the name that User: gives, its local part, its \
                domain; there are their rules, weights and reputations, and requests without a name learn nothing. \
                Without, all share one. SIGHUP reads the rules and the certificate again. A request line may have 8 \
                KiB, a header 64 KiB, a message --max-size bytes, also when it was compressed (64 MiB without the \
                option). What says nothing for 30 seconds is closed; of messages that are not whole yet 64 MiB, or \
                four of the largest, are held. The client does not check the certificate of ,tls, as spamc.
                """),
            .init(
                "Files",
                """
                DIR/learned.weights: the weights, replaced as a whole by each learner; learned.weights.lock beside it \
                is the learners' lock. DIR/*.cf and DIR/user_prefs: rules and options after the others. DIR/senders: a \
                small file a sender, with what its messages have scored. ~/.cache/facteur/rules-*.image: rules made \
                ready, which may be removed at any time.
                """),
        ],
        examples: [
            .init(
                "Learn from two folders", "spamscore --learn ham ~/Maildir && spamscore --learn spam ~/Maildir/.Spam"),
            .init("Why is it spam?", "spamscore --explain message.eml"),
            .init(
                "How good is it on my mail?",
                "spamscore --evaluate --ham ~/Maildir --spam ~/Maildir/.Spam --plot roc.svg"),
            .init("A server for spamc", "spamscore --serve 127.0.0.1:783 --user-dir '/var/lib/spam/%u'"),
            .init("As a filter of smtp-serve", "smtp-serve --filter 'spamscore --filter'"),
        ],
        exitCodes: [
            (.ok, "done, ham"), (.negative, "spam (--check, --exit-code), or a --lint problem"),
            (.usage, "wrong usage"),
            (.dataError, "not a message, or no file of weights"), (.noInput, "an input cannot be read"),
            (.unavailable, "PCRE2 is not on this system, or the server refuses (--connect)"),
            (.osError, "the server cannot listen there (--serve)"),
            (.cannotCreate, "the plot cannot be written"), (.ioError, "output failed"),
            (.temporaryFailure, "scoring failed (--filter --fail), or no server (--connect)"),
            (.protocolError, "no answer of the spamd protocol (--connect)"),
            (.noPermission, "the server may not listen there (--serve)"),
            (.configuration, "certificate or key cannot be used (--serve)"),
        ],
        seeAlso: ["smtp-serve(1)", "mailparse(1)"])

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let options = SpamscoreOptions.self
        try SpamscoreOptions.checkModes(arguments)
        if !arguments[options.serve].isEmpty { return try SpamdServer.run(arguments) }
        let folder = UserFolder(arguments)
        if arguments.isGiven(options.connect) { return try SpamdClient.run(arguments) }
        if arguments[options.evaluate] { return try Evaluation.run(arguments, folder) }
        if arguments.isGiven(options.learn) || arguments[options.forget] || arguments.isGiven(options.train) {
            return try Learning.run(arguments, folder)
        }
        if arguments[options.filter] { return try Filter.run(arguments) { try Filter.local(arguments, folder) } }
        if arguments[options.lint] {
            return Reports.lint(try RuleFiles.set(arguments, folder), isJSON: arguments[options.json])
        }
        if arguments[options.listRules] {
            Reports.list(try RuleFiles.set(arguments, folder), isJSON: arguments[options.json])
            return .ok
        }
        let basis = try ScoringBasis(arguments, folder)
        let form: ScoreRun.Form =
            arguments[options.json]
            ? .json : arguments[options.explain] ? .explanation : arguments[options.check] ? .check : .line
        let runs = try Inputs.of(arguments).read(jobs: arguments[options.jobs], write: { Output.standard.write($0) }) {
            ScoreRun(basis, form, Output(to: $0.write))
        }
        return RunOutcome(runs.map(\.outcome))
            .exitCode(spamIsNegative: arguments[options.check] || arguments[options.exitCode])
    }
}
