import Bytes

/// A user and a secret, and how they may be shown to a server (RFC 4954).
package struct ClientCredentials: Sendable {
    /// The mechanisms that a client session speaks.
    package enum Mechanism: String, CaseIterable, Sendable {
        /// RFC 4616.
        case plain = "PLAIN"
        /// draft-murchison-sasl-login: two prompts; old, and still the only one of some servers.
        case login = "LOGIN"
        /// RFC 2195.
        case cramMD5 = "CRAM-MD5"

        /// True when the secret itself crosses the wire.
        var revealsSecret: Bool { self != .cramMD5 }
    }

    package var user: [UInt8]
    package var secret: [UInt8]
    /// The one mechanism wanted; nil: the best one that the server offers.
    package var mechanism: Mechanism?
    /// True: a mechanism that shows the secret is used without TLS, too.
    package var allowedInClear: Bool
    /// HMAC-MD5 of a text (the second argument) under a key (the first), for CRAM-MD5.
    package var keyedDigest: @Sendable (_ key: [UInt8], _ text: [UInt8]) -> [UInt8]

    package init(
        user: [UInt8], secret: [UInt8], mechanism: Mechanism? = nil, allowedInClear: Bool = false,
        keyedDigest: @escaping @Sendable (_ key: [UInt8], _ text: [UInt8]) -> [UInt8]
    ) {
        self.user = user
        self.secret = secret
        self.mechanism = mechanism
        self.allowedInClear = allowedInClear
        self.keyedDigest = keyedDigest
    }

    /// The mechanisms to try with a server that offers `offered`, the best first.
    func candidates(offered: [String], encrypted: Bool) -> [Mechanism] {
        let preference: [Mechanism] = encrypted ? [.plain, .login, .cramMD5] : [.cramMD5, .plain, .login]
        return preference.filter {
            (mechanism == nil || mechanism == $0) && offered.contains($0.rawValue)
                && (encrypted || allowedInClear || !$0.revealsSecret)
        }
    }
}

/// The client's half of one authentication: what to answer to each challenge.
struct ClientAuthentication: Sendable {
    let mechanism: ClientCredentials.Mechanism
    private let credentials: ClientCredentials
    private var answered = 0

    init(_ mechanism: ClientCredentials.Mechanism, _ credentials: ClientCredentials) {
        self.mechanism = mechanism
        self.credentials = credentials
    }

    /// The response that may stand in the AUTH command itself; nil when the server speaks first.
    var initialResponse: [UInt8]? {
        mechanism == .plain ? plainResponse : nil
    }

    /// Notes that the initial response went with the command.
    mutating func initialResponseSent() { answered = 1 }

    /// The answer to a challenge; nil when there is nothing more to say, and the exchange must be cancelled.
    mutating func answer(_ challenge: [UInt8]) -> [UInt8]? {
        defer { answered += 1 }
        switch (mechanism, answered) {
        case (.plain, 0): return plainResponse
        case (.login, 0): return credentials.user
        case (.login, 1): return credentials.secret
        case (.cramMD5, 0):
            let digest = credentials.keyedDigest(credentials.secret, challenge)
            return credentials.user + [ASCII.space]
                + digest.flatMap { byte in
                    [byte >> 4, byte & 15].map { $0 < 10 ? ASCII.zero + $0 : 0x57 + $0 }
                }
        default: return nil
        }
    }

    private var plainResponse: [UInt8] {
        [ASCII.nul] + credentials.user + [ASCII.nul] + credentials.secret
    }
}
