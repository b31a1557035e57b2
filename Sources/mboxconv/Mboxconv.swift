import Bytes
import CommandLineTool
import Mailboxes
import Unix

@main enum Main {
    static func main() { Mboxconv.main() }
}

/// mbox <-> Maildir, byte-exact.
enum Mboxconv: Tool {
    static let formats = MailboxFormat.allCases.map(\.rawValue)

    static let from = Option.choice(
        "from", ["auto"] + formats, default: "auto", "format of every SOURCE (auto: by its look)", group: "Formats")
    static let to = Option.choice(
        "to", ["auto"] + formats, default: "auto", "format of DESTINATION (auto: by its form; mboxrd for files)",
        group: "Formats")
    static let crlf = Option.flag("crlf", "write an mbox with CRLF line ends", group: "Formats")
    static let stripStatus = Option.flag(
        "strip-status", "leave out Status, X-Status and the flags of a Maildir", group: "Formats")
    static let append = Option.flag("append", "add to a DESTINATION that is not empty", group: "Writing")
    static let resume = Option.flag(
        "resume", "go on where an interrupted run to a Maildir stopped", group: "Writing")
    static let lockTimeout = Option.duration(
        "lock-timeout", "SECONDS", default: .seconds(30), "how long to wait for the locks of an mbox (30)",
        group: "Writing")
    static let noLock = Option.flag("no-lock", "take no locks", group: "Writing")
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
        name: "mboxconv", summary: "convert mailboxes between mbox and Maildir, byte for byte",
        synopsis: ["[options] SOURCE... DESTINATION", "--count|--list [options] SOURCE..."],
        details: """
            Copies the messages of each SOURCE to DESTINATION, in order. A mailbox is an mbox file of one of four \
            variants, or a Maildir directory; - is standard input or output. Messages may be of any size.

            An mbox DESTINATION appears whole or not at all. A Maildir gets only whole messages. What is there already \
            is not overwritten: see --append.
            """,
        options: [
            AnyOption(from), AnyOption(to), AnyOption(crlf), AnyOption(stripStatus),
            AnyOption(append), AnyOption(resume),
            AnyOption(lockTimeout),
            AnyOption(noLock), AnyOption(noSync), AnyOption(verify), AnyOption(dryRun), AnyOption(count),
            AnyOption(list), AnyOption(json), AnyOption(progress), AnyOption(verbose), AnyOption(quiet),
        ],
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

                Status and X-Status become the flags of a Maildir name, and come back from there. A message without a \
                line end at its end gets one in an mbox; a tab at the end of its From_ line says so, and it is taken \
                away again.
                """),
            .init(
                "INTERRUPTED CONVERSIONS",
                """
                An mbox DESTINATION appears when all is done; what stands beside it until then, NAME.tmp.PID, is of no \
                use after a crash and --resume removes it. In a Maildir every message is whole at any instant, and \
                mboxconv.journal tells until the end that more were to come: --resume with the same sources goes on \
                behind the last message that is there.
                """),
            .init(
                "JSON",
                """
                --count: {"source", "format", "reason", "certain", "messages", "bytes", "findings": [{"id", "count", \
                "first"}]} for each SOURCE.

                Converting: {"sources": [as above], "destination", "format", "messages", "bytes", "seconds", \
                "verified"}; verified is null without --verify.

                --list, and -v: {"source", "index", "offset", "name", "size", "from", "date", "flags", "subject"} for \
                each message; offset in an mbox, name in a Maildir.
                """),
        ],
        examples: [
            .init("Turn an mbox into a Maildir", "mboxconv inbox.mbox ~/Maildir"),
            .init("And back, checked", "mboxconv --verify ~/Maildir inbox.mbox"),
            .init("What is in it?", "mboxconv --count --json inbox.mbox"),
        ],
        exitCodes: [
            (.ok, "done"), (.negative, "--verify found a difference"),
            (.usage, "wrong usage; source and destination are the same"),
            (.dataError, "a source is no mailbox"), (.noInput, "a source cannot be read"),
            (.cannotCreate, "the destination is not empty, or cannot be made"), (.ioError, "reading or writing failed"),
            (.temporaryFailure, "a lock was not had in time"), (.noPermission, "no permission"),
        ],
        seeAlso: ["mailparse(1)", "mbox(5)", "maildir(5)"])

    static func run(_ arguments: Arguments) throws -> ExitCode {
        Interruption.catchSignals()
        if arguments[count] || arguments[list] { return try Survey(arguments).run() }
        return try Conversion(arguments).run()
    }
}

/// What a mailbox may be stored as.
enum MailboxFormat: String, CaseIterable {
    case mboxo, mboxrd, mboxcl, mboxcl2, maildir

    init(_ mbox: MboxFormat) {
        switch mbox {
        case .mboxo: self = .mboxo
        case .mboxrd: self = .mboxrd
        case .mboxcl: self = .mboxcl
        case .mboxcl2: self = .mboxcl2
        }
    }

    /// The variant of mbox; nil for a Maildir.
    var mbox: MboxFormat? { MboxFormat(rawValue: rawValue) }
}

extension Arguments {
    /// How long to wait for locks; nil when none are to be taken.
    var lockTimeout: Duration? { self[Mboxconv.noLock] ? nil : self[Mboxconv.lockTimeout] }
}
