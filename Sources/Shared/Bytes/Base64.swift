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
        let step = lineLength.map { max($0 / 4, 1) * 3 } ?? bytes.count
        var place = 0
        while place < bytes.count {
            if place > 0 { result.append(ASCII.lf) }
            let end = min(place + step, bytes.count)
            append(bytes, place..<end, to: &result)
            place = end
        }
        return result
    }

    /// Appends the digits of a stretch, padded.
    private static func append(_ bytes: Span<UInt8>, _ range: Range<Int>, to result: inout [UInt8]) {
        var place = range.lowerBound
        while place < range.upperBound {
            let left = range.upperBound - place
            let group =
                UInt32(bytes[place]) << 16 | (left > 1 ? UInt32(bytes[place + 1]) << 8 : 0)
                | (left > 2 ? UInt32(bytes[place + 2]) : 0)
            result.append(alphabet[Int(group >> 18)])
            result.append(alphabet[Int(group >> 12 & 63)])
            result.append(left > 1 ? alphabet[Int(group >> 6 & 63)] : ASCII.equals)
            result.append(left > 2 ? alphabet[Int(group & 63)] : ASCII.equals)
            place += 3
        }
    }

    /// Encodes piece by piece, in lines of 76 digits (RFC 2045 6.8); the last one has no line end.
    package struct Encoder: Sendable {
        private static let bytesOfLine = 57
        private let lineEnd: [UInt8]
        private var hasLine = false
        /// What does not fill a line yet.
        private var held: [UInt8] = []

        /// `lineEnd`: what lines are written with, LF or CRLF.
        package init(lineEnd: [UInt8]) { self.lineEnd = lineEnd }

        /// Appends the whole lines that the next piece gives.
        package mutating func encode(_ bytes: Span<UInt8>, into result: inout [UInt8]) {
            var place = 0
            if !held.isEmpty {
                place = min(Self.bytesOfLine - held.count, bytes.count)
                held.append(span: bytes.extracting(0..<place))
                guard held.count == Self.bytesOfLine else { return }
                writeHeld(into: &result)
            }
            while bytes.count - place >= Self.bytesOfLine {
                startLine(&result)
                Base64.append(bytes, place..<(place + Self.bytesOfLine), to: &result)
                place += Self.bytesOfLine
            }
            held.append(span: bytes.extracting(place..<bytes.count))
        }

        /// The data end.
        package mutating func finish(into result: inout [UInt8]) {
            if !held.isEmpty { writeHeld(into: &result) }
            hasLine = false
        }

        private mutating func writeHeld(into result: inout [UInt8]) {
            startLine(&result)
            Base64.append(held.span, 0..<held.count, to: &result)
            held.removeAll(keepingCapacity: true)
        }

        private mutating func startLine(_ result: inout [UInt8]) {
            if hasLine { result.append(contentsOf: lineEnd) }
            hasLine = true
        }
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
            // Groups are written as four bytes, of which the next overwrites the last.
            let room = (text.count + 3) / 4 * 3 + 4
            // Safe: every group read lies within the text, as the loop checks; of every four digits three bytes are written
            // and one behind them, and fewer of fewer, for which there is room. The pointers do not leave the closures.
            text.withUnsafeBytes { input in
                Base64.groups.withUnsafeBufferPointer { groups in
                    Base64.values.withUnsafeBufferPointer { values in
                        result.append(addingCapacity: room) { output in
                            output.withUnsafeMutableBufferPointer { buffer, count in
                                count = decode(input, UnsafeMutableRawBufferPointer(buffer), groups, values)
                            }
                        }
                    }
                }
            }
        }

        /// Writes what `input` holds; returns how many bytes that is.
        private mutating func decode(
            _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer,
            _ groups: UnsafeBufferPointer<UInt32>, _ values: UnsafeBufferPointer<UInt8>
        ) -> Int {
            var place = 0
            var written = 0
            while true {
                if digits == 0 { Base64.decodeGroups(input, &place, output, &written, groups) }
                guard place < input.count else { return written }
                let value = values[Int(input[place])]
                place &+= 1
                if value < Base64.padding {
                    group = group << 6 | UInt32(value)
                    digits &+= 1
                    if digits == 4 { end(output, &written, bytes: 3, group) }
                } else if value == Base64.padding {
                    end(
                        output, &written, bytes: digits &* 3 / 4, group << UInt32(truncatingIfNeeded: 24 &- digits &* 6)
                    )
                } else if value == Base64.junk {
                    hasJunk = true
                }
            }
        }

        /// Ends a group with so many bytes, which are the highest of the 24 bits.
        private mutating func end(
            _ output: UnsafeMutableRawBufferPointer, _ written: inout Int, bytes: Int, _ group: UInt32
        ) {
            for index in 0..<bytes {
                output[written] = UInt8(truncatingIfNeeded: group >> UInt32(truncatingIfNeeded: 16 &- index &* 8))
                written &+= 1
            }
            self.group = 0
            digits = 0
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

    /// Decodes whole groups, and passes over white space between them, up to anything else.
    @inline(__always)
    private static func decodeGroups(
        _ input: UnsafeRawBufferPointer, _ place: inout Int, _ output: UnsafeMutableRawBufferPointer,
        _ written: inout Int, _ groups: UnsafeBufferPointer<UInt32>
    ) {
        func group(_ digits: UInt32) -> UInt32 {
            groups[Int(digits & 255)] | groups[256 &+ Int(digits >> 8 & 255)]
                | groups[512 &+ Int(digits >> 16 & 255)] | groups[768 &+ Int(digits >> 24)]
        }
        while true {
            while place &+ 8 <= input.count {
                let digits = input.loadUnaligned(fromByteOffset: place, as: UInt64.self).littleEndian
                let first = group(UInt32(truncatingIfNeeded: digits))
                let second = group(UInt32(truncatingIfNeeded: digits >> 32))
                if first | second > 0x00FF_FFFF { break }
                output.storeBytes(of: first.littleEndian, toByteOffset: written, as: UInt32.self)
                output.storeBytes(of: second.littleEndian, toByteOffset: written &+ 3, as: UInt32.self)
                place &+= 8
                written &+= 6
            }
            if place &+ 4 <= input.count {
                let group = group(input.loadUnaligned(fromByteOffset: place, as: UInt32.self).littleEndian)
                if group <= 0x00FF_FFFF {
                    output.storeBytes(of: group.littleEndian, toByteOffset: written, as: UInt32.self)
                    place &+= 4
                    written &+= 3
                }
            }
            let before = place
            while place < input.count, input[place].isMailWhitespace { place &+= 1 }
            if place == before { return }
        }
    }
}
