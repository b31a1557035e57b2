import Bytes

/// What a message becomes on a way that does not take its octets as they are (RFC 6152 3, RFC 2045 6, RFC 2049): the parts
/// that cannot pass are encoded, text as quoted-printable and everything else as base64, and say so; all other bytes stay.
///
///     let conversion = try TransferConversion(message, to: .sevenBit)
///     conversion.write(message) { piece in output.append(span: piece) }
///
/// A message without MIME becomes one with it (RFC 1428). What is signed, and what must not be encoded, is not touched. For
/// long lines and NUL alone, which many servers take all the same, no DKIM signature or ARC seal is broken.
package struct TransferConversion: Sendable {
    /// What a way takes (RFC 2045 2.7, 2.8): lines of at most 998 octets without NUL.
    package enum Domain: Sendable {
        /// Octets below 128.
        case sevenBit
        /// All others, too.
        case eightBit

        /// The name of the encoding that says so of content that is not encoded.
        var label: String {
            switch self {
            case .sevenBit: "7bit"
            case .eightBit: "8bit"
            }
        }
    }

    /// Why a message cannot be converted.
    package enum Obstacle: Error, Equatable, Sendable, CustomStringConvertible {
        /// In a message or in a part of one; needs SMTPUTF8 (RFC 6531), not an encoding.
        case headerField
        /// RFC 1847 2.1: what is signed may not change.
        case signed
        /// A type that may not be encoded (RFC 2046 5.2).
        case type(String)
        /// The octets are encoded already, in a way that nothing is known of.
        case encoding(String)
        /// Before the first part, or behind the last one.
        case outsideParts

        package var description: String {
            switch self {
            case .headerField: "a header field has 8-bit octets"
            case .signed: "a signed part has 8-bit octets"
            case .type(let name): "a part of type \(name) has 8-bit octets"
            case .encoding(let name): "a part with the encoding \(name) has 8-bit octets"
            case .outsideParts: "the text outside of its parts has 8-bit octets"
            }
        }
    }

    /// A stretch of the message that is written otherwise; the stretches have their order in the message.
    struct Edit: Sendable {
        let range: Range<Int>
        let content: Content

        enum Content: Sendable {
            case bytes([UInt8])
            case coded(TransferCoding)
        }
    }

    private let edits: [Edit]
    /// CRLF or LF: what the message's first line ends with.
    private let lineEnd: [UInt8]

    /// Nothing of the message needs to be converted, or what does cannot be and may pass.
    package var isEmpty: Bool { edits.isEmpty }

    /// Looks what is to be done to a message. With `isBinary`, its parts of encoding `binary` are any octets, whose line
    /// ends are none (RFC 3030 3); else every LF is a line end. `passed` is told of places up to which nothing is needed
    /// any more.
    package init(
        _ message: Span<UInt8>, to domain: Domain, isBinary: Bool = false, passed: ((Int) -> Void)? = nil
    ) throws(Obstacle) {
        lineEnd = message.line(at: 0).endsWithLFAlone ? [ASCII.lf] : [ASCII.cr, ASCII.lf]
        var plan = ConversionPlan(
            MessageStructure(encodedForm: message, passed: passed), domain, isBinary: isBinary, lineEnd: lineEnd)
        edits = try plan.edits(message, passed)
    }

    /// Gives the converted message in pieces. `message` is what the conversion was made from.
    package func write<Failure: Error>(
        _ message: Span<UInt8>, passed: ((Int) -> Void)? = nil, _ take: (Span<UInt8>) throws(Failure) -> Void
    ) throws(Failure) {
        var place = 0
        for edit in edits {
            try Self.forEachPiece(message, place..<edit.range.lowerBound, passed, take)
            switch edit.content {
            case .bytes(let bytes): try take(bytes.span)
            case .coded(let coding):
                var coder = TransferCoder(coding, lineEnd: lineEnd)
                try Self.forEachPiece(message, edit.range, passed) { piece throws(Failure) in
                    let coded = coder.code(piece)
                    try take(coded.span)
                }
                let rest = coder.finish()
                try take(rest.span)
            }
            place = edit.range.upperBound
        }
        try Self.forEachPiece(message, place..<message.count, passed, take)
    }

    private static let pieceSize = 1 << 18

    private static func forEachPiece<Failure: Error>(
        _ message: Span<UInt8>, _ range: Range<Int>, _ passed: ((Int) -> Void)?,
        _ take: (Span<UInt8>) throws(Failure) -> Void
    ) throws(Failure) {
        var place = range.lowerBound
        while place < range.upperBound {
            let end = min(place + pieceSize, range.upperBound)
            try take(message.extracting(place..<end))
            if end - place == pieceSize { passed?(end) }
            place = end
        }
    }
}

extension LineRange {
    fileprivate var endsWithLFAlone: Bool { isTerminated && next == content.upperBound + 1 }
}
