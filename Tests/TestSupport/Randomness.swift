/// A generator that gives the same numbers for the same seed (SplitMix64).
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// Random bytes.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    /// Random bytes out of an alphabet.
    public mutating func bytes(_ count: Int, of alphabet: String) -> [UInt8] {
        let alphabet = Array(alphabet.utf8)
        return (0..<count).map { _ in alphabet[Int(next() % UInt64(alphabet.count))] }
    }

    /// `bytes` with a few random changes: bytes flipped, cut out, doubled, or the end cut off.
    public mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
        var result = bytes
        for _ in 0...Int(next() % 8) where !result.isEmpty {
            let place = Int(next() % UInt64(result.count))
            let length = min(Int(next() % 40) + 1, result.count - place)
            switch next() % 6 {
            case 0: result[place] = UInt8(truncatingIfNeeded: next())
            case 1: result.removeSubrange(place..<(place + length))
            case 2: result.insert(contentsOf: result[place..<(place + length)], at: place)
            case 3: result.insert(contentsOf: self.bytes(length), at: place)
            case 4: result[place] ^= 1 << UInt8(next() % 8)
            default: if next() % 4 == 0 { result.removeSubrange(place...) }
            }
        }
        return result
    }
}
