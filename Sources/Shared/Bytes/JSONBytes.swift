import Glibc

/// The parts of JSON text (RFC 8259), appended to bytes.
extension Array where Element == UInt8 {
    /// A key of plain characters with its colon, behind a comma when one is due.
    package mutating func append(jsonKey name: StaticString, behindComma: Bool) {
        let length = name.utf8CodeUnitCount
        // Safe: at most four bytes more than the name are written, for which there is room.
        append(addingCapacity: length + 4) { output in
            output.withUnsafeMutableBufferPointer { buffer, count in
                guard let base = buffer.baseAddress else { return }
                var place = 0
                if behindComma {
                    base[0] = ASCII.comma
                    place = 1
                }
                base[place] = ASCII.quote
                memcpy(base + place + 1, name.utf8Start, length)
                base[place + 1 + length] = ASCII.quote
                base[place + 2 + length] = ASCII.colon
                count = place + length + 3
            }
        }
    }

    /// A number.
    package mutating func append(jsonNumber number: Int) {
        // Safe: no number has more than 20 characters, for which there is room.
        append(addingCapacity: 20) { output in
            output.withUnsafeMutableBufferPointer { buffer, count in
                var rest = number.magnitude
                var digits = 1
                var limit: UInt = 10
                while digits < 19, rest >= limit {
                    digits += 1
                    limit &*= 10
                }
                if digits == 19, rest >= limit { digits = 20 }
                let sign = number < 0 ? 1 : 0
                if number < 0 { buffer[0] = ASCII.dash }
                var place = sign + digits
                repeat {
                    place -= 1
                    buffer[place] = ASCII.zero + UInt8(truncatingIfNeeded: rest % 10)
                    rest /= 10
                } while place > sign
                count = sign + digits
            }
        }
    }

    /// The content of a string: quotes, backslashes and control characters escaped, everything else as it is.
    package mutating func append(jsonContent text: Span<UInt8>) {
        // A piece at a time: room is made for the worst, six bytes for each.
        let piece = 4_096
        var start = 0
        while start < text.count {
            let end = Swift.min(start + piece, text.count)
            appendPiece(text.extracting(start..<end))
            start = end
        }
    }

    private mutating func appendPiece(_ text: Span<UInt8>) {
        // Safe: words are read where all their bytes lie within the text; what is written is at most six bytes for each that
        // was read, and a word, for which there is room. The pointers do not leave the closures.
        text.withUnsafeBytes { input in
            append(addingCapacity: input.count * 6 + 8) { output in
                output.withUnsafeMutableBufferPointer { buffer, count in
                    count = JSONEscaping.write(input, UnsafeMutableRawBufferPointer(buffer))
                }
            }
        }
    }
}

private enum JSONEscaping {
    static func write(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        // The high bit of each byte of a word that is zero; exact up to the first such byte.
        func zeros(_ word: UInt64) -> UInt64 { (word &- ones) & ~word & highs }
        var place = 0
        var written = 0
        while true {
            while place &+ 8 <= input.count {
                let raw = input.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                output.storeBytes(of: raw, toByteOffset: written, as: UInt64.self)
                let word = raw.littleEndian
                let found =
                    (word &- ones &* 0x20) & ~word & highs | zeros(word ^ ones &* 0x22) | zeros(word ^ ones &* 0x5C)
                    | zeros(word ^ ones &* 0x7F)
                if found == 0 {
                    place &+= 8
                    written &+= 8
                    continue
                }
                let plain = found.trailingZeroBitCount / 8
                place &+= plain
                written &+= plain
                break
            }
            guard place < input.count else { return written }
            let byte = input[place]
            place &+= 1
            if byte >= 0x20, byte != ASCII.quote, byte != ASCII.backslash, byte != ASCII.delete {
                output[written] = byte
                written &+= 1
            } else {
                writeEscape(byte, output, &written)
            }
        }
    }

    @inline(__always)
    private static func writeEscape(_ byte: UInt8, _ output: UnsafeMutableRawBufferPointer, _ written: inout Int) {
        output[written] = ASCII.backslash
        let short: UInt8
        switch byte {
        case ASCII.quote, ASCII.backslash: short = byte
        case ASCII.lf: short = UInt8(ascii: "n")
        case ASCII.cr: short = UInt8(ascii: "r")
        case ASCII.tab: short = UInt8(ascii: "t")
        default:
            output[written &+ 1] = UInt8(ascii: "u")
            output[written &+ 2] = ASCII.zero
            output[written &+ 3] = ASCII.zero
            output[written &+ 4] = ASCII.zero + byte >> 4
            let low = byte & 15
            output[written &+ 5] = low < 10 ? ASCII.zero + low : UInt8(ascii: "a") + low - 10
            written &+= 6
            return
        }
        output[written &+ 1] = short
        written &+= 2
    }
}
