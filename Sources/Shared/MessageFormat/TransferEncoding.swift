import Bytes

/// How a part's content is encoded (RFC 2045 6).
package enum TransferEncoding: Equatable, Sendable {
    /// 7bit, 8bit, binary: the bytes as they are.
    case identity
    case base64
    case quotedPrintable
    case uuencode
    /// A name that nobody knows: the bytes as they are.
    case unknown

    /// By the lower-case name.
    package init(_ name: String) {
        switch name {
        case "7bit", "8bit", "binary": self = .identity
        case "base64": self = .base64
        case "quoted-printable": self = .quotedPrintable
        case "x-uuencode", "x-uue", "uuencode", "uue": self = .uuencode
        default: self = .unknown
        }
    }

    /// The name in a Content-Transfer-Encoding field: its first token in lower case, without comments; `7bit` when
    /// there is none.
    static func name(in value: [UInt8]) -> String {
        var name: [UInt8] = []
        var depth = 0
        for byte in value {
            if byte == ASCII.openParenthesis {
                if !name.isEmpty { break }
                depth += 1
            } else if depth > 0 {
                if byte == ASCII.closeParenthesis { depth -= 1 }
            } else if byte.isMailWhitespace || byte == ASCII.semicolon || byte == ASCII.quote {
                if !name.isEmpty { break }
            } else {
                name.append(byte.asciiLowercased)
            }
        }
        return name.isEmpty ? "7bit" : name.text
    }

    /// Decodes a part's body. What is broken is passed over or kept as it stands, and told.
    package func decode(_ body: Span<UInt8>) -> (bytes: [UInt8], defect: FindingID?) {
        switch self {
        case .identity, .unknown: return (body.array, nil)
        case .base64:
            let decoded = Base64.decode(body)
            return (decoded.bytes, decoded.hasJunk ? .badBase64 : nil)
        case .quotedPrintable:
            let decoded = QuotedPrintable.decode(body)
            return (decoded.bytes, decoded.isBroken ? .badQuotedPrintable : nil)
        case .uuencode: return (Uuencode.decode(body) ?? body.array, nil)
        }
    }
}
