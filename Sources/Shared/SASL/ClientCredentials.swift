import Bytes
import OpenSSL

/// Who a client is and how it proves it, and on which channels it may.
package struct SASLCredentials: Sendable {
    package enum Secret: Sendable {
        case password([UInt8])
        /// A bearer token (RFC 6750).
        case token([UInt8])

        var isToken: Bool {
            switch self {
            case .password: false
            case .token: true
            }
        }
    }

    package var user: [UInt8]
    package var secret: Secret
    /// The one mechanism wanted; nil: the best one that the server offers.
    package var mechanism: SASLClientMechanism?
    /// True: a mechanism that shows the secret is used without TLS, too.
    package var allowedInClear: Bool
    /// The server's name and port, which OAUTHBEARER tells it (RFC 7628 3.1).
    package var host: String?
    package var port: UInt16?
    /// Makes printable text without a comma that nobody can foretell, for SCRAM.
    var nonce: @Sendable () throws(OpenSSLError) -> [UInt8]

    package init(
        user: [UInt8], secret: Secret, mechanism: SASLClientMechanism? = nil, allowedInClear: Bool = false,
        nonce: @escaping @Sendable () throws(OpenSSLError) -> [UInt8] = SASLCredentials.randomNonce
    ) {
        self.user = user
        self.secret = secret
        self.mechanism = mechanism
        self.allowedInClear = allowedInClear
        self.nonce = nonce
    }

    /// The mechanisms to try with a server that offers `offered` (in capital letters), the best first.
    package func candidates(
        offered: [String], isEncrypted: Bool, bindings: [TLSChannelBinding: [UInt8]] = [:]
    ) -> [SASLClientMechanism] {
        let isToken = secret.isToken
        return SASLClientMechanism.allCases.filter {
            $0.takesToken == isToken && (mechanism == nil || mechanism == $0) && offered.contains($0.rawValue)
                && (isEncrypted || allowedInClear || !$0.showsSecret) && (!$0.bindsChannel || !bindings.isEmpty)
        }.sorted { $0.rank(isEncrypted) < $1.rank(isEncrypted) }
    }

    @Sendable package static func randomNonce() throws(OpenSSLError) -> [UInt8] {
        let random = try OpenSSL.Secret.random(18)
        return Base64.encode(random.span)
    }
}

/// The mechanisms that a client speaks, by their registered names.
package enum SASLClientMechanism: String, CaseIterable, Sendable {
    /// RFC 5802, RFC 7677; -PLUS binds the proof to the TLS connection.
    case scramSHA256Plus = "SCRAM-SHA-256-PLUS"
    case scramSHA256 = "SCRAM-SHA-256"
    case scramSHA1Plus = "SCRAM-SHA-1-PLUS"
    case scramSHA1 = "SCRAM-SHA-1"
    /// RFC 2195.
    case cramMD5 = "CRAM-MD5"
    /// RFC 4616.
    case plain = "PLAIN"
    /// draft-murchison-sasl-login: two prompts; old, and still the only one of some servers.
    case login = "LOGIN"
    /// RFC 7628.
    case oauthBearer = "OAUTHBEARER"
    /// Google's form of the same, from before that.
    case xoauth2 = "XOAUTH2"

    package var takesToken: Bool { self == .oauthBearer || self == .xoauth2 }
    /// True when the secret itself crosses the wire.
    package var showsSecret: Bool { takesToken || self == .plain || self == .login }
    package var bindsChannel: Bool { self == .scramSHA256Plus || self == .scramSHA1Plus }

    var scramDigest: DigestAlgorithm? {
        switch self {
        case .scramSHA256, .scramSHA256Plus: .sha256
        case .scramSHA1, .scramSHA1Plus: .sha1
        default: nil
        }
    }

    /// Smaller is better. Within TLS a digest by MD5 protects nothing, and needs the password in the clear at the server.
    func rank(_ isEncrypted: Bool) -> Int {
        let place = SASLClientMechanism.allCases.firstIndex(of: self) ?? 0
        return isEncrypted && self == .cramMD5 ? 100 : place
    }
}
