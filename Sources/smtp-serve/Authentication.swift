import Accounts
import Network
import SASL
import SMTP
import ServerTool
import Unix

/// One SASL exchange of a session.
struct Authentication: Sendable {
    private var exchange: SASLServerExchange
    private let client: SocketAddress

    init?(
        _ mechanism: String, _ accounts: PasswordFile, hostName: String, _ connection: Connection, client: SocketAddress
    ) {
        guard let mechanism = SASLMechanism(name: mechanism.utf8) else { return nil }
        let bindings = connection.channelBindings
        exchange = SASLServerExchange(
            mechanism,
            SASLServerContext(
                secrets: accounts, hostName: hostName, channelBindings: bindings,
                offersChannelBinding: !bindings.isEmpty
                    && SASLMechanism.allCases.contains { $0.bindsChannel && accounts.supports($0) }))
        self.client = client
    }

    var mechanism: String { exchange.mechanism.rawValue }
    var claimedUser: String? { exchange.claimedUser }

    /// Begins, or goes on with the client's line. Hashing takes long on purpose, so it is not done on the loop.
    mutating func advance(_ line: [UInt8]?, isFirst: Bool) async -> SASLServerExchange.Step {
        let copy = exchange
        let (changed, step) = await offload { () -> (SASLServerExchange, SASLServerExchange.Step) in
            var exchange = copy
            let step = isFirst ? exchange.begin(initialResponse: line) : exchange.respond(line ?? [])
            return (exchange, step)
        }
        exchange = changed
        return step
    }

    /// The reply to a failure (RFC 4954 4 and 6).
    static func reply(_ failure: SASLFailure) -> Reply {
        switch failure {
        case .cancelled: Reply(501, "5.7.0", "authentication cancelled")
        case .badEncoding: Reply(501, "5.5.2", "not base64")
        case .malformed(let problem): Reply(501, "5.5.2", problem)
        case .wrongCredentials: Reply(535, "5.7.8", "authentication failed")
        case .unavailable: Reply(454, "4.7.0", "authentication is not possible now")
        }
    }

    /// The mechanisms that are offered to a client; the strongest first.
    static func mechanisms(_ accounts: PasswordFile, isTLS: Bool) -> [String] {
        let order: [SASLMechanism] = [
            .scramSHA256Plus, .scramSHA256, .scramSHA1Plus, .scramSHA1, .cramMD5, .plain, .login, .oauthBearer,
        ]
        return order.filter { accounts.supports($0) && (isTLS || !$0.bindsChannel) }.map(\.rawValue)
    }
}

extension Conversation {
    /// Goes on with the exchange, and answers.
    mutating func authenticate(_ line: [UInt8]?, isFirst: Bool) async {
        guard var exchange = authentication else {
            return session.answerAuthentication(user: nil, Authentication.reply(.unavailable("")))
        }
        let address = client.ip.map { "\($0)" } ?? "local"
        if isFirst {
            guard let wait = service.failures.beginAttempt(from: address) else {
                return session.answerAuthentication(
                    user: nil, Reply(454, "4.7.0", "too many failed logins, try again later"))
            }
            if wait > .zero { try? await EventLoop.sleep(for: wait) }
        }
        let step = await exchange.advance(line, isFirst: isFirst)
        authentication = exchange
        switch step {
        case .challenge(let text): session.challenge(text)
        case .success(let user):
            service.failures.noteSuccess(from: address, user: user.name)
            service.events.authentication(client, exchange.mechanism, user.name, nil)
            session.answerAuthentication(user: user.name)
        case .failure(let failure):
            let reply = Authentication.reply(failure)
            service.events.authentication(
                client, exchange.mechanism, exchange.claimedUser, reply.lines.joined(separator: " "))
            if failure == .wrongCredentials {
                let wait = service.failures.noteFailure(from: address, user: exchange.claimedUser)
                try? await EventLoop.sleep(for: wait)
            }
            if case .unavailable(let reason) = failure { service.tell(reason) }
            session.answerAuthentication(user: nil, reply)
        }
    }
}
