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
        writeReports(message, bytes, to: output)
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

    /// What delivery reports and dispositions say, a line for each recipient.
    private func writeReports(_ message: ParsedMessage, _ bytes: Span<UInt8>, to output: Output) {
        var isFirst = true
        for (part, node) in message.structure.parts.enumerated()
        where MessageView.reports.contains(node.contentType.name) {
            let content = message.structure.content(of: part, in: bytes).bytes
            for recipient in DeliveryReport(content.span).recipients {
                let told = [
                    recipient.action, recipient.status, recipient.server.map { "by \($0)" }, recipient.diagnostic,
                ]
                if isFirst { output.writeLine("") }
                isFirst = false
                let line = "\(recipient.address ?? "?"): \(told.compactMap { $0 }.joined(separator: ", "))"
                output.writeLine(text.palette.yellow("[report] ") + text.line(line))
            }
        }
    }

    private static let reports = [
        "message/delivery-status", "message/global-delivery-status", "message/disposition-notification",
        "message/global-disposition-notification",
    ]

    private func field(_ name: String, _ value: String?, _ output: Output) {
        guard let value, !value.isEmpty else { return }
        output.write(text.palette.bold(ViewText.padded("\(name):", 9)))
        text.writeLine(value, to: output)
    }

    private func addresses(_ list: [Address]) -> String? {
        list.isEmpty
            ? nil
            : list.map { ViewText.address($0.name, $0.address ?? $0.group.map { "\($0):;" }) }.joined(separator: ", ")
    }
}
