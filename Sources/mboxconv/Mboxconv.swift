import Bytes
import CommandLineTool
import Mailboxes
import Unix

@main enum Main {
    static func main() { Mboxconv.main() }
}

/// Mailboxes of all kinds into each other, byte-exact.
enum Mboxconv: Tool {
    static let formats = MailboxFormat.allCases.map(\.rawValue)

    static let from = Option.choice(
        "from", ["auto"] + formats, default: "auto", "format of every SOURCE (auto: by its look)", group: "Formats")
    static let to = Option.choice(
        "to", ["auto"] + formats, default: "auto", "format of DESTINATION (auto: by its form; mboxrd for files)",
        group: "Formats")
    static let crlf = Option.flag("crlf", "write an mbox with CRLF line ends", group: "Formats")
    static let stripStatus = Option.flag(
        "strip-status", "leave out Status, X-Status, X-Keywords and the flags of a Maildir", group: "Formats")
    static let recursive = Option.flag(
        "recursive", short: "r", "SOURCE and DESTINATION are trees of folders", group: "Formats")
    static let selection = Option.text(
        "where", "EXPRESSION", "only messages like 'from~REGEX and date>2020-01-01 and size<1M and flag:S'",
        group: "Messages")
    static let dedupe = Option.choice(
        "dedupe", ["id", "content"], default: "", "of messages with the same Message-ID, or equal ones, only the first",
        group: "Messages")
    static let split = Option.text(
        "split", "RULE", "part them by size:100M, year, month or from: DESTINATION-PART, or folders of DESTINATION",
        group: "Messages")
    static let append = Option.flag("append", "add to a DESTINATION that is not empty", group: "Writing")
    static let resume = Option.flag(
        "resume", "go on where an interrupted run stopped", group: "Writing")
    static let lockTimeout = Option.duration(
        "lock-timeout", "SECONDS", default: .seconds(30), "how long to wait for the locks of an mbox (30)",
        group: "Writing")
    static let noLock = Option.flag("no-lock", "take no locks", group: "Writing")
    static let jobs = Option.integer(
        "jobs", "N", in: 1...64, "threads that write a Maildir (as many as processors)", group: "Writing")
    static let noSync = Option.flag("no-sync", "do not wait for the disk", group: "Writing")
    static let verify = Option.flag("verify", "read both sides again and compare digests", group: "Writing")
    static let dryRun = Option.flag("dry-run", short: "n", "read and check everything, write nothing", group: "Writing")
    static let count = Option.flag("count", "count messages and bytes of each SOURCE; no destination", group: "Looking")
    static let list = Option.flag("list", "list the messages of each SOURCE; no destination", group: "Looking")
    static let json = Option.flag("json", "one JSON object a line (with -v one a message, too)", group: "Output")
    static let progress = Option.choice(
        "progress", ["auto", "always", "never"], default: "auto", "show how far it is (on a terminal)", group: "Output")
    static let verbose = Option.flag("verbose", short: "v", "one line a message", group: "Output")
    static let quiet = Option.flag("quiet", short: "q", "no summary", group: "Output")

    static let description = ToolDescription(
        name: "mboxconv",
        summary: "convert mailboxes: mbox, Maildir, MH, .eml, batch SMTP, POP3; byte for byte",
        synopsis: ["[options] SOURCE... DESTINATION", "--count|--list [options] SOURCE..."],
        details: """
            Copies the messages of each SOURCE to DESTINATION, in order. A mailbox is an mbox file of one of four \
            variants, a Maildir, a directory of MH or of .eml files, or batch SMTP; - is standard input or output. \
            Files that gzip, zstd, xz or bzip2 compressed are read too. Messages may be of any size. \
            pop3://user@host[:port]/ and pop3s:// fetch from a server.

            A DESTINATION that is one file appears whole or not at all; a directory gets only whole messages. What is \
            there already is not overwritten: see --append.
            """,
        options: [
            AnyOption(from), AnyOption(to), AnyOption(recursive), AnyOption(crlf), AnyOption(stripStatus),
            AnyOption(selection), AnyOption(dedupe), AnyOption(split),
            AnyOption(append), AnyOption(resume), AnyOption(lockTimeout), AnyOption(noLock), AnyOption(noSync),
            AnyOption(jobs), AnyOption(verify), AnyOption(dryRun), AnyOption(count), AnyOption(list), AnyOption(json),
            AnyOption(progress), AnyOption(verbose), AnyOption(quiet),
        ] + POP3Settings.all,
        sections: [
            .init(
                "FORMATS",
                """
                mboxo: a line that begins with "From " is written ">From "; reading it back cannot tell which were so.

                mboxrd: every such line, quoted or not, gains one ">" and loses it again: exact both ways.

                mboxcl: mboxo with a Content-Length. mboxcl2: Content-Length alone; only a message that has no body is \
                quoted like mboxo. It is believed only when a From_ line or the end follows.

                A message begins at a From_ line with a date after a blank line; without date only when a well-known \
                header field follows; without blank line only when sender and date are there.

                Status, X-Status and X-Keywords become the flags of a Maildir name, with dovecot-keywords for the names \
                of keywords, and come back from there. A message without a line end at its end gets one in an mbox; a \
                tab at the end of its From_ line says so, and it is taken away again.

                maildir++: a Maildir with its folders, directories .Parent.Child of names in modified UTF-7. mh: files \
                with numbers for names; .mh_sequences keeps flags and keywords. eml: files 000001.eml, with flags and keywords \
                as 000001.FS,work.eml. bsmtp: envelope and message as an SMTP client says them (RFC 2442), with NOOP for date \
                and flags, and BDAT (RFC 3030) for what DATA cannot carry byte for byte; --append goes on before its QUIT.
                """),
            .init(
                "SELECTION",
                """
                --where joins terms with and, or, not and parentheses. FIELD~REGEX, FIELD:WORDS and FIELD=TEXT ask a \
                header field, text~REGEX the readable text, filename~REGEX the names of parts; size>1M, date>=2020-01 \
                (the Date field, without one the delivery, in UTC), flag:S (S, F, R, T, D, P), keyword:work, \
                has:attachment, has:html, has:FIELD, type:image/*. Values with spaces stand in quotes.
                """),
            .init(
                "FOLDERS",
                """
                --recursive reads a tree: Maildir++ folders, Maildirs, mboxes, MH and .eml directories below SOURCE, in \
                any mixture, and writes the same tree in the form of --to below DESTINATION. The inbox is the Maildir \
                itself, the file INBOX, the directory inbox of MH. Folders below a folder that is an mbox are in \
                NAME.sbd.

                --split writes NAME-2004.mbox beside DESTINATION NAME.mbox, and a folder 2004 in a directory.
                """),
            .init(
                "POP3",
                """
                What a server has and DESTINATION has not is fetched, and kept on the server, or removed from it with \
                --delete-after once it is durably here. The unique ids of what was fetched are in the file uidls of the \
                directory DESTINATION.mboxconv-pop3, or in the file of --uidls; the next run into the same DESTINATION \
                adds what is new, without --append or --resume. Messages are fetched into that directory first, so that \
                after kill -9 or a broken connection the same command goes on: none is lost, none comes twice, and none \
                is fetched twice. What --where leaves out counts as fetched. Line ends become LF.

                The best way to log in that the server offers is taken: SCRAM, PLAIN, LOGIN, USER or CRAM-MD5 over TLS, \
                SCRAM, CRAM-MD5 or APOP without. STLS is used when offered, and certificates are verified. Without TLS \
                the password itself is shown to this machine's own servers only, unless --tls never says otherwise. For a \
                password in the environment: --password-command 'printenv NAME'.

                --count asks for the numbers alone, --list, --dry-run and --where for headers (TOP), unless --where asks \
                for the body; sizes are then the server's, with CRLF. In JSON the format is pop3, and name the unique id.
                """),
            .init(
                "INTERRUPTED CONVERSIONS",
                """
                A journal tells, until the end, that more was to come, and --resume with the same sources goes on \
                behind the last message that is there: NAME.mboxconv-journal with NAME.mboxconv-partial beside a file, \
                mboxconv.journal in a Maildir, .mboxconv.journal in other directories. After kill -9 no message is lost \
                or there twice. An mbox that is appended to is cut back on any error; a run of --append that was killed \
                is to be resumed.
                """),
            .init(
                "JSON",
                """
                --count: {"source", "format", "reason", "certain", "messages", "bytes", "findings": [{"id", "count", \
                "first"}]} for each SOURCE.

                Converting: {"sources": [as above], "destination", "format", "messages", "bytes", "seconds", \
                "duplicates", "unselected", "destinations": [{"destination", "messages"}], "verified"}; destinations \
                are those of --recursive and --split, verified is null without --verify.

                --list, and -v: {"source", "index", "offset", "name", "size", "from", "date", "flags", "subject", \
                "keywords"} for each message; offset in an mbox, name in a directory.
                """),
        ],
        examples: [
            .init("Turn an mbox into a Maildir", "mboxconv inbox.mbox ~/Maildir"),
            .init("And back, checked", "mboxconv --verify ~/Maildir inbox.mbox"),
            .init("What is in it?", "mboxconv --count --json inbox.mbox"),
            .init("A tree of mboxes for Dovecot", "mboxconv --recursive --to maildir++ ~/mail ~/Maildir"),
            .init(
                "The large ones of a year, once each",
                "mboxconv --where 'date=2004 and size>1M' --dedupe id old.mbox.gz big.mbox"),
            .init(
                "Fetch mail, and clear the mailbox",
                "mboxconv --password-file secret --delete-after pop3s://anna@pop.example.org/ ~/Maildir"),
            .init("A file for each month", "mboxconv --split month --to mboxrd list.mbox months/"),
        ],
        exitCodes: [
            (.ok, "done"), (.negative, "--verify found a difference"),
            (.usage, "wrong usage; source and destination are the same"),
            (.dataError, "a source is no mailbox"), (.noInput, "a source cannot be read"),
            (.noHost, "no such POP3 server"), (.unavailable, "the server says no for good"),
            (.cannotCreate, "the destination is not empty, or cannot be made"), (.ioError, "reading or writing failed"),
            (.temporaryFailure, "a lock was not had in time; the server cannot be had now, or TLS with it fails"),
            (.protocolError, "the server does not speak POP3"), (.noPermission, "no permission; the login is refused"),
            (.configuration, "a password or certificate cannot be had"),
        ],
        seeAlso: ["mailparse(1)", "pop3d(1)", "mbox(5)", "maildir(5)"])

    static func run(_ arguments: Arguments) throws -> ExitCode {
        Interruption.catchSignals()
        if arguments[count] || arguments[list] { return try Survey(arguments).run() }
        return try Conversion.run(arguments)
    }
}

extension Arguments {
    /// How long to wait for locks; nil when none are to be taken.
    var lockTimeout: Duration? { self[Mboxconv.noLock] ? nil : self[Mboxconv.lockTimeout] }
}
