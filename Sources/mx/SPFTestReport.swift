import CommandLineTool
import SenderAuthentication
import Unix

/// An SPF check for people: the verdict, and under it every term with what it came to.
struct SPFTestReport {
    private let palette: Palette

    init(_ palette: Palette) { self.palette = palette }

    func write(_ outcome: SPFOutcome, _ address: IPAddress) {
        let output = Output.standard
        let reason = outcome.mechanism ?? outcome.problem
        output.writeLine(
            coloured(outcome.result) + "  \(address) for \(TerminalText.escape(outcome.sender))"
                + (reason.map { ": \(TerminalText.escape($0))" } ?? ""))
        write(outcome.trace, indent: 2)
        if let explanation = outcome.explanation { output.writeLine("  explanation: \(explanation)") }
        output.writeLine("  \(outcome.lookups) of 10 lookups, \(outcome.void) of 2 void")
    }

    private func coloured(_ result: SPFResult) -> String {
        switch result {
        case .pass: palette.green(result.rawValue)
        case .fail, .permerror: palette.red(result.rawValue)
        default: palette.yellow(result.rawValue)
        }
    }

    private func write(_ trace: SPFTrace, indent: Int) {
        let margin = String(repeating: " ", count: indent)
        Output.standard.writeLine(
            "\(margin)\(TerminalText.escape(trace.domain)): \(trace.record ?? "no SPF record")")
        let width = trace.terms.reduce(0) { max($0, $1.text.count) }
        for term in trace.terms {
            var line = margin + "  " + term.text + String(repeating: " ", count: width - term.text.count) + "  "
            line += words(term.outcome)
            if let target = term.target, !term.text.hasSuffix(target) { line += "  (\(target))" }
            if term.lookups > 0 { line += "  \(term.lookups) \(term.lookups == 1 ? "lookup" : "lookups")" }
            if term.void > 0 { line += ", \(term.void) void" }
            if let note = term.note, term.nested.isEmpty { line += "  \(note)" }
            Output.standard.writeLine(line)
            for nested in term.nested { write(nested, indent: indent + 4) }
        }
        if trace.terms.isEmpty, let problem = trace.problem, trace.record != nil {
            Output.standard.writeLine("\(margin)  \(TerminalText.escape(problem))")
        }
    }

    private func words(_ outcome: SPFTraceTerm.Outcome) -> String {
        switch outcome {
        case .match: palette.bold("match")
        case .noMatch: "no match"
        case .temperror, .permerror: palette.red(outcome.rawValue)
        }
    }
}
