import Bytes

/// The lines of rule files that speak of the marking of messages, by their keywords.
struct MarkingSettings: Sendable {
    private var lines: [String: [String]] = [:]
    /// `clear_headers`: there are no fields but those that later lines add.
    private(set) var hasClearedFields = false

    private static let keywords: Set<String> = [
        "report_safe", "rewrite_header", "add_header", "remove_header", "report", "report_contact", "report_hostname",
    ]

    /// Takes the lines of a file.
    mutating func read(_ bytes: [UInt8]) {
        for line in bytes.split(separator: ASCII.lf) {
            guard let start = line.firstIndex(where: { !$0.isMailWhitespace }), line[start] != UInt8(ascii: "#") else {
                continue
            }
            let end = line[start...].firstIndex(where: \.isMailWhitespace) ?? line.endIndex
            let keyword = line[start..<end].text.asciiLowercased
            var value = line[end...].drop(while: \.isMailWhitespace)
            while let last = value.last, last.isMailWhitespace { value.removeLast() }
            switch keyword {
            case "clear_headers":
                lines["add_header"] = nil
                hasClearedFields = true
            case "clear_report_template": lines["report"] = nil
            case let word where MarkingSettings.keywords.contains(word): lines[word, default: []].append(value.text)
            default: break
            }
        }
    }

    func values(_ keyword: String) -> [String] { lines[keyword] ?? [] }
    func value(_ keyword: String) -> String? { lines[keyword]?.last }
}
