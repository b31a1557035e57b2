extension Span where Element == UInt8 {
    /// The eight bytes from `place` on as one number, the first one lowest. They have to lie within the span.
    @inlinable package func word(at place: Int) -> UInt64 {
        // Safe: the bounds are checked, and every pattern of bits is a number.
        UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: place, as: UInt64.self))
    }
}
