import Bytes
import CommandLineTool
import Mailboxes
import MessageFormat
import OpenSSL
import Unix

@main enum Main {
    static func main() { Mailparse.main() }
}

/// Looks inside messages.
enum Mailparse: Tool {
    static let description = ToolDescription(
        name: "mailparse",
        summary: "look inside mail: headers, MIME tree, text, attachments, hops, defects",
        synopsis: ["[options] [FILE|MAILDIR|-]..."],
        details: """
            Reads messages from files, mboxes, Maildirs and standard input, and shows them as a person reads them: the \
            main fields, the text, the list of parts. Nothing is refused because it is malformed; --findings names \
            every defect with its place.

            A file that begins with a `From ' line and holds more than one message is an mbox; so is standard input that \
            begins with one. What begins as an SMTP session does (EHLO, MAIL FROM) is batch SMTP. Without operands, \
            standard input is read.
            """,
        options: MailparseOptions.all,
        sections: [
            ToolDescription.Section(
                "JSON",
                """
                One object a message; every key is always there. file, index, size, lineEnding, envelopeFrom, headers \
                (name, raw, value, offset, length), subject, date (raw, epoch, offset), from, sender, replyTo, to, cc, \
                bcc (name, address, group), returnPath, deliveredTo, messageId, inReplyTo, references, list (id, \
                unsubscribe, post), body, attachments (path, filename, type, size), text, html, hops (from, helo, \
                address, by, with, id, for, epoch, delay, via, tls), authentication (server, results), findings (id, \
                severity, offset, path, text).

                A part: path, type, parameters, disposition, filename, charset, encoding, contentId, description, \
                headerOffset, bodyOffset, bodyEnd, size, sha256, isText, text, message, parts. Offsets count bytes from \
                the start of the message; sizes and digests are those of the transfer-decoded content.

                What is no message gives an object with file, index and error.
                """),
            ToolDescription.Section(
                "Verification",
                """
                --verify judges SPF (RFC 7208), every DKIM signature (RFC 6376, 8301, 8463), the ARC chain (RFC 8617) and \
                DMARC (RFC 9989, or the algorithm of RFC 7489) of each message. Files with LF are verified as if with CRLF. \
                Without --spf-ip, the client is that of the newest Received field from outside, and the sender that of \
                Return-Path.

                The exit code is 0 when a message has no signature or one that passes, 1 when none passes, 75 when none \
                passes and a key could not be asked for now; of several messages the worst counts.

                With --json: file, index, dkim (a list of result, domain, selector, algorithm, identity, canonicalization, \
                length, expired, testing, keyBits, bodyHash, signature, findings: weak-key, several-keys, unsigned-body, \
                reason), arc (result, instances, reason), dmarc (result, domain, organizational, organizationalBy, policy, \
                disposition, alignedBy, record, reason), spf (result, domain, identity, mechanism, record, explanation, \
                lookups, void, problem, from: header or options; null when the client is not known).
                """),
            ToolDescription.Section(
                "Templates",
                """
                --format takes text with values in braces: {file} {index} {size} {envelope} {subject} {from} {sender} \
                {reply-to} {to} {cc} {bcc}, of addresses also {from.address} and {from.name}; {date} as it stands, \
                {date:iso} in its own zone, {date:utc}, {date:day}, {date:epoch}; {message-id} {in-reply-to} {references} \
                {return-path} {list.id} {type} {text} {attachments}; any other name is a header field. \\t, \\n, \\0 and \
                \\\\ are what they are in C; {{ is a brace. Line breaks within values are escaped.
                """),
            ToolDescription.Section(
                "Selection",
                """
                --where takes terms joined by and, or, not and parentheses. FIELD~REGEX and FIELD!~REGEX: a decoded \
                header field and a Perl regular expression, the case of letters aside; FIELD:WORDS contains them, \
                FIELD=WORDS is all of it. text and filename stand for the readable text and the names of parts. \
                size and date take < <= = != >= >; sizes may end with K, M or G; a date is 2020, 2020-01, 2020-01-31 or \
                2020-01-31T12:30, in UTC. has:attachment, has:html, has:text, has:FIELD; type:image/*; flag:S. Values \
                with spaces stand in quotes.
                """),
        ],
        examples: [
            ToolDescription.Example("Who sent it, really", "mailparse --verify message.eml"),
            ToolDescription.Example("The subjects of a mailbox", "mailparse -h subject archive.mbox"),
            ToolDescription.Example("The structure of a message", "mailparse --tree message.eml"),
            ToolDescription.Example("All PDF files of a Maildir", "mailparse -x pdfs --only '*.pdf' ~/Maildir"),
            ToolDescription.Example(
                "A table of a mailbox", "mailparse --format '{date:day}\\t{from.address}\\t{subject}' mbox"),
            ToolDescription.Example(
                "Search", "mailparse --where 'subject~invoice and size>1M and has:attachment' mbox"),
            ToolDescription.Example(
                "Who sent how much", "mailparse --json=headers mbox | jq -r '.from[].address' | sort | uniq -c"),
        ],
        exitCodes: [
            (.ok, "done, however broken the messages are"),
            (
                .negative,
                "nothing matched (--where, -h, --part, --html, -x), a finding with --strict, no good signature"
            ),
            (.usage, "wrong usage"),
            (.dataError, "an input cannot be a message: empty, or binary without a header"),
            (.noInput, "an input cannot be read"),
            (.cannotCreate, "an attachment cannot be written"),
            (.ioError, "standard output cannot be written"),
            (.temporaryFailure, "--verify: a key could not be asked for now: try again later"),
        ],
        seeAlso: ["mboxconv(1)", "spamscore(1)"])

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let options = MailparseOptions.self
        if arguments[options.strict], !arguments[options.findings] {
            throw ToolFailure(.usage, "--strict: only with --findings")
        }
        if arguments.isGiven(options.only), !arguments.isGiven(options.extract) {
            throw ToolFailure(.usage, "--only: only with --extract")
        }
        let views = try Views(arguments)
        var input = MessageInput(try names(arguments))
        input.isMbox = arguments[options.mbox]
        input.only = arguments[options.message]
        input.headersSuffice = views.headersSuffice
        input.needsSizes = views.needsSizes
        if arguments[VerifyOptions.verify] {
            input.headersSuffice = false
            return try Verify(arguments, input).run()
        }
        let extraction = arguments[options.extract].map { directory in
            Extraction(
                directory: directory, only: arguments[options.only],
                terminator: arguments[options.nul] ? ASCII.nul : ASCII.lf)
        }
        let text = ViewText(raw: arguments[options.raw], palette: Palette(arguments[options.color]))
        let lines = BlankLines(views, Output.standard)
        // Files are extracted by one worker, so that names are given in the order of the messages.
        let runs = try input.read(jobs: extraction == nil ? arguments[options.jobs] : 1, write: lines.write) {
            MailparseRun(views, text, extraction, Output(to: $0.write))
        }
        let outcome = Outcome(runs.map(\.outcome))
        if views.count { Output.standard.writeLine(String(outcome.count)) }
        return outcome.exitCode(
            views, isStrict: arguments[options.strict],
            wantsOne: arguments.isGiven(options.message) || views.selection != nil)
    }

    /// The operands, and the names in a list.
    private static func names(_ arguments: Arguments) throws -> [String] {
        var names = arguments.operands
        let lists = [
            (arguments[MailparseOptions.files], ASCII.lf), (arguments[MailparseOptions.files0], ASCII.nul),
        ]
        for case (let list?, let separator) in lists {
            do throws(SystemError) {
                names += try InputNames.list(list, separator: separator)
            } catch {
                throw ToolFailure(.noInput, "\(TerminalText.escape(list)): cannot be read: \(error.reason)")
            }
        }
        let hasList = arguments.isGiven(MailparseOptions.files) || arguments.isGiven(MailparseOptions.files0)
        return names.isEmpty && !hasList ? ["-"] : names
    }
}
