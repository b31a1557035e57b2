import Bytes
import Testing

@Suite("FNV-1a")
struct FNV1aTests {
    /// Values of the hash's authors, for 64 bits.
    @Test(
        "the published values",
        arguments: [
            ("", 0xCBF2_9CE4_8422_2325), ("a", 0xAF63_DC4C_8601_EC8C), ("foobar", 0x8594_4171_F739_67E8),
        ] as [(String, UInt64)])
    func values(_ text: String, _ value: UInt64) {
        var hash = FNV1a()
        hash.add(text.utf8)
        #expect(hash.value == value)
    }
}
