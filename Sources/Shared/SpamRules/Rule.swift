import Bytes

/// The kinds of rules, by what they look at.
enum RuleKind: Int32 {
    case header, exists, mimeHeader, body, rawBody, uri, full, eval, meta

    /// The keyword; what is written as code has that of its rule.
    var word: String {
        switch self {
        case .header, .exists: "header"
        case .mimeHeader: "mimeheader"
        case .body: "body"
        case .rawBody: "rawbody"
        case .uri: "uri"
        case .full: "full"
        case .meta: "meta"
        case .eval: "eval"
        }
    }
}

/// What a rule looks at.
package enum RuleArea: Equatable, Sendable {
    case header(HeaderSubject, RulePattern, isNegated: Bool, ifUnset: String?)
    /// Whether a field is there.
    case exists(HeaderSubject)
    /// A field of the header of any part.
    case mimeHeader(HeaderSubject, RulePattern, isNegated: Bool, ifUnset: String?)
    case body(RulePattern)
    case rawBody(RulePattern)
    case uri(RulePattern)
    case full(RulePattern)
    case meta(MetaExpression)
    case eval(EvalCall)

    /// The word for it in reports.
    package var word: String { if case .eval(let call) = self { call.area } else { kind.word } }

    var kind: RuleKind {
        switch self {
        case .header: .header
        case .exists: .exists
        case .mimeHeader: .mimeHeader
        case .body: .body
        case .rawBody: .rawBody
        case .uri: .uri
        case .full: .full
        case .meta: .meta
        case .eval: .eval
        }
    }

    /// The regular expression, of those that have one.
    var pattern: RulePattern? {
        get {
            switch self {
            case .header(_, let pattern, _, _), .mimeHeader(_, let pattern, _, _): pattern
            case .body(let pattern), .rawBody(let pattern), .uri(let pattern), .full(let pattern): pattern
            case .exists, .meta, .eval: nil
            }
        }
        set {
            guard let newValue else { return }
            switch self {
            case .header(let subject, _, let negated, let unset):
                self = .header(subject, newValue, isNegated: negated, ifUnset: unset)
            case .mimeHeader(let subject, _, let negated, let unset):
                self = .mimeHeader(subject, newValue, isNegated: negated, ifUnset: unset)
            case .body: self = .body(newValue)
            case .rawBody: self = .rawBody(newValue)
            case .uri: self = .uri(newValue)
            case .full: self = .full(newValue)
            case .exists, .meta, .eval: break
            }
        }
    }
}

/// A header field, or what stands for several, and which form of it: `From:addr`, `Received:raw`, `ALL`.
package struct HeaderSubject: Hashable, Sendable {
    /// In lower case; names that stand for several fields (`ALL`, `ALL-EXTERNAL`, `MESSAGEID`), which have to be written
    /// in capitals, begin with `*`.
    package let name: String
    /// In lower case, in order: `raw`, `addr`, `name`, `first`, `last`, `host`, `domain`, `ip`.
    package let forms: [String]

    package init(_ text: String) {
        let parts = text.asciiLowercased.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let written = String(text.prefix { $0 != ":" })
        name = HeaderSubject.combined.contains(written) ? "*" + (parts.first ?? "") : parts.first ?? ""
        forms = Array(parts.dropFirst())
    }

    private static let combined: Set<String> = [
        "ALL", "ALL-TRUSTED", "ALL-UNTRUSTED", "ALL-INTERNAL", "ALL-EXTERNAL", "MESSAGEID",
    ]

    /// As it is written in an image.
    var text: String { ([name] + forms).joined(separator: ":") }

    /// Reads what `text` has written.
    init(image text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        name = parts.first ?? ""
        forms = Array(parts.dropFirst())
    }

    static let known: Set<String> = ["raw", "addr", "name", "first", "last", "host", "domain", "ip", "revip"]
}

/// A test that is written as code: `eval:name(arguments)`.
package struct EvalCall: Equatable, Sendable {
    /// The keyword of the rule: header, body, rawbody or full.
    package let area: String
    package let function: String
    /// Strings without their quotes, numbers as they stand.
    package let arguments: [String]
}

/// What a hit of a rule that ends the scoring says of the message.
enum Shortcircuit: String, Sendable { case spam, ham, on }

/// One rule.
package struct Rule: Sendable {
    package let name: String
    package internal(set) var area: RuleArea
    package internal(set) var description: String?
    /// For the four sets: local, network, local and learned, network and learned; nil when no line tells.
    package internal(set) var scores: [Double]?
    package internal(set) var isNice = false
    package internal(set) var isMultiple = false
    package internal(set) var maximumHits = Int.max
    /// Does not look at the subject that stands before the body.
    package internal(set) var skipsSubject = false
    /// A line outside the reference rules defines it or gives it its points.
    package internal(set) var isOwn = false
    /// Says nothing of a message that could be learned: tflags noautolearn, userconf and learn.
    package internal(set) var teachesNothing = false
    /// Where it stands in the order of rules: lower ones come first.
    package internal(set) var priority = 0
    /// Ends the scoring.
    var shortcircuit: Shortcircuit?
    /// Flags that say which hosts and addresses a test of URI lists asks for: a, ns, domains_only, ips_only.
    package internal(set) var scopeFlags: [String] = []

    init(name: String, area: RuleArea) {
        self.name = name
        self.area = area
    }

    /// A name that begins with two underscores: a part of others, without points.
    package var isSubrule: Bool { name.hasPrefix("__") }

    /// The points of a hit in one of the four sets: as told, else 1, -1 for a nice rule, 0.01 (-0.01) for one on trial
    /// (`T_`), none for a subrule.
    package func points(set: Int = 0) -> Double {
        if isSubrule { return 0 }
        if let scores { return scores[min(max(set, 0), scores.count - 1)] }
        let size = name.hasPrefix("T_") ? 0.01 : 1
        return isNice ? -size : size
    }

    /// The points in all four sets.
    var allPoints: [Double] { (0..<4).map { points(set: $0) } }
}

/// A line that is not understood or not supported.
package struct RuleProblem: Equatable, Sendable {
    package let file: String
    package let line: Int
    package let reason: String
}

/// Lines that are understood and have no effect here.
package struct RuleNote: Equatable, Sendable {
    package let keyword: String
    /// Why: a phrase.
    package let reason: String
    package let file: String
    /// The first such line.
    package let line: Int
    package internal(set) var count = 0

    init(_ keyword: String, _ reason: String, file: String, line: Int) {
        self.keyword = keyword
        self.reason = reason
        self.file = file
        self.line = line
    }
}
