import Bytes
import OpenSSL

/// Why an authentication has failed.
package enum SASLFailure: Error, Equatable, Sendable {
    /// The client has said `*`.
    case cancelled
    /// A line that is no base64.
    case badEncoding
    /// A message that the mechanism does not allow; what is wrong with it, in words.
    case malformed(String)
    /// The secret is wrong, or there is no such user.
    case wrongCredentials
    /// It cannot be judged now; the reason is for the log.
    case unavailable(String)
}

/// What a server's mechanisms know beside the client's messages.
package struct SASLServerContext: Sendable {
    package let secrets: any SASLSecrets
    /// The name in the challenge of CRAM-MD5.
    package let hostName: String
    /// What identifies the TLS connection, by type; empty without TLS.
    package let channelBindings: [TLSChannelBinding: [UInt8]]
    /// Whether a mechanism with channel binding is offered: a client that could bind and does not (`y`) is under attack.
    package let offersChannelBinding: Bool
    /// Makes printable text without a comma that nobody can foretell.
    let nonce: @Sendable () throws(OpenSSLError) -> [UInt8]

    package init(
        secrets: any SASLSecrets, hostName: String, channelBindings: [TLSChannelBinding: [UInt8]] = [:],
        offersChannelBinding: Bool = false,
        nonce: @escaping @Sendable () throws(OpenSSLError) -> [UInt8] = SASLServerContext.randomNonce
    ) {
        self.secrets = secrets
        self.hostName = hostName
        self.channelBindings = channelBindings
        self.offersChannelBinding = offersChannelBinding
        self.nonce = nonce
    }

    @Sendable private static func randomNonce() throws(OpenSSLError) -> [UInt8] {
        let random = try Secret.random(18)
        return Base64.encode(random.span)
    }
}

/// One authentication, the server's side (RFC 4422), as a value: lines of base64 in, challenges or the outcome out.
///
///     var exchange = SASLServerExchange(.plain, context)
///     var step = exchange.begin(initialResponse: nil)
///     while case .challenge(let text) = step { step = exchange.respond(line after sending text) }
///
/// Its steps may take long (hashing on purpose): call them on a thread for blocking work.
package struct SASLServerExchange: Sendable {
    package enum Step: Equatable, Sendable {
        /// Send this base64 (it may be empty) and give the client's next line to `respond`.
        case challenge(String)
        case success(AuthenticatedUser)
        case failure(SASLFailure)
    }

    package let mechanism: SASLMechanism
    private var state: any ServerMechanism

    package init(_ mechanism: SASLMechanism, _ context: SASLServerContext) {
        self.mechanism = mechanism
        switch mechanism {
        case .plain: state = PlainServer(context: context)
        case .login: state = LoginServer(context: context)
        case .cramMD5: state = CramMD5Server(context: context)
        case .oauthBearer: state = OAuthBearerServer(context: context)
        case .scramSHA1: state = ScramServer(context, .sha1, bindsChannel: false)
        case .scramSHA1Plus: state = ScramServer(context, .sha1, bindsChannel: true)
        case .scramSHA256: state = ScramServer(context, .sha256, bindsChannel: false)
        case .scramSHA256Plus: state = ScramServer(context, .sha256, bindsChannel: true)
        }
    }

    /// The name that the client has given so far, for the log.
    package var claimedUser: String? { state.claimedUser }

    /// Begins, with the initial response of the AUTH command when it has one: base64, or `=` for an empty one.
    package mutating func begin(initialResponse: [UInt8]?) -> Step {
        guard let initialResponse else { return advance(nil) }
        return initialResponse == [ASCII.equals] ? advance([]) : respond(initialResponse)
    }

    /// Takes the client's next line, without its line end.
    package mutating func respond(_ line: [UInt8]) -> Step {
        if line == [ASCII.asterisk] { return .failure(.cancelled) }
        guard let response = Base64.decodeStrictly(line.span) else { return .failure(.badEncoding) }
        return advance(response)
    }

    private mutating func advance(_ response: [UInt8]?) -> Step {
        do throws(SASLFailure) {
            switch try state.advance(response) {
            case .challenge(let bytes): return .challenge(Base64.encode(bytes))
            case .success(let user): return .success(user)
            }
        } catch {
            return .failure(error)
        }
    }
}

/// What a mechanism does with a decoded response.
enum ServerMechanismStep {
    case challenge([UInt8])
    case success(AuthenticatedUser)
}

/// The server's side of one mechanism.
protocol ServerMechanism: Sendable {
    var claimedUser: String? { get }
    /// The next step; `response` is nil when the client has said nothing yet.
    mutating func advance(_ response: [UInt8]?) throws(SASLFailure) -> ServerMechanismStep
}

extension SASLVerdict {
    /// The user, or the failure that the verdict means.
    func get() throws(SASLFailure) -> AuthenticatedUser {
        switch self {
        case .right(let user): return user
        case .wrong: throw .wrongCredentials
        case .unavailable(let reason): throw .unavailable(reason)
        }
    }
}

extension Sequence where Element == UInt8 {
    /// The bytes as text when they are UTF-8 without NUL, and short enough for a name; else a failure.
    func userName() throws(SASLFailure) -> String {
        let bytes = Array(self)
        guard !bytes.isEmpty else { throw .malformed("the user name is empty") }
        guard bytes.count <= 1_024, !bytes.contains(0), let name = String(validating: bytes, as: UTF8.self) else {
            throw .malformed("the user name is no UTF-8 text")
        }
        return name
    }
}

/// Calls OpenSSL; what goes wrong there is not the client's fault.
func cryptography<Value>(_ body: () throws(OpenSSLError) -> Value) throws(SASLFailure) -> Value {
    do throws(OpenSSLError) {
        return try body()
    } catch {
        throw .unavailable("\(error)")
    }
}
