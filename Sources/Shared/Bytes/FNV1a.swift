/// The hash FNV-1a over 64 bits: names of files, keys and checksums, nothing that must withstand an attack.
package struct FNV1a: Sendable {
    package private(set) var value: UInt64

    /// Begins with the usual offset, or with another to get a hash of its own.
    package init(offset: UInt64 = 0xCBF2_9CE4_8422_2325) { value = offset }

    package mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }

    package mutating func add(_ bytes: some Sequence<UInt8>) { for byte in bytes { add(byte) } }
}
