import Bytes
import SpamRules

/// What the rules say about the marking of messages: report_safe, rewrite_header, add_header, remove_header, report.
struct MarkingOptions: Sendable {
    /// Which messages get a field.
    enum Audience: Sendable { case spam, ham, all }

    /// An X-Spam field by its template.
    struct Field: Sendable {
        let audience: Audience
        /// Without `X-Spam-`.
        let name: String
        let template: String
    }

    /// What the rules know beside, for templates.
    let plan: RulePlan
    /// 0: spam passes as it is; 1 and 2: it is wrapped, as a message or as text.
    let wrapping: Int
    let fields: [Field]
    /// The text that is put before Subject, From or To of spam, by the field's name in lower case.
    let rewrites: [String: String]
    /// The lines of the report; nil for the standard ones.
    let report: String?
    let reportHost: String?
    let contact: String?

    private static let standard = [
        Field(
            audience: .all, name: "Checker-Version", template: "Facteur _VERSION_ on _HOSTNAME_"),
        Field(audience: .spam, name: "Flag", template: "_YESNOCAPS_"),
        Field(audience: .all, name: "Level", template: "_STARS(*)_"),
        Field(
            audience: .all, name: "Status",
            template: "_YESNO_, score=_SCORE_ required=_REQD_ tests=_TESTS_ learned=_LEARNED_ autolearn=_AUTOLEARN_ "
                + "version=_VERSION_"),
    ]

    /// What the stock rules say for what everybody gets who says nothing: in place of SpamAssassin's, which names that
    /// program and knows nothing of what was learned, stand our own.
    private static let stock = [
        "SpamAssassin _VERSION_ (_SUBVERSION_) on _HOSTNAME_": standard[0].template,
        "_YESNO_, score=_SCORE_ required=_REQD_ tests=_TESTS_ autolearn=_AUTOLEARN_ version=_VERSION_":
            standard[3].template,
    ]

    init(_ plan: RulePlan) {
        self.plan = plan
        let settings = plan.settings
        wrapping = settings.number("report_safe").map { Int(min(max($0, 0), 2)) } ?? 0
        fields = MarkingOptions.fields(settings)
        var rewrites: [String: String] = [:]
        for line in settings.texts("rewrite_header").map(\.text) {
            let words = line.split(maxSplits: 1, whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
            guard let name = words.first?.asciiLowercased, ["subject", "from", "to"].contains(name) else { continue }
            let text = words.count > 1 ? words[1].filter { $0 != "\r" && $0 != "\n" }.drop { $0 == " " } : ""
            rewrites[name] = text.isEmpty ? nil : String(text)
        }
        self.rewrites = rewrites
        let lines = settings.texts("report").map { MarkingOptions.unquoted($0.text) }
        report = lines.isEmpty ? nil : lines.map { "\($0)\n" }.joined()
        reportHost = settings.value("report_hostname")
        contact = settings.value("report_contact")
    }

    /// The fields after all lines that add, remove and clear them, in their order.
    private static func fields(_ settings: RuleSettings) -> [Field] {
        var fields = standard
        for line in settings.texts("header_fields").map(\.text) {
            let words = line.split(maxSplits: 1, whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
            switch words.first {
            case "clear_headers": fields = [standard[0]]
            case "add_header":
                guard let field = field(words[1]) else { continue }
                // A field may look one way for spam and another for ham.
                fields.removeAll { $0.name.equalsIgnoringCase(field.name) && covers(field.audience, $0.audience) }
                fields.append(field)
            default:
                let parts = words[1].split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
                guard parts.count == 2, let audience = audience(parts[0]) else { continue }
                fields = fields.flatMap { field -> [Field] in
                    guard field.name.equalsIgnoringCase(parts[1]), field.name != "Checker-Version" else {
                        return [field]
                    }
                    if covers(audience, field.audience) { return [] }
                    guard field.audience == .all else { return [field] }
                    return [
                        Field(audience: audience == .spam ? .ham : .spam, name: field.name, template: field.template)
                    ]
                }
            }
        }
        return fields
    }

    private static func covers(_ audience: Audience, _ other: Audience) -> Bool {
        audience == .all || audience == other
    }

    private static func audience(_ word: String) -> Audience? {
        switch word.asciiLowercased {
        case "all": .all
        case "spam": .spam
        case "ham", "nonspam": .ham
        default: nil
        }
    }

    private static func unquoted(_ text: String) -> String {
        text.count > 1 && text.hasPrefix("\"") && text.hasSuffix("\"") ? String(text.dropFirst().dropLast()) : text
    }

    /// `all Name template`, where the template may stand in quotes and have `\n` and `\t`.
    private static func field(_ line: String) -> Field? {
        let words = line.split(maxSplits: 2, whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
        guard words.count == 3 else { return nil }
        guard let audience = audience(words[0]) else { return nil }
        let isName = words[1].utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != ASCII.colon }
        guard isName else { return nil }
        let template = unescaped(unquoted(words[2]))
        return Field(audience: audience, name: words[1], template: stock[template] ?? template)
    }

    private static func unescaped(_ text: String) -> String {
        var result = ""
        var isEscaped = false
        for character in text {
            if isEscaped {
                switch character {
                case "n": result.append("\n")
                case "t": result.append("\t")
                default: result.append(character)
                }
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                result.append(character)
            }
        }
        return result
    }
}
