import Glibc

extension Span where Element == UInt8 {
    /// The first place within `range` where the bytes of `text` stand; the range is cut to the span. Fastest when the
    /// first byte of `text` is rare in the data: it is looked for by the C library's `memchr`.
    package func firstIndex(of text: StaticString, in range: Range<Int>) -> Int? {
        let range = range.clamped(to: 0..<count)
        // Safe: all reads lie within the range, which was cut to the span's bounds, and the pointers do not leave the
        // closures.
        return withUnsafeBufferPointer { buffer -> Int? in
            text.withUTF8Buffer { needle -> Int? in
                guard let base = buffer.baseAddress, let first = needle.first else { return nil }
                let end = range.upperBound - needle.count
                var place = range.lowerBound
                while place <= end {
                    guard let found = memchr(base + place, Int32(first), end - place + 1) else { return nil }
                    place = UnsafeRawPointer(found) - UnsafeRawPointer(base)
                    var index = 1
                    while index < needle.count, base[place + index] == needle[index] { index += 1 }
                    if index == needle.count { return place }
                    place += 1
                }
                return nil
            }
        }
    }
}
