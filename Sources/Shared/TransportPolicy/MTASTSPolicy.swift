import Bytes
import DNS

/// Why a text is no policy.
package struct MTASTSPolicyError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}

/// A domain's policy for mail to it (RFC 8461 3.2): which hosts take it, and whether they must show that they are these.
package struct MTASTSPolicy: Equatable, Sendable {
    package enum Mode: String, Sendable { case enforce, testing, none }

    package let mode: Mode
    /// Names of hosts in small letters; `*.` stands for one label.
    package let patterns: [String]
    /// Seconds for which it holds.
    package let maximumAge: Int

    /// The longest time for which a policy may hold, a year.
    private static let longestAge = 31_557_600

    /// Reads a policy file: lines of `name: value` that end with CRLF or LF. Names that are not known are passed over.
    package init(parsing bytes: [UInt8]) throws(MTASTSPolicyError) {
        var fields: [String: String] = [:]
        var patterns: [String] = []
        for line in bytes.split(whereSeparator: { $0 == ASCII.lf || $0 == ASCII.cr }) {
            let sides = line.text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2 else { continue }
            let name = Self.trimmed(sides[0])
            let value = Self.trimmed(sides[1])
            if name == "mx" {
                patterns.append(value.asciiLowercased)
            } else if fields[name] == nil {
                // Of a field that stands twice the first counts.
                fields[name] = value
            }
        }
        guard fields["version"] == "STSv1" else {
            throw MTASTSPolicyError(fields["version"].map { "version is \($0), not STSv1" } ?? "there is no version")
        }
        guard let word = fields["mode"] else { throw MTASTSPolicyError("there is no mode") }
        guard let mode = Mode(rawValue: word) else {
            throw MTASTSPolicyError("mode is \(word), not enforce, testing or none")
        }
        guard let digits = fields["max_age"] else { throw MTASTSPolicyError("there is no max_age") }
        guard !digits.isEmpty, digits.utf8.allSatisfy(\.isASCIIDigit), let age = Int(digits), age <= Self.longestAge
        else { throw MTASTSPolicyError("max_age is \(digits), not 0 to \(Self.longestAge) seconds") }
        guard mode == .none || !patterns.isEmpty else { throw MTASTSPolicyError("there is no mx") }
        if let pattern = patterns.first(where: { !Self.isPattern($0) }) {
            throw MTASTSPolicyError("mx: \(pattern) is neither a host name nor one with *. before it")
        }
        self.mode = mode
        self.patterns = patterns
        maximumAge = age
    }

    private static func isPattern(_ text: String) -> Bool {
        let name = text.hasPrefix("*.") ? text.dropFirst(2) : text[...]
        guard !name.hasSuffix("."), let domain = try? DomainName(String(name)), !domain.isRoot else { return false }
        return domain.labels.allSatisfy { label in
            label.allSatisfy { $0.isASCIIAlphanumeric || $0 == ASCII.dash || $0 == ASCII.underscore }
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        text.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
    }

    /// Whether a mail exchange is one that the policy names (RFC 8461 4.1).
    package func names(_ host: String) -> Bool {
        let host = host.asciiLowercased
        return patterns.contains { pattern in
            guard pattern.hasPrefix("*.") else { return pattern == host }
            guard let dot = host.firstIndex(of: "."), dot != host.startIndex else { return false }
            return host[host.index(after: dot)...] == pattern.dropFirst(2)
        }
    }

    /// What the text of a TXT record announces: the identifier of the policy in `v=STSv1; id=20160831085700Z;`
    /// (RFC 8461 3.1); nil when it is no announcement.
    package static func announcedID(_ text: [UInt8]) -> String? {
        let fields = text.split(separator: ASCII.semicolon).map { field in
            field.text.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined()
        }
        guard fields.first == "v=STSv1", let field = fields.dropFirst().first(where: { $0.hasPrefix("id=") }) else {
            return nil
        }
        let id = String(field.dropFirst(3))
        return (1...32).contains(id.utf8.count) && id.utf8.allSatisfy(\.isASCIIAlphanumeric) ? id : nil
    }
}
