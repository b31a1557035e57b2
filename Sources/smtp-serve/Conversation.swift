import Delivery
import Network
import OpenSSL
import SMTP
import ServerTool
import Unix

/// One connection: carries bytes between it and the session, and does what the session asks for.
struct Conversation {
    private let service: MailService
    private let connection: Connection
    private let origin: ConnectionOrigin
    private var session: ServerSession
    private var message: IncomingMessage?

    init(_ service: MailService, _ connection: Connection, _ origin: ConnectionOrigin) {
        self.service = service
        self.connection = connection
        self.origin = origin
        let settings = service.settings
        var configuration = ServerSession.Configuration(hostName: settings.hostName)
        configuration.maximumSize = settings.maximumSize
        configuration.maximumRecipients = settings.maximumRecipients
        configuration.offersTLS = settings.tls != nil
        configuration.requiresTLS = settings.requiresTLS
        session = ServerSession(configuration, isTLS: origin.listener.isTLS)
    }

    private var timeout: Duration { service.settings.timeout }
    private var hostName: String { service.settings.hostName }

    mutating func run() async throws(ConnectionError) {
        if origin.listener.isTLS { try await startTLS() }
        if origin.isOverLimit {
            session.end(with: .tooManyConnections(hostName))
        } else {
            session.greet()
        }
        while try await advance() {}
    }

    /// Does one step; false at the end.
    private mutating func advance() async throws(ConnectionError) -> Bool {
        let input = connection.input
        let (consumed, step) = session.next(input.bytes)
        connection.input.consume(consumed)
        switch step {
        case .needInput: return try await receive()
        case .close:
            try await flush()
            return false
        case .inspect: session.proceed()
        case .checkSender: session.answerSender(nil)
        case .checkRecipient(let recipient):
            let refusal = judge(recipient.path)
            if service.events.isOn { service.events.recipient(connection.peer, recipient.path, refusal) }
            session.answerRecipient(refusal)
        case .beginData(let envelope):
            if service.events.isOn { service.events.mail(connection.peer, envelope) }
            message = IncomingMessage(
                service, envelope, client: connection.peer, clientName: session.clientName ?? "unknown",
                transport: transport, security: connection.tls.map { "\($0.version) \($0.cipher)" })
        case .data(let piece):
            await message?.append(piece)
        case .endData:
            let last = session.takeLastPiece()
            if let message {
                await message.append(last)
                session.answerData([await message.finish()])
            }
            message = nil
        case .abandonData:
            message?.abandon()
            message = nil
        case .verify, .expand, .flushQueue: session.answerCommand(Reply(252, "2.5.0", "cannot verify"))
        case .authenticate, .authenticationResponse: session.answerAuthentication(user: nil)
        case .startTLS:
            try await flush()
            try await startTLS()
            session.tlsStarted()
        }
        return true
    }

    /// Sends what is to be said and waits for more; a server that stops breaks in only between commands.
    private mutating func receive() async throws(ConnectionError) -> Bool {
        try await flush()
        do throws(ConnectionError) {
            return try await connection.receive(timeout: timeout, interruptible: session.isBetweenCommands)
        } catch {
            switch error {
            case .interrupted: session.end(with: .shuttingDown(hostName))
            case .timedOut: session.end(with: .idleTooLong(hostName))
            default: throw error
            }
            try await flush()
            throw error
        }
    }

    private mutating func flush() async throws(ConnectionError) {
        let output = session.takeOutput()
        guard !output.isEmpty else { return }
        connection.write(output)
        try await connection.flush(timeout: timeout)
    }

    private func startTLS() async throws(ConnectionError) {
        guard let context = service.settings.tls else { throw .tls("no certificate") }
        try await connection.startTLS(server: context, timeout: .seconds(30))
        if service.events.isOn, let tls = connection.tls {
            service.events.tls(connection.peer, tls.version, tls.cipher)
        }
    }

    private var transport: String {
        switch (session.isExtended, session.isTLS) {
        case (false, _): "SMTP"
        case (true, false): "ESMTP"
        case (true, true): "ESMTPS"
        }
    }

    private func judge(_ path: Path) -> Reply? {
        if service.settings.isSink { return nil }
        do throws(LocalRecipients.Refusal) {
            _ = try service.settings.recipients.maildir(for: path)
            return nil
        } catch {
            switch error {
            case .notLocal: return Reply(550, "5.7.1", "mail for \(path.domain) is not relayed")
            case .noSuchUser: return Reply(550, "5.1.1", "there is no mailbox \(path)")
            case .unusable: return Reply(550, "5.1.3", "there can be no mailbox of this name")
            }
        }
    }
}
