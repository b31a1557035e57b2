/// UTF-8 as mail has it.
package enum UTF8Text {
    /// Whether the bytes are valid UTF-8.
    package static func isValid(_ bytes: Span<UInt8>) -> Bool {
        let count = bytes.count
        var place = bytes.endOfASCII(from: 0)
        while place < count {
            let byte = bytes[place]
            if byte < 0x80 {
                place = bytes.endOfASCII(from: place)
                continue
            }
            let length: Int
            var low: UInt8 = 0x80
            var high: UInt8 = 0xBF
            switch byte {
            case 0xC2...0xDF: length = 2
            case 0xE0: (length, low) = (3, 0xA0)
            case 0xED: (length, high) = (3, 0x9F)
            case 0xE1...0xEF: length = 3
            case 0xF0: (length, low) = (4, 0x90)
            case 0xF1...0xF3: length = 4
            case 0xF4: (length, high) = (4, 0x8F)
            default: return false
            }
            guard place &+ length <= count, bytes[place &+ 1] >= low, bytes[place &+ 1] <= high else { return false }
            for offset in 2..<max(2, length) where bytes[place &+ offset] & 0xC0 != 0x80 { return false }
            place &+= length
        }
        return true
    }

    /// Whether all bytes are below 128.
    package static func isASCII(_ bytes: Span<UInt8>) -> Bool {
        bytes.endOfASCII(from: 0) == bytes.count
    }

    /// The bytes as text: U+FFFD for each maximal invalid subsequence.
    package static func repaired(_ bytes: Span<UInt8>) -> String {
        // Safe: the buffer does not leave the closure.
        bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
}

extension Span where Element == UInt8 {
    /// The first place within `range`, which must be there, whose byte is not below 128 or is `=`; the end of the range when
    /// there is none.
    package func firstIndexOf8BitOrEquals(in range: Range<Int>) -> Int {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        // Safe: each word read ends within the range, which lies within the span.
        return withUnsafeBytes { bytes in
            var place = range.lowerBound
            while place &+ 8 <= range.upperBound {
                let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self).littleEndian
                let other = word ^ ones &* UInt64(ASCII.equals)
                let found = (word | (other &- ones) & ~other) & highs
                if found != 0 { return place &+ found.trailingZeroBitCount / 8 }
                place &+= 8
            }
            while place < range.upperBound, bytes[place] < 0x80, bytes[place] != ASCII.equals { place &+= 1 }
            return place
        }
    }

    /// The first place from `start` on whose byte is not below 128; the end when there is none.
    package func endOfASCII(from start: Int) -> Int {
        // Safe: each word read ends within the span, as the loop checks.
        withUnsafeBytes { bytes in
            var place = start
            while place &+ 8 <= bytes.count {
                let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                let high = word & 0x8080_8080_8080_8080
                if high != 0 { return place &+ high.littleEndian.trailingZeroBitCount / 8 }
                place &+= 8
            }
            while place < bytes.count, bytes[place] < 0x80 { place &+= 1 }
            return place
        }
    }
}
