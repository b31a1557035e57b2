import CommandLineTool
import Delivery
import SMTP
import Synchronization
import Unix

/// Tells what became of each recipient, and remembers it for the exit code.
final class Report: Sendable {
    enum Form: Sendable {
        case lines, json, failuresOnly
        /// Nothing of the single recipients, but `finish` tells the rate.
        case load(isJSON: Bool)
    }

    private struct Tally {
        var temporary: [ClientResult.Cause] = []
        var refused: [ClientResult.Cause] = []
        var inputFailure: ExitCode?
        var load = LoadSummary()
        /// The latest failure that a load test has told.
        var toldFailure: ClientResult?
    }

    private let form: Form
    private let tally = Mutex(Tally())
    private let progress: Mutex<Progress>
    private let messages = Atomic<Int>(0)

    /// `progress` is `auto`, `always` or `never`; beside lines on the same terminal it is not shown by itself.
    init(form: Form, progress: String = "never") {
        self.form = form
        var when = progress
        if case .load = form {} else if progress == "auto", Terminal.isTerminal(1) { when = "never" }
        self.progress = Mutex(Progress(when, unit: "messages"))
    }

    /// Writes the results of a message.
    func add(_ reports: [RecipientReport], message: String) {
        let count = messages.add(1, ordering: .relaxed).newValue
        progress.withLock { $0.update(count: count) }
        if case .load = form { return addToLoad(reports) }
        for report in reports {
            if !report.staysQueued { self.count(report.result) }
            switch form {
            case .json: writeJSON(report, message)
            case .lines: writeLine(report)
            case .failuresOnly, .load: break
            }
            if report.result.outcome != .accepted, !report.staysQueued { sayFailure(report) }
        }
        // Who stops the tool half-way still knows what has happened so far.
        Output.standard.flush()
    }

    private func addToLoad(_ reports: [RecipientReport]) {
        for report in reports where !report.staysQueued { count(report.result) }
        let news = tally.withLock { tally -> RecipientReport? in
            tally.load.add(reports)
            let failed = reports.first {
                $0.result.outcome != .accepted && !$0.staysQueued && $0.result != tally.toldFailure
            }
            if let failed { tally.toldFailure = failed.result }
            return failed
        }
        if let news { sayFailure(news) }
    }

    /// The run is over: takes the progress away, and tells the rate of a load test.
    func finish() {
        progress.withLock { $0.finish() }
        guard case .load(let isJSON) = form else { return }
        tally.withLock { $0.load }.write(isJSON: isJSON)
    }

    /// A message that a queue took, to be sent later.
    func add(queued message: OutgoingMessage, as id: QueueID) {
        let result = ClientResult(outcome: .temporary, enhanced: nil, text: "queued as \(id)", cause: .connection)
        add(
            message.recipients.map { recipient in
                var report = RecipientReport(recipient: recipient, result: result, time: .zero)
                report.queueID = id
                report.staysQueued = true
                return report
            }, message: message.name)
    }

    /// A message that could not be read.
    func add(inputFailure error: any Error) {
        let failure =
            switch error {
            case let failure as ToolFailure: failure
            case let error as SystemError: ToolFailure(error)
            default: ToolFailure(.software, "\(error)")
            }
        Diagnostics.say(failure.message)
        tally.withLock { $0.inputFailure = $0.inputFailure ?? failure.exitCode }
    }

    private func count(_ result: ClientResult) {
        tally.withLock { tally in
            switch result.outcome {
            case .accepted: break
            // One cause is enough to know; the list stays as short as the number of causes.
            case .temporary: if !tally.temporary.contains(result.cause) { tally.temporary.append(result.cause) }
            case .refused: if !tally.refused.contains(result.cause) { tally.refused.append(result.cause) }
            }
        }
    }

    /// 0 all accepted; 75 when trying again is worth it for some; else 69, or what says more when all failures agree.
    var exitCode: ExitCode {
        tally.withLock { tally in
            if !tally.temporary.isEmpty {
                return tally.temporary == [.protocolViolation] ? .protocolError : .temporaryFailure
            }
            switch tally.refused {
            case []: return tally.inputFailure ?? .ok
            case [.authentication]: return .noPermission
            case [.domain]: return .noHost
            default: return .unavailable
            }
        }
    }

    private func writeJSON(_ report: RecipientReport, _ message: String) {
        var json = JSONWriter()
        json.object { json in
            json.field("recipient", report.recipient.text)
            json.field("outcome", report.staysQueued ? "queued" : report.result.outcome.rawValue)
            json.field("code", report.result.code)
            json.field("enhanced", report.result.enhanced)
            json.field("text", report.result.text)
            json.field("host", report.server?.name)
            json.field("port", report.server?.port.map { Int($0) })
            json.field("tls", report.tlsVersion)
            json.field("ms", report.time.milliseconds, decimals: 1)
            json.field("message", message)
            if let id = report.queueID { json.field("id", id.description) }
        }
        Output.standard.write(json.takeLine())
    }

    private func writeLine(_ report: RecipientReport) {
        if report.staysQueued {
            let id = report.queueID.map { " as \($0)" } ?? ""
            let why = report.result.text.hasPrefix("queued as") ? "" : ": \(report.result.words)"
            return Output.standard.writeLine(TerminalText.escape("\(report.recipient.text): queued\(id)\(why)"))
        }
        guard report.result.outcome == .accepted else { return }
        let place = report.server.map { " (\($0))" } ?? ""
        Output.standard.writeLine(
            TerminalText.escape("\(report.recipient.text): accepted: \(report.result.words)\(place)"))
    }

    private func sayFailure(_ report: RecipientReport) {
        let verb = report.result.outcome == .refused ? "refused" : "not delivered yet"
        let place = report.server.map { " by \($0)" } ?? ""
        let advice = report.result.advice.map { ": \($0)" } ?? ""
        Diagnostics.say("\(report.recipient.text): \(verb)\(place): \(report.result.words)\(advice)")
    }
}

extension ClientResult {
    /// What to do about a failure; nil when the server's words have to be enough.
    fileprivate var advice: String? {
        switch (cause, outcome) {
        case (_, .accepted): nil
        case (.tls, .temporary): "have its TLS corrected, or see --ca, --insecure and --tls"
        case (.authentication, .refused): "check --user, the password and --auth"
        case (.domain, _): "check what stands behind the @"
        case (_, .temporary): "try again later"
        default: nil
        }
    }

    /// Codes and text on one line.
    fileprivate var words: String {
        let text = text.split(separator: "\n").joined(separator: " / ")
        return [code.map(String.init), enhanced, text].compactMap { $0 }.joined(separator: " ")
    }
}

extension Duration {
    var milliseconds: Double {
        Double(components.seconds) * 1_000 + Double(components.attoseconds) / 1e15
    }
}
