import Bytes

/// OAUTHBEARER (RFC 7628): `n,a=user,` then `key=value` pairs that end with 0x01, one of them `auth=Bearer token`.
struct OAuthBearerServer: ServerMechanism {
    let context: SASLServerContext
    private(set) var claimedUser: String?
    /// Set when the token was refused and the client is to say that it has understood.
    private var failure: SASLFailure?

    private static let separator: UInt8 = 0x01

    init(context: SASLServerContext) { self.context = context }

    mutating func advance(_ response: [UInt8]?) throws(SASLFailure) -> ServerMechanismStep {
        if let failure { throw failure }
        guard let response else { return .challenge([]) }
        let fields = response.split(separator: Self.separator, omittingEmptySubsequences: false)
        guard fields.count >= 3, fields[fields.count - 1].isEmpty, fields[fields.count - 2].isEmpty else {
            throw .malformed("OAUTHBEARER ends with two 0x01")
        }
        let header = try GS2Header(fields[0])
        guard header.binding != .required else { throw .malformed("OAUTHBEARER has no channel binding") }
        var token: [UInt8]?
        for field in fields[1...].dropLast(2) {
            guard let equals = field.firstIndex(of: ASCII.equals) else { throw .malformed("a pair without =") }
            guard field[..<equals].elementsEqual("auth".utf8) else { continue }
            token = Self.token(field[(equals + 1)...])
        }
        guard let user = header.identity else { throw .malformed("OAUTHBEARER needs a user, a=NAME") }
        claimedUser = user
        let verdict = token.map { context.secrets.judge(user, token: $0) } ?? .wrong
        if verdict == .wrong {
            failure = .wrongCredentials
            return .challenge(Array(#"{"status":"invalid_token"}"#.utf8))
        }
        return .success(try verdict.get())
    }

    /// The token of `Bearer token`; nil for another scheme or a token that is none (RFC 6750 2.1).
    private static func token(_ value: ArraySlice<UInt8>) -> [UInt8]? {
        guard let space = value.firstIndex(of: ASCII.space), value[..<space].equalsIgnoringCase("bearer") else {
            return nil
        }
        let token = value[space...].drop { $0 == ASCII.space }
        let isToken = token.allSatisfy {
            $0.isASCIIAlphanumeric || "-._~+/=".utf8.contains($0)
        }
        return isToken && !token.isEmpty ? Array(token) : nil
    }
}
