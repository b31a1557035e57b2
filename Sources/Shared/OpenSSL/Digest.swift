import Bytes
import Synchronization

/// The digests that mail needs.
package enum DigestAlgorithm: String, Sendable, CaseIterable {
    /// RFC 1321; for APOP and CRAM-MD5 only.
    case md5 = "MD5"
    /// RFC 3174; for SCRAM-SHA-1 only.
    case sha1 = "SHA1"
    /// RFC 6234.
    case sha256 = "SHA256"
    /// RFC 6234.
    case sha512 = "SHA512"

    /// The digest's size in bytes.
    package var size: Int {
        switch self {
        case .md5: 16
        case .sha1: 20
        case .sha256: 32
        case .sha512: 64
        }
    }

    /// SHA-256, fetched once: OpenSSL 3 looks an algorithm that is known by its name alone up anew at every use.
    // Safe: an algorithm that was fetched does not change, and may be used by several threads.
    private nonisolated(unsafe) static let fetchedSHA256: OpaquePointer? =
        (try? CryptoLibrary.load()).flatMap { $0.digestFetch(nil, DigestAlgorithm.sha256.rawValue, nil) }

    func implementation(_ library: CryptoLibrary) throws(OpenSSLError) -> OpaquePointer {
        if self == .sha256, let fetched = DigestAlgorithm.fetchedSHA256 { return fetched }
        guard let implementation = library.digestByName(rawValue) else {
            throw OpenSSLError("this OpenSSL does not offer \(rawValue)")
        }
        return implementation
    }
}

/// A digest in the making: fed piece by piece.
package struct Digest: ~Copyable {
    private let library: CryptoLibrary
    private let context: OpaquePointer
    private let algorithm: DigestAlgorithm

    package init(_ algorithm: DigestAlgorithm) throws(OpenSSLError) {
        self.algorithm = algorithm
        let (library, context) = try Digest.begin(algorithm)
        self.library = library
        self.context = context
    }

    private static func begin(
        _ algorithm: DigestAlgorithm
    ) throws(OpenSSLError) -> (CryptoLibrary, OpaquePointer) {
        let library = try CryptoLibrary.load()
        let implementation = try algorithm.implementation(library)
        let idle = algorithm == .sha256 ? IdleContexts.shared.take() : nil
        guard let context = idle ?? library.digestContextNew() else { throw OpenSSLError("out of memory") }
        guard library.digestInit(context, implementation, nil) == 1 else {
            library.digestContextFree(context)
            throw OpenSSLError(library.takeErrorReason())
        }
        return (library, context)
    }

    deinit {
        if algorithm == .sha256, IdleContexts.shared.put(context) { return }
        library.digestContextFree(context)
    }

    package mutating func update(_ bytes: Span<UInt8>) {
        // Safe: pointer and count are those of the span.
        bytes.withUnsafeBytes { _ = library.digestUpdate(context, $0.baseAddress, $0.count) }
    }

    package mutating func update(_ bytes: [UInt8]) { update(bytes.span) }

    /// The digest of everything fed so far. Ends this one.
    package consuming func finalize() -> [UInt8] {
        var result = [UInt8](repeating: 0, count: algorithm.size)
        // Safe: the result has the digest's size.
        _ = library.digestFinal(context, &result, nil)
        return result
    }

    /// The digest of `bytes`.
    package static func hash(_ algorithm: DigestAlgorithm, _ bytes: Span<UInt8>) throws(OpenSSLError) -> [UInt8] {
        var digest = try Digest(algorithm)
        digest.update(bytes)
        return digest.finalize()
    }

    /// The digest of `bytes`.
    package static func hash(_ algorithm: DigestAlgorithm, _ bytes: [UInt8]) throws(OpenSSLError) -> [UInt8] {
        try hash(algorithm, bytes.span)
    }
}

/// Keyed digests (RFC 2104) and keys from passwords (RFC 8018).
package enum HMAC {
    /// The authentication code of `message` under `key`.
    package static func authenticate(
        _ algorithm: DigestAlgorithm, key: [UInt8], _ message: [UInt8]
    ) throws(OpenSSLError) -> [UInt8] {
        let library = try CryptoLibrary.load()
        let implementation = try algorithm.implementation(library)
        var result = [UInt8](repeating: 0, count: algorithm.size)
        // An empty key still needs an address; OpenSSL would take a null one for "the key as before".
        let material = key.isEmpty ? [0] : key
        // Safe: the counts are those of the arrays, and the result has the digest's size.
        let done = library.hmac(
            implementation, material, Int32(clamping: key.count), message, message.count, &result, nil)
        guard done != nil else { throw OpenSSLError(library.takeErrorReason()) }
        return result
    }

    /// PBKDF2, as SCRAM needs it (RFC 5802 2.2).
    package static func deriveKey(
        _ algorithm: DigestAlgorithm, password: [UInt8], salt: [UInt8], iterations: Int
    ) throws(OpenSSLError) -> [UInt8] {
        let library = try CryptoLibrary.load()
        let implementation = try algorithm.implementation(library)
        var result = [UInt8](repeating: 0, count: algorithm.size)
        let signed = password.map { CChar(bitPattern: $0) }
        // Safe: the counts are those of the arrays.
        let done = library.pbkdf2(
            signed, Int32(clamping: signed.count), salt, Int32(clamping: salt.count),
            Int32(clamping: max(1, iterations)), implementation, Int32(result.count), &result)
        guard done == 1 else { throw OpenSSLError(library.takeErrorReason()) }
        return result
    }
}

/// Bytes that nobody can foretell, and comparing secrets.
package enum Secret {
    /// Random bytes of OpenSSL's generator.
    package static func random(_ count: Int) throws(OpenSSLError) -> [UInt8] {
        let library = try CryptoLibrary.load()
        var result = [UInt8](repeating: 0, count: max(0, count))
        // Safe: the count is that of the array.
        guard library.randomBytes(&result, Int32(clamping: result.count)) == 1 else {
            throw OpenSSLError(library.takeErrorReason())
        }
        return result
    }

    /// Compares in a time that depends on the lengths alone.
    package static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        var difference: UInt8 = left.count == right.count ? 0 : 1
        for index in left.indices { difference |= left[index] ^ (index < right.count ? right[index] : 0) }
        return difference == 0
    }
}

/// Contexts of SHA-256 that wait to be used again, which costs less than making one.
private final class IdleContexts: Sendable {
    static let shared = IdleContexts()

    private struct Context: @unchecked Sendable {
        let pointer: OpaquePointer  // Safe: used by one digest at a time, which has taken it out of the list.
    }

    private let contexts = Mutex<[Context]>([])
    private static let limit = 32

    func take() -> OpaquePointer? { contexts.withLock { $0.popLast() }?.pointer }

    /// False when there are enough.
    func put(_ pointer: OpaquePointer) -> Bool {
        let context = Context(pointer: pointer)
        return contexts.withLock { contexts in
            guard contexts.count < IdleContexts.limit else { return false }
            contexts.append(context)
            return true
        }
    }
}
