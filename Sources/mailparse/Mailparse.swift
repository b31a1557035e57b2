import Bytes
import CommandLineTool
import Glibc
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
            begins with one. Without operands, standard input is read.
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
                """)
        ],
        examples: [
            ToolDescription.Example("The subjects of a mailbox", "mailparse -h subject archive.mbox"),
            ToolDescription.Example("The structure of a message", "mailparse --tree message.eml"),
            ToolDescription.Example("All PDF files of a Maildir", "mailparse -x pdfs --only '*.pdf' ~/Maildir"),
            ToolDescription.Example(
                "Who sent how much", "mailparse --json=headers mbox | jq -r '.from[].address' | sort | uniq -c"),
        ],
        exitCodes: [
            (.ok, "done, however broken the messages are"),
            (.negative, "nothing matched (-h, --part, --html, -x), or a finding with --strict"),
            (.usage, "wrong usage"),
            (.dataError, "an input cannot be a message: empty, or binary without a header"),
            (.noInput, "an input cannot be read"),
            (.cannotCreate, "an attachment cannot be written"),
            (.ioError, "standard output cannot be written"),
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
        let run = MailparseRun(arguments)
        let input = MessageInput(isMbox: arguments[options.mbox])
        for name in try names(arguments) {
            _ = try input.read(name, run)
        }
        return run.finish()
    }

    /// The operands, and the names in a list.
    private static func names(_ arguments: Arguments) throws -> [String] {
        var names = arguments.operands
        let lists = [
            (arguments[MailparseOptions.files], ASCII.lf), (arguments[MailparseOptions.files0], ASCII.nul),
        ]
        for case (let list?, let separator) in lists {
            let bytes: [UInt8]
            do throws(SystemError) {
                bytes = try list == "-" ? FileDescriptor(owning: dup(0)).readAll() : Files.read(list)
            } catch {
                throw ToolFailure(.noInput, "\(TerminalText.escape(list)): cannot be read: \(error.reason)")
            }
            names += bytes.split(separator: separator).map { $0.text }
        }
        let hasList = arguments.isGiven(MailparseOptions.files) || arguments.isGiven(MailparseOptions.files0)
        return names.isEmpty && !hasList ? ["-"] : names
    }
}
