import Bytes
import OpenSSL
import TestSupport
import Testing

/// Bytes from hexadecimal digits.
func hex(_ text: String) -> [UInt8] {
    let digits = text.utf8.compactMap(\.hexadecimalValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

func hexText(_ bytes: [UInt8]) -> String {
    bytes.map { (byte: UInt8) in
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
    }.joined()
}

@Suite("Digests and authentication codes")
struct DigestTests {
    @Test(
        "the vectors of RFC 1321, RFC 3174 and RFC 6234",
        arguments: [
            (DigestAlgorithm.md5, "", "d41d8cd98f00b204e9800998ecf8427e"),
            (.md5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            (.sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (.sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                .sha512, "abc",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                    + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
            ),
        ])
    func vectors(_ algorithm: DigestAlgorithm, _ text: String, _ digest: String) throws {
        #expect(hexText(try Digest.hash(algorithm, Array(text.utf8))) == digest)
    }

    @Test("a digest in pieces is that of the whole", arguments: DigestAlgorithm.allCases)
    func pieces(_ algorithm: DigestAlgorithm) throws {
        var generator = SeededGenerator(seed: 7)
        let bytes = generator.bytes(10_000)
        var digest = try Digest(algorithm)
        var place = 0
        while place < bytes.count {
            let next = min(bytes.count, place + Int(generator.next() % 700))
            digest.update(Array(bytes[place..<next]))
            place = next
        }
        #expect(digest.finalize() == (try Digest.hash(algorithm, bytes)))
    }

    @Test("HMAC: RFC 2202 and RFC 4231")
    func hmac() throws {
        let what = Array("what do ya want for nothing?".utf8)
        let jefe = Array("Jefe".utf8)
        #expect(hexText(try HMAC.authenticate(.md5, key: jefe, what)) == "750c783e6ab0b503eaa86e310a5db738")
        #expect(
            hexText(try HMAC.authenticate(.sha256, key: jefe, what))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(hexText(try HMAC.authenticate(.md5, key: [], [])) == "74e6f7298a9c2d168935f58c001bad88")
    }

    @Test("PBKDF2: RFC 6070")
    func keyDerivation() throws {
        let key = try HMAC.deriveKey(
            .sha1, password: Array("password".utf8), salt: Array("salt".utf8), iterations: 4_096)
        #expect(hexText(key) == "4b007901b765489abead49d926f721d065a429c1")
    }

    @Test("random bytes differ, and secrets are compared whole")
    func secrets() throws {
        #expect(try Secret.random(32) != Secret.random(32))
        #expect(try Secret.random(0) == [])
        #expect(Secret.equal([1, 2], [1, 2]) && !Secret.equal([1, 2], [1, 3]))
        #expect(!Secret.equal([1], [1, 0]) && !Secret.equal([], [0]) && Secret.equal([], []))
    }
}
