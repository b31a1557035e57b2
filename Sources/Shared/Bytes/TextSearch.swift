extension Span where Element == UInt8 {
    /// The first place within `range` where the bytes of `text` stand; the range is cut to the span. Sixteen places are
    /// looked at at a time, for the first two bytes of `text`.
    package func firstIndex(of text: StaticString, in range: Range<Int>) -> Int? {
        let range = range.clamped(to: 0..<count)
        let length = text.utf8CodeUnitCount
        guard length > 0, range.count >= length else { return nil }
        if length == 1 { return firstIndex(of: text.utf8Start.pointee, in: range) }
        // Safe: all reads lie within the range, which was cut to the span's bounds: a block and the one a byte behind it
        // end at most at `blocksEnd + 16`. The pointers do not leave the closures.
        return withUnsafeBytes { bytes -> Int? in
            text.withUTF8Buffer { needle -> Int? in
                let end = range.upperBound - needle.count
                let first = SIMD16<UInt8>(repeating: needle[0])
                let second = SIMD16<UInt8>(repeating: needle[1])
                let blocksEnd = range.upperBound - 17
                var place = range.lowerBound
                while place <= blocksEnd {
                    let heads = bytes.loadUnaligned(fromByteOffset: place, as: SIMD16<UInt8>.self) .== first
                    let nexts = bytes.loadUnaligned(fromByteOffset: place &+ 1, as: SIMD16<UInt8>.self) .== second
                    guard any(heads .& nexts) else {
                        place &+= 16
                        continue
                    }
                    for candidate in place..<(place &+ 16) where candidate <= end {
                        if Self.matches(bytes, candidate, needle) { return candidate }
                    }
                    place &+= 16
                }
                while place <= end {
                    if Self.matches(bytes, place, needle) { return place }
                    place &+= 1
                }
                return nil
            }
        }
    }

    private static func matches(
        _ bytes: UnsafeRawBufferPointer, _ place: Int, _ needle: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        for index in 0..<needle.count where bytes[place &+ index] != needle[index] { return false }
        return true
    }
}
