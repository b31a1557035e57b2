import Bytes
import CommandLineTool
import MessageFormat
import SpamRules
import Unix

/// Fills the tags of templates: `_SCORE_`, `_TESTS(,)_` and the others of SpamAssassin's template tags.
struct ReportTemplate {
    private let verdict: Verdict
    private let options: MarkingOptions
    private let source: TemplateSource

    init(_ verdict: Verdict, _ options: MarkingOptions, _ source: TemplateSource) {
        self.verdict = verdict
        self.options = options
        self.source = source
    }

    /// The template with every tag that is known replaced; what looks like a tag and is none stays.
    func filled(_ template: String) -> String {
        var result = ""
        var rest = template[...]
        while let start = rest.firstIndex(of: "_") {
            result += rest[..<start]
            rest = rest[start...]
            guard let (tag, argument, end) = ReportTemplate.tag(rest), let value = value(tag, argument) else {
                result.append("_")
                rest = rest.dropFirst()
                continue
            }
            result += value
            rest = rest[end...]
        }
        return result + rest
    }

    /// `_NAME_` or `_NAME(argument)_` at the start of the text.
    private static func tag(_ text: Substring) -> (name: String, argument: String?, end: Substring.Index)? {
        var place = text.index(after: text.startIndex)
        let nameStart = place
        while place < text.endIndex, text[place].isUppercase || text[place].isNumber {
            place = text.index(after: place)
        }
        let name = String(text[nameStart..<place])
        guard !name.isEmpty, place < text.endIndex else { return nil }
        var argument: String?
        if text[place] == "(" {
            guard let close = text[place...].firstIndex(of: ")") else { return nil }
            argument = String(text[text.index(after: place)..<close])
            place = text.index(after: close)
        }
        guard place < text.endIndex, text[place] == "_" else { return nil }
        return (name, argument, text.index(after: place))
    }

    private func value(_ tag: String, _ argument: String?) -> String? {
        switch tag {
        case "SCORE", "HITS": return padded(Reports.score(verdict), argument)
        case "REQD": return Reports.number(verdict.required)
        case "YESNO": return choice("Yes", "No", argument)
        case "YESNOCAPS": return choice("YES", "NO", argument)
        case "STARS":
            let count = min(50, max(0, Int(min(max(verdict.score, 0), 50))))
            return String(repeating: argument ?? "*", count: count)
        case "TESTS": return ReportTemplate.list(verdict.names, argument)
        case "TESTSSCORES":
            let tests = verdict.tests.sorted { $0.name < $1.name }
            return ReportTemplate.list(tests.map { "\($0.name)=\(ReportTemplate.points($0.points))" }, argument)
        case "SUBTESTS", "SUBTESTSCOLLAPSED": return ReportTemplate.list(verdict.subrules.sorted(), argument)
        case "BAYES", "LEARNED": return verdict.learned.map { DecimalText.format($0, decimals: 3) } ?? "none"
        case "AUTOLEARN": return verdict.learning.rawValue
        case "VERSION": return facteurVersion
        case "SUBVERSION": return "0"
        case "HOSTNAME": return options.reportHost ?? Host.name
        case "CONTACTADDRESS": return options.contact ?? "the administrator of that system"
        case "DATE":
            let now = SystemClock.now.seconds
            return DateTime(epoch: now, offset: SystemClock.zoneOffset(at: now)).text
        case "PREVIEW": return source.preview
        case "REPORT": return "\n" + terseAnalysis
        case "SUMMARY": return analysis
        default: return ReportTemplate.unknown.contains(tag) ? "" : source.tags.value(tag, argument)
        }
    }

    /// Tags of SpamAssassin that nothing stands for here.
    private static let unknown: Set<String> = [
        "RULESVERSION", "TOKENSUMMARY", "BAYESTC", "BAYESTCLEARNED", "BAYESTCSPAMMY", "BAYESTCHAMMY", "HAMMYTOKENS",
        "SPAMMYTOKENS", "AUTOLEARNSCORE", "DCCB", "DCCR", "DCCREP", "PYZOR", "RBL", "LANGUAGES", "SUBJPREFIX", "TIMING",
        "REMOTEHOSTNAME", "REMOTEHOSTADDR",
    ]

    private static func list(_ names: [String], _ separator: String?) -> String {
        names.isEmpty ? "none" : names.joined(separator: separator ?? ",")
    }

    /// With no more decimals than it needs.
    private static func points(_ points: Double) -> String {
        let text = Reports.points(points)
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    /// `_YESNO(is,is not)_` has words of its own for spam and ham.
    private func choice(_ spam: String, _ ham: String, _ argument: String?) -> String {
        let words = argument?.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let isDefault = argument?.isEmpty ?? true
        if verdict.isSpam { return isDefault ? spam : words?.first ?? spam }
        return isDefault ? ham : words?.dropFirst().first ?? ""
    }

    /// `_SCORE(0)_` makes 2.4 into 02.4, `_SCORE(00)_` into 002.4.
    private func padded(_ text: String, _ argument: String?) -> String {
        guard let argument, let pad = argument.first else { return text }
        return String(repeating: pad, count: max(0, argument.count + 3 - text.count)) + text
    }

    /// The points one by one, as they go into a field.
    private var terseAnalysis: String {
        verdict.tests.map { test in
            let points = Reports.number(test.points)
            return "* " + String(repeating: " ", count: max(0, 4 - points.count))
                + "\(points) \(test.name) \(TerminalText.escape(test.description ?? test.area))\n"
        }.joined()
    }

    /// The points one by one.
    private var analysis: String {
        var text = " pts rule name              description\n"
        text += "---- ---------------------- --------------------------------------------------\n"
        for test in verdict.tests {
            let points = Reports.number(test.points)
            text += String(repeating: " ", count: max(0, 4 - points.count)) + points + " " + test.name
            text += String(repeating: " ", count: max(0, 22 - test.name.count))
            text += " \(TerminalText.escape(test.description ?? test.area))\n"
        }
        return text
    }

    /// The whole report.
    var report: String {
        filled(
            options.report
                ?? """
                Spam detection software, running on the system "_HOSTNAME_",
                has scored this message. Ask _CONTACTADDRESS_ for details.

                Content preview:  _PREVIEW_

                Content analysis details:   (_SCORE_ points, _REQD_ required)

                _SUMMARY_

                """)
    }
}
