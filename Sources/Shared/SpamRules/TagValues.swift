import Bytes
import Unix

/// The tags of which the names of DNS questions are made (`_AUTHORDOMAIN_`, `_HEADER(Reply-To:addr)_`), and which templates
/// of reports have too.
enum TagValues {
    /// Tags that are known without the network.
    static let plain: Set<String> = [
        "AUTHORDOMAIN", "SENDERDOMAIN", "LASTEXTERNALHELO", "LASTEXTERNALIP", "LASTEXTERNALREVIP", "LASTEXTERNALRDNS",
        "FIRSTTRUSTEDIP", "FIRSTTRUSTEDREVIP",
    ]
    /// Known when signatures were verified.
    private static let signed: Set<String> = ["DKIMDOMAIN"]

    static func isKnown(_ tag: String) -> Bool {
        plain.contains(tag) || signed.contains(tag) || (tag.hasPrefix("HEADER(") && tag.hasSuffix(")"))
    }

    /// Whether a template waits for signatures.
    static func needsSignatures(_ template: String) -> Bool { tags(of: template).contains(where: signed.contains) }

    /// The tags of a template, without their underscores.
    static func tags(of template: String) -> [String] { pieces(template).filter(\.isTag).map(\.text) }

    private static func pieces(_ template: String) -> [(text: String, isTag: Bool)] {
        var pieces: [(String, Bool)] = []
        var rest = Substring(template)
        while let start = rest.firstIndex(of: "_") {
            let inner = rest[rest.index(after: start)...]
            let name = inner.prefix { ($0.isASCII && $0.isUppercase) || $0.isNumber }
            var end = name.endIndex
            if name == "HEADER", inner[end...].hasPrefix("("), let close = inner[end...].firstIndex(of: ")") {
                end = inner.index(after: close)
            }
            guard !name.isEmpty, end < inner.endIndex, inner[end] == "_" else {
                pieces.append((String(rest[...start]), false))
                rest = inner
                continue
            }
            pieces.append((String(rest[..<start]), false))
            pieces.append((String(inner[..<end]), true))
            rest = inner[inner.index(after: end)...]
        }
        return pieces + [(String(rest), false)]
    }

    /// A template with the values of its tags put in: a name for each combination; none when a tag has no value.
    ///
    /// - Parameter signers: the domains of valid signatures.
    static func expand(_ template: String, _ facts: MessageFacts, signers: [String]) -> [String] {
        var results = [""]
        for (text, isTag) in pieces(template) {
            let values = isTag ? self.values(of: text, facts, signers: signers) : [text]
            results = results.flatMap { left in values.map { left + $0 } }
            if results.count > most { results = Array(results.prefix(most)) }
        }
        return results
    }

    private static let most = 20

    static func values(of tag: String, _ facts: MessageFacts, signers: [String]) -> [String] {
        let external = facts.relays.relays(.external).first
        let trusted = facts.relays.relays(.trusted).last
        func reversed(_ relay: Relay?) -> String? { relay.flatMap { IPAddress($0.address) }.map(EvalTests.reversed) }
        let values: [String?]
        switch tag {
        case "AUTHORDOMAIN":
            values = facts.text("From:addr").split(separator: "\n").map { EvalTests.domain(String($0)) }
        case "SENDERDOMAIN": values = [facts.senderDomain]
        case "LASTEXTERNALHELO": values = [external?.helo]
        case "LASTEXTERNALIP": values = [external?.address]
        case "LASTEXTERNALREVIP": values = [reversed(external)]
        case "LASTEXTERNALRDNS": values = [external?.reverseName]
        case "FIRSTTRUSTEDIP": values = [trusted?.address]
        case "FIRSTTRUSTEDREVIP": values = [reversed(trusted)]
        case "DKIMDOMAIN": values = signers
        default:
            guard tag.hasPrefix("HEADER("), tag.hasSuffix(")") else { return [] }
            values = facts.text(String(tag.dropFirst(7).dropLast())).split(separator: "\n").map(String.init)
        }
        var seen: Set<String> = []
        return values.compactMap { $0 }.filter { !$0.isEmpty && seen.insert($0).inserted }
    }
}

extension MessageFacts {
    /// The domains of valid signatures, as far as they are known.
    var signers: [String] { network.sender?.signatures.filter(\.isValid).map(\.domain) ?? [] }
}
