import Bytes
import CommandLineTool
import MessageFormat
import OpenSSL

/// One run over all inputs: shows each message in the views that were asked for, and keeps the outcome.
final class MailparseRun: MessageVisitor {
    private let arguments: Arguments
    private let output = Output.standard
    private let text: ViewText
    private let isQuiet: Bool
    private var hadUnreadable = false
    private var hadNoMessage = false
    /// Something was asked for by name, and whether it was found.
    private var found = false
    private var hadFindings = false
    private var count = 0
    private var needsBlankLine = false
    private var extraction: Extraction?

    init(_ arguments: Arguments) {
        self.arguments = arguments
        text = ViewText(raw: arguments[MailparseOptions.raw], palette: Palette(arguments[MailparseOptions.color]))
        isQuiet = arguments[MailparseOptions.quiet]
        if let directory = arguments[MailparseOptions.extract] {
            extraction = Extraction(
                directory: directory, only: arguments[MailparseOptions.only],
                terminator: arguments[MailparseOptions.nul] ? ASCII.nul : ASCII.lf)
        }
    }

    private var message: Int? { arguments[MailparseOptions.message] }
    private var isJSON: Bool { arguments[MailparseOptions.json] != nil }

    // MARK: Messages

    func visit(_ input: InputMessage, _ bytes: Span<UInt8>) throws -> Bool {
        if let message, input.index != message { return input.index < message }
        count += 1
        if arguments[MailparseOptions.verbose], !isQuiet {
            Diagnostics.say(
                "\(TerminalText.escape(input.file)): message \(input.index): \(bytes.count) bytes"
                    + (input.envelope == nil ? "" : ", after an mbox line"))
        }
        if arguments[MailparseOptions.count] { return true }
        if let kind = arguments[MailparseOptions.json] {
            try writeJSON(input, bytes, headerOnly: kind == "headers")
        } else {
            try writeViews(input, bytes)
        }
        return message == nil
    }

    private func writeJSON(_ input: InputMessage, _ bytes: Span<UInt8>, headerOnly: Bool) throws {
        let json = MessageJSON(
            headerOnly: headerOnly, digests: arguments[MailparseOptions.digest] == "sha256",
            partTexts: arguments[MailparseOptions.text], textLimit: arguments[MailparseOptions.textLimit])
        do throws(OpenSSLError) {
            try json.write(ParsedMessage(input, bytes, headerOnly: headerOnly), bytes, to: output)
        } catch {
            throw ToolFailure(.osError, "\(error): --digest none works without it")
        }
    }

    private func writeViews(_ input: InputMessage, _ bytes: Span<UInt8>) throws {
        let options = MailparseOptions.self
        let named = arguments[options.header]
        let needsBody =
            [options.tree, options.text, options.html, options.findings].contains { arguments[$0] }
            || arguments.isGiven(options.part) || arguments.isGiven(options.rawPart) || extraction != nil
        let headerViews = [options.headers, options.hops, options.auth, options.addresses].contains { arguments[$0] }
        let hasView = needsBody || headerViews || !named.isEmpty
        let message = ParsedMessage(input, bytes, headerOnly: hasView && !needsBody)
        if !hasView {
            separate()
            MessageView(text).write(message, bytes, limit: arguments[options.textLimit], to: output)
            return
        }
        if arguments[options.headers] {
            separate()
            HeaderViews(text).writeAll(message, to: output)
        }
        if !named.isEmpty {
            let file = arguments[options.withFile] ? input.file : nil
            if HeaderViews(text).write(named, message, file: file, to: output) { found = true }
        }
        if arguments[options.addresses] { HeaderViews(text).writeAddresses(message, to: output) }
        if arguments[options.tree] {
            separate()
            TreeView(text).write(message, bytes, to: output)
        }
        try writeContent(message, bytes)
        if arguments[options.hops] || arguments[options.auth] {
            separate()
            let view = HopsView(text)
            if arguments[options.hops] { view.writeHops(message, to: output) }
            if arguments[options.auth] { view.writeAuthentication(message, to: output) }
        }
        if arguments[options.findings] { writeFindings(message, bytes) }
        if try extraction?.run(message, bytes, to: output) ?? false { found = true }
    }

    private func writeContent(_ message: ParsedMessage, _ bytes: Span<UInt8>) throws {
        let content = ContentViews(text)
        if arguments[MailparseOptions.text] {
            content.writeText(message, bytes, limit: arguments[MailparseOptions.textLimit], to: output)
        }
        if arguments[MailparseOptions.html], content.writeHTML(message, bytes, to: output) { found = true }
        if let path = arguments[MailparseOptions.part], content.writePart(path, message, bytes, to: output) {
            found = true
        }
        if let path = arguments[MailparseOptions.rawPart], content.writeRawPart(path, message, bytes, to: output) {
            found = true
        }
    }

    private func writeFindings(_ message: ParsedMessage, _ bytes: Span<UInt8>) {
        guard let contents = try? message.contents(bytes, digests: false, texts: false) else { return }
        for finding in message.findings(bytes, contents) {
            hadFindings = true
            let place = finding.isOuterHeader ? "header" : message.structure.path(of: finding.part)
            let detail = finding.detail.isEmpty ? "" : ": \(finding.detail)"
            output.writeLine(
                "\(text.line(message.input.file)):\(message.input.index): \(finding.offset): "
                    + "\(finding.id.severity.rawValue): \(finding.id.rawValue): \(place): "
                    + "\(text.line(finding.id.text + detail))")
        }
    }

    /// A blank line between what is shown of two messages.
    private func separate() {
        if needsBlankLine { output.writeLine("") }
        needsBlankLine = true
    }

    // MARK: Outcome

    func report(_ problem: InputProblem) {
        if problem.exitCode == .noInput {
            hadUnreadable = true
        } else {
            if let message, message != problem.index { return }
            hadNoMessage = true
            if isJSON {
                MessageJSON.write(problem, to: output)
                return
            }
        }
        if !isQuiet {
            output.flush()
            Diagnostics.say("\(TerminalText.escape(problem.file)): \(problem.reason)")
        }
    }

    func finish() -> ExitCode {
        let options = MailparseOptions.self
        if arguments[options.count] { output.writeLine(String(count)) }
        if hadUnreadable { return .noInput }
        if hadNoMessage { return .dataError }
        if message != nil, count == 0 { return .negative }
        if arguments[options.findings], arguments[options.strict], hadFindings { return .negative }
        let asksByName =
            !isJSON && !arguments[options.count]
            && (!arguments[options.header].isEmpty || arguments[options.html] || arguments.isGiven(options.part)
                || arguments.isGiven(options.rawPart) || extraction != nil)
        return asksByName && !found ? .negative : .ok
    }
}
