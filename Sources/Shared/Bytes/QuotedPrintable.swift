/// Quoted-printable (RFC 2045 6.7).
package enum QuotedPrintable {
    private static let hexadecimal = Array("0123456789ABCDEF".utf8)

    /// Encodes text with LF or CRLF line ends; lines come out with LF and at most 76 characters.
    package static func encode(_ bytes: Span<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var column = 0
        for index in 0..<bytes.count {
            let byte = bytes[index]
            let next = index + 1 < bytes.count ? bytes[index + 1] : nil
            if byte == ASCII.lf {
                result.append(ASCII.lf)
                column = 0
                continue
            }
            if byte == ASCII.cr, next == ASCII.lf { continue }
            let endsLine = next == nil || next == ASCII.lf || next == ASCII.cr
            let isPlain =
                byte.isSpaceOrTab ? !endsLine : byte > 0x20 && byte < 0x7F && byte != ASCII.equals
            // A dot or "From " at the start of a line is safer encoded on its way through old software.
            let isRisky = column == 0 && (byte == ASCII.dot || byte == UInt8(ascii: "F"))
            let width = isPlain && !isRisky ? 1 : 3
            if column + width > (endsLine ? 76 : 75) {
                result += [ASCII.equals, ASCII.lf]
                column = 0
            }
            if isPlain, !isRisky {
                result.append(byte)
            } else {
                result += [ASCII.equals, hexadecimal[Int(byte >> 4)], hexadecimal[Int(byte & 15)]]
            }
            column += width
        }
        return result
    }

    /// Decodes what mail has of it: see `Decoder`.
    package static func decode(_ text: Span<UInt8>) -> (bytes: [UInt8], isBroken: Bool) {
        var decoder = Decoder()
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        decoder.decode(text, into: &result)
        decoder.finish(into: &result)
        return (result, decoder.isBroken)
    }

    /// Decodes piece by piece: escapes in any case, soft line breaks, white space at line ends dropped; an escape that
    /// is none is kept as it stands. Line ends stay what they are.
    package struct Decoder: Sendable {
        /// White space, and a CR, that may turn out to be the end of a line.
        private var held: [UInt8] = []
        /// What follows a `=` so far, without it; nil outside of an escape.
        private var escape: [UInt8]?
        /// An escape that is none was seen.
        package private(set) var isBroken = false

        package init() {}

        package mutating func decode(_ text: Span<UInt8>, into result: inout [UInt8]) {
            var place = 0
            let lastLineEnd = text.lastIndex(of: ASCII.lf, in: 0..<text.count) ?? -1
            while place < text.count {
                if escape == nil, held.isEmpty {
                    if place <= lastLineEnd {
                        place = decodeLines(text, from: place, into: &result)
                        continue
                    }
                    var end = place
                    while end < text.count, QuotedPrintable.isOrdinary(text[end]) { end &+= 1 }
                    if end > place {
                        result.append(span: text.extracting(place..<end))
                        place = end
                        continue
                    }
                }
                take(text[place], &result)
                place &+= 1
            }
        }

        private mutating func take(_ byte: UInt8, _ result: inout [UInt8]) {
            if var sofar = escape {
                if sofar.isEmpty || (sofar.count == 1 && sofar[0].hexadecimalValue != nil) {
                    if byte.hexadecimalValue != nil {
                        sofar.append(byte)
                        escape = sofar
                        if sofar.count == 2 {
                            result.append((sofar[0].hexadecimalValue ?? 0) << 4 | (sofar[1].hexadecimalValue ?? 0))
                            escape = nil
                        }
                        return
                    }
                }
                let isSpaceSoFar = sofar.allSatisfy(\.isSpaceOrTab)
                if isSpaceSoFar, byte.isSpaceOrTab {
                    escape = sofar + [byte]
                    return
                }
                if sofar.last != ASCII.cr, isSpaceSoFar, byte == ASCII.cr {
                    escape = sofar + [byte]
                    return
                }
                let isSoftBreak =
                    byte == ASCII.lf && sofar.dropLast(sofar.last == ASCII.cr ? 1 : 0).allSatisfy(\.isSpaceOrTab)
                escape = nil
                if isSoftBreak { return }
                isBroken = true
                result.append(ASCII.equals)
                for old in sofar { take(old, &result) }
                take(byte, &result)
                return
            }
            switch byte {
            case ASCII.equals:
                release(&result)
                escape = []
            case ASCII.space, ASCII.tab:
                if held.last == ASCII.cr { release(&result) }
                held.append(byte)
            case ASCII.cr:
                if held.last == ASCII.cr { release(&result) }
                held.append(byte)
            case ASCII.lf:
                if held.last == ASCII.cr { result.append(ASCII.cr) }
                held.removeAll(keepingCapacity: true)
                result.append(ASCII.lf)
            default:
                release(&result)
                result.append(byte)
            }
        }

        /// Decodes whole lines, which is nearly everything; returns where the line begins that has no end yet.
        private mutating func decodeLines(_ text: Span<UInt8>, from start: Int, into result: inout [UInt8]) -> Int {
            var place = start
            while let lf = text.firstIndex(of: ASCII.lf, from: place) {
                let hasCR = lf > place && text[lf &- 1] == ASCII.cr
                var end = hasCR ? lf &- 1 : lf
                while end > place, text[end &- 1].isSpaceOrTab { end &-= 1 }
                var isSoft = false
                while let equals = text.firstIndex(of: ASCII.equals, in: place..<end) {
                    result.append(span: text.extracting(place..<equals))
                    place = equals &+ 1
                    if place == end {
                        isSoft = true
                        break
                    }
                    if place &+ 1 < end, let high = text[place].hexadecimalValue,
                        let low = text[place &+ 1].hexadecimalValue
                    {
                        result.append(high << 4 | low)
                        place &+= 2
                    } else {
                        isBroken = true
                        result.append(ASCII.equals)
                    }
                }
                if !isSoft {
                    result.append(span: text.extracting(place..<end))
                    if hasCR { result.append(ASCII.cr) }
                    result.append(ASCII.lf)
                }
                place = lf &+ 1
            }
            return place
        }

        private mutating func release(_ result: inout [UInt8]) {
            result += held
            held.removeAll(keepingCapacity: true)
        }

        /// The data ends: white space at its end is dropped, as at a line end; so is a `=` that ends it.
        package mutating func finish(into result: inout [UInt8]) {
            if let sofar = escape {
                escape = nil
                if !sofar.allSatisfy({ $0.isSpaceOrTab || $0 == ASCII.cr }) {
                    isBroken = true
                    result.append(ASCII.equals)
                    result += sofar
                }
            }
            if held.last == ASCII.cr { result.append(ASCII.cr) }
            held = []
        }
    }

    @inline(__always)
    private static func isOrdinary(_ byte: UInt8) -> Bool {
        byte > 0x20 ? byte != ASCII.equals : byte != ASCII.space && byte != ASCII.tab && byte != ASCII.cr
    }
}
