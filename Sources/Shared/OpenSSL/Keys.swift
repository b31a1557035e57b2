import Bytes
import Synchronization

/// The kinds of key that DKIM knows (RFC 6376, RFC 8463).
package enum KeyKind: Sendable {
    case rsa, ed25519
}

/// A private key, from a PEM file.
package final class PrivateKey: Sendable {
    private let library: CryptoLibrary
    private nonisolated(unsafe) let key: OpaquePointer  // Safe: OpenSSL's keys may be read from several threads.
    package let kind: KeyKind
    /// The size of an RSA modulus in bits; 256 for Ed25519.
    package let bits: Int

    /// Reads the PEM text of an unencrypted RSA or Ed25519 key.
    package init(pem: [UInt8]) throws(OpenSSLError) {
        let library = try CryptoLibrary.load()
        library.clearErrors()
        // An encrypted key would ask for its password on the terminal: an empty one is given instead.
        var empty: CChar = 0
        let key = try library.withMemory(pem) { library.readPrivateKey($0, nil, nil, &empty) }
        guard let key else { throw OpenSSLError("not a private key in PEM form: \(library.takeErrorReason())") }
        guard let kind = KeyKind(key, library) else {
            library.keyFree(key)
            throw OpenSSLError("neither an RSA nor an Ed25519 key")
        }
        self.library = library
        self.key = key
        self.kind = kind
        bits = Int(library.keyBits(key))
    }

    deinit { library.keyFree(key) }

    /// Signs: RSASSA-PKCS1-v1_5 with SHA-256 over `message`, or Ed25519 of `message` itself.
    package func sign(_ message: [UInt8]) throws(OpenSSLError) -> [UInt8] {
        let digest = kind == .rsa ? try DigestAlgorithm.sha256.implementation(library) : nil
        guard let context = library.digestContextNew() else { throw OpenSSLError("out of memory") }
        defer { library.digestContextFree(context) }
        var count = 0
        guard library.signInit(context, nil, digest, nil, key) == 1,
            library.sign(context, nil, &count, message, message.count) == 1
        else { throw OpenSSLError(library.takeErrorReason()) }
        var signature = [UInt8](repeating: 0, count: count)
        // Safe: the signature has the size that OpenSSL asked for.
        guard library.sign(context, &signature, &count, message, message.count) == 1 else {
            throw OpenSSLError(library.takeErrorReason())
        }
        return Array(signature.prefix(count))
    }

    /// The public half as SubjectPublicKeyInfo in DER.
    package func publicKeyDER() throws(OpenSSLError) -> [UInt8] {
        let size = library.publicKeyToDER(key, nil)
        guard size > 0 else { throw OpenSSLError(library.takeErrorReason()) }
        var result = [UInt8](repeating: 0, count: Int(size))
        result.withUnsafeMutableBufferPointer { buffer in
            var place = buffer.baseAddress
            // Safe: the buffer has the size that the first call told.
            _ = library.publicKeyToDER(key, &place)
        }
        return result
    }
}

/// A public key.
package final class PublicKey: Sendable {
    private let library: CryptoLibrary
    private nonisolated(unsafe) let key: OpaquePointer  // Safe: OpenSSL's keys may be read from several threads.
    package let kind: KeyKind
    /// The size of an RSA modulus in bits; 256 for Ed25519.
    package let bits: Int
    /// Contexts that are ready to verify a digest: making one costs as much as half of the verification.
    private let ready = Mutex<[ReadyContext]>([])
    private static let readyLimit = 8

    private struct ReadyContext: @unchecked Sendable {
        let pointer: OpaquePointer  // Safe: used by one thread at a time, which has taken it out of the list.
    }

    /// Reads an RSA key as SubjectPublicKeyInfo or as bare RSAPublicKey (both in DER), or an Ed25519 key as its
    /// 32 bytes or as SubjectPublicKeyInfo.
    package init(_ bytes: [UInt8], kind: KeyKind) throws(OpenSSLError) {
        let library = try CryptoLibrary.load()
        library.clearErrors()
        var key: OpaquePointer?
        if kind == .ed25519, bytes.count == 32 {
            key = library.rawPublicKey(PublicKey.ed25519Type, nil, bytes, bytes.count)
        } else {
            key = kind == .rsa ? PublicKey.rsaKey(bytes, library) : nil
            // What that cannot do, the general functions may.
            key =
                key
                ?? bytes.withUnsafeBufferPointer { buffer -> OpaquePointer? in
                    // Safe: both functions read within the count that they are given.
                    var place = buffer.baseAddress
                    if let key = library.publicKeyFromDER(nil, &place, buffer.count) { return key }
                    guard kind == .rsa else { return nil }
                    place = buffer.baseAddress
                    return library.publicKeyOfType(PublicKey.rsaType, nil, &place, buffer.count)
                }
        }
        guard let key else { throw OpenSSLError("not a public key: \(library.takeErrorReason())") }
        library.clearErrors()
        guard KeyKind(key, library) == kind else {
            library.keyFree(key)
            throw OpenSSLError("a key of another kind")
        }
        self.library = library
        self.key = key
        self.kind = kind
        bits = Int(library.keyBits(key))
    }

    deinit {
        for context in ready.withLock({ $0 }) { library.keyContextFree(context.pointer) }
        library.keyFree(key)
    }

    /// Reads an RSA key by the functions made for that: the general ones of OpenSSL 3 take forty times as long. Nil when it
    /// is none, or this OpenSSL no longer has them.
    private static func rsaKey(_ bytes: [UInt8], _ library: CryptoLibrary) -> OpaquePointer? {
        guard let functions = library.rsaFunctions else { return nil }
        let decoded = bytes.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            // Safe: both functions read within the count that they are given.
            var place = buffer.baseAddress
            if let decoded = functions.decodeInfo(nil, &place, buffer.count) { return decoded }
            place = buffer.baseAddress
            return functions.decode(nil, &place, buffer.count)
        }
        guard let decoded else { return nil }
        guard let key = functions.keyNew(), functions.assign(key, rsaType, decoded) == 1 else {
            functions.free(decoded)
            return nil
        }
        // The key owns what was decoded from here on.
        return key
    }

    private static let rsaType: Int32 = 6  // EVP_PKEY_RSA
    private static let ed25519Type: Int32 = 1087  // EVP_PKEY_ED25519

    /// Whether `signature` is this key's of `message` (RSASSA-PKCS1-v1_5 with SHA-256, or Ed25519).
    package func verify(_ signature: [UInt8], of message: [UInt8]) throws(OpenSSLError) -> Bool {
        let digest = kind == .rsa ? try DigestAlgorithm.sha256.implementation(library) : nil
        guard let context = library.digestContextNew() else { throw OpenSSLError("out of memory") }
        defer {
            library.digestContextFree(context)
            library.clearErrors()
        }
        guard library.verifyInit(context, nil, digest, nil, key) == 1 else {
            throw OpenSSLError(library.takeErrorReason())
        }
        return library.verify(context, signature, signature.count, message, message.count) == 1
    }

    /// Whether `signature` is this key's of a message with the SHA-256 digest `digest`, as DKIM signs: RSASSA-PKCS1-v1_5
    /// of the digest, or Ed25519 with the digest as its message (RFC 8463 3).
    package func verify(_ signature: [UInt8], ofDigest digest: [UInt8]) throws(OpenSSLError) -> Bool {
        if kind == .ed25519 { return try verify(signature, of: digest) }
        let idle = ready.withLock { $0.popLast() }
        let context: ReadyContext
        if let idle { context = idle } else { context = try makeContext() }
        // Safe: the counts are those of the arrays.
        let isGood = library.verifyDigest(context.pointer, signature, signature.count, digest, digest.count) == 1
        if !isGood { library.clearErrors() }
        let isKept = ready.withLock { ready in
            guard ready.count < PublicKey.readyLimit else { return false }
            ready.append(context)
            return true
        }
        if !isKept { library.keyContextFree(context.pointer) }
        return isGood
    }

    private func makeContext() throws(OpenSSLError) -> ReadyContext {
        guard let context = library.keyContextNew(key, nil) else { throw OpenSSLError("out of memory") }
        let algorithm = try DigestAlgorithm.sha256.implementation(library)
        guard library.verifyDigestInit(context) == 1, library.setSignatureDigest(context, algorithm) == 1 else {
            library.keyContextFree(context)
            throw OpenSSLError(library.takeErrorReason())
        }
        return ReadyContext(pointer: context)
    }
}

extension KeyKind {
    fileprivate init?(_ key: OpaquePointer, _ library: CryptoLibrary) {
        if library.keyIsA(key, "RSA") == 1 {
            self = .rsa
        } else if library.keyIsA(key, "ED25519") == 1 {
            self = .ed25519
        } else {
            return nil
        }
    }
}
