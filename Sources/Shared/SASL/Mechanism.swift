import Bytes
import OpenSSL

/// The authentication mechanisms that mail uses, by their registered names.
package enum SASLMechanism: String, CaseIterable, Sendable {
    /// RFC 4616.
    case plain = "PLAIN"
    /// draft-murchison-sasl-login.
    case login = "LOGIN"
    /// RFC 2195.
    case cramMD5 = "CRAM-MD5"
    /// RFC 5802.
    case scramSHA1 = "SCRAM-SHA-1"
    case scramSHA1Plus = "SCRAM-SHA-1-PLUS"
    /// RFC 7677.
    case scramSHA256 = "SCRAM-SHA-256"
    case scramSHA256Plus = "SCRAM-SHA-256-PLUS"
    /// RFC 7628.
    case oauthBearer = "OAUTHBEARER"

    /// The mechanism with that name, in any case; nil for one that is not known.
    package init?(name: some Sequence<UInt8>) {
        self.init(rawValue: String(decoding: name.map(\.asciiUppercased), as: UTF8.self))
    }

    /// Whether it sends the password or a token that is as good as one: such a mechanism needs a channel that nobody
    /// else reads.
    package var sendsSecret: Bool {
        switch self {
        case .plain, .login, .oauthBearer: true
        default: false
        }
    }

    /// Whether it binds the authentication to the TLS connection (RFC 5056), and is offered within TLS only.
    package var bindsChannel: Bool { self == .scramSHA1Plus || self == .scramSHA256Plus }

    /// The digest of a SCRAM mechanism; nil for the others.
    package var scramDigest: DigestAlgorithm? {
        switch self {
        case .scramSHA1, .scramSHA1Plus: .sha1
        case .scramSHA256, .scramSHA256Plus: .sha256
        default: nil
        }
    }
}
