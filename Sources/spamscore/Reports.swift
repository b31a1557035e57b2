import CommandLineTool
import Mailboxes
import SpamRules
import Unix

/// What is printed of scores and rules.
enum Reports {
    /// `7.2/5.0`; for the log-odds alone `2.7183/0`. A score just under the threshold is not rounded up to it.
    static func check(_ verdict: Verdict) -> String {
        if verdict.isLearnedOnly { return "\(DecimalText.format(verdict.score, decimals: 4))/0" }
        return "\(score(verdict))/\(number(verdict.required))"
    }

    /// The score with one decimal, on the side of the threshold where it is.
    static func score(_ verdict: Verdict) -> String {
        let text = number(verdict.score)
        guard !verdict.isSpam, let shown = Double(text), shown >= verdict.required else { return text }
        return number(shown - 0.1)
    }

    static func number(_ score: Double) -> String { DecimalText.format(score, decimals: 1) }

    /// With as many decimals as it needs, one at least and three at most.
    static func points(_ points: Double) -> String {
        var text = DecimalText.format(points, decimals: 3)
        while text.hasSuffix("0"), !text.hasSuffix(".0") { text.removeLast() }
        return text
    }

    static func json(_ verdict: Verdict, _ input: InputMessage, _ elapsed: Double, _ problems: [RuleProblem]) -> [UInt8]
    {
        var json = JSONWriter()
        json.object { json in
            json.field("file", PathText.repaired(input.file))
            json.field("index", input.index)
            json.field("score", verdict.score, decimals: verdict.isLearnedOnly ? 4 : decimals(verdict.score))
            json.field("required", verdict.required, decimals: verdict.isLearnedOnly ? 0 : decimals(verdict.required))
            json.field("spam", verdict.isSpam)
            json.field("learned", verdict.learned, decimals: 3)
            json.array("tests") { json in
                for test in verdict.tests {
                    json.object { json in
                        json.field("name", test.name)
                        json.field("score", test.points, decimals: verdict.isLearnedOnly ? 4 : decimals(test.points))
                        json.field("description", test.description)
                        json.field("area", test.area)
                        json.field("text", test.text)
                    }
                }
            }
            json.field("unsupported", problems.map { "\($0.file):\($0.line): \($0.reason)" })
            json.field("cut", verdict.cut)
            json.field("ms", elapsed, decimals: 1)
        }
        return json.takeLine()
    }

    private static func decimals(_ number: Double) -> Int {
        max(1, points(number).split(separator: ".").last?.count ?? 1)
    }

    static func explanation(_ verdict: Verdict, _ name: String) -> String {
        func padded(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        let isPure = verdict.isLearnedOnly
        let total = isPure ? DecimalText.format(verdict.score, decimals: 4) : points(verdict.score)
        let tests = verdict.tests.sorted { $0.points > $1.points }
        let shown = tests.map { isPure ? total : points($0.points) }
        let column = max(4, total.count, shown.map(\.count).max() ?? 0)
        let required = isPure ? "0" : number(verdict.required)
        let head = "\(padded(total, column))  \(verdict.isSpam ? "spam" : "ham") (\(required) needed)"
        var text = head + String(repeating: " ", count: max(2, 60 - head.count)) + TerminalText.escape(name) + "\n"
        let width = max(16, tests.map(\.name.count).max() ?? 0)
        for (test, points) in zip(tests, shown) {
            text += padded(points, column) + "  \(test.name)" + String(repeating: " ", count: width - test.name.count)
            text += " \(reason(test, verdict))\n"
        }
        for cut in verdict.cut { text += padded("-", column) + "  not looked at: \(TerminalText.escape(cut))\n" }
        return text
    }

    /// Why a test has hit, in words and by the text that matched.
    private static func reason(_ test: Verdict.Test, _ verdict: Verdict) -> String {
        if test.isReason, let reason = test.text { return TerminalText.escape(reason) }
        let isLearned = test.area == "learned"
        let text = TerminalText.escape(isLearned ? learned(test, verdict) : test.description ?? test.area)
        guard let matched = test.text, !matched.isEmpty else { return text }
        return text + ": " + TerminalText.escape(isLearned ? matched : "\"\(matched)\"")
    }

    private static func learned(_ test: Verdict.Test, _ verdict: Verdict) -> String {
        guard test.text != nil, let learned = verdict.learned else { return test.description ?? "" }
        return "learned probability \(DecimalText.format(learned, decimals: 3))"
    }

    static func lint(_ set: RuleSet) -> ExitCode {
        let errors = RuleScorer(set).compileAll()
        for problem in set.problems {
            Output.standard.writeLine(TerminalText.escape("\(problem.file):\(problem.line): \(problem.reason)"))
        }
        for (name, error) in errors.sorted(by: { $0.key < $1.key }) {
            Output.standard.writeLine(TerminalText.escape("\(name): \(error)"))
        }
        for note in set.notes {
            let more = note.count > 1 ? " (\(note.count) lines)" : ""
            Output.standard.writeLine(
                TerminalText.escape("\(note.file):\(note.line): \(note.keyword) has no effect\(more): \(note.reason)"))
        }
        let unscored = set.unscored
        if !unscored.isEmpty {
            let names = unscored.prefix(8).joined(separator: ", ") + (unscored.count > 8 ? " ..." : "")
            Diagnostics.say("\(unscored.count) rules have no score line and count by default (1; -1 nice): \(names)")
        }
        return set.problems.isEmpty && errors.isEmpty ? .ok : .negative
    }

    static func list(_ set: RuleSet) {
        for name in set.names {
            guard let rule = set.rules[name] else { continue }
            let points = DecimalText.format(rule.points(), decimals: 3)
            Output.standard.writeLine("\(name)\t\(rule.area.word)\t\(points)\t\(rule.description ?? "")")
        }
    }
}
