import Bytes

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

    init(_ settings: MarkingSettings) {
        wrapping = settings.value("report_safe").flatMap { Int($0) }.map { min(max($0, 0), 2) } ?? 0
        var fields = settings.hasClearedFields ? [MarkingOptions.standard[0]] : MarkingOptions.standard
        for line in settings.values("add_header") {
            guard let field = MarkingOptions.field(line) else { continue }
            if let known = fields.firstIndex(where: { $0.name.equalsIgnoringCase(field.name) }) {
                fields[known] = field
            } else {
                fields.append(field)
            }
        }
        for line in settings.values("remove_header") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
            guard words.count == 2 else { continue }
            fields.removeAll {
                $0.name.equalsIgnoringCase(words[1]) && $0.name != "Checker-Version"
                    && (words[0] == "all" || $0.audience != (words[0] == "spam" ? .ham : .spam))
            }
        }
        self.fields = fields
        var rewrites: [String: String] = [:]
        for line in settings.values("rewrite_header") {
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            guard let name = words.first?.asciiLowercased, ["subject", "from", "to"].contains(name) else { continue }
            rewrites[name] = words.count > 1 ? words[1].filter { $0 != "\r" && $0 != "\n" } : nil
        }
        self.rewrites = rewrites
        let lines = settings.values("report")
        report = lines.isEmpty ? nil : lines.map { "\($0)\n" }.joined()
        reportHost = settings.value("report_hostname")
        contact = settings.value("report_contact")
    }

    /// `all Name template`, where the template may stand in quotes and have `\n` and `\t`.
    private static func field(_ line: String) -> Field? {
        let words = line.split(maxSplits: 2, whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
        guard words.count == 3 else { return nil }
        let audience: Audience
        switch words[0].asciiLowercased {
        case "all": audience = .all
        case "spam": audience = .spam
        case "ham", "nonspam": audience = .ham
        default: return nil
        }
        let isName = words[1].utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != ASCII.colon }
        guard isName else { return nil }
        var template = words[2]
        if template.count > 1, template.hasPrefix("\""), template.hasSuffix("\"") {
            template = String(template.dropFirst().dropLast())
        }
        return Field(audience: audience, name: words[1], template: unescaped(template))
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
