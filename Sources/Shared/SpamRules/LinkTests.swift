import Bytes
import Unix

/// Tests of links: where they say that they lead, and where they do.
extension EvalTests {
    static let linkTests: [String: Test] = [
        "check_for_http_redirector": { facts, _ in
            facts.uris.contains { uri in
                let text = uri.text.asciiLowercased
                guard text.hasPrefix("http:") || text.hasPrefix("https:"), let host = host(of: uri),
                    let second = ["http:", "https:"].compactMap({ place(of: $0, in: uri, from: 8) }).min()
                else { return false }
                let rest = uri[second...].drop { $0 != ASCII.colon }.dropFirst().drop { $0 == ASCII.slash }
                let name = rest.prefix { ![ASCII.slash, ASCII.colon, ASCII.question].contains($0) }
                let domains = facts.tables.domains
                return !name.isEmpty
                    && domains.registered(name.map(\.asciiLowercased).text) != domains.registered(host)
            } ? 1 : 0
        },
        "check_https_ip_mismatch": { facts, _ in
            facts.links.contains { link in
                guard let host = host(of: link.raw), isIPv4(host), isWeb(link.raw) else { return false }
                return link.texts.contains { text in
                    facts.expressions.matches("https:(?!/*(?:[^@/]+@)?\\d+\\.\\d+\\.\\d+\\.\\d+)", text, .caseless)
                }
            } ? 1 : 0
        },
        "check_https_http_mismatch": { facts, arguments in
            let least = arguments.first.flatMap { Int($0) } ?? 1
            let most = arguments.count > 1 ? Int(arguments[1]) ?? .max : .max
            let domains = facts.tables.domains
            var anchors = 0
            var isHit = false
            for link in facts.links where !link.texts.isEmpty && isWeb(link.raw) {
                guard let host = host(of: link.raw), !isIPv4(host), domains.isDomain(Array(host.utf8)[...]) else {
                    continue
                }
                anchors += 1
                let domain = domains.registered(host)
                for text in link.texts {
                    guard let start = place(of: "https://", in: text, from: 0) else { continue }
                    let shown = text[(start + 8)...].prefix {
                        !$0.isMailWhitespace && ![ASCII.slash, ASCII.colon, ASCII.question, 0x23].contains($0)
                    }.map(\.asciiLowercased)
                    let isAddress = isIPv4(shown.text)
                    guard isAddress || domains.isDomain(shown[...]) else { continue }
                    if (isAddress ? shown.text : domains.registered(shown.text)) != domain {
                        facts.reason = "says \(shown.text), leads to \(host)"
                        isHit = true
                    }
                }
            }
            return isHit && anchors >= max(least, 1) && anchors < most ? 1 : 0
        },
        "check_uri_truncated": { facts, _ in facts.hasLongLink ? 1 : 0 },
        "uri_detail": { facts, arguments in
            facts.links.contains { link in
                stride(from: 0, to: arguments.count - 2, by: 3).allSatisfy { place in
                    guard let values = link.values(arguments[place], facts) else { return false }
                    let isWanted = arguments[place + 1] == "=~"
                    return values.contains { facts.expressions.matches(arguments[place + 2], $0, []) == isWanted }
                }
            } ? 1 : 0
        },
    ]

    private static func isWeb(_ uri: [UInt8]) -> Bool {
        let text = uri.prefix(6).map(\.asciiLowercased).text
        return text.hasPrefix("http:") || text.hasPrefix("https:")
    }

    /// The host of a URI as it is written, in lower case.
    private static func host(of uri: [UInt8]) -> String? {
        guard let colon = uri.firstIndex(of: ASCII.colon) else { return nil }
        var host = uri[(colon + 1)...].drop { $0 == ASCII.slash }
        host = host.prefix { ![ASCII.slash, ASCII.question, 0x23].contains($0) }
        if let at = host.lastIndex(of: ASCII.at) { host = host[(at + 1)...] }
        if let port = host.firstIndex(of: ASCII.colon) { host = host[..<port] }
        return host.isEmpty ? nil : host.map(\.asciiLowercased).text
    }

    private static func place(of word: String, in bytes: [UInt8], from start: Int) -> Int? {
        guard bytes.count > start else { return nil }
        let lower = bytes[start...].map(\.asciiLowercased)
        return MessageURIs.place(of: Array(word.utf8), in: lower).map { $0 + start }
    }

    /// `NAME key =~ /x/ key2 !~ m{y}i ...` of a uri_detail line, as arguments of three for each key.
    static func detailArguments(_ text: [UInt8]) throws(RuleSyntaxError) -> [String] {
        var arguments: [String] = []
        var rest = text[...]
        while true {
            rest = rest.drop(while: \.isMailWhitespace)
            if rest.isEmpty { break }
            let key = rest.prefix(while: \.isASCIILetter).text
            guard LinkDetail.keys.contains(key) else {
                throw RuleSyntaxError("a key of uri_detail is one of \(LinkDetail.keys.joined(separator: ", "))")
            }
            rest = rest.dropFirst(key.utf8.count).drop(while: \.isMailWhitespace)
            let sign = rest.prefix(2).text
            guard sign == "=~" || sign == "!~" else { throw RuleSyntaxError("a key of uri_detail needs =~ or !~") }
            rest = rest.dropFirst(2).drop(while: \.isMailWhitespace)
            let length = try patternLength(rest)
            let pattern = try RulePattern(rest.prefix(length))
            var flags = ""
            for (option, letter) in [
                (RulePattern.Options.caseless, "i"), (.multiline, "m"), (.dotMatchesLineEnd, "s"), (.extended, "x"),
            ] where pattern.options.contains(option) { flags += letter }
            arguments += [key, sign, flags.isEmpty ? pattern.text.text : "(?\(flags))\(pattern.text.text)"]
            rest = rest.dropFirst(length)
        }
        guard !arguments.isEmpty else { throw RuleSyntaxError("must be uri_detail NAME key =~ /pattern/") }
        return arguments
    }

    /// How long the expression is that a text begins with, flags and all.
    private static func patternLength(_ text: ArraySlice<UInt8>) throws(RuleSyntaxError) -> Int {
        let hasPrefix = text.first == UInt8(ascii: "m")
        let body = text.dropFirst(hasPrefix ? 1 : 0)
        guard let open = body.first else { throw RuleSyntaxError("no regular expression: write it as /.../ or m{...}") }
        let close = RulePattern.closer(of: open)
        var place = body.startIndex + 1
        while place < body.endIndex, body[place] != close {
            place += body[place] == ASCII.backslash ? 2 : 1
        }
        guard place < body.endIndex else { throw RuleSyntaxError("the regular expression has no end") }
        place += 1
        while place < body.endIndex, body[place].isASCIILetter { place += 1 }
        return place - text.startIndex
    }
}

/// A link of the message: as it is written, where it stands, and what it is shown as.
struct LinkDetail {
    static let keys = ["raw", "type", "cleaned", "text", "domain", "host"]

    let raw: [UInt8]
    /// The elements that link to it; `parsed` for what stands in the text.
    fileprivate(set) var types: [String] = []
    /// What people see in its place.
    fileprivate(set) var texts: [[UInt8]] = []

    /// The forms that programs understand it as, the written one among them.
    func cleaned(_ facts: MessageFacts) -> [[UInt8]] { MessageURIs.forms(of: raw, facts) }

    func hosts(_ facts: MessageFacts) -> [String] { MessageURIs.hosts(of: cleaned(facts), facts.tables.domains) }

    func domains(_ facts: MessageFacts) -> [String] { hosts(facts).map(facts.tables.domains.registered) }

    /// What a key of uri_detail stands for; nil when there is nothing.
    func values(_ key: String, _ facts: MessageFacts) -> [[UInt8]]? {
        let values =
            switch key {
            case "raw": [raw]
            case "type": types.map { Array($0.utf8) }
            case "cleaned": cleaned(facts)
            case "text": texts
            case "domain": domains(facts).map { Array($0.utf8) }
            default: hosts(facts).map { Array($0.utf8) }
            }
        return values.isEmpty ? nil : values
    }
}

extension MessageURIs {
    /// Each link once, with all that is known of it.
    static func details(in facts: MessageFacts) -> [LinkDetail] {
        var details: [LinkDetail] = []
        var places: [[UInt8]: Int] = [:]
        func take(_ raw: [UInt8], _ type: String, _ text: [UInt8]?) {
            guard !raw.isEmpty, details.count < most || places[raw] != nil else { return }
            let place = places[raw] ?? details.count
            if place == details.count {
                places[raw] = place
                details.append(LinkDetail(raw: raw))
            }
            if !details[place].types.contains(type) { details[place].types.append(type) }
            if let text { details[place].texts.append(text) }
        }
        for link in facts.textLinks { take(link, "parsed", nil) }
        for html in facts.htmlParts {
            for link in html.links {
                let text = link.anchor.flatMap { html.anchors.indices.contains($0) ? html.anchors[$0] : nil }
                take(Array(link.target.utf8.prefix(longest)), link.element, text)
            }
        }
        return details
    }
}
