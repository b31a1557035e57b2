/// Stand-in.
struct Digest {
    enum Kind { case sha256 }
    private var a: UInt64 = 0xcbf29ce484222325
    private var b: UInt64 = 0x9E3779B97F4A7C15
    init(_ kind: Kind) {}
    mutating func update(_ bytes: Span<UInt8>) {
        for index in 0..<bytes.count {
            a = (a ^ UInt64(bytes[index])) &* 0x100000001b3
            b = (b &+ UInt64(bytes[index])) &* 0xD6E8FEB86659FD93
            b ^= b >> 32
        }
    }
    mutating func finish() -> [UInt8] { withUnsafeBytes(of: (a, b)) { Array($0) } }
}
