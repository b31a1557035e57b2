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
    static func name(in value: [UInt8]) -> String { firstToken(of: value) ?? "7bit" }

    /// The first token of a field's value up to its parameters, in lower case, without comments and quotes.
    static func firstToken(of value: [UInt8]) -> String? {
        var name: [UInt8] = []
        var depth = 0
        var isPair = false
        for byte in value {
            if isPair {
                isPair = false
            } else if depth > 0, byte == ASCII.backslash {
                isPair = true
            } else if byte == ASCII.openParenthesis {
                if !name.isEmpty { break }
                depth += 1
            } else if depth > 0 {
                if byte == ASCII.closeParenthesis { depth -= 1 }
            } else if byte == ASCII.semicolon {
                break
            } else if byte.isMailWhitespace || byte == ASCII.comma || byte == ASCII.quote {
                if !name.isEmpty { break }
            } else {
                name.append(byte.asciiLowercased)
            }
        }
        return name.isEmpty ? nil : name.text
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

extension MessageStructure {
    /// Encoded content is decoded in pieces of this size, in bytes.
    private static let pieceSize = 1 << 20

    /// Gives the transfer-decoded content of a leaf in pieces, in memory that does not depend on its size. `passed` is told
    /// of places in the message up to which nothing is needed any more. Returns what was wrong.
    package func decode<Failure: Error>(
        _ part: Int, in message: Span<UInt8>, passed: ((Int) -> Void)? = nil,
        _ take: (Span<UInt8>) throws(Failure) -> Void
    ) throws(Failure) -> FindingID? {
        let encoding = parts[part].isMultipart ? TransferEncoding.identity : parts[part].encoding
        let isOuter = parts[part].source == 0
        return try withSource(of: part, in: message) { source throws(Failure) in
            let body = clamped(parts[part].body, source)
            if encoding == .uuencode, let first = Uuencode.firstLine(in: source.extracting(body)) {
                try MessageStructure.decode(uuencoded: source.extracting(body), from: first, take)
                return nil
            }
            var decoder = PieceDecoder(encoding)
            if body.count <= Self.pieceSize || decoder == nil, encoding != .identity, encoding != .unknown {
                let content = encoding.decode(source.extracting(body))
                try take(content.bytes.span)
                return content.defect
            }
            var place = body.lowerBound
            var piece: [UInt8] = []
            while place < body.upperBound {
                let end = min(place + Self.pieceSize, body.upperBound)
                if decoder == nil {
                    try take(source.extracting(place..<end))
                } else {
                    piece.removeAll(keepingCapacity: true)
                    decoder?.decode(source.extracting(place..<end), isLast: end == body.upperBound, into: &piece)
                    let content = piece
                    try take(content.span)
                }
                if isOuter { passed?(end) }
                place = end
            }
            return decoder?.defect
        }
    }
}

extension MessageStructure {
    /// Gives the content of a uuencoded block whose lines begin at `start`, in pieces.
    package static func decode<Failure: Error>(
        uuencoded text: Span<UInt8>, from start: Int, _ take: (Span<UInt8>) throws(Failure) -> Void
    ) throws(Failure) {
        var place = start
        var hasMore = true
        while hasMore {
            var piece: [UInt8] = []
            hasMore = Uuencode.decodeLines(text, from: &place, into: &piece)
            let content = piece
            try take(content.span)
        }
    }
}

/// Decodes what can be decoded in pieces.
enum PieceDecoder {
    case base64(Base64.Decoder)
    case quotedPrintable(QuotedPrintable.Decoder)

    /// Nil for an encoding without pieces, or none.
    init?(_ encoding: TransferEncoding) {
        switch encoding {
        case .base64: self = .base64(Base64.Decoder())
        case .quotedPrintable: self = .quotedPrintable(QuotedPrintable.Decoder())
        case .identity, .unknown, .uuencode: return nil
        }
    }

    mutating func decode(_ piece: Span<UInt8>, isLast: Bool, into content: inout [UInt8]) {
        switch self {
        case .base64(var decoder):
            decoder.decode(piece, into: &content)
            if isLast { decoder.finish(into: &content) }
            self = .base64(decoder)
        case .quotedPrintable(var decoder):
            decoder.decode(piece, into: &content)
            if isLast { decoder.finish(into: &content) }
            self = .quotedPrintable(decoder)
        }
    }

    var defect: FindingID? {
        switch self {
        case .base64(let decoder): decoder.hasJunk ? .badBase64 : nil
        case .quotedPrintable(let decoder): decoder.isBroken ? .badQuotedPrintable : nil
        }
    }
}
