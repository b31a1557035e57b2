import Bytes
import MessageFormat

/// Tests of character sets that none of `ok_locales` needs.
extension EvalTests {
    static let charsetTests: [String: Test] = [
        "check_for_faraway_charset": { facts, _ in
            guard let locales = facts.locales, let root = facts.structure.parts.first,
                let charset = root.contentType["charset"], !CharsetLocale.isUsed(charset, in: locales)
            else { return 0 }
            // Such charsets have ASCII too: it takes a text that is not.
            let high = facts.bodyLines.reduce(0) { $0 + $1.reduce(0) { $0 + ($1 >= 0x80 ? 1 : 0) } }
            let all = facts.bodyLines.reduce(0) { $0 + $1.count }
            guard high > 3, all - high <= high else { return 0 }
            facts.reason = charset
            return 1
        },
        "check_for_faraway_charset_in_headers": { facts, _ in
            guard let locales = facts.locales else { return 0 }
            for subject in ["From:raw", "Subject:raw"] {
                for word in facts.text(subject).split(separator: "=").map({ $0.split(separator: "?") }) {
                    guard word.count >= 3, word[1].count == 1, !CharsetLocale.isUsed(String(word[0]), in: locales)
                    else { continue }
                    facts.reason = String(word[0])
                    return 1
                }
            }
            return 0
        },
        "html_charset_faraway": { facts, _ in
            guard let locales = facts.locales else { return 0 }
            return facts.htmlParts.contains { html in
                let far = html.charsets.filter { !CharsetLocale.isUsed($0, in: locales) }.count
                return far > 0 && far >= html.charsets.count - far
            } ? 1 : 0
        },
    ]
}

extension MessageFacts {
    /// The locales of `ok_locales`; nil when all are.
    var locales: [String]? {
        let named = settings.value("ok_locales")?.split(separator: " ").map { String($0).asciiLowercased } ?? ["all"]
        return named.contains("all") || named.isEmpty ? nil : named
    }
}

/// Which charsets the mail of a locale comes in.
enum CharsetLocale {
    private static let cyrillic = [
        "koi8r", "koi8u", "koi8t", "isoir111", "cp1251", "georgianps", "pt154", "cp866",
    ]
    private static let traditional = ["big5hkscs", "big5", "euctw"]
    private static let simplified = ["gb1988", "gb2312", "gb231219800", "gb18030", "gbk", "iso2022cn"]

    private static func charsets(_ locale: String) -> [String] {
        switch locale.prefix(2) {
        case "ja":
            [
                "eucjp", "jisx020119760", "jisx020819830", "jisx020819900", "jisx020819970", "jisx021219900",
                "jisx021320001", "jisx021320002", "shiftjis", "iso2022jp", "sjis", "jis7", "jisx0201", "jisx0208",
                "jisx0212",
            ]
        case "ko": ["euckr", "ksc56011987"]
        case "ru", "ka", "tg", "be", "uk", "bg": cyrillic
        case "th": ["tis620"]
        case "zh": simplified + traditional
        default: []
        }
    }

    /// Latin charsets and Unicode are everybody's.
    static func isUsed(_ charset: String, in locales: [String]) -> Bool {
        let name = charset.asciiLowercased.prefix { $0 != ":" }.utf8.filter(\.isASCIIAlphanumeric).text
        if ["usascii", "ascii", "ibm852", "xunknown", "iso"].contains(name) { return true }
        if ["iso8859", "iso10646", "utf", "ucs", "cp125", "windows", "unicode11utf"].contains(where: name.hasPrefix) {
            return true
        }
        return locales.contains { charsets($0).contains(name) }
    }
}
