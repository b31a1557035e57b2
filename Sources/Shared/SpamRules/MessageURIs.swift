import Bytes

/// The URIs of a message: what its HTML links to, and what mail programs make links of in its text.
enum MessageURIs {
    static let most = 1_000
    static let longest = 8_192

    /// Each as written and in the forms that programs understand it as.
    static func find(in facts: MessageFacts) -> [[UInt8]] {
        var found: [[UInt8]] = []
        var seen: Set<[UInt8]> = []
        func take(_ uri: [UInt8]) {
            if !uri.isEmpty, found.count < most, seen.insert(uri).inserted { found.append(uri) }
        }
        for link in facts.textLinks { forms(of: link, facts).forEach(take) }
        for html in facts.htmlParts {
            for link in html.links { forms(of: Array(link.target.utf8.prefix(longest)), facts).forEach(take) }
        }
        return found
    }

    /// The forms of a link and of those that it leads on to.
    static func forms(of link: [UInt8], _ facts: MessageFacts, depth: Int = 0) -> [[UInt8]] {
        let forms = CanonicalURI.forms(of: link)
        guard depth < 4, let last = forms.last, let target = target(of: last, facts) else { return forms }
        return forms + self.forms(of: target, facts, depth: depth + 1)
    }

    /// The link that is a part of another: by a redirector_pattern, or where it begins with a scheme.
    private static func target(of uri: [UInt8], _ facts: MessageFacts) -> [UInt8]? {
        guard let slashes = place(of: Array("://".utf8), in: uri), let scheme = uri.first?.asciiLowercased,
            scheme == UInt8(ascii: "h"), let path = uri[(slashes + 3)...].firstIndex(of: ASCII.slash),
            uri[path...].contains(ASCII.dot)
        else { return nil }
        for pattern in facts.redirectors {
            if let found = facts.expressions.groups(of: pattern, in: uri).first, found.contains(ASCII.dot) {
                return found
            }
        }
        let rest = Array(uri[path...])
        let lower = rest.map(\.asciiLowercased)
        guard let start = ["http:", "https:"].compactMap({ place(of: Array($0.utf8), in: lower) }).min() else {
            return nil
        }
        let target = rest[start...].prefix { $0 != UInt8(ascii: "&") && $0 != UInt8(ascii: "#") }
        return target.contains(ASCII.dot) ? Array(target) : nil
    }

    /// What mail programs make links of in the text, with a scheme.
    static func textLinks(in facts: MessageFacts) -> [[UInt8]] {
        let domains = facts.tables.domains
        return facts.bodyLines.flatMap { line in
            line.split(whereSeparator: endsWord).compactMap { textLink(Array($0.prefix(longest)), domains) }
        }
    }

    /// The hosts of URIs, without user and port.
    static func hosts(of uris: [[UInt8]], _ domains: DomainTables) -> [String] {
        var hosts: [String] = []
        var seen: Set<String> = []
        for uri in uris {
            guard let slashes = place(of: Array("://".utf8), in: uri) else { continue }
            var host = uri[(slashes + 3)...].prefix {
                $0 != ASCII.slash && $0 != ASCII.question && $0 != UInt8(ascii: "#")
            }
            if let at = host.lastIndex(of: ASCII.at) { host = host[(at + 1)...] }
            if let colon = host.firstIndex(of: ASCII.colon) { host = host[..<colon] }
            while host.last == ASCII.dot { host.removeLast() }
            let name = host.map(\.asciiLowercased).text
            guard domains.isDomain(host) || EvalTests.isIPv4(name), seen.insert(name).inserted else { continue }
            hosts.append(name)
        }
        return hosts
    }

    /// White space, brackets but round ones, quotes, and what shifts character sets.
    private static func endsWord(_ byte: UInt8) -> Bool {
        byte <= 0x20 || byte == 0xA0 || [0x22, 0x3C, 0x3E, 0x5B, 0x5D, 0x60, 0x7B, 0x7C, 0x7D].contains(byte)
    }

    /// The link that a mail program makes of a word of text, with a scheme; nil when it makes none.
    private static func textLink(_ word: [UInt8], _ domains: DomainTables) -> [UInt8]? {
        let lower = word.map(\.asciiLowercased)
        for (mark, scheme) in [
            ("http://", ""), ("https://", ""), ("ftp://", ""), ("www.", "http://"), ("ftp.", "ftp://"),
        ] {
            guard let start = place(of: Array(mark.utf8), in: lower), start == 0 || !word[start - 1].isASCIIAlphanumeric
            else {
                continue
            }
            let link = trimmed(word[start...])
            return link.count > mark.utf8.count ? Array(scheme.utf8) + link : nil
        }
        if let at = word.firstIndex(of: ASCII.at) { return mailLink(word, at, domains) }
        return domainLink(word, domains)
    }

    private static func mailLink(_ word: [UInt8], _ at: Int, _ domains: DomainTables) -> [UInt8]? {
        func ends(_ byte: UInt8) -> Bool {
            byte >= 0x80 || byte == ASCII.comma || byte == ASCII.openParenthesis || byte == ASCII.apostrophe
        }
        var start = at
        while start > 0, !ends(word[start - 1]) { start -= 1 }
        var end = at + 1
        while end < word.count, !ends(word[end]) { end += 1 }
        var link = trimmed(word[start..<end])
        if link.map(\.asciiLowercased).starts(with: Array("mailto:".utf8)) { link.removeFirst(7) }
        while link.first == ASCII.colon || link.first == ASCII.openParenthesis || link.first == ASCII.equals {
            link.removeFirst()
        }
        guard let sign = link.firstIndex(of: ASCII.at), sign > 0 else { return nil }
        let host = link[(sign + 1)...].prefix { $0 != ASCII.question && $0 != UInt8(ascii: "&") && $0 != ASCII.greater }
        guard domains.isDomain(host) else { return nil }
        return Array("mailto:".utf8) + link
    }

    private static func domainLink(_ word: [UInt8], _ domains: DomainTables) -> [UInt8]? {
        guard word.contains(ASCII.dot) else { return nil }
        var start = 0
        while start < word.count, !word[start].isASCIIAlphanumeric { start += 1 }
        let link = trimmed(word[start...])
        let host = link.prefix {
            $0.isASCIIAlphanumeric || $0 == ASCII.dot || $0 == ASCII.dash || $0 == ASCII.underscore
        }
        let rest = link[host.endIndex...]
        guard rest.isEmpty || rest.first == ASCII.slash || rest.first == ASCII.colon, domains.isDomain(host) else {
            return nil
        }
        return Array("http://".utf8) + link
    }

    /// Without the punctuation that ends a sentence, and from a closing parenthesis on that was not opened.
    private static func trimmed(_ word: ArraySlice<UInt8>) -> [UInt8] {
        var link = Array(word)
        if let close = link.firstIndex(of: ASCII.closeParenthesis), !link[..<close].contains(ASCII.openParenthesis) {
            link.removeSubrange(close...)
        }
        while let last = link.last, "-~!@#^&*()_+=:;'?,.".utf8.contains(last) { link.removeLast() }
        return link
    }

    static func place(of wanted: [UInt8], in bytes: [UInt8]) -> Int? {
        guard bytes.count >= wanted.count else { return nil }
        return (0...(bytes.count - wanted.count)).first { bytes[$0...].starts(with: wanted) }
    }

    /// The mail addresses in lines of text, in lower case.
    static func addresses(in lines: [[UInt8]]) -> Set<String> {
        var found: Set<String> = []
        for line in lines {
            for at in line.indices where line[at] == ASCII.at {
                var start = at
                while start > 0, isAddressByte(line[start - 1]) { start -= 1 }
                var end = at + 1
                while end < line.count, isAddressByte(line[end]) { end += 1 }
                while end > at, line[end - 1] == ASCII.dot || line[end - 1] == ASCII.dash { end -= 1 }
                // In angle brackets it is quoted from a header, as of mail that is answered.
                if end < line.count, line[end] == ASCII.greater { continue }
                if start < at, line[(at + 1)..<max(at + 1, end)].contains(ASCII.dot), found.count < most {
                    found.insert(line[start..<end].map(\.asciiLowercased).text)
                }
            }
        }
        return found
    }

    /// The addresses that links of the HTML write to, in lower case.
    static func addresses(linkedBy parts: [RenderedHTML]) -> Set<String> {
        let links = parts.flatMap(\.links).filter { $0.element == "a" }.map(\.target.asciiLowercased)
        return Set(
            links.filter { $0.hasPrefix("mailto:") }.map { link in
                String(link.dropFirst(7).prefix { $0 != "?" && $0 != "&" })
            }.filter { $0.contains("@") })
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || byte == ASCII.dot || byte == ASCII.dash || byte == ASCII.underscore
            || byte == ASCII.plus
    }
}
