import Bytes
import DNS
import MessageFormat

/// Writes Authentication-Results fields (RFC 8601), and finds those that another has written in a server's name.
package enum AuthenticationResultsField {
    package static let name = "Authentication-Results"

    /// The methods that a server tells of.
    package struct Methods: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        package static let spf = Methods(rawValue: 1)
        package static let dkim = Methods(rawValue: 2)
        package static let dmarc = Methods(rawValue: 4)
        package static let arc = Methods(rawValue: 8)
        package static let all: Methods = [.spf, .dkim, .dmarc, .arc]
    }

    /// The field, folded, with its last line end. `server` is the authserv-id.
    package static func field(
        server: String, _ report: SenderReport, _ methods: Methods = .all, lineEnd: String = "\r\n"
    ) -> [UInt8] {
        field(server: server, results(report, methods), lineEnd: lineEnd)
    }

    /// A field of results that stand as text: `spf=pass smtp.mailfrom=example.org`.
    static func field(server: String, _ results: [String], lineEnd: String) -> [UInt8] {
        let start = "\(name): \(value(server))"
        let rest = results.isEmpty ? "; none" : results.map { ";\(lineEnd)\t\($0)" }.joined()
        return Array((start + rest + lineEnd).utf8)
    }

    // MARK: Results

    static func results(_ report: SenderReport, _ methods: Methods) -> [String] {
        var results: [String] = []
        if methods.contains(.spf), let spf = report.spf { results.append(result(spf)) }
        if methods.contains(.dkim) {
            results += report.dkim.isEmpty ? ["dkim=none"] : report.dkim.prefix(signatureLimit).map(result)
        }
        if methods.contains(.dmarc) { results.append(result(report.dmarc)) }
        if methods.contains(.arc) { results.append(result(report.arc)) }
        return results
    }

    /// A field with the results of more signatures is of no use to anybody.
    private static let signatureLimit = 40

    private static func result(_ spf: SPFOutcome) -> String {
        let property =
            spf.identity == .helo ? "smtp.helo=\(value(spf.domain))" : "smtp.mailfrom=\(value(spf.sender))"
        return "spf=\(spf.result.rawValue)\(reason(spf.result == .pass ? nil : spf.problem)) \(property)"
    }

    private static func result(_ dkim: DKIMResult) -> String {
        let signature = dkim.signature
        var text = "dkim=\(dkim.verdict.rawValue)\(reason(dkim.reason))"
        text += " header.d=\(value(signature.domain)) header.s=\(value(signature.selector))"
        if let algorithm = signature.algorithmName { text += " header.a=\(value(algorithm))" }
        if !signature.encodedSignature.isEmpty {
            text += " header.b=\(value(signature.encodedSignature.prefix(8).text))"
        }
        return text
    }

    private static func result(_ dmarc: DMARCOutcome) -> String {
        var text = "dmarc=\(dmarc.verdict.rawValue)"
        if let policy = dmarc.policy { text += " (p=\(policy.rawValue) dis=\(dmarc.disposition.rawValue))" }
        text += reason(dmarc.verdict == .pass || dmarc.verdict == .fail ? nil : dmarc.reason)
        if let domain = dmarc.domain { text += " header.from=\(value(domain))" }
        return text
    }

    private static func result(_ arc: ARCOutcome) -> String {
        let count = arc.instances > 0 ? " (i=\(arc.instances))" : ""
        return "arc=\(arc.verdict.rawValue)\(count)\(reason(arc.reason))"
    }

    private static func reason(_ text: String?) -> String { text.map { " reason=\(quoted($0))" } ?? "" }

    /// A word as it is when that is allowed, else in quotes (RFC 2045 5.1; an address may stand as it is).
    static func value(_ text: String) -> String {
        let bytes = text.utf8
        let isPlain = bytes.allSatisfy { byte in
            byte > ASCII.space && byte < ASCII.delete && !specials.contains(byte)
        }
        let atSigns = bytes.count { $0 == ASCII.at }
        return isPlain && !bytes.isEmpty && atSigns <= 1 && bytes.count <= valueLimit ? text : quoted(text)
    }

    private static let specials = Set("()<>,;:\\\"/[]?=".utf8)
    /// Longer values are cut, so that no line gets too long (RFC 5322 2.1.1).
    private static let valueLimit = 320

    private static func quoted(_ text: String) -> String {
        var result: [UInt8] = [ASCII.quote]
        for byte in text.utf8.prefix(valueLimit) where !byte.isASCIIControl {
            if byte == ASCII.quote || byte == ASCII.backslash { result.append(ASCII.backslash) }
            result.append(byte)
        }
        return (result + [ASCII.quote]).text
    }

    // MARK: Forged fields

    /// The fields of a message's header that carry the server's own authserv-id, wherever they stand: nobody else may
    /// write them (RFC 8601 5). Each range is a whole field with its line end.
    package static func forged(_ bytes: Span<UInt8>, server: String) -> [Range<Int>] {
        let header = SignedHeader(bytes)
        let key = SignedField.key(name.utf8)
        var ranges: [Range<Int>] = []
        for (place, field) in header.fields.enumerated() where field.key == key && field.isNamed(name.utf8, bytes) {
            let value = bytes.array(field.content).filter { $0 != ASCII.cr && $0 != ASCII.lf }
            guard let found = AuthenticationResults(value).server, isSame(found, server) else { continue }
            ranges.append(field.start..<header.end(of: place, bytes))
        }
        return ranges
    }

    /// The parts of a value between its semicolons, each trimmed and with its comments.
    static func parts(_ value: [UInt8]) -> [[UInt8]] {
        var parts: [[UInt8]] = []
        var part: [UInt8] = []
        var depth = 0
        var isQuoted = false
        var place = 0
        func end(_ part: [UInt8]) -> [UInt8] {
            Array(part.split(whereSeparator: \.isMailWhitespace).joined(separator: [ASCII.space]))
        }
        while place < value.count {
            let byte = value[place]
            if byte == ASCII.backslash, depth > 0 || isQuoted, place + 1 < value.count {
                part += value[place...(place + 1)]
                place += 2
                continue
            }
            place += 1
            if byte == ASCII.quote, depth == 0 { isQuoted.toggle() }
            if !isQuoted, byte == ASCII.openParenthesis { depth += 1 }
            if !isQuoted, byte == ASCII.closeParenthesis, depth > 0 { depth -= 1 }
            if byte == ASCII.semicolon, depth == 0, !isQuoted {
                parts.append(end(part))
                part = []
            } else {
                part.append(byte)
            }
        }
        return parts + [end(part)]
    }

    /// Whether the first part of a value names a server.
    static func isServer(_ part: [UInt8], _ server: String) -> Bool {
        AuthenticationResults(part).server.map { isSame($0, server) } ?? false
    }

    private static func isSame(_ one: String, _ other: String) -> Bool {
        func plain(_ text: String) -> String {
            let ascii = ((try? InternationalName.ascii(text)) ?? text).asciiLowercased
            return ascii.hasSuffix(".") ? String(ascii.dropLast()) : ascii
        }
        return plain(one) == plain(other)
    }
}

extension SignedHeader {
    /// The place behind the last line end of a field.
    func end(of place: Int, _ bytes: Span<UInt8>) -> Int {
        bytes.line(at: fields[place].contentEnd).next
    }
}
