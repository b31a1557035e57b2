import Bytes
import OpenSSL
import TestSupport
import Testing

@Suite("Keys and signatures")
struct KeysTests {
    @Test("Ed25519 verifies the second vector of RFC 8032 7.1, and nothing that differs from it")
    func ed25519() throws {
        let key = try PublicKey(
            hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"), kind: .ed25519)
        let signature = hex(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
        #expect(try key.verify(signature, of: [0x72]))
        #expect(try !key.verify(signature, of: [0x73]))
        #expect(try !key.verify([], of: [0x72]))
        #expect(key.bits == 256 || key.bits == 253)
    }

    @Test("what one key signs, only its public half verifies", arguments: ["rsa.pem", "ed25519.pem"])
    func roundTrip(_ file: String) throws {
        let key = try PrivateKey(pem: TestData.bytes(file))
        let message = Array("a message".utf8)
        let signature = try key.sign(message)
        let publicKey = try PublicKey(key.publicKeyDER(), kind: key.kind)
        #expect(try publicKey.verify(signature, of: message))
        #expect(try !publicKey.verify(signature, of: message + [0]))
        var broken = signature
        broken[broken.count / 2] ^= 1
        #expect(try !publicKey.verify(broken, of: message))
    }

    @Test("garbage is no key")
    func garbage() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<200 {
            let bytes = generator.bytes(Int(generator.next() % 300))
            #expect(throws: OpenSSLError.self) { _ = try PrivateKey(pem: bytes) }
            #expect(throws: OpenSSLError.self) { _ = try PublicKey(bytes, kind: .rsa) }
        }
    }
}
