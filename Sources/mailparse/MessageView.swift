import Bytes
import CommandLineTool
import MessageFormat

/// The message as a person reads it: main fields, text, list of parts.
struct MessageView {
    private let text: ViewText

    init(_ text: ViewText) { self.text = text }

    func write(_ message: ParsedMessage, _ bytes: Span<UInt8>, limit: Int, to output: Output) {
        let summary = message.summary
        field("From", addresses(summary.from), output)
        field("To", addresses(summary.to), output)
        field("Cc", addresses(summary.cc), output)
        field("Date", summary.dateText, output)
        field("Subject", summary.subject, output)
        guard let readable = message.readable else { return }
        let body = ReadableText(message.structure, readable, in: bytes, limit: limit)
        if let content = body.text {
            output.writeLine("")
            output.write(text.block(content))
            if content.last != ASCII.lf { output.writeLine("") }
        }
        guard !readable.attachments.isEmpty else { return }
        output.writeLine("")
        for part in readable.attachments {
            let header = message.headers[part]
            let name = header.filename.map { " \"\(text.line($0))\"" } ?? ""
            output.writeLine(
                text.palette.dim(
                    "[\(message.structure.path(of: part)) \(text.line(message.structure.parts[part].contentType.name))"
                        + " \(ViewText.size(message.size(of: part, bytes)))\(name)]"))
        }
    }

    private func field(_ name: String, _ value: String?, _ output: Output) {
        guard let value, !value.isEmpty else { return }
        output.writeLine("\(text.palette.bold(ViewText.padded("\(name):", 9)))\(text.line(value))")
    }

    private func addresses(_ list: [Address]) -> String? {
        list.isEmpty
            ? nil
            : list.map { ViewText.address($0.name, $0.address ?? $0.group.map { "\($0):;" }) }.joined(separator: ", ")
    }
}
