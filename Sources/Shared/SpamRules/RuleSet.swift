import Bytes

/// Rules in SpamAssassin's .cf language, from one or more files.
package struct RuleSet: Sendable {
    package private(set) var rules: [String: Rule] = [:]
    /// In the order of their first appearance.
    package private(set) var names: [String] = []
    package private(set) var problems: [RuleProblem] = []
    package private(set) var settings = RuleSettings()
    private var condition = RuleCondition()
    private var replaceTags = ReplaceTags()
    /// What belongs to rules that come later, or never.
    private var scores: [String: [Double]] = [:]
    private var descriptions: [String: String] = [:]
    private var flags: [String: [String]] = [:]
    private var priorities: [String: Int] = [:]
    private var shortcircuits: [String: Shortcircuit] = [:]
    /// Rules of which the file that is read has said something.
    private var touched: Set<String> = []
    /// The file that is read is the one with SpamAssassin's own defaults.
    private var isDefaults = false
    /// The folder of the reference rules, once it is known, and whether the file that is read lies in another.
    private var referenceFolder: Substring?
    private var isOwn = true
    private var owned: Set<String> = []
    /// Lines that are understood and say nothing here, by keyword.
    private var idle: [String: RuleNote] = [:]
    /// Files that others include, in order.
    package private(set) var included: [String] = []
    private var nesting = 0
    /// The file that is read.
    private var file = ""

    package init() {}

    /// The score from which on a message is spam, when a line tells.
    package var requiredScore: Double? {
        settings.number("required_score") ?? settings.number("required_hits")
    }

    /// Rules that no line gives points: each counts as its kind does.
    package var unscored: [String] { names.filter { rules[$0]?.scores == nil && rules[$0]?.isSubrule == false } }

    /// Reads the text of a file; `file` is its name for problems.
    ///
    /// - Parameter open: gives the content of a file that an include line names; nil when it cannot be read.
    package mutating func read(_ bytes: [UInt8], file: String, open: (String) -> [UInt8]? = { _ in nil }) {
        isDefaults = file.hasSuffix("/10_default_prefs.cf")
        let folder = file.lastIndex(of: "/").map { file[..<$0] } ?? ""
        if isDefaults { referenceFolder = folder }
        isOwn = folder != referenceFolder
        self.file = file
        var branches: [Bool] = []
        RuleLine.forEach(in: bytes.span) { line in
            if line.keyword == "include", !branches.contains(false) {
                if let reason = include(line.value.text, from: String(folder), open) {
                    problems.append(RuleProblem(file: file, line: line.number, reason: reason))
                }
                isOwn = folder != referenceFolder
                self.file = file
                return
            }
            if let reason = obey(line, &branches) {
                problems.append(RuleProblem(file: file, line: line.number, reason: reason))
            }
        }
        if !branches.isEmpty {
            problems.append(RuleProblem(file: file, line: 0, reason: "an if is not ended by endif"))
        }
        attach()
    }

    /// Reads the file that a line names, relative to the folder of the one that it stands in.
    private mutating func include(_ name: String, from folder: String, _ open: (String) -> [UInt8]?) -> String? {
        guard nesting < 10 else { return "files include each other: \(name) is left out" }
        let path = name.hasPrefix("/") || folder.isEmpty ? name : "\(folder)/\(name)"
        guard !name.isEmpty, let bytes = open(path) else { return "\(name) cannot be read" }
        included.append(path)
        nesting += 1
        read(bytes, file: path, open: open)
        nesting -= 1
        return nil
    }

    /// What was read and has no effect here, by keyword, with the place of the first line.
    package var notes: [RuleNote] { idle.values.sorted { $0.keyword < $1.keyword } }

    /// Obeys one line; returns what is wrong with it.
    private mutating func obey(_ line: RuleLine, _ branches: inout [Bool]) -> String? {
        switch line.keyword {
        case "ifplugin": branches.append(condition.isLoaded(line.words.first ?? ""))
        case "if":
            let truth = condition.holds(line.value)
            branches.append(truth ?? false)
            if truth == nil { return "the condition is not understood, and taken for false: \(line.value.text)" }
        case "else":
            guard let last = branches.popLast() else { return "else without if" }
            branches.append(!last)
        case "endif": if branches.popLast() == nil { return "endif without if" }
        default:
            guard !branches.contains(false) else { return nil }
            do throws(RuleSyntaxError) { return try directive(line) } catch { return error.reason }
        }
        return nil
    }

    private mutating func directive(_ line: RuleLine) throws(RuleSyntaxError) -> String? {
        let (name, rest) = line.nameAndRest
        if RuleSet.ruleKeywords.contains(line.keyword) { touched.insert(name) }
        switch line.keyword {
        case "loadplugin", "tryplugin": condition.load(plugin: name, isPreliminary: file.hasSuffix(".pre"))
        case "enable_compat": condition.enable(compatibility: name)
        case "header", "mimeheader":
            let area = try headerArea(line.keyword, rest)
            try define(name, area)
            return RuleSet.missingTest(area)
        case "body", "rawbody", "uri", "full":
            if let call = try RuleSet.evalCall(line.keyword, rest) {
                try define(name, .eval(call))
                return RuleSet.missingTest(.eval(call))
            } else {
                let pattern = try RulePattern(rest[...])
                switch line.keyword {
                case "body": try define(name, .body(pattern))
                case "rawbody": try define(name, .rawBody(pattern))
                case "uri": try define(name, .uri(pattern))
                default: try define(name, .full(pattern))
                }
            }
        case "meta":
            do throws(MetaExpression.Problem) {
                let expression = try MetaExpression(rest.text)
                try? define(name, .meta(expression))
                if !RuleSet.isName(name) { return "a rule needs a name of letters, digits and underscores" }
            } catch {
                return error.text
            }
        case "describe": descriptions[name] = rest.text
        case "score":
            scores[name] = try RuleSet.scores(rest)
            if isOwn { owned.insert(name) }
        case "tflags": flags[name, default: []] += rest.split(whereSeparator: \.isMailWhitespace).map(\.text)
        case "priority":
            guard let number = Int(rest.text) else { throw RuleSyntaxError("a priority is a whole number") }
            priorities[name] = number
        case "replace_tag": replaceTags.tags[name] = rest
        case "replace_pre": replaceTags.before[name] = rest
        case "replace_post": replaceTags.after[name] = rest
        case "replace_inter": replaceTags.between[name] = rest
        case "replace_rules": replaceTags.rules.formUnion(line.words)
        case "replace_start", "replace_end":
            guard [[ASCII.less], [ASCII.greater]].contains(line.value) else {
                return "other tags than <...> are not supported"
            }
        // Learning by itself is off until somebody asks for it.
        case "bayes_auto_learn" where isDefaults: break
        case "uri_detail":
            let arguments = try EvalTests.detailArguments(rest)
            try define(name, .eval(EvalCall(area: "body", function: "uri_detail", arguments: arguments)))
        case "askdns":
            let arguments = try EvalTests.queryArguments(rest)
            try define(name, .eval(EvalCall(area: "header", function: "askdns", arguments: arguments)))
        case "shortcircuit": try shortcircuit(name, rest.text)
        default:
            if let problem = RuleSettings.problem(of: line.keyword, line.value) { return problem }
            guard settings.take(line.keyword, line.value) else { return "\(line.keyword) is not supported" }
            if let reason = RuleSettings.idleness(of: line.keyword) {
                let note = RuleNote(line.keyword, reason, file: file, line: line.number)
                idle[line.keyword, default: note].count += 1
            }
        }
        return nil
    }

    /// `NAME spam|ham|on|off`: nothing counts that comes after a hit of the rule.
    private mutating func shortcircuit(_ name: String, _ word: String) throws(RuleSyntaxError) {
        guard word == "off" || Shortcircuit(rawValue: word) != nil else {
            throw RuleSyntaxError("must be shortcircuit NAME spam, ham, on or off")
        }
        shortcircuits[name] = Shortcircuit(rawValue: word)
        if word == "ham" { flags[name, default: []] += ["nice"] }
        if word == "ham" || word == "spam" { flags[name, default: []] += ["noautolearn"] }
        if word == "ham" || word == "spam", priorities[name] ?? 0 == 0 { priorities[name] = -200 }
    }

    private static func scores(_ text: [UInt8]) throws(RuleSyntaxError) -> [Double] {
        let words = text.split(whereSeparator: \.isMailWhitespace).map(\.text)
        let numbers = words.compactMap { word -> Double? in
            // A relative score stands in parentheses; relative to nothing, it is the score.
            guard let number = Double(word.filter { $0 != "(" && $0 != ")" }), number.isFinite else { return nil }
            return number
        }
        guard numbers.count == words.count, [1, 4].contains(numbers.count) else {
            throw RuleSyntaxError("a score has one or four numbers")
        }
        return numbers
    }

    /// `Field =~ /x/ [if-unset: y]`, `exists:Field`, `eval:f()`.
    private func headerArea(_ keyword: String, _ value: [UInt8]) throws(RuleSyntaxError) -> RuleArea {
        if let call = try RuleSet.evalCall(keyword, value) { return .eval(call) }
        if value.starts(with: Array("exists:".utf8)) {
            return .exists(try RuleSet.subject(RuleLine.trimmed(value[7...]).text))
        }
        var end = 0
        while end < value.count, !value[end].isMailWhitespace, value[end] != ASCII.equals,
            value[end] != UInt8(ascii: "!")
        {
            end += 1
        }
        let subject = try RuleSet.subject(value[..<end].text)
        var rest = RuleLine.trimmed(value[end...])
        let isNegated = rest.starts(with: Array("!~".utf8))
        guard isNegated || rest.starts(with: Array("=~".utf8)) else {
            throw RuleSyntaxError("must be \(keyword) NAME Field =~ /pattern/")
        }
        rest.removeFirst(2)
        var ifUnset: String?
        if rest.last == ASCII.closeBracket, let start = RuleSet.place(of: "[if-unset:", in: rest) {
            ifUnset = RuleLine.trimmed(rest[(start + 10)..<(rest.count - 1)]).text
            rest = Array(rest[..<start])
        }
        let pattern = try RulePattern(rest[...])
        return keyword == "header"
            ? .header(subject, pattern, isNegated: isNegated, ifUnset: ifUnset)
            : .mimeHeader(subject, pattern, isNegated: isNegated, ifUnset: ifUnset)
    }

    private static func subject(_ text: String) throws(RuleSyntaxError) -> HeaderSubject {
        let subject = HeaderSubject(text)
        guard !subject.name.isEmpty else { throw RuleSyntaxError("a header field is missing") }
        if let form = subject.forms.first(where: { !HeaderSubject.known.contains($0) }) {
            throw RuleSyntaxError("the form :\(form) of a header field is not supported")
        }
        return subject
    }

    private static func place(of word: String, in bytes: [UInt8]) -> Int? {
        let wanted = Array(word.utf8)
        guard bytes.count >= wanted.count else { return nil }
        return (0...(bytes.count - wanted.count)).first { bytes[$0...].starts(with: wanted) }
    }

    /// `eval:name('a', 2)`; nil when it is none.
    private static func evalCall(_ area: String, _ value: [UInt8]) throws(RuleSyntaxError) -> EvalCall? {
        guard value.starts(with: Array("eval:".utf8)) else { return nil }
        let text = value.dropFirst(5)
        guard let open = text.firstIndex(of: ASCII.openParenthesis),
            let close = text.lastIndex(of: ASCII.closeParenthesis),
            open < close
        else { throw RuleSyntaxError("must be eval:name(arguments)") }
        var arguments: [String] = []
        var current: [UInt8] = []
        var quote: UInt8?
        var isEmpty = true
        for byte in text[(open + 1)..<close] {
            if let mark = quote {
                if byte == mark { quote = nil } else { current.append(byte) }
            } else if byte == ASCII.apostrophe || byte == ASCII.quote {
                quote = byte
                isEmpty = false
            } else if byte == ASCII.comma {
                arguments.append(current.text)
                current = []
                isEmpty = false
            } else if !byte.isMailWhitespace {
                current.append(byte)
                isEmpty = false
            }
        }
        guard quote == nil else { throw RuleSyntaxError("a quote is not closed") }
        if !isEmpty { arguments.append(current.text) }
        return EvalCall(
            area: area, function: RuleLine.trimmed(text[..<open]).text, arguments: arguments)
    }

    private static func missingTest(_ area: RuleArea) -> String? {
        guard case .eval(let call) = area else { return nil }
        return EvalTests.problem(of: call)
    }

    private static func isName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy { $0.isASCIIAlphanumeric || $0 == ASCII.underscore }
    }

    private mutating func define(_ name: String, _ area: RuleArea) throws(RuleSyntaxError) {
        guard RuleSet.isName(name) else {
            throw RuleSyntaxError("a rule needs a name of letters, digits and underscores")
        }
        if rules[name] == nil { names.append(name) }
        if isOwn { owned.insert(name) }
        rules[name] = Rule(name: name, area: area)
    }

    /// Gives the rules their scores, descriptions, flags and tags, wherever these stood.
    private mutating func attach() {
        for name in touched {
            guard var rule = rules[name] else { continue }
            rule.scores = scores[name]
            rule.description = descriptions[name]
            rule.isOwn = owned.contains(name)
            rule.priority = priorities[name] ?? 0
            rule.shortcircuit = shortcircuits[name]
            for flag in flags[name] ?? [] {
                switch flag {
                case "nice": rule.isNice = true
                case "noautolearn", "userconf", "learn": rule.teachesNothing = true
                case "a", "ns", "domains_only", "ips_only": rule.scopeFlags.append(flag)
                case "multiple": rule.isMultiple = true
                case "nosubject": rule.skipsSubject = true
                default:
                    guard flag.hasPrefix("maxhits="), let count = Int(flag.dropFirst(8)) else { continue }
                    rule.maximumHits = max(1, count)
                }
            }
            rules[name] = rule
        }
        touched = []
    }

    /// Keywords that say something of the rule that they name.
    private static let ruleKeywords: Set<String> = [
        "header", "mimeheader", "body", "rawbody", "uri", "full", "meta", "describe", "score", "tflags", "priority",
        "shortcircuit", "uri_detail", "askdns",
    ]

    /// The pattern of a rule as it is compiled: with its tags replaced, written out or called as subroutines.
    func pattern(of rule: Rule, isCompact: Bool = false) -> RulePattern? {
        guard var pattern = rule.area.pattern else { return nil }
        if replaceTags.rules.contains(rule.name) {
            pattern.text = replaceTags.expanded(pattern.text, asSubroutines: isCompact)
        }
        return pattern
    }
}
