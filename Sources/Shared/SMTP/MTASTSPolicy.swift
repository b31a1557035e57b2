import Bytes

/// A domain's policy for mail to it (RFC 8461 3.2): which hosts take it, and whether they must show that they are these.
package struct MTASTSPolicy: Equatable, Sendable {
    package enum Mode: String, Sendable { case enforce, testing, none }

    package let mode: Mode
    /// Names of hosts in small letters; `*.` stands for one label.
    package let patterns: [String]
    /// Seconds for which it holds.
    package let maximumAge: Int

    /// Reads a policy file; nil when it is none.
    package init?(_ bytes: [UInt8]) {
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
        guard fields["version"] == "STSv1", let mode = fields["mode"].flatMap(Mode.init),
            let age = fields["max_age"].flatMap({ Int($0) }), (0...31_557_600).contains(age),
            mode == .none || !patterns.isEmpty
        else { return nil }
        self.mode = mode
        self.patterns = patterns
        maximumAge = age
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

    /// Whether the text of a TXT record announces a policy (RFC 8461 3.1): `v=STSv1; id=20160831085700Z;`
    package static func isAnnouncement(_ text: [UInt8]) -> Bool {
        let fields = text.split(separator: ASCII.semicolon).map { field in
            field.text.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined()
        }
        guard fields.first == "v=STSv1" else { return false }
        return fields.dropFirst().contains { field in
            let id = field.dropFirst(3).utf8
            return field.hasPrefix("id=") && (1...32).contains(id.count) && id.allSatisfy(\.isASCIIAlphanumeric)
        }
    }
}

/// The body of the HTTP/1.1 response that brings a policy.
package enum MTASTSResponse {
    /// The body of a response that says 200; nil for any other, and for one that is cut.
    package static func body(_ response: [UInt8]) -> [UInt8]? {
        guard let end = response.span.firstIndex(of: "\r\n\r\n", in: 0..<response.count) else { return nil }
        let lines = response[..<end].text.split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " "), status.count >= 2, status[0].hasPrefix("HTTP/1."),
            status[1] == "200"
        else { return nil }
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let sides = line.split(separator: ":", maxSplits: 1)
            guard sides.count == 2 else { continue }
            let value = sides[1].split(separator: " ").joined(separator: " ")
            fields[String(sides[0]).asciiLowercased] = value.asciiLowercased
        }
        guard fields["content-type"]?.hasPrefix("text/plain") ?? false else { return nil }
        let body = Array(response[(end + 4)...])
        if fields["transfer-encoding"] == "chunked" { return unchunked(body) }
        guard let length = fields["content-length"] else { return body }
        guard let count = Int(length), count >= 0, count <= body.count else { return nil }
        return Array(body.prefix(count))
    }

    private static func unchunked(_ body: [UInt8]) -> [UInt8]? {
        var result: [UInt8] = []
        var place = 0
        while place < body.count {
            let line = body.span.line(at: place)
            let digits = body[line.content].prefix { $0 != ASCII.semicolon && !$0.isMailWhitespace }
            guard line.isTerminated, let size = Int(digits.text, radix: 16), size >= 0, size <= body.count - line.next
            else { return nil }
            if size == 0 { return result }
            result += body[line.next..<(line.next + size)]
            place = line.next + size + 2
        }
        return nil
    }
}
