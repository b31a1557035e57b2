/// Quoted-printable (RFC 2045 6.7).
package enum QuotedPrintable {
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
        /// White space, and a CR behind it, that may turn out to be the end of a line.
        private var held: [UInt8] = []
        private var isInEscape = false
        /// What follows the `=` of an escape so far: nothing, a digit, or white space and perhaps a CR.
        private var escape: [UInt8] = []
        /// An escape that is none was seen.
        package private(set) var isBroken = false

        package init() {}

        package mutating func decode(_ text: Span<UInt8>, into result: inout [UInt8]) {
            var place = 0
            // What the piece before has left open.
            while place < text.count, isInEscape || !held.isEmpty {
                take(text[place], &result)
                place &+= 1
            }
            if place < text.count { decodeRun(text, from: place, into: &result) }
        }

        private mutating func take(_ byte: UInt8, _ result: inout [UInt8]) {
            if isInEscape { return takeEscaped(byte, &result) }
            switch byte {
            case ASCII.equals:
                release(&result)
                isInEscape = true
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

        private mutating func takeEscaped(_ byte: UInt8, _ result: inout [UInt8]) {
            let isSpace = escape.last?.isSpaceOrTab ?? true
            if let low = byte.hexadecimalValue {
                if escape.isEmpty { return escape.append(byte) }
                if let high = escape[0].hexadecimalValue {
                    result.append(high << 4 | low)
                    return endEscape()
                }
            } else if isSpace, byte.isSpaceOrTab || byte == ASCII.cr {
                return escape.append(byte)
            } else if isSpace || escape.last == ASCII.cr, byte == ASCII.lf {
                return endEscape()
            }
            let kept = escape
            endEscape()
            isBroken = true
            result.append(ASCII.equals)
            for old in kept { take(old, &result) }
            take(byte, &result)
        }

        private mutating func endEscape() {
            isInEscape = false
            escape.removeAll(keepingCapacity: true)
        }

        /// Decodes up to the end of a piece, with nothing open before; what is open there is kept.
        private mutating func decodeRun(_ text: Span<UInt8>, from start: Int, into result: inout [UInt8]) {
            // Words are written whole, up to seven bytes more than counts.
            var run = QuotedPrintableRun(from: start)
            // Safe: what is read lies within the text, as the loops check; at most as much is written as was read, and
            // seven bytes, for which there is room. The pointers do not leave the closures.
            text.withUnsafeBytes { input in
                result.append(addingCapacity: input.count - start + 8) { output in
                    output.withUnsafeMutableBufferPointer { buffer, count in
                        run.decode(input, UnsafeMutableRawBufferPointer(buffer))
                        count = run.written
                    }
                }
            }
            isBroken = isBroken || run.isBroken
            let base = result.count - run.written
            var end = run.written
            if let equals = run.openEscape {
                isInEscape = true
                escape = text.array((equals + 1)..<text.count)
            } else {
                if end > run.floor, result[base + end - 1] == ASCII.cr { end -= 1 }
                while end > run.floor, result[base + end - 1].isSpaceOrTab { end -= 1 }
                held.append(contentsOf: result[(base + end)...])
            }
            result.removeLast(run.written - end)
        }

        private mutating func release(_ result: inout [UInt8]) {
            result += held
            held.removeAll(keepingCapacity: true)
        }

        /// The data ends: white space at its end is dropped, as at a line end; so is a `=` that ends it.
        package mutating func finish(into result: inout [UInt8]) {
            if isInEscape, escape.first?.hexadecimalValue != nil {
                isBroken = true
                result.append(ASCII.equals)
                result += escape
            }
            endEscape()
            if held.last == ASCII.cr { result.append(ASCII.cr) }
            held = []
        }
    }
}

/// Quoted-printable on its way from one piece of memory to another.
private struct QuotedPrintableRun {
    private var place: Int
    private(set) var written = 0
    /// White space before this place of the output came out of an escape or stands before a soft line break.
    private(set) var floor = 0
    private(set) var isBroken = false
    /// The `=` of an escape of which the piece does not hold all.
    private(set) var openEscape: Int?

    init(from start: Int) { place = start }

    mutating func decode(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) {
        while openEscape == nil {
            copyPlain(input, output)
            guard place < input.count else { return }
            if input[place] == ASCII.lf {
                endLine(output)
            } else {
                readEscape(input, output)
            }
        }
    }

    /// Copies up to the next `=` or LF, or the end.
    @inline(__always)
    private mutating func copyPlain(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        while place &+ 8 <= input.count {
            let word = input.loadUnaligned(fromByteOffset: place, as: UInt64.self).littleEndian
            output.storeBytes(of: word.littleEndian, toByteOffset: written, as: UInt64.self)
            let equals = word ^ (ones &* UInt64(ASCII.equals))
            let feeds = word ^ (ones &* UInt64(ASCII.lf))
            // The high bit of each byte that is one of both; exact up to the first.
            let found = ((equals &- ones) & ~equals | (feeds &- ones) & ~feeds) & highs
            if found != 0 {
                let count = found.trailingZeroBitCount / 8
                place &+= count
                written &+= count
                return
            }
            place &+= 8
            written &+= 8
        }
        while place < input.count, input[place] != ASCII.equals, input[place] != ASCII.lf {
            output[written] = input[place]
            place &+= 1
            written &+= 1
        }
    }

    @inline(__always)
    private mutating func endLine(_ output: UnsafeMutableRawBufferPointer) {
        let hasCR = written > floor && output[written &- 1] == ASCII.cr
        if hasCR { written &-= 1 }
        while written > floor, output[written &- 1].isSpaceOrTab { written &-= 1 }
        if hasCR {
            output[written] = ASCII.cr
            written &+= 1
        }
        output[written] = ASCII.lf
        written &+= 1
        place &+= 1
        floor = written
    }

    @inline(__always)
    private mutating func readEscape(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) {
        let next = place &+ 1
        if next &+ 1 < input.count, let high = input[next].hexadecimalValue,
            let low = input[next &+ 1].hexadecimalValue
        {
            output[written] = high << 4 | low
            written &+= 1
            place &+= 3
            floor = written
            return
        }
        var end = next
        while end < input.count, input[end].isSpaceOrTab { end &+= 1 }
        if end < input.count, input[end] == ASCII.cr { end &+= 1 }
        if end == input.count || (end == next && end &+ 1 == input.count && input[end].hexadecimalValue != nil) {
            openEscape = place
        } else if input[end] == ASCII.lf {
            place = end &+ 1
            floor = written
        } else {
            isBroken = true
            output[written] = ASCII.equals
            written &+= 1
            place = next
        }
    }
}
