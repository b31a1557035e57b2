extension Span where Element == UInt8 {
    /// The first place within `range` where mail text is not in the canonical form of DKIM (RFC 6376 3.4): before a LF
    /// without CR; with `whitespace`, also a tab, or a space before another or before a CR or LF.
    ///
    /// The byte behind the range is looked at, when there is one.
    package func firstIrregularity(in range: Range<Int>, whitespace: Bool) -> Int? {
        let range = range.clamped(to: 0..<count)
        return withUnsafeBytes { raw -> Int? in
            var place = range.lowerBound
            guard let base = raw.baseAddress else { return nil }
            // Safe: the loads of 16 bytes at `place` and one further on end within `count`.
            let wideEnd = Swift.min(range.upperBound, count &- 16)
            while place < wideEnd {
                if CanonicalScan.hasIrregularity(base, place, whitespace) {
                    let end = Swift.min(place &+ 16, range.upperBound)
                    if let found = CanonicalScan.first(raw, place..<end, whitespace) { return found }
                }
                place &+= 16
            }
            return place < range.upperBound ? CanonicalScan.first(raw, place..<range.upperBound, whitespace) : nil
        }
    }
}

private enum CanonicalScan {
    /// Looks at 16 bytes at a time.
    @inline(__always)
    static func hasIrregularity(_ base: UnsafeRawPointer, _ place: Int, _ whitespace: Bool) -> Bool {
        let here = base.loadUnaligned(fromByteOffset: place, as: SIMD16<UInt8>.self)
        let next = base.loadUnaligned(fromByteOffset: place &+ 1, as: SIMD16<UInt8>.self)
        let lf = SIMD16<UInt8>(repeating: ASCII.lf)
        let cr = SIMD16<UInt8>(repeating: ASCII.cr)
        var found = (next .== lf) .& (here .!= cr)
        if whitespace {
            let space = SIMD16<UInt8>(repeating: ASCII.space)
            let tab = SIMD16<UInt8>(repeating: ASCII.tab)
            let isBeforeWhite = (next .== space) .| (next .== tab) .| (next .== cr) .| (next .== lf)
            found = found .| ((here .== space) .& isBeforeWhite) .| (here .== tab)
        }
        // Safe: a mask of 16 lanes is 16 bytes.
        let bits = unsafeBitCast(found, to: SIMD2<UInt64>.self)
        return bits[0] | bits[1] != 0
    }

    static func first(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ whitespace: Bool) -> Int? {
        for place in range {
            let here = bytes[place]
            let next = place &+ 1 < bytes.count ? bytes[place &+ 1] : 0
            if next == ASCII.lf, here != ASCII.cr { return place }
            if whitespace, here == ASCII.tab || (here == ASCII.space && next.isMailWhitespace) { return place }
        }
        return nil
    }
}
