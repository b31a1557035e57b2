import CommandLineTool
import DNS
import Unix

/// Tells people and programs what a diagnosis came to.
struct CheckReport: Sendable {
    private enum Form {
        case text, row, json, nothing
    }

    private let form: Form
    private let text: CheckText
    private let isStrict: Bool

    init(_ arguments: Arguments, isBatch: Bool) throws(ToolFailure) {
        for option in [MXOptions.short, MXOptions.addresses] where arguments[option] {
            throw ToolFailure(.usage, "--check: cannot go with --short or --addresses")
        }
        if arguments[MXOptions.format] != nil {
            throw ToolFailure(.usage, "--check: cannot go with --format: use --json")
        }
        isStrict = arguments[MXOptions.strict]
        form =
            arguments[MXOptions.quiet] ? .nothing : arguments[MXOptions.json] ? .json : isBatch ? .row : .text
        text = CheckText(
            Palette(arguments[MXOptions.color]), width: Terminal.isTerminal(1) ? Terminal.width : 80)
    }

    /// Reports one diagnosis, and says how the tool ends for it.
    func add(_ result: CheckResult) -> ExitCode {
        switch form {
        case .text: write(result)
        case .row: Output.standard.writeLine(row(result))
        case .json: Output.standard.write(json(result))
        case .nothing: break
        }
        return result.exitCode(isStrict: isStrict)
    }

    private func write(_ result: CheckResult) {
        var notes = [counts(result)]
        let seconds = DecimalText.format(result.milliseconds / 1_000, decimals: 1)
        let queries = result.queries.flatMap { $0 > 0 ? ", \($0) \($0 == 1 ? "query" : "queries")" : nil } ?? ""
        notes.append("(\(seconds) s\(queries))")
        Output.standard.writeLine(text.heading(result.route.domain, notes.joined(separator: "   ")))
        for section in result.sections {
            for line in text.lines(section) { Output.standard.writeLine(line) }
        }
        Output.standard.writeLine("")
    }

    private func counts(_ result: CheckResult) -> String {
        func count(_ severity: Finding.Severity, _ noun: String, _ nouns: String) -> String? {
            let number = result.count(severity)
            return number == 0 ? nil : "\(number) \(number == 1 ? noun : nouns)"
        }
        let words = [
            count(.error, "error", "errors"), count(.warning, "warning", "warnings"),
            count(.unknown, "unknown", "unknown"),
        ].compactMap { $0 }
        return words.isEmpty ? "no findings" : words.joined(separator: ", ")
    }

    private func row(_ result: CheckResult) -> String {
        var ids: [String] = []
        for finding in result.findings where !ids.contains(finding.id.rawValue) { ids.append(finding.id.rawValue) }
        let columns = [
            TerminalText.escape(result.route.domain), result.route.status.rawValue, counts(result),
            ids.joined(separator: " "),
        ]
        return columns.joined(separator: "\t")
    }

    private func json(_ result: CheckResult) -> [UInt8] {
        let lookup = Lookup(route: result.route, milliseconds: result.milliseconds)
        return JSONReport.line(lookup, result.findings) { json in
            json.field("errors", result.count(.error))
            json.field("warnings", result.count(.warning))
            json.field("unknown", result.count(.unknown))
            json.field("queries", result.queries)
            for section in result.sections {
                guard let facts = section.facts else { continue }
                json.key(section.part.key)
                facts(&json)
            }
        }
    }
}
