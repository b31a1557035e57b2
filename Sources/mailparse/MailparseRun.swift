import Bytes
import CommandLineTool
import Mailboxes
import MessageFormat
import OpenSSL
import Synchronization

/// What came of a run, or of one worker's share of it.
struct Outcome: Sendable {
    var hadUnreadable = false
    var hadNoMessage = false
    /// Something that was asked for by name is there.
    var found = false
    var hadFindings = false
    var count = 0

    init() {}

    init(_ shares: [Outcome]) {
        for share in shares {
            hadUnreadable = hadUnreadable || share.hadUnreadable
            hadNoMessage = hadNoMessage || share.hadNoMessage
            found = found || share.found
            hadFindings = hadFindings || share.hadFindings
            count += share.count
        }
    }

    /// How the run ends. `isStrict`: findings are a negative answer; `wantsOne`: so is no message at all.
    func exitCode(_ views: Views, isStrict: Bool, wantsOne: Bool) -> ExitCode {
        if hadUnreadable { return .noInput }
        if hadNoMessage { return .dataError }
        if wantsOne, count == 0 { return .negative }
        if isStrict, hadFindings { return .negative }
        return views.asksByName && !found ? .negative : .ok
    }
}

/// Shows each message of one worker's share in the views that were asked for, and keeps the outcome.
final class MailparseRun: MessageVisitor, Sendable {
    private let views: Views
    private let output: Output
    private let text: ViewText
    private let extraction: Extraction?
    private let state = Mutex(Outcome())
    private let selection: Mutex<Selection?>
    private let json = Mutex(JSONWriter())

    var outcome: Outcome { state.withLock { $0 } }

    init(_ views: Views, _ text: ViewText, _ extraction: Extraction?, _ output: Output) {
        self.views = views
        self.text = text
        self.extraction = extraction
        self.output = output
        // Parsed for each worker anew: a compiled expression is not for two threads.
        selection = Mutex(views.selection.flatMap { try? Selection($0) })
    }

    // MARK: Messages

    func visit(_ input: InputMessage, _ bytes: Span<UInt8>) throws -> Bool {
        let isWanted = selection.withLock { $0?.matches(bytes, size: input.size, flags: input.flags) ?? true }
        if !isWanted { return true }
        state.withLock { $0.count += 1 }
        if views.isVerbose {
            Diagnostics.say(
                "\(TerminalText.escape(input.file)): message \(input.index): \(input.size) bytes"
                    + (input.envelope == nil ? "" : ", after an mbox line"))
        }
        if views.count { return true }
        if let kind = views.json {
            try writeJSON(input, bytes, headerOnly: kind == .headers)
        } else {
            try writeViews(input, bytes)
        }
        return true
    }

    func endStretch() { output.flush() }

    private func writeJSON(_ input: InputMessage, _ bytes: Span<UInt8>, headerOnly: Bool) throws {
        let format = MessageJSON(
            headerOnly: headerOnly, digests: views.digests, partTexts: views.text, textLimit: views.textLimit)
        let message = ParsedMessage(input, bytes, headerOnly ? .header : .whole)
        do throws(OpenSSLError) {
            try json.withLock { json throws(OpenSSLError) in try format.write(message, bytes, &json, to: output) }
        } catch {
            throw ToolFailure(.osError, "\(error): --digest none works without it")
        }
    }

    private func writeViews(_ input: InputMessage, _ bytes: Span<UInt8>) throws {
        let message = ParsedMessage(input, bytes, views.depth, wanted: views.wanted)
        if views.isDefault {
            separate()
            MessageView(text).write(message, bytes, limit: views.textLimit, to: output)
            return
        }
        if views.headers {
            separate()
            HeaderViews(text).writeAll(message, bytes, to: output)
        }
        if !views.named.isEmpty {
            let file = views.withFile ? input.file : nil
            if HeaderViews(text).write(views.named, message, bytes, file: file, to: output) { noteFound() }
        }
        if let template = views.template { output.writeLine(template.line(message, bytes, text)) }
        if views.addresses { HeaderViews(text).writeAddresses(message, to: output) }
        if views.tree {
            separate()
            TreeView(text).write(message, bytes, to: output)
        }
        writeContent(message, bytes)
        if views.hops || views.auth {
            separate()
            let view = HopsView(text)
            if views.hops { view.writeHops(message, to: output) }
            if views.auth { view.writeAuthentication(message, to: output) }
        }
        if views.findings { writeFindings(message, bytes) }
        if try extraction?.run(message, bytes, to: output) ?? false { noteFound() }
    }

    private func writeContent(_ message: ParsedMessage, _ bytes: Span<UInt8>) {
        let content = ContentViews(text)
        if views.text { content.writeText(message, bytes, limit: views.textLimit, to: output) }
        if views.html, content.writeHTML(message, bytes, to: output) { noteFound() }
        if let path = views.part, content.writePart(path, message, bytes, to: output) { noteFound() }
        if let path = views.rawPart, content.writeRawPart(path, message, bytes, to: output) { noteFound() }
    }

    private func writeFindings(_ message: ParsedMessage, _ bytes: Span<UInt8>) {
        guard let contents = try? message.contents(bytes, digests: false, texts: false) else { return }
        for finding in message.findings(bytes, contents, LineEnding(bytes, passed: message.passed)) {
            state.withLock { $0.hadFindings = true }
            let place = finding.isOuterHeader ? "header" : message.structure.path(of: finding.part)
            let detail = finding.detail.isEmpty ? "" : ": \(finding.detail)"
            output.writeLine(
                "\(text.line(message.input.file)):\(message.input.index): \(finding.offset): "
                    + "\(finding.id.severity.rawValue): \(finding.id.rawValue): \(place): "
                    + "\(text.line(finding.id.text + detail))")
        }
    }

    /// A blank line before what is shown; `BlankLines` takes the first of all away.
    private func separate() { output.writeLine("") }

    private func noteFound() { state.withLock { $0.found = true } }

    func report(_ problem: InputProblem) {
        switch problem.kind {
        case .unreadable: state.withLock { $0.hadUnreadable = true }
        case .notMessage:
            state.withLock { $0.hadNoMessage = true }
            if views.json != nil {
                MessageJSON.write(problem, to: output)
                return
            }
        }
        if !views.isQuiet { Diagnostics.say("\(TerminalText.escape(problem.file)): \(problem.reason)") }
    }
}

/// Takes the blank line away that stands before everything: workers do not know which message is the first.
final class BlankLines: Sendable {
    private let isAtStart: Atomic<Bool>
    private let output: Output

    init(_ views: Views, _ output: Output) {
        let separates = views.isDefault || views.headers || views.tree || views.hops || views.auth
        isAtStart = Atomic(separates && views.json == nil)
        self.output = output
    }

    func write(_ bytes: [UInt8]) {
        let isFirst = isAtStart.exchange(false, ordering: .relaxed)
        output.write(isFirst && bytes.first == ASCII.lf ? Array(bytes.dropFirst()) : bytes)
    }
}
