import OpenSSL

/// Who a client has proved to be, and whose rights its mail is touched with.
package struct AuthenticatedUser: Equatable, Sendable {
    package let name: String
    package var uid: UInt32?
    package var gid: UInt32?
    package var home: String?

    package init(_ name: String, uid: UInt32? = nil, gid: UInt32? = nil, home: String? = nil) {
        self.name = name
        self.uid = uid
        self.gid = gid
        self.home = home
    }
}

/// What those who know the accounts say to a password.
package enum SASLVerdict: Equatable, Sendable {
    case right(AuthenticatedUser)
    /// The password is wrong, or there is no such user: nobody is told which.
    case wrong
    /// It cannot be told now; the reason is for the log.
    case unavailable(String)
}

/// What a server's mechanisms ask of those who know the accounts. Judging may take long on purpose, so it belongs on
/// a thread for blocking work; for a user that does not exist every answer takes as long as for one that does.
package protocol SASLSecrets: Sendable {
    /// Whether any account can log in by this mechanism.
    func supports(_ mechanism: SASLMechanism) -> Bool

    func judge(_ user: String, password: [UInt8]) -> SASLVerdict

    /// A bearer token in place of a password (RFC 6750).
    func judge(_ user: String, token: [UInt8]) -> SASLVerdict

    /// The secret in the clear, which CRAM-MD5 and APOP need; nil when there is none.
    func plainSecret(of user: String) -> (secret: [UInt8], user: AuthenticatedUser)?

    /// The keys of SCRAM; for a user without, made up ones that are the same each time.
    func scramKeys(of user: String, _ digest: DigestAlgorithm) throws(OpenSSLError) -> ScramKeys
}

/// What a server keeps of a password for SCRAM (RFC 5802 3).
package struct ScramKeys: Equatable, Sendable {
    package let salt: [UInt8]
    package let iterations: Int
    package let storedKey: [UInt8]
    package let serverKey: [UInt8]
    /// Whose keys they are; nil for made up ones, which no proof fits.
    package var user: AuthenticatedUser?

    package init(
        salt: [UInt8], iterations: Int, storedKey: [UInt8], serverKey: [UInt8], user: AuthenticatedUser? = nil
    ) {
        self.salt = salt
        self.iterations = iterations
        self.storedKey = storedKey
        self.serverKey = serverKey
        self.user = user
    }

    /// What RFC 7677 4 asks for at least.
    package static let usualIterations = 4_096

    /// Keys that no proof fits, for a user without.
    package init(unusableSalt salt: [UInt8], _ digest: DigestAlgorithm) {
        let key = [UInt8](repeating: 0, count: digest.size)
        self.init(salt: salt, iterations: Self.usualIterations, storedKey: key, serverKey: key)
    }

    /// Makes the keys of a password.
    package init(
        password: [UInt8], salt: [UInt8], iterations: Int, _ digest: DigestAlgorithm, user: AuthenticatedUser? = nil
    ) throws(OpenSSLError) {
        let salted = try HMAC.deriveKey(digest, password: password, salt: salt, iterations: iterations)
        let clientKey = try HMAC.authenticate(digest, key: salted, Array("Client Key".utf8))
        self.init(
            salt: salt, iterations: iterations, storedKey: try Digest.hash(digest, clientKey),
            serverKey: try HMAC.authenticate(digest, key: salted, Array("Server Key".utf8)), user: user)
    }
}
