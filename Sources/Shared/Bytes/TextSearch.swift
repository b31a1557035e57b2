import CLinux

extension Span where Element == UInt8 {
    /// The first place within `range` where the bytes of `text` stand, by the C library's `memmem`; the range is cut
    /// to the span.
    package func firstIndex(of text: StaticString, in range: Range<Int>) -> Int? {
        let range = range.clamped(to: 0..<count)
        if range.count < text.utf8CodeUnitCount { return nil }
        // Safe: the range was cut to the span's bounds, and the pointers do not leave the closures.
        return withUnsafeBufferPointer { buffer -> Int? in
            text.withUTF8Buffer { needle -> Int? in
                guard let base = buffer.baseAddress,
                    let found = memmem(base + range.lowerBound, range.count, needle.baseAddress, needle.count)
                else { return nil }
                return UnsafeRawPointer(found) - UnsafeRawPointer(base)
            }
        }
    }
}
