import Bytes
import Unix

/// What a rule looks at.
package enum RuleArea: Equatable, Sendable {
    /// A field by its name, decoded; `raw`, `addr` or `name` of it, or `ALL`.
    case header(name: String, form: HeaderForm)
    /// Whether a field is there.
    case exists(name: String)
    case body, rawBody, uri, full
    case meta(MetaExpression)

    package enum HeaderForm: Equatable, Sendable { case decoded, raw, address, displayName }

    /// The word for it in reports.
    package var word: String {
        switch self {
        case .header, .exists: "header"
        case .body: "body"
        case .rawBody: "rawbody"
        case .uri: "uri"
        case .full: "full"
        case .meta: "meta"
        }
    }
}

/// A regular expression as a rule writes it.
package struct RulePattern: Equatable, Sendable {
    package let text: [UInt8]
    package let options: UInt32
    /// `!~`: the rule hits when the pattern does not match.
    package let isNegated: Bool
    /// What an absent field is taken for (`[if-unset: x]`).
    package let ifUnset: String?
}

/// One rule.
package struct Rule: Sendable {
    package let name: String
    package var area: RuleArea
    package var pattern: RulePattern?
    package var description: String?
    package var score: Double?
    package var isNice = false
    package var isMultiple = false
    package var maximumHits = Int.max

    /// A name that begins with two underscores: a part of others, without points.
    package var isSubrule: Bool { name.hasPrefix("__") }

    /// The points of a hit: as told, else 1, -1 for a nice rule, 0.01 for one on trial (`T_`), none for a subrule.
    package var points: Double {
        if isSubrule { return 0 }
        if let score { return score }
        return name.hasPrefix("T_") ? 0.01 : isNice ? -1 : 1
    }
}

/// A line that is not understood or not supported.
package struct RuleProblem: Equatable, Sendable {
    package let file: String
    package let line: Int
    package let reason: String
}

/// Rules in SpamAssassin's .cf language, from one or more files.
package struct RuleSet: Sendable {
    package private(set) var rules: [String: Rule] = [:]
    /// In the order of their first appearance.
    package private(set) var names: [String] = []
    package private(set) var problems: [RuleProblem] = []
    package private(set) var requiredScore: Double?
    /// What belongs to rules that come later, or never.
    private var scores: [String: Double] = [:]
    private var descriptions: [String: String] = [:]
    private var flags: [String: [String]] = [:]

    package init() {}

    /// Reads the text of a file; `file` is its name for problems.
    package mutating func read(_ bytes: [UInt8], file: String) {
        var conditions: [Bool] = []
        for (index, raw) in bytes.split(separator: ASCII.lf, omittingEmptySubsequences: false).enumerated() {
            let line = RuleSet.withoutComment(raw)
            let words = line.split(maxSplits: 1, whereSeparator: \.isMailWhitespace)
            guard let first = words.first else { continue }
            let verb = first.text.asciiLowercased
            let rest = words.count > 1 ? RuleSet.trimmed(words[1]) : []
            switch verb {
            case "ifplugin": conditions.append(false)
            case "if": conditions.append(RuleSet.condition(rest.text))
            case "else": if let last = conditions.popLast() { conditions.append(!last) }
            case "endif": _ = conditions.popLast()
            default:
                guard conditions.allSatisfy({ $0 }) else { continue }
                if let reason = directive(verb, rest) {
                    problems.append(RuleProblem(file: file, line: index + 1, reason: reason))
                }
            }
        }
        attach()
    }

    /// Plugins are not there; of versions, this is compatible with 4.
    private static func condition(_ text: String) -> Bool {
        guard let match = text.wholeMatch(of: /\(?\s*version\s*(>=|>|<|<=)\s*([0-9.]+)\s*\)?/),
            let number = Double(match.2)
        else { return text.hasPrefix("!plugin") || text.hasPrefix("(!plugin") || text.hasPrefix("! plugin") }
        switch match.1 {
        case ">=": return 4.0 >= number
        case ">": return 4.0 > number
        case "<": return 4.0 < number
        default: return 4.0 <= number
        }
    }

    private static func withoutComment(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var place = line.startIndex
        while place < line.endIndex {
            if line[place] == UInt8(ascii: "#"), place == line.startIndex || line[place - 1] != ASCII.backslash {
                return line[..<place]
            }
            place += 1
        }
        return line
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        guard let first = bytes.firstIndex(where: { !$0.isMailWhitespace }),
            let last = bytes.lastIndex(where: { !$0.isMailWhitespace })
        else { return [] }
        return Array(bytes[first...last])
    }

    /// Obeys one line; returns what is wrong with it.
    private mutating func directive(_ verb: String, _ rest: [UInt8]) -> String? {
        let words = rest.split(maxSplits: 1, whereSeparator: \.isMailWhitespace)
        let name = words.first?.text ?? ""
        let value = words.count > 1 ? RuleSet.trimmed(words[1]) : []
        switch verb {
        case "header": return header(name, value)
        case "body", "rawbody", "uri", "full":
            guard !value.starts(with: "eval:".utf8) else { return "eval: tests are not supported" }
            guard let pattern = RuleSet.pattern(value[...], isNegated: false) else { return "not a regular expression" }
            let area: RuleArea = verb == "body" ? .body : verb == "rawbody" ? .rawBody : verb == "uri" ? .uri : .full
            return define(name, area, pattern)
        case "meta":
            do throws(MetaExpression.Problem) {
                return define(name, .meta(try MetaExpression(value.text)), nil)
            } catch {
                return "\(error)"
            }
        case "describe": descriptions[name] = value.text
        case "score":
            let numbers = value.text.split(separator: " ").compactMap { Double($0) }
            guard numbers.count == 1 || numbers.count == 4 else { return "a score has one or four numbers" }
            // Of four sets the first is that without network tests and without a learned classifier.
            scores[name] = numbers[0]
        case "tflags": flags[name] = value.text.split(separator: " ").map(String.init)
        case "required_score", "required_hits":
            guard let number = Double(name) else { return "not a number" }
            requiredScore = number
        case "lang", "clear_headers", "require_version": break
        default: return "\(verb) is not supported"
        }
        return nil
    }

    private mutating func header(_ name: String, _ value: [UInt8]) -> String? {
        let text = value.text
        if text.hasPrefix("eval:") { return "eval: tests are not supported" }
        if text.hasPrefix("exists:") { return define(name, .exists(name: String(text.dropFirst(7))), nil) }
        guard let match = text.firstMatch(of: /^([^\s=!]+)\s*(=~|!~)\s*/) else {
            return "must be header NAME Field =~ /pattern/"
        }
        let parts = match.1.split(separator: ":", maxSplits: 1).map(String.init)
        let forms: [String: RuleArea.HeaderForm] = [
            "raw": .raw, "addr": .address, "name": .displayName,
        ]
        let form = parts.count > 1 ? forms[parts[1]] : .decoded
        guard let form else { return "the form :\(parts[1]) is not supported" }
        let start = text.utf8.distance(from: text.startIndex, to: match.range.upperBound)
        guard let pattern = RuleSet.pattern(value[start...], isNegated: match.2 == "!~") else {
            return "not a regular expression"
        }
        return define(name, .header(name: parts[0], form: form), pattern)
    }

    /// `/.../flags` or `m{...}flags`, perhaps with `[if-unset: x]` after it.
    private static func pattern(_ bytes: ArraySlice<UInt8>, isNegated: Bool) -> RulePattern? {
        var rest = bytes
        if rest.first == UInt8(ascii: "m"), rest.count > 2, !rest[rest.startIndex + 1].isASCIIAlphanumeric {
            rest = rest.dropFirst()
        }
        guard let open = rest.first, !open.isASCIIAlphanumeric, !open.isMailWhitespace else { return nil }
        let closers: [UInt8: UInt8] = [
            UInt8(ascii: "{"): UInt8(ascii: "}"), ASCII.openParenthesis: ASCII.closeParenthesis,
            ASCII.less: ASCII.greater, ASCII.openBracket: ASCII.closeBracket,
        ]
        let close = closers[open] ?? open
        var ifUnset: String?
        if let start = rest.text.range(of: "[if-unset:", from: rest), let end = rest.lastIndex(of: ASCII.closeBracket) {
            ifUnset = RuleSet.trimmed(rest[(start + 10)..<max(start + 10, end)]).text
            rest = rest[..<start]
        }
        guard let end = rest.dropFirst().lastIndex(of: close) else { return nil }
        let body = Array(rest[(rest.startIndex + 1)..<end])
        var options: PerlRegex.Options = []
        for flag in rest[(end + 1)...] where !flag.isMailWhitespace {
            switch flag {
            case UInt8(ascii: "i"): options.insert(.caseless)
            case UInt8(ascii: "m"): options.insert(.multiline)
            case UInt8(ascii: "s"): options.insert(.dotMatchesLineEnd)
            case UInt8(ascii: "x"): options.insert(.extended)
            default: return nil
            }
        }
        return RulePattern(text: body, options: options.rawValue, isNegated: isNegated, ifUnset: ifUnset)
    }

    private mutating func define(_ name: String, _ area: RuleArea, _ pattern: RulePattern?) -> String? {
        guard !name.isEmpty, name.utf8.allSatisfy({ $0.isASCIIAlphanumeric || $0 == ASCII.underscore }) else {
            return "a rule needs a name of letters, digits and underscores"
        }
        if rules[name] == nil { names.append(name) }
        rules[name] = Rule(name: name, area: area, pattern: pattern)
        return nil
    }

    /// Gives the rules their scores, descriptions and flags, wherever these stood.
    private mutating func attach() {
        for name in names {
            rules[name]?.score = scores[name]
            rules[name]?.description = descriptions[name]
            for flag in flags[name] ?? [] {
                if flag == "nice" { rules[name]?.isNice = true }
                if flag == "multiple" { rules[name]?.isMultiple = true }
                if flag.hasPrefix("maxhits="), let count = Int(flag.dropFirst(8)) { rules[name]?.maximumHits = count }
            }
        }
    }
}

extension String {
    /// The place in `bytes`, of which this is the text, where `word` begins.
    fileprivate func range(of word: String, from bytes: ArraySlice<UInt8>) -> Int? {
        let wanted = Array(word.utf8)
        guard bytes.count >= wanted.count else { return nil }
        return (bytes.startIndex...(bytes.endIndex - wanted.count)).first { bytes[$0...].starts(with: wanted) }
    }
}
