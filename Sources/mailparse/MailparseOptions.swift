import CommandLineTool
import MessageFormat
import Unix

/// The options of mailparse, each declared once.
enum MailparseOptions {
    private static let views = "What is shown"
    private static let inputs = "Input"
    private static let details = "Details"

    static let headers = Option.flag("headers", short: "H", "all header fields, decoded and unfolded", group: views)
    static let header = Option.list(
        "header", short: "h", "NAME[,NAME]", "the values of these fields, one line each", group: views, separator: ",")
    static let tree = Option.flag("tree", short: "t", "the MIME tree", group: views)
    static let text = Option.flag("text", "the readable text; with --json, the text of every text part", group: views)
    static let html = Option.flag("html", "the HTML parts in UTF-8", group: views)
    static let part = Option.text("part", "PATH", "the content of one part, transfer-decoded", group: views)
    static let rawPart = Option.text("raw-part", "PATH", "the content of one part as it stands", group: views)
    static let hops = Option.flag("hops", "the Received fields as a table, newest first", group: views)
    static let auth = Option.flag("auth", "what Authentication-Results say, and who says it", group: views)
    static let findings = Option.flag("findings", "every defect with its place", group: views)
    static let strict = Option.flag("strict", "with --findings: exit 1 when there is any", group: views)
    static let json = Option.optionalText(
        "json", "headers", "one JSON object a message; =headers: without the body", group: views, choices: ["headers"])
    static let format = Option.text(
        "format", "TEMPLATE", "a line for each message, like '{date:iso}\\t{from.address}\\t{subject}'", group: views)
    static let count = Option.flag("count", "the number of messages", group: views)
    static let addresses = Option.flag(
        "addresses", "the addresses of From, Sender, Reply-To, To, Cc, Bcc", group: views)

    static let extract = Option.text(
        "extract", short: "x", "DIR",
        "write all attachments, and uuencoded blocks within text, into DIR; print their paths",
        group: "Extraction", completion: .directory)
    static let only = Option.text(
        "only", "TYPE|GLOB", "of all parts, those of a type (image/*), a file name (*.pdf) or a path (1.2)",
        group: "Extraction")
    static let nul = Option.flag("null", short: "0", "paths end with NUL instead of a line end", group: "Extraction")

    static let mbox = Option.flag("mbox", "every input is an mbox, whatever it looks like", group: inputs)
    static let message = Option.integer(
        "message", "N", in: 0...Int.max, "only message N of each file or stream, from 0", group: inputs)
    static let selection = Option.text(
        "where", "EXPRESSION", "only messages like 'subject~invoice and size>1M and has:attachment'", group: inputs)
    static let files = Option.text(
        "files", "LIST", "read the names of the files from LIST, one a line; - is standard input",
        group: inputs, completion: .file)
    static let files0 = Option.text(
        "files0", "LIST", "the same with names that end with NUL", group: inputs, completion: .file)

    static let jobs = Option.integer(
        "jobs", short: "j", "N", in: 1...256, default: WorkerThreads.processors,
        "how many messages are worked at at a time (as many as there are processors)", group: details)
    static let withFile = Option.flag("with-file", "put the name of the file before each line of -h", group: details)
    static let digest = Option.choice(
        "digest", ["sha256", "none"], default: "sha256", "the digest of each part in --json (sha256)", group: details)
    static let textLimit = Option.size(
        "text-limit", "N", default: ReadableText.defaultLimit, "at most N bytes of readable text (1M)", group: details)
    static let color = Option.choice(
        "color", ["auto", "always", "never"], default: "auto", "colours (auto: on a terminal)", group: details)
    static let raw = Option.flag("raw", "control characters go to a terminal as they are", group: details)
    static let quiet = Option.flag("quiet", short: "q", "nothing on standard error but errors of usage", group: details)
    static let verbose = Option.flag("verbose", short: "v", "say what each input was taken for", group: details)

    static let all: [AnyOption] =
        [
            AnyOption(headers), AnyOption(header), AnyOption(tree), AnyOption(text), AnyOption(html), AnyOption(part),
            AnyOption(rawPart), AnyOption(hops), AnyOption(auth), AnyOption(findings), AnyOption(strict),
            AnyOption(json),
            AnyOption(format), AnyOption(count), AnyOption(addresses), AnyOption(extract), AnyOption(only),
            AnyOption(nul),
            AnyOption(mbox),
            AnyOption(message), AnyOption(selection),
            AnyOption(files), AnyOption(files0), AnyOption(jobs), AnyOption(withFile), AnyOption(digest),
            AnyOption(textLimit), AnyOption(color), AnyOption(raw), AnyOption(quiet), AnyOption(verbose),
        ] + VerifyOptions.all
}
