import CLinux

/// Random numbers that cannot be foretold, from getrandom(2), many a system call.
package struct RandomNumbers: ~Copyable {
    private var bytes = [UInt8](repeating: 0, count: 512)
    private var used = 512

    package init() {}

    /// Sixteen random bits.
    package mutating func next16() -> UInt16 {
        if used + 2 > bytes.count { refill() }
        defer { used += 2 }
        return UInt16(bytes[used]) << 8 | UInt16(bytes[used + 1])
    }

    private mutating func refill() {
        // Safe: the count is that of the array. Up to 256 bytes come whole, so two calls fill it.
        bytes.withUnsafeMutableBytes { raw in
            for half in [raw[..<256], raw[256...]] {
                let part = UnsafeMutableRawBufferPointer(rebasing: half)
                if facteur_getrandom(part.baseAddress, part.count) == part.count { continue }
                var generator = SystemRandomNumberGenerator()
                for index in part.indices { part[index] = .random(in: 0 ... .max, using: &generator) }
            }
        }
        used = 0
    }
}
