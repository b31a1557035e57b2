import CommandLineTool
import SpamRules

/// What is printed of scores and rules.
enum Reports {
    static func number(_ score: Double) -> String { DecimalText.format(score, decimals: 1) }

    static func json(
        _ verdict: RuleVerdict, _ name: String, _ required: Double, _ elapsed: Double, _ set: RuleSet
    ) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.field("file", name)
            json.field("score", verdict.score, decimals: 1)
            json.field("required", required, decimals: 1)
            json.field("spam", verdict.score >= required)
            json.fieldNull("learned")
            json.array("tests") { json in
                for hit in verdict.hits {
                    json.object { json in
                        json.field("name", hit.name)
                        json.field("score", hit.points, decimals: 3)
                        json.field("description", hit.description)
                        json.field("area", hit.area)
                        json.field("text", hit.text)
                    }
                }
            }
            json.field("unsupported", set.problems.map { "\($0.file):\($0.line): \($0.reason)" })
            json.field("cut", verdict.cut)
            json.field("ms", elapsed, decimals: 1)
        }
        return json.takeLine()
    }

    static func explanation(_ verdict: RuleVerdict, _ name: String, _ required: Double) -> String {
        func padded(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        var text = "\(padded(number(verdict.score), 5))  \(verdict.score >= required ? "spam" : "ham") "
        text += "(\(number(required)) needed)   \(TerminalText.escape(name))\n"
        let width = verdict.hits.map(\.name.count).max() ?? 0
        for hit in verdict.hits.sorted(by: { $0.points > $1.points }) {
            text +=
                "\(padded(number(hit.points), 5))  \(hit.name)" + String(repeating: " ", count: width - hit.name.count)
            text += "  \(TerminalText.escape(hit.description ?? hit.area))"
            if let matched = hit.text, !matched.isEmpty { text += ": \"\(TerminalText.escape(matched))\"" }
            text += "\n"
        }
        return text
    }

    static func lint(_ set: RuleSet) -> ExitCode {
        let scorer = RuleScorer(set)
        scorer.compileAll()
        for problem in set.problems {
            Output.standard.writeLine(TerminalText.escape("\(problem.file):\(problem.line): \(problem.reason)"))
        }
        for (name, error) in scorer.problems.sorted(by: { $0.key < $1.key }) {
            Output.standard.writeLine(TerminalText.escape("\(name): \(error)"))
        }
        return set.problems.isEmpty && scorer.problems.isEmpty ? .ok : .negative
    }

    static func list(_ set: RuleSet) {
        for name in set.names {
            guard let rule = set.rules[name] else { continue }
            let points = DecimalText.format(rule.points, decimals: 3)
            Output.standard.writeLine("\(name)\t\(rule.area.word)\t\(points)\t\(rule.description ?? "")")
        }
    }
}
