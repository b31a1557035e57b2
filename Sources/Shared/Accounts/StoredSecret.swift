import Bytes
import OpenSSL
import SASL
import Unix

/// A password as it is stored, by Dovecot's schemes.
enum StoredSecret: Equatable, Sendable {
    case plain([UInt8])
    /// A setting and hash of crypt(3).
    case crypt(String)
    /// A digest of the password and the salt behind it.
    case digest(DigestAlgorithm, hash: [UInt8], salt: [UInt8])
    /// `$1$salt$rounds$hash` of PBKDF2 with SHA-1.
    case derived(hash: [UInt8], salt: [UInt8], rounds: Int)
    case scram(DigestAlgorithm, ScramKeys)

    private enum Encoding { case base64, hexadecimal }

    /// What the schemes of plain digests are: algorithm, usual encoding, whether a salt follows the digest.
    private static let digestSchemes: [String: (DigestAlgorithm, Encoding, isSalted: Bool)] = [
        "SHA": (.sha1, .base64, false), "SHA1": (.sha1, .base64, false), "SSHA": (.sha1, .base64, true),
        "SHA256": (.sha256, .base64, false), "SSHA256": (.sha256, .base64, true),
        "SHA512": (.sha512, .base64, false), "SSHA512": (.sha512, .base64, true),
        "PLAIN-MD5": (.md5, .hexadecimal, false), "LDAP-MD5": (.md5, .base64, false), "SMD5": (.md5, .base64, true),
    ]
    private static let plainSchemes: Set<String> = ["PLAIN", "CLEAR", "CLEARTEXT"]
    private static let cryptSchemes: Set<String> = [
        "CRYPT", "DES-CRYPT", "MD5", "MD5-CRYPT", "SHA256-CRYPT", "SHA512-CRYPT", "BLF-CRYPT", "BCRYPT", "YESCRYPT",
    ]
    /// For people who have written another one.
    static let knownSchemes =
        "{PLAIN}, {CRYPT}, {SHA512-CRYPT}, {BLF-CRYPT}, {YESCRYPT}, {SSHA512}, {PBKDF2}, {SCRAM-SHA-256}"
    private static let maximumIterations = 10_000_000

    /// `{SCHEME}secret`, `{SCHEME.HEX}secret`, or a bare hash of crypt(3); nil for what is not known.
    init?(_ text: String) {
        guard text.hasPrefix("{"), let close = text.firstIndex(of: "}") else {
            guard text.hasPrefix("$") else { return nil }
            self = .crypt(text)
            return
        }
        let name = String(decoding: text[..<close].utf8.dropFirst().map(\.asciiUppercased), as: UTF8.self)
        let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
        guard let scheme = parts.first else { return nil }
        let rest = String(text[text.index(after: close)...])
        switch parts.count > 1 ? parts[1] : "" {
        case "": self.init(scheme, rest, nil)
        case "B64", "BASE64": self.init(scheme, rest, .base64)
        case "HEX": self.init(scheme, rest, .hexadecimal)
        default: return nil
        }
    }

    private init?(_ scheme: String, _ rest: String, _ encoding: Encoding?) {
        let bytes = Array(rest.utf8)
        if Self.plainSchemes.contains(scheme) {
            guard let secret = encoding.map({ Self.decode(bytes, $0) }) ?? bytes else { return nil }
            self = .plain(secret)
        } else if Self.cryptSchemes.contains(scheme), !rest.isEmpty {
            self = .crypt(rest)
        } else if let (algorithm, usual, isSalted) = Self.digestSchemes[scheme] {
            guard let raw = Self.decode(bytes, encoding ?? usual), raw.count >= algorithm.size,
                isSalted || raw.count == algorithm.size
            else { return nil }
            self = .digest(
                algorithm, hash: Array(raw.prefix(algorithm.size)), salt: Array(raw.dropFirst(algorithm.size)))
        } else if scheme == "PBKDF2" {
            self.init(derived: rest)
        } else if let digest = SASLMechanism(rawValue: scheme)?.scramDigest {
            self.init(scram: rest, digest)
        } else {
            return nil
        }
    }

    private static func decode(_ bytes: [UInt8], _ encoding: Encoding) -> [UInt8]? {
        switch encoding {
        case .base64:
            // Digests are also found without their padding.
            Base64.decodeStrictly((bytes + [UInt8](repeating: ASCII.equals, count: (4 - bytes.count % 4) % 4)).span)
        case .hexadecimal: Hexadecimal.decode(bytes.span)
        }
    }

    private init?(derived text: String) {
        let parts = text.split(separator: "$").map(String.init)
        guard parts.count == 4, parts[0] == "1", let rounds = Int(parts[2]), 1...Self.maximumIterations ~= rounds,
            let hash = Hexadecimal.decode(Array(parts[3].utf8).span), hash.count == DigestAlgorithm.sha1.size
        else { return nil }
        self = .derived(hash: hash, salt: Array(parts[1].utf8), rounds: rounds)
    }

    /// `iterations,salt,stored key,server key`, the last three in base64.
    private init?(scram text: String, _ digest: DigestAlgorithm) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, let iterations = Int(parts[0]), 1...Self.maximumIterations ~= iterations,
            let salt = Base64.decodeStrictly(Array(parts[1].utf8).span), !salt.isEmpty,
            let stored = Base64.decodeStrictly(Array(parts[2].utf8).span), stored.count == digest.size,
            let server = Base64.decodeStrictly(Array(parts[3].utf8).span), server.count == digest.size
        else { return nil }
        self = .scram(digest, ScramKeys(salt: salt, iterations: iterations, storedKey: stored, serverKey: server))
    }

    var isPlain: Bool {
        if case .plain = self { true } else { false }
    }

    /// Whether `password` is the one; the comparison takes the same time for every wrong one.
    func matches(_ password: [UInt8]) throws(OpenSSLError) -> Bool {
        switch self {
        case .plain(let secret): return Secret.equal(secret, password)
        case .crypt(let hash):
            if let problem = PasswordHash.problem { throw OpenSSLError(problem) }
            guard let computed = PasswordHash.compute(password, setting: hash) else { return false }
            return Secret.equal(Array(computed.utf8), Array(hash.utf8))
        case .digest(let algorithm, let hash, let salt):
            return Secret.equal(try Digest.hash(algorithm, password + salt), hash)
        case .derived(let hash, let salt, let rounds):
            return Secret.equal(
                try HMAC.deriveKey(.sha1, password: password, salt: salt, iterations: rounds), hash)
        case .scram(let digest, let keys):
            let made = try ScramKeys(password: password, salt: keys.salt, iterations: keys.iterations, digest)
            return Secret.equal(made.storedKey, keys.storedKey)
        }
    }
}
