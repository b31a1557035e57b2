import Bytes

/// Turns a stored message, given in pieces of any size, into what follows DATA (RFC 5321 4.1.1.4 and 4.5.2):
/// every LF or CRLF becomes CRLF, a line that begins with a dot gets another, and the end is CRLF, dot, CRLF. What
/// follows BDAT (RFC 3030) is the same without the dots, or the stored octets.
///
/// What leaves holds no CR and no LF outside a CRLF: a CR that stands alone becomes a space, so that no server, however
/// it reads line ends, sees a line (or the end of the message) where the sender had none.
package struct ClientDataEncoder: Sendable {
    private var atLineStart = true
    /// A CR at the end of the previous piece, of which is not known yet whether an LF follows.
    private var heldCR = false
    private let form: ClientMessageForm

    package init(_ form: ClientMessageForm = .data) { self.form = form }

    /// Appends the encoded form of the next piece to `output`.
    package mutating func encode(_ piece: Span<UInt8>, into output: inout [UInt8]) {
        if form == .binaryChunk { return output.append(span: piece) }
        output.reserveCapacity(output.count + piece.count + piece.count / 16 + 16)
        var start = 0
        if heldCR, !piece.isEmpty {
            heldCR = false
            if piece[0] == ASCII.lf {
                endLine(&output)
                start = 1
            } else {
                append(replacementForBareCR, &output)
            }
        }
        while start < piece.count {
            let lf = piece.firstIndex(of: ASCII.lf, from: start)
            var end = lf ?? piece.count
            if end > start, piece[end - 1] == ASCII.cr {
                end -= 1
                heldCR = lf == nil
            }
            appendContent(piece, start..<end, &output)
            guard let lf else { return }
            endLine(&output)
            start = lf + 1
        }
    }

    /// Appends what ends the message: the line end of a last line that has none, and the final dot.
    package mutating func finish(into output: inout [UInt8]) {
        if form == .binaryChunk { return }
        if heldCR { append(replacementForBareCR, &output) }
        if !atLineStart { endLine(&output) }
        if form == .data { output.append(contentsOf: ".\r\n".utf8) }
        self = ClientDataEncoder(form)
    }

    private let replacementForBareCR = ASCII.space

    private mutating func endLine(_ output: inout [UInt8]) {
        output.append(ASCII.cr)
        output.append(ASCII.lf)
        atLineStart = true
    }

    private mutating func append(_ byte: UInt8, _ output: inout [UInt8]) {
        if atLineStart, byte == ASCII.dot, form == .data { output.append(ASCII.dot) }
        atLineStart = false
        output.append(byte)
    }

    /// Appends bytes that hold no LF.
    private mutating func appendContent(_ piece: Span<UInt8>, _ range: Range<Int>, _ output: inout [UInt8]) {
        guard let first = range.first else { return }
        if atLineStart, piece[first] == ASCII.dot, form == .data { output.append(ASCII.dot) }
        atLineStart = false
        var start = range.lowerBound
        while let cr = piece.firstIndex(of: ASCII.cr, in: start..<range.upperBound) {
            output.append(span: piece.extracting(start..<cr))
            output.append(replacementForBareCR)
            start = cr + 1
        }
        output.append(span: piece.extracting(start..<range.upperBound))
    }
}
