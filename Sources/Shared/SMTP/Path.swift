import Bytes
import Unix

/// A reverse-path or forward-path: a mailbox, or nothing (RFC 5321 4.1.2). A source route is read and dropped.
package struct Path: Hashable, Sendable, CustomStringConvertible {
    /// The local-part as it was written, with its quotes when it has them. Its case counts (RFC 5321 2.4).
    package let localPart: String
    /// A domain, or an address literal with its brackets; empty for `<>` and for a bare `<postmaster>`.
    package let domain: String

    package init(localPart: String, domain: String) {
        self.localPart = localPart
        self.domain = domain
    }

    /// The null reverse-path `<>`.
    package static let null = Path(localPart: "", domain: "")

    package var isNull: Bool { localPart.isEmpty && domain.isEmpty }

    /// The mailbox without angle brackets.
    package var description: String { domain.isEmpty ? localPart : "\(localPart)@\(domain)" }

    /// The local-part without quotes and backslashes.
    package var unquotedLocalPart: String {
        guard localPart.hasPrefix("\""), localPart.hasSuffix("\""), localPart.utf8.count >= 2 else { return localPart }
        var bytes: [UInt8] = []
        var isEscaped = false
        for byte in localPart.utf8.dropFirst().dropLast() {
            if byte == ASCII.backslash, !isEscaped {
                isEscaped = true
            } else {
                bytes.append(byte)
                isEscaped = false
            }
        }
        return bytes.text
    }

    /// Reads a mailbox without angle brackets, `local-part@domain`; nil when it is none.
    package init?(mailbox: String) {
        var parser = PathParser(Array("<\(mailbox)>".utf8))
        guard let path = parser.parse(), parser.isAtEnd, !path.domain.isEmpty else { return nil }
        self = path
    }
}

/// Reads a path in its angle brackets from the front of a command's argument. UTF-8 beyond ASCII is read where RFC 6531
/// 3.3 allows it; whether it is allowed here is the caller's to say.
struct PathParser {
    private let bytes: [UInt8]
    private let isUTF8: Bool
    private(set) var place = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        isUTF8 = UTF8Text.isValid(bytes.span)
    }

    var isAtEnd: Bool { place == bytes.count }

    /// What follows the path.
    var rest: ArraySlice<UInt8> { bytes[place...] }

    private var current: UInt8? { place < bytes.count ? bytes[place] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        place += 1
        return true
    }

    /// A path; nil when the syntax is wrong. A mailbox without a domain is returned for the caller to judge.
    mutating func parse() -> Path? {
        guard take(ASCII.less) else { return nil }
        if take(ASCII.greater) { return .null }
        if current == ASCII.at {
            guard skipRoute() else { return nil }
        }
        guard let localPart = localPart() else { return nil }
        if take(ASCII.greater) { return Path(localPart: localPart, domain: "") }
        guard take(ASCII.at), let domain = domain(), take(ASCII.greater) else { return nil }
        return Path(localPart: localPart, domain: domain)
    }

    /// `@a,@b:` (RFC 5321 4.1.2 A-d-l, appendix C): accepted and ignored.
    private mutating func skipRoute() -> Bool {
        while take(ASCII.at) {
            guard domain() != nil else { return false }
            if take(ASCII.colon) { return true }
            guard take(ASCII.comma) else { return false }
        }
        return false
    }

    private mutating func localPart() -> String? {
        let start = place
        if take(ASCII.quote) {
            while let byte = current {
                place += 1
                switch byte {
                case ASCII.quote: return bytes[start..<place].text
                case ASCII.backslash:
                    guard let escaped = current, escaped >= 0x20, escaped < 0x7F else { return nil }
                    place += 1
                case 0x20...0x7E: break
                case 0x80... where isUTF8: break
                default: return nil
                }
            }
            return nil
        }
        // Dot-string: atoms with single dots between them.
        while atom() {
            if !take(ASCII.dot) { return bytes[start..<place].text }
        }
        return nil
    }

    private mutating func atom() -> Bool {
        let start = place
        while let byte = current, PathParser.isAtomCharacter(byte) || (byte >= 0x80 && isUTF8) { place += 1 }
        return place > start
    }

    private static func isAtomCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "!"), UInt8(ascii: "#")...UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"),
            UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "="), UInt8(ascii: "?"), UInt8(ascii: "^"),
            UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "{")...UInt8(ascii: "~"):
            true
        default: byte.isASCIIAlphanumeric
        }
    }

    /// An IPv4 address, `IPv6:` and one, or a tag with a colon and text (RFC 5321 4.1.3).
    private static func isLiteral(_ content: ArraySlice<UInt8>) -> Bool {
        guard let colon = content.firstIndex(of: ASCII.colon) else {
            let parts = content.split(separator: ASCII.dot, omittingEmptySubsequences: false)
            return parts.count == 4
                && parts.allSatisfy {
                    (1...3).contains($0.count) && $0.allSatisfy(\.isASCIIDigit) && (Int($0.text) ?? 256) <= 255
                }
        }
        let (tag, rest) = (content[..<colon], content[(colon + 1)...])
        guard !rest.isEmpty, !tag.isEmpty, tag.allSatisfy({ $0.isASCIIAlphanumeric || $0 == ASCII.dash }) else {
            return false
        }
        guard tag.equalsIgnoringCase("IPv6") else { return true }
        return !rest.contains(UInt8(ascii: "%")) && IPAddress(rest.text)?.isIPv6 == true
    }

    private func isLabelCharacter(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || byte == ASCII.underscore || (byte >= 0x80 && isUTF8)
    }

    /// A domain of letters, digits and inner hyphens (underscores are tolerated), or an address literal.
    private mutating func domain() -> String? {
        let start = place
        if take(ASCII.openBracket) {
            while let byte = current, byte > 0x20, byte < 0x7F, byte != ASCII.openBracket, byte != ASCII.backslash {
                place += 1
                if byte == ASCII.closeBracket {
                    return PathParser.isLiteral(bytes[(start + 1)..<(place - 1)]) ? bytes[start..<place].text : nil
                }
            }
            return nil
        }
        while let first = current, isLabelCharacter(first) {
            let label = place
            while let byte = current, isLabelCharacter(byte) || byte == ASCII.dash { place += 1 }
            guard bytes[place - 1] != ASCII.dash, place - label <= 63 else { return nil }
            if !take(ASCII.dot) { return place - start <= 255 ? bytes[start..<place].text : nil }
        }
        return nil
    }
}
