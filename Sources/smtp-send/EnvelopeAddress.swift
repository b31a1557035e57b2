import Bytes
import CommandLineTool
import DNS
import Unix

/// An address for the envelope, as it stands between the angle brackets of MAIL and RCPT. Two are equal when their
/// local-parts are, and their domains but for case (RFC 5321 2.4).
struct EnvelopeAddress: Hashable, Sendable {
    /// As it is written; its case is kept.
    let localPart: String
    /// The domain in small letters; nil for an address without one.
    let domain: String?

    /// `local-part@domain`, or a local-part alone.
    var text: String { domain.map { "\(localPart)@\($0)" } ?? localPart }

    /// The address for a command. With a local-part in ASCII, a domain in another script goes out in its ASCII form, so
    /// that any server can take it.
    var path: String {
        guard let domain, localPart.utf8.allSatisfy({ $0 < 0x80 }), let ascii = try? InternationalName.ascii(domain)
        else { return text }
        return "\(localPart)@\(ascii)"
    }

    /// An address without a domain is one of this host.
    var qualified: EnvelopeAddress { domain == nil ? EnvelopeAddress("\(localPart)@\(Host.name)") ?? self : self }

    /// Reads `a@example.org` or `<a@example.org>`, with a display name before the brackets or not; nil for what cannot
    /// stand in a command.
    init?(_ text: String) {
        var bytes = Array(text.trimmingASCIIWhitespace().utf8)
        if bytes.last == ASCII.greater {
            guard let open = Self.place(of: ASCII.less, in: bytes) else { return nil }
            bytes = Array(bytes[(open + 1)..<(bytes.count - 1)])
        }
        guard let split = Self.split(bytes) else { return nil }
        localPart = split.localPart.text
        domain = split.domain.map { $0.text.asciiLowercased }
    }

    /// Divides at the `@` outside quotes and checks both sides; nil when something is wrong.
    private static func split(_ bytes: [UInt8]) -> (localPart: ArraySlice<UInt8>, domain: ArraySlice<UInt8>?)? {
        let at = place(of: ASCII.at, in: bytes)
        let localPart = bytes[..<(at ?? bytes.count)]
        guard !localPart.isEmpty, isLocalPart(localPart) else { return nil }
        guard let at else { return (localPart, nil) }
        let domain = bytes[(at + 1)...]
        guard isDomain(domain) else { return nil }
        return (localPart, domain)
    }

    /// The first place of `byte` that is not within a quoted string.
    private static func place(of byte: UInt8, in bytes: [UInt8]) -> Int? {
        var isQuoted = false
        var index = 0
        while index < bytes.count {
            if bytes[index] == ASCII.quote { isQuoted.toggle() }
            if isQuoted, bytes[index] == ASCII.backslash {
                index += 1
            } else if !isQuoted, bytes[index] == byte {
                return index
            }
            index += 1
        }
        return nil
    }

    /// A dot-string or a quoted string (RFC 5321 4.1.2), octets beyond ASCII allowed (RFC 6531 3.3).
    private static func isLocalPart(_ bytes: ArraySlice<UInt8>) -> Bool {
        if bytes.first == ASCII.quote {
            guard bytes.count > 2, bytes.last == ASCII.quote else { return false }
            var isEscaped = false
            for byte in bytes.dropFirst().dropLast() {
                if byte.isASCIIControl || (byte == ASCII.quote && !isEscaped) { return false }
                isEscaped = byte == ASCII.backslash && !isEscaped
            }
            return !isEscaped
        }
        let atoms = bytes.split(separator: ASCII.dot, omittingEmptySubsequences: false)
        return atoms.allSatisfy { !$0.isEmpty && $0.allSatisfy(isAtomText) }
    }

    private static func isAtomText(_ byte: UInt8) -> Bool {
        byte >= 0x80 || byte.isASCIIAlphanumeric || "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte)
    }

    /// A domain name or an address literal.
    private static func isDomain(_ bytes: ArraySlice<UInt8>) -> Bool {
        if bytes.first == ASCII.openBracket {
            return bytes.count > 2 && bytes.last == ASCII.closeBracket
                && bytes.dropFirst().dropLast().allSatisfy {
                    $0 > ASCII.space && $0 < ASCII.delete && $0 != ASCII.openBracket && $0 != ASCII.closeBracket
                }
        }
        let labels = bytes.split(separator: ASCII.dot, omittingEmptySubsequences: false)
        return bytes.count <= 255
            && labels.allSatisfy { label in
                !label.isEmpty && label.count <= 63 && label.first != ASCII.dash && label.last != ASCII.dash
                    && label.allSatisfy {
                        $0 >= 0x80 || $0.isASCIIAlphanumeric || $0 == ASCII.dash || $0 == ASCII.underscore
                    }
            }
    }

    /// The parts of a list that commas divide, commas in quotes and brackets aside.
    static func parts(ofList text: String) -> [String] {
        var parts: [[UInt8]] = [[]]
        var isQuoted = false
        var isEscaped = false
        var isBracketed = false
        for byte in text.utf8 {
            if byte == ASCII.comma, !isQuoted, !isBracketed {
                parts.append([])
                continue
            }
            if byte == ASCII.quote, !isEscaped { isQuoted.toggle() }
            if !isQuoted, byte == ASCII.less || byte == ASCII.greater { isBracketed = byte == ASCII.less }
            isEscaped = byte == ASCII.backslash && !isEscaped
            parts[parts.count - 1].append(byte)
        }
        return parts.map { $0.text.trimmingASCIIWhitespace() }.filter { !$0.isEmpty }
    }
}
