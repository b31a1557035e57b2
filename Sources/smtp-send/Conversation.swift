import Bytes
import CommandLineTool
import Delivery
import Network
import OpenSSL
import SASL
import SMTP
import Unix

/// One connection to one server, with its session; used from one task.
final class Conversation {
    /// The server's name as it was asked for, and the port.
    let server: ServerName
    private let connection: Connection
    private var session: ClientSession
    private let settings: SendSettings
    private let security: TransportSecurity
    /// Once TLS runs it is sure who the server is (RFC 8689 4.2.1).
    let isPeerSure: Bool
    private var transcript: Transcript
    /// Why the session is over, when it is.
    private(set) var failure: ClientResult?
    private(set) var isOpen = true
    /// Of the answers to what was sent last some have come.
    private var hasHeardPart = false

    /// What the session came to.
    private enum Stop {
        case ready
        case results([ClientResult])
        case closed
    }

    /// Connects, and goes on until the server is ready for a message. The error is a result for every recipient.
    static func open(
        _ address: SocketAddress, of exchange: Exchange, policy: ClientConfiguration.TLSPolicy,
        connectTimeout: Duration, by proxy: SocketAddress?, settings: SendSettings
    ) async throws(ClientResult) -> Conversation {
        let connection = try await settings.path.connect(
            to: address, of: exchange.server, by: proxy, timeout: connectTimeout)
        let conversation = Conversation(connection, exchange, policy, settings)
        if policy == .implicit { try await conversation.startImplicitTLS() }
        switch await conversation.advance() {
        case .ready, .results: return conversation
        case .closed: throw conversation.failure ?? .noSession
        }
    }

    private init(
        _ connection: Connection, _ exchange: Exchange, _ policy: ClientConfiguration.TLSPolicy,
        _ settings: SendSettings
    ) {
        self.connection = connection
        self.settings = settings
        server = exchange.server
        security = exchange.security
        isPeerSure = settings.tls.makesSure(of: exchange)
        var credentials = settings.credentials
        credentials?.host = server.name
        credentials?.port = server.port
        // What does not leave this machine is not in clear for anybody else; where a proxy or a program leads, nobody knows.
        if connection.peer.isLocal, !settings.path.leadsElsewhere { credentials?.allowedInClear = true }
        session = ClientSession(
            ClientConfiguration(
                heloName: settings.heloName ?? HeloName.standard(from: connection.local), tls: policy,
                dialect: settings.dialect, pipelining: settings.pipelining, chunking: settings.chunking,
                credentials: credentials,
                lastStep: settings.lastStep, dropsAfterLastStep: settings.dropsAfterLastStep, isPeerSure: isPeerSure))
        transcript = Transcript(isOn: settings.isVerbose, showsSecrets: settings.showsSecrets)
        transcript.note("connected to \(server.name) (\(connection.peer))")
    }

    /// The version of TLS; nil in clear.
    var tlsVersion: String? { connection.tls?.version }

    /// The most recipients of one transaction: what the server says (RFC 9422), else what every server must take
    /// (RFC 5321 4.5.3.1.8).
    var recipientLimit: Int { min(session.extensions.recipientLimit ?? 100, 100) }

    /// True when this connection is of no use for another message.
    var isExhausted: Bool { !isOpen || session.isExhausted }

    /// The server knows the parameters by which notifications are asked for (RFC 3461).
    var takesStatusRequests: Bool { session.extensions.statusNotifications }
    /// The most domains of recipients in one transaction (RFC 9422).
    var recipientDomainLimit: Int? { session.extensions.recipientDomainLimit }

    /// Sends a message to some recipients; a result for each.
    func send(_ message: OutgoingMessage, to recipients: [EnvelopeAddress]) async -> [ClientResult] {
        guard isOpen else {
            var result = failure ?? .noSession
            // What became of another transaction says nothing of this one, which never was.
            if result.cause == .answerLost { result = .noSession }
            return recipients.map { _ in result }
        }
        let transaction = message.transaction(recipients)
        guard settings.encoding, let domain = session.neededEncoding(of: transaction) else {
            return await send(transaction, message.content)
        }
        do {
            let encoded = try await message.forms.form(of: message, for: domain)
            if encoded.forms !== message.forms {
                transcript.note("the message is encoded: the server does not offer to take it as it is")
            }
            return await send(encoded.transaction(recipients), encoded.content)
        } catch {
            let result = ClientResult(notEncoded: error)
            return recipients.map { _ in result }
        }
    }

    private func send(_ transaction: ClientTransaction, _ content: MessageContent) async -> [ClientResult] {
        session.begin(transaction)
        guard case .results(let results) = await advance(sending: content) else {
            return transaction.recipients.map { _ in failure ?? .noSession }
        }
        // The session goes on to wait for the next message, or ends.
        _ = await advance()
        return results
    }

    /// Says QUIT and closes.
    func quit() async {
        guard isOpen else { return }
        session.quit()
        _ = await advance()
    }

    // MARK: - The session's actions

    /// Does what the session asks for until it has something to say to the caller.
    private func advance(sending content: MessageContent? = nil) async -> Stop {
        var waitStart: (reply: Int, deadline: ContinuousClock.Instant)?
        while true {
            switch session.next() {
            case .write(let bytes, let isConcealed):
                transcript.sent(bytes, isConcealed: isConcealed)
                // It leaves with the message, or before the wait for an answer.
                connection.write(bytes)
            case .receive(let step):
                await flush()
                if waitStart?.reply != session.replyCount {
                    waitStart = (session.replyCount, .now + settings.timeout(step))
                }
                await receive(until: waitStart?.deadline ?? .now)
            case .startTLS:
                await flush()
                await startTLS()
            case .sendMessage(let form):
                if let content { await sendMessage(content, form) }
                session.messageSent()
            case .results(let results): return .results(results)
            case .ready: return .ready
            case .close(let failure):
                await flush()
                self.failure = failure
                isOpen = false
                connection.close()
                transcript.note("closed")
                return .closed
            }
        }
    }

    private func receive(until deadline: ContinuousClock.Instant) async {
        let time = max(deadline - .now, .milliseconds(1))
        // A proxy's last word and the server's first may come together.
        if connection.input.count > 0 { return takeInput() }
        if hasHeardPart { connection.acknowledgeAtOnce() }
        do throws(ConnectionError) {
            guard try await connection.receive(timeout: time) else {
                return session.connectionLost("was closed by the server")
            }
            takeInput()
        } catch {
            session.connectionLost(error.asLoss)
        }
    }

    private func takeInput() {
        let bytes = connection.input.takeAll()
        hasHeardPart = true
        transcript.received(bytes.span)
        session.receive(bytes.span)
    }

    private func flush() async {
        guard connection.pendingOutput > 0 else { return }
        hasHeardPart = false
        do throws(ConnectionError) {
            try await connection.flush(timeout: settings.sendTimeout)
        } catch {
            await lose(error)
        }
    }

    /// The server took no more. What it said before it went tells why.
    private func lose(_ error: ConnectionError) async {
        do throws(ConnectionError) {
            var rounds = 0
            while rounds < 16, try await connection.receive(timeout: .seconds(1)) {
                takeInput()
                rounds += 1
            }
        } catch {}
        session.connectionLost(error.asLoss)
    }

    // MARK: - The message

    private static let pieceSize = 65_536

    /// The message in encoded form; all of it and the final dot in one write when it is small.
    private func sendMessage(_ content: MessageContent, _ form: ClientMessageForm) async {
        var encoder = ClientDataEncoder(form)
        let announced = session.announcedSize
        var octets = 0
        var buffer: [UInt8] = []
        for piece in content.pieces {
            var offset = 0
            while offset < piece.count {
                if buffer.count >= 2 * Self.pieceSize {
                    octets += buffer.count
                    if let announced, octets > announced { return session.messageBroken() }
                    connection.write(buffer)
                    buffer.removeAll(keepingCapacity: true)
                    await flush()
                    guard session.isSendingMessage else { return }
                }
                piece.read(offset..<(offset + Self.pieceSize)) { encoder.encode($0, into: &buffer) }
                offset += Self.pieceSize
            }
        }
        encoder.finish(into: &buffer)
        if let announced, octets + buffer.count != announced { return session.messageBroken() }
        transcript.sentMessage(octets: octets + buffer.count)
        connection.write(buffer)
        await flush()
    }

    // MARK: - TLS

    private func startImplicitTLS() async throws(ClientResult) {
        if let failure = await shakeHands() {
            connection.close()
            isOpen = false
            throw failure
        }
        session.bind(to: connection.channelBindings)
    }

    private func startTLS() async {
        if let failure = await shakeHands() {
            session.tlsFailed(failure)
        } else {
            session.tlsStarted(bindings: connection.channelBindings)
        }
    }

    /// Nil when TLS runs; else why not.
    private func shakeHands() async -> ClientResult? {
        do {
            try await connection.startTLS(
                client: try settings.tls.context(security.judgement), serverName: server.tlsName,
                associations: security.associations, timeout: settings.timeout(.tls))
            transcript.note(connection.tls.map { "\($0.version) \($0.cipher)" } ?? "TLS")
            return nil
        } catch {
            transcript.note("no TLS: \(error)")
            return ClientResult(
                outcome: .temporary, enhanced: "4.7.5", text: "TLS with \(server.name): \(Self.reason(error))",
                cause: .tls)
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case ConnectionError.tls(let reason): reason
        default: "\(error)"
        }
    }
}

extension ConnectionError {
    /// What completes "the connection ...".
    fileprivate var asLoss: String {
        switch self {
        case .timedOut: "was silent for too long"
        case .closed: "was closed by the server"
        default: "broke (\(self))"
        }
    }
}

extension ClientResult {
    /// The message could not be encoded here, which says nothing of it.
    fileprivate init(notEncoded error: any Error) {
        let reason = (error as? SystemError)?.diagnosis ?? (error as? ToolFailure)?.message ?? "\(error)"
        self.init(
            outcome: .temporary, enhanced: "4.3.0", text: "the message cannot be encoded for the server: \(reason)",
            cause: .message)
    }

    static let noSession = ClientResult(
        outcome: .temporary, enhanced: "4.4.2", text: "the session ended early", cause: .connection)
}
