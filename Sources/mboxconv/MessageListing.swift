import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import MessageFormat
import Unix

/// A message as --list and -v show it.
struct ListedMessage {
    let source: String
    let index: Int
    let size: Int
    let envelope: Envelope
    let head: MessageHead

    /// The sender of its From_ line, else the one that its header names.
    var sender: String? { envelope.sender?.text ?? head.sender?.text }

    var subject: String? { head.value(of: "Subject")?.text }
    var flags: String { envelope.flags.maildirLetters.text }
}

/// Writes one line, or one JSON object, a message.
struct MessageListing {
    private let isJSON: Bool
    private let report: ReportOutput

    init(_ arguments: Arguments, _ report: ReportOutput) {
        isJSON = arguments[Mboxconv.json]
        self.report = report
    }

    func write(_ message: ListedMessage) {
        if isJSON {
            var json = JSONWriter()
            json.beginObject()
            json.field("source", PathText.repaired(message.source))
            json.field("index", message.index)
            json.field("offset", message.envelope.offset)
            json.field("name", message.envelope.name?.text)
            json.field("size", message.size)
            json.field("from", message.sender)
            json.field("date", message.envelope.received)
            json.field("flags", message.flags)
            json.field("subject", message.subject)
            json.field("keywords", message.envelope.keywords.map(\.text))
            json.endObject()
            report.write(json.takeLine())
            return
        }
        let date = message.envelope.received.map { CalendarTime(epoch: $0).sortable } ?? "-"
        let words = [
            "\(message.source)", String(message.index), date, String(message.size),
            message.flags.isEmpty ? "-" : message.flags, message.sender ?? "-", message.subject ?? "",
        ]
        report.write(Array((words.map { TerminalText.escape($0) }.joined(separator: "\t") + "\n").utf8))
    }
}

/// Where reports go: standard output, or standard error when messages go to standard output.
struct ReportOutput {
    private let isStandardError: Bool

    init(messagesTo destination: String?) { isStandardError = destination == "-" }

    func write(_ bytes: [UInt8]) {
        if isStandardError {
            let file = FileDescriptor(owning: dup(2), subject: "standard error")
            try? file.writeAll(bytes)
        } else {
            Output.standard.write(bytes)
        }
    }
}
