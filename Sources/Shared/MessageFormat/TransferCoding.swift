import Bytes

/// How a part's content is taken out of the encoding that it has, and put into another.
struct TransferCoding: Sendable, Equatable {
    enum Target: String, Sendable {
        case quotedPrintable = "quoted-printable"
        case base64
    }

    /// The encoding that the content has.
    let source: TransferEncoding
    let target: Target
    /// Line ends are CRLF on the wire, and so in what is encoded; not in content that has none.
    let hasLines: Bool
}

/// Encodes a part's content anew, piece by piece.
struct TransferCoder {
    private enum Encoder {
        case quotedPrintable(QuotedPrintable.Encoder)
        case base64(Base64.Encoder)
    }

    private var lines: CanonicalLines?
    private var decoder: PieceDecoder?
    private var encoder: Encoder

    /// `lineEnd`: what lines are written with.
    init(_ coding: TransferCoding, lineEnd: [UInt8]) {
        lines = coding.hasLines ? CanonicalLines() : nil
        decoder = PieceDecoder(coding.source)
        encoder =
            switch coding.target {
            case .quotedPrintable: .quotedPrintable(QuotedPrintable.Encoder(breaksAt: .crlf, lineEnd: lineEnd))
            case .base64: .base64(Base64.Encoder(lineEnd: lineEnd))
            }
    }

    mutating func code(_ piece: Span<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(piece.count * 3 / 2)
        guard lines != nil else {
            encode(piece, isLast: false, into: &result)
            return result
        }
        var canonical: [UInt8] = []
        canonical.reserveCapacity(piece.count + piece.count / 16)
        lines?.append(piece, to: &canonical)
        encode(canonical.span, isLast: false, into: &result)
        return result
    }

    mutating func finish() -> [UInt8] {
        var result: [UInt8] = []
        let nothing: [UInt8] = []
        encode(nothing.span, isLast: true, into: &result)
        return result
    }

    private mutating func encode(_ piece: Span<UInt8>, isLast: Bool, into result: inout [UInt8]) {
        guard decoder != nil else { return write(piece, isLast: isLast, into: &result) }
        var content: [UInt8] = []
        decoder?.decode(piece, isLast: isLast, into: &content)
        write(content.span, isLast: isLast, into: &result)
    }

    private mutating func write(_ content: Span<UInt8>, isLast: Bool, into result: inout [UInt8]) {
        switch encoder {
        case .quotedPrintable(var encoder):
            encoder.encode(content, into: &result)
            if isLast { encoder.finish(into: &result) }
            self.encoder = .quotedPrintable(encoder)
        case .base64(var encoder):
            encoder.encode(content, into: &result)
            if isLast { encoder.finish(into: &result) }
            self.encoder = .base64(encoder)
        }
    }
}

/// Makes every LF a CRLF, piece by piece; a CRLF stays.
private struct CanonicalLines {
    private var isAfterCR = false

    mutating func append(_ piece: Span<UInt8>, to result: inout [UInt8]) {
        var place = 0
        while place < piece.count {
            let lf = piece.firstIndex(of: ASCII.lf, from: place)
            let end = lf ?? piece.count
            result.append(span: piece.extracting(place..<end))
            if end > place { isAfterCR = piece[end - 1] == ASCII.cr }
            guard lf != nil else { return }
            if !isAfterCR { result.append(ASCII.cr) }
            result.append(ASCII.lf)
            isAfterCR = false
            place = end + 1
        }
    }
}
