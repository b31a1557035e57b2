import Bytes
import OpenSSL

/// One authentication, the client's side (RFC 4422), as a value: challenges in, responses out, both without base64.
///
///     var exchange = SASLClientExchange(.plain, credentials)
///     var response = try exchange.initialResponse()      // nil: the server speaks first
///     response = try exchange.respond(to: challenge)     // until the server says how it ended
///     exchange.isServerTrusted                           // whether its yes may be believed
package struct SASLClientExchange: Sendable {
    package let mechanism: SASLClientMechanism
    private let credentials: SASLCredentials
    private var scram: ScramClient?
    private var answered = 0
    /// What a server said of a token that it refuses (RFC 7628 3.2.2); nil when it said nothing.
    package private(set) var refusal: String?

    package init(
        _ mechanism: SASLClientMechanism, _ credentials: SASLCredentials, bindings: [TLSChannelBinding: [UInt8]] = [:]
    ) {
        self.mechanism = mechanism
        self.credentials = credentials
        if let digest = mechanism.scramDigest, case .password(let password) = credentials.secret {
            let binding = mechanism.bindsChannel ? ScramClient.binding(of: bindings) : nil
            scram = ScramClient(credentials.user, password, digest, binding, credentials.nonce)
        }
    }

    /// False when a success would be a lie: the server has not proved that it knows the secret, though the mechanism
    /// has it do so.
    package var isServerTrusted: Bool { scram?.isServerProved ?? true }

    /// What may stand in the command that begins; nil when the server speaks first. Once it is sent, challenges follow.
    package mutating func initialResponse() throws(SASLFailure) -> [UInt8]? {
        switch mechanism {
        case .cramMD5, .login: return nil
        default: return try next(nil)
        }
    }

    /// The response to a challenge. After an error the exchange is to be cancelled with `*`.
    package mutating func respond(to challenge: [UInt8]) throws(SASLFailure) -> [UInt8] { try next(challenge) }

    /// Takes back that the initial response was asked for: it did not go with the command, so that the server asks.
    package mutating func initialResponseWithheld() {
        answered = 0
        scram?.restart()
    }

    private mutating func next(_ challenge: [UInt8]?) throws(SASLFailure) -> [UInt8] {
        defer { answered += 1 }
        let step = answered
        switch (mechanism, credentials.secret) {
        case (.plain, .password(let password)) where step == 0:
            return [ASCII.nul] + credentials.user + [ASCII.nul] + password
        case (.login, .password(let password)) where step < 2: return step == 0 ? credentials.user : password
        case (.cramMD5, .password(let password)) where step == 0:
            let digest = try cryptography { () throws(OpenSSLError) in
                try HMAC.authenticate(.md5, key: password, challenge ?? [])
            }
            return credentials.user + [ASCII.space] + Array(Hexadecimal.encode(digest).utf8)
        case (.xoauth2, .token(let token)) where step == 0:
            return Array("user=".utf8) + credentials.user + Array("\u{1}auth=Bearer ".utf8) + token + [1, 1]
        case (.oauthBearer, .token(let token)) where step == 0: return bearerResponse(token)
        case (.xoauth2, _) where step == 1, (.oauthBearer, _) where step == 1:
            // The token is refused; the server wants to hear that this was understood.
            refusal = challenge.map(\.text)
            return mechanism == .xoauth2 ? [] : [1]
        default:
            guard var scram else { throw .malformed("the server asks for more than \(mechanism.rawValue) has") }
            let response = try scram.next(challenge ?? [])
            self.scram = scram
            return response
        }
    }

    private func bearerResponse(_ token: [UInt8]) -> [UInt8] {
        var response = Array("n,a=".utf8) + SASLName.encode(credentials.user) + [ASCII.comma, 1]
        if let host = credentials.host { response += Array("host=\(host)\u{1}".utf8) }
        if let port = credentials.port { response += Array("port=\(port)\u{1}".utf8) }
        return response + Array("auth=Bearer ".utf8) + token + [1, 1]
    }
}

/// The client's side of SCRAM (RFC 5802, RFC 7677).
struct ScramClient: Sendable {
    private enum State: Sendable {
        case first
        case challenged(bare: [UInt8], nonce: [UInt8])
        case final(serverSignature: [UInt8])
        case proved
    }

    /// More rounds than that are an attack on the client's time (RFC 7677 asks for 4096).
    private static let iterationLimit = 10_000_000

    private let user: [UInt8]
    private let password: [UInt8]
    private let digest: DigestAlgorithm
    /// The GS2 header, and the bytes of the channel that is bound.
    private let header: [UInt8]
    private let binding: [UInt8]
    private let makeNonce: @Sendable () throws(OpenSSLError) -> [UInt8]
    private var state = State.first

    init(
        _ user: [UInt8], _ password: [UInt8], _ digest: DigestAlgorithm, _ binding: (type: String, data: [UInt8])?,
        _ nonce: @escaping @Sendable () throws(OpenSSLError) -> [UInt8]
    ) {
        self.user = user
        self.password = password
        self.digest = digest
        header = Array((binding.map { "p=\($0.type),," } ?? "n,,").utf8)
        self.binding = binding?.data ?? []
        makeNonce = nonce
    }

    /// The binding to use of those that a connection has: of TLS 1.3 the exporter, else the Finished message.
    static func binding(of bindings: [TLSChannelBinding: [UInt8]]) -> (type: String, data: [UInt8])? {
        for type in [TLSChannelBinding.exporter, .unique, .serverEndPoint] {
            if let data = bindings[type] { return (type.rawValue, data) }
        }
        return nil
    }

    var isServerProved: Bool { if case .proved = state { true } else { false } }

    mutating func restart() { state = .first }

    mutating func next(_ challenge: [UInt8]) throws(SASLFailure) -> [UInt8] {
        switch state {
        case .first:
            let makeNonce = makeNonce
            let nonce = try cryptography { () throws(OpenSSLError) in try makeNonce() }
            let bare = Array("n=".utf8) + SASLName.encode(user) + Array(",r=".utf8) + nonce
            state = .challenged(bare: bare, nonce: nonce)
            return header + bare
        case .challenged(let bare, let nonce): return try prove(challenge, bare, nonce)
        case .final(let signature):
            if challenge.starts(with: "e=".utf8) {
                throw .malformed("the server says: \(challenge.dropFirst(2).text)")
            }
            guard challenge.starts(with: "v=".utf8),
                let proof = Base64.decodeStrictly(
                    Array(challenge.dropFirst(2).prefix { $0 != ASCII.comma }).span),
                Secret.equal(proof, signature)
            else { throw .malformed("the server does not know the password either: it is not who it claims to be") }
            state = .proved
            return []
        case .proved: throw .malformed("the server asks for more than SCRAM has")
        }
    }

    private mutating func prove(
        _ challenge: [UInt8], _ bare: [UInt8], _ nonce: [UInt8]
    ) throws(SASLFailure) -> [UInt8] {
        let fields = challenge.split(separator: ASCII.comma, omittingEmptySubsequences: false)
        guard fields.count >= 3, fields[0].starts(with: "r=".utf8), fields[1].starts(with: "s=".utf8),
            fields[2].starts(with: "i=".utf8), let salt = Base64.decodeStrictly(Array(fields[1].dropFirst(2)).span),
            let iterations = Int(fields[2].dropFirst(2).text), (1...Self.iterationLimit).contains(iterations)
        else { throw .malformed("the server's message of SCRAM is not r=, s= and i=") }
        let whole = Array(fields[0].dropFirst(2))
        guard whole.count > nonce.count, whole.starts(with: nonce) else {
            throw .malformed("the server does not answer this client's message")
        }
        let final = Array("c=\(Base64.encode(header + binding)),r=".utf8) + whole
        let covered = bare + [ASCII.comma] + challenge + [ASCII.comma] + final
        let (digest, password) = (digest, password)
        let (proof, signature) = try cryptography { () throws(OpenSSLError) in
            let salted = try HMAC.deriveKey(digest, password: password, salt: salt, iterations: iterations)
            let clientKey = try HMAC.authenticate(digest, key: salted, Array("Client Key".utf8))
            let clientSignature = try HMAC.authenticate(digest, key: try Digest.hash(digest, clientKey), covered)
            let serverKey = try HMAC.authenticate(digest, key: salted, Array("Server Key".utf8))
            return (
                zip(clientKey, clientSignature).map { $0 ^ $1 },
                try HMAC.authenticate(digest, key: serverKey, covered)
            )
        }
        state = .final(serverSignature: signature)
        return final + Array(",p=\(Base64.encode(proof))".utf8)
    }
}

extension SASLName {
    /// `,` and `=` as SCRAM and OAUTHBEARER write them.
    static func encode(_ name: [UInt8]) -> [UInt8] {
        name.flatMap { byte -> [UInt8] in
            switch byte {
            case ASCII.comma: Array("=2C".utf8)
            case ASCII.equals: Array("=3D".utf8)
            default: [byte]
            }
        }
    }
}
