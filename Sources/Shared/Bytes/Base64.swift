/// Base64 (RFC 4648 4, RFC 2045 6.8).
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The value of each byte as a digit; 64 padding, 65 white space, 66 anything else.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: junk, count: 256)
        for (value, digit) in alphabet.enumerated() { values[Int(digit)] = UInt8(value) }
        values[Int(ASCII.equals)] = padding
        for space in [ASCII.space, ASCII.tab, ASCII.cr, ASCII.lf] { values[Int(space)] = white }
        return values
    }()
    private static let padding: UInt8 = 64
    private static let white: UInt8 = 65
    private static let junk: UInt8 = 66

    /// The encoded bytes; with `lineLength`, a line feed after so many digits (not after the last line).
    package static func encode(_ bytes: Span<UInt8>, lineLength: Int? = nil) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4 * 78 / 76 + 4)
        var column = 0
        var place = 0
        while place < bytes.count {
            if let lineLength, column + 4 > lineLength {
                result.append(ASCII.lf)
                column = 0
            }
            let left = bytes.count - place
            let group =
                UInt32(bytes[place]) << 16 | (left > 1 ? UInt32(bytes[place + 1]) << 8 : 0)
                | (left > 2 ? UInt32(bytes[place + 2]) : 0)
            result.append(alphabet[Int(group >> 18)])
            result.append(alphabet[Int(group >> 12 & 63)])
            result.append(left > 1 ? alphabet[Int(group >> 6 & 63)] : ASCII.equals)
            result.append(left > 2 ? alphabet[Int(group & 63)] : ASCII.equals)
            column += 4
            place += 3
        }
        return result
    }

    /// The encoded bytes in one line.
    package static func encode(_ bytes: [UInt8]) -> String { encode(bytes.span).text }

    /// Decodes canonical base64 without white space, as protocols have it; nil for anything else.
    package static func decodeStrictly(_ text: Span<UInt8>) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        var decoder = Decoder()
        var result: [UInt8] = []
        for index in 0..<text.count {
            let value = values[Int(text[index])]
            if value > padding || (value == padding && index < text.count - 2) { return nil }
            if value == padding, index == text.count - 2, text[text.count - 1] != ASCII.equals { return nil }
        }
        decoder.decode(text, into: &result)
        decoder.finish(into: &result)
        return encode(result.span) == text.array ? result : nil
    }

    /// Decodes what mail has of base64: see `Decoder`.
    package static func decode(_ text: Span<UInt8>) -> (bytes: [UInt8], hasJunk: Bool) {
        var decoder = Decoder()
        var result: [UInt8] = []
        result.reserveCapacity(text.count / 4 * 3 + 3)
        decoder.decode(text, into: &result)
        decoder.finish(into: &result)
        return (result, decoder.hasJunk)
    }

    /// Decodes piece by piece and forgives everything: what is no digit is skipped, `=` ends a group and another may
    /// begin, missing padding is fine, a single digit that is left over is dropped.
    package struct Decoder: Sendable {
        private var group: UInt32 = 0
        private var digits = 0
        /// Something other than digits, padding and white space was skipped.
        package private(set) var hasJunk = false

        package init() {}

        package mutating func decode(_ text: Span<UInt8>, into result: inout [UInt8]) {
            // The table is taken out once: a static is checked for its initialization at each use.
            let table = Base64.values
            let values = table.span
            var place = 0
            let count = text.count
            while place < count {
                if digits == 0 {
                    // Runs of whole groups, which is nearly everything.
                    while place &+ 4 <= count {
                        let a = values[Int(text[place])]
                        let b = values[Int(text[place &+ 1])]
                        let c = values[Int(text[place &+ 2])]
                        let d = values[Int(text[place &+ 3])]
                        if (a | b | c | d) & 0xC0 != 0 { break }
                        result.append(a << 2 | b >> 4)
                        result.append(b << 4 | c >> 2)
                        result.append(c << 6 | d)
                        place &+= 4
                    }
                    if place >= count { return }
                }
                let value = values[Int(text[place])]
                place &+= 1
                if value < Base64.padding {
                    group = group << 6 | UInt32(value)
                    digits += 1
                    if digits == 4 {
                        result.append(UInt8(truncatingIfNeeded: group >> 16))
                        result.append(UInt8(truncatingIfNeeded: group >> 8))
                        result.append(UInt8(truncatingIfNeeded: group))
                        group = 0
                        digits = 0
                    }
                } else if value == Base64.padding {
                    finish(into: &result)
                } else if value == Base64.junk {
                    hasJunk = true
                }
            }
        }

        /// Ends a group that is not full.
        package mutating func finish(into result: inout [UInt8]) {
            if digits >= 2 { result.append(UInt8(truncatingIfNeeded: digits == 2 ? group >> 4 : group >> 10)) }
            if digits == 3 { result.append(UInt8(truncatingIfNeeded: group >> 2)) }
            group = 0
            digits = 0
        }
    }
}
