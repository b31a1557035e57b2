import CommandLineTool
import Mailboxes
import SenderAuthentication
import Unix

/// Tells what became of each message: an object a line, or lines for people.
struct VerifyReport: Sendable {
    let isJSON: Bool
    let isQuiet: Bool
    let palette: Palette

    func write(_ report: SenderReport, _ message: VerifyMessage) -> ExitCode {
        if isJSON {
            writeJSON(report, message)
        } else {
            writeText(report, message)
        }
        return exitCode(report)
    }

    func write(_ problem: InputProblem) -> ExitCode {
        if isJSON {
            var json = JSONWriter()
            json.object { json in
                json.field("file", PathText.repaired(problem.file))
                json.field("index", problem.index)
                json.field("error", problem.reason)
            }
            Output.standard.write(json.takeLine())
        } else if !isQuiet {
            Output.standard.flush()
            Diagnostics.say("\(TerminalText.escape(problem.file)): \(problem.reason)")
        }
        return problem.kind == .unreadable ? .noInput : .dataError
    }

    /// A signature that fails is worth no less than none (RFC 6376 6.1): one that passes is enough.
    private func exitCode(_ report: SenderReport) -> ExitCode {
        if report.dkim.isEmpty || report.dkim.contains(where: { $0.verdict == .pass }) { return .ok }
        return report.dkim.contains { $0.verdict == .temperror } ? .temporaryFailure : .negative
    }

    // MARK: JSON

    private func writeJSON(_ report: SenderReport, _ message: VerifyMessage) {
        var json = JSONWriter(capacity: 2_048)
        json.object { json in
            json.field("file", PathText.repaired(message.file))
            json.field("index", message.index)
            json.array("dkim") { json in
                for result in report.dkim { json.object { result.write(&$0) } }
            }
            json.object("arc") { report.arc.write(&$0) }
            json.object("dmarc") { report.dmarc.write(&$0) }
            if let spf = report.spf {
                json.object("spf") { json in
                    spf.write(&json, withTrace: false)
                    json.field("from", message.isClientGiven ? "options" : "header")
                }
            } else {
                json.fieldNull("spf")
            }
        }
        json.endLine(to: Output.standard)
    }

    // MARK: Text

    private func writeText(_ report: SenderReport, _ message: VerifyMessage) {
        let index = message.index > 0 ? ":\(message.index)" : ""
        Output.standard.writeLine(palette.bold(TerminalText.escape(message.file + index)))
        if report.dkim.isEmpty { writeLine("DKIM", "none", "not signed") }
        for result in report.dkim { write(result) }
        if let spf = report.spf { write(spf, message) }
        write(report.arc)
        write(report.dmarc)
    }

    private func writeLine(_ method: String, _ verdict: String, _ rest: String) {
        let coloured: String
        switch verdict {
        case "pass": coloured = palette.green(verdict)
        case "fail", "permerror", "policy": coloured = palette.red(verdict)
        default: coloured = palette.yellow(verdict)
        }
        let gap = String(repeating: " ", count: max(1, 10 - verdict.count))
        let margin = method + String(repeating: " ", count: max(1, 7 - method.count))
        Output.standard.writeLine("  \(margin)\(coloured)\(gap)\(TerminalText.escape(rest))")
    }

    private func write(_ result: DKIMResult) {
        let signature = result.signature
        var text = "\(signature.domain) \(signature.selector) \(signature.algorithmName ?? "")"
        if let bits = result.keyBits, signature.algorithm == .rsaSHA256 { text += ", \(bits) bits" }
        if let reason = result.reason { text += ": \(reason)" }
        for finding in result.findings { text += " [\(finding.rawValue)]" }
        writeLine("DKIM", result.verdict.rawValue, text)
        guard result.verdict != .pass, let body = result.bodyHashAgrees else { return }
        let header = result.signatureAgrees.map { $0 ? "good" : "bad" } ?? "not verified"
        Output.standard.writeLine("                   body \(body ? "unchanged" : "changed"), signature \(header)")
    }

    private func write(_ spf: SPFOutcome, _ message: VerifyMessage) {
        var text = "\(message.client?.address.description ?? "") for \(spf.sender)"
        if let reason = spf.mechanism ?? spf.problem { text += ": \(reason)" }
        if !message.isClientGiven { text += " (client and sender from the header)" }
        writeLine("SPF", spf.result.rawValue, text)
    }

    private func write(_ arc: ARCOutcome) {
        let sets = arc.instances == 1 ? "1 set" : "\(arc.instances) sets"
        writeLine("ARC", arc.verdict.rawValue, arc.instances == 0 ? "" : arc.reason.map { "\(sets): \($0)" } ?? sets)
    }

    private func write(_ dmarc: DMARCOutcome) {
        var text = dmarc.domain ?? ""
        if let policy = dmarc.policy { text += " p=\(policy.rawValue)" }
        if !dmarc.alignedBy.isEmpty { text += ", aligned by \(dmarc.alignedBy.joined(separator: " and "))" }
        if let reason = dmarc.reason { text += text.isEmpty ? reason : ": \(reason)" }
        if dmarc.disposition != .none { text += ": \(dmarc.disposition.rawValue) it" }
        writeLine("DMARC", dmarc.verdict.rawValue, text)
    }
}
