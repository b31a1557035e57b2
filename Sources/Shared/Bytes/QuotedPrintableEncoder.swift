extension QuotedPrintable {
    private static let hexadecimal = Array("0123456789ABCDEF".utf8)

    /// Encodes text with LF or CRLF line ends; lines come out with LF and at most 76 characters.
    package static func encode(_ bytes: Span<UInt8>) -> [UInt8] {
        var encoder = Encoder(breaksAt: .anyLineFeed, lineEnd: [ASCII.lf])
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + bytes.count / 16)
        encoder.encode(bytes, into: &result)
        encoder.finish(into: &result)
        return result
    }

    /// Encodes piece by piece, in lines of at most 76 characters (RFC 2045 6.7).
    package struct Encoder: Sendable {
        /// What ends a line of the text, and so stays a line end.
        package enum LineBreak: Sendable {
            /// LF and CRLF.
            case anyLineFeed
            /// CRLF alone: an LF by itself is escaped.
            case crlf
        }

        private let lineBreak: LineBreak
        private let lineEnd: [UInt8]
        private var column = 0
        /// The last byte, of which is not known yet what follows.
        private var held: UInt8?

        /// `lineEnd`: what lines are written with, LF or CRLF.
        package init(breaksAt lineBreak: LineBreak, lineEnd: [UInt8]) {
            self.lineBreak = lineBreak
            self.lineEnd = lineEnd
        }

        /// Appends the encoded form of the next piece, but for its last byte.
        package mutating func encode(_ bytes: Span<UInt8>, into result: inout [UInt8]) {
            for index in 0..<bytes.count {
                let byte = bytes[index]
                if let held { encode(held, before: byte, into: &result) }
                // The CR of a line end goes with its LF.
                let isEscapedLF = lineBreak == .crlf && held != ASCII.cr
                if byte == ASCII.lf, !isEscapedLF {
                    result.append(contentsOf: lineEnd)
                    column = 0
                    held = nil
                } else {
                    held = byte
                }
            }
        }

        /// The text ends.
        package mutating func finish(into result: inout [UInt8]) {
            if let held { encode(held, before: nil, into: &result) }
            held = nil
            column = 0
        }

        private mutating func encode(_ byte: UInt8, before next: UInt8?, into result: inout [UInt8]) {
            if byte == ASCII.cr, next == ASCII.lf { return }
            // A CR may be the end of the line, or stand by itself.
            let endsLine = next == nil || (next == ASCII.lf && lineBreak == .anyLineFeed)
            let mayEndLine = endsLine || next == ASCII.lf || next == ASCII.cr
            let isPlain =
                byte.isSpaceOrTab ? !mayEndLine : byte > 0x20 && byte < 0x7F && byte != ASCII.equals
            // A dot or "From " at the start of a line is safer encoded on its way through old software. Two hyphens there
            // might be taken for a boundary.
            let isRisky =
                column == 0
                && (byte == ASCII.dot || byte == UInt8(ascii: "F") || (byte == ASCII.dash && next == ASCII.dash))
            let width = isPlain && !isRisky ? 1 : 3
            if column + width > (endsLine ? 76 : 75) {
                result.append(ASCII.equals)
                result.append(contentsOf: lineEnd)
                column = 0
                return encode(byte, before: next, into: &result)
            }
            if width == 1 {
                result.append(byte)
            } else {
                result.append(ASCII.equals)
                result.append(hexadecimal[Int(byte >> 4)])
                result.append(hexadecimal[Int(byte & 15)])
            }
            column += width
        }
    }
}
