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
            var place = 0
            while place < text.count {
                if digits == 0 { place = Base64.decodeGroups(text, from: place, into: &result) }
                guard place < text.count else { return }
                let value = Base64.values[Int(text[place])]
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

    /// What each byte gives as the first to fourth digit of a group, at the places of the three bytes that the group
    /// decodes to, the first of them lowest; the highest byte is not 0 for what is no digit.
    private static let groups: [UInt32] = {
        var groups = [UInt32](repeating: 0xFF00_0000, count: 1_024)
        for (value, digit) in alphabet.enumerated() {
            let value = UInt32(value)
            groups[Int(digit)] = value << 2
            groups[256 + Int(digit)] = value >> 4 | (value & 15) << 12
            groups[512 + Int(digit)] = (value >> 2) << 8 | (value & 3) << 22
            groups[768 + Int(digit)] = value << 16
        }
        return groups
    }()

    /// Decodes whole groups, and passes over the ends of lines between them, up to anything else; returns that place.
    private static func decodeGroups(_ text: Span<UInt8>, from start: Int, into result: inout [UInt8]) -> Int {
        var place = start
        // Room is made for little at first: where something else stands everywhere, no more than that is in vain.
        var step = 256
        while text.count - place >= 4 {
            let end = min(place + step, text.count)
            let reached = decodeGroups(text, place..<end, into: &result)
            // What is left of a step may be the start of a group.
            guard end - reached < 4, reached > place else { return reached }
            place = reached
            step = min(step * 2, 64 << 10)
        }
        return place
    }

    private static func decodeGroups(_ text: Span<UInt8>, _ range: Range<Int>, into result: inout [UInt8]) -> Int {
        let old = result.count
        // A group is written as four bytes, of which the next group overwrites the last.
        result.append(contentsOf: repeatElement(0, count: range.count / 4 * 3 + 1))
        var place = range.lowerBound
        var written = old
        let end = range.upperBound
        // Safe: every group read lies within the range, as the loop checks; of every four bytes of text at most three are
        // written and one behind them, which is the room that was made; a byte is an index of its 256 entries.
        text.withUnsafeBytes { input in
            groups.withUnsafeBufferPointer { groups in
                result.withUnsafeMutableBytes { output in
                    while true {
                        while place &+ 4 <= end {
                            let digits = input.loadUnaligned(fromByteOffset: place, as: UInt32.self).littleEndian
                            let group =
                                groups[Int(digits & 255)] | groups[256 &+ Int(digits >> 8 & 255)]
                                | groups[512 &+ Int(digits >> 16 & 255)] | groups[768 &+ Int(digits >> 24)]
                            if group > 0x00FF_FFFF { break }
                            output.storeBytes(of: group.littleEndian, toByteOffset: written, as: UInt32.self)
                            place &+= 4
                            written &+= 3
                        }
                        let before = place
                        while place < end, input[place] == ASCII.lf || input[place] == ASCII.cr { place &+= 1 }
                        if place == before { return }
                    }
                }
            }
        }
        result.removeLast(result.count - written)
        return place
    }
}
