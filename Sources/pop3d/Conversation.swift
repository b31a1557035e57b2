import Bytes
import CommandLineTool
import Glibc
import Network
import OpenSSL
import POP3
import SASL
import ServerTool
import Unix

/// One connection: carries bytes between it and the session, and does what the session asks for.
struct Conversation {
    let settings: ServiceSettings
    let events: EventLog
    let connection: Connection
    private let origin: ConnectionOrigin
    let timestamp: String?
    let secrets: any SASLSecrets
    var session: POP3Session
    /// The other end; behind a proxy, the client that it speaks for.
    private(set) var client: SocketAddress
    /// An authentication under way.
    var exchange: SASLServerExchange?
    var store: (any MailStore)?
    var user: AuthenticatedUser?
    var rights: Privileges.Rights?
    private let start = ContinuousClock.now
    private var retrieved = 0
    private var octetsSent = 0
    private var encoded: [UInt8] = []

    /// How much of a message is read at once, and how much output may wait for a slow client, in bytes.
    private static let pieceSize = 65_536
    /// Silence before the login, and how many times as long all of the login may take.
    private static let loginTimeout = Duration.seconds(60)
    private static let loginTimeouts = 3

    init(_ settings: ServiceSettings, _ events: EventLog, _ connection: Connection, _ origin: ConnectionOrigin) {
        self.settings = settings
        self.events = events
        self.connection = connection
        self.origin = origin
        client = connection.peer
        let (secrets, mechanisms) = settings.accounts
        self.secrets = secrets
        timestamp = mechanisms.contains(.cramMD5) ? Conversation.makeTimestamp(settings.hostName) : nil
        session = POP3Session(Conversation.configuration(settings, mechanisms, timestamp, client))
    }

    private static func configuration(
        _ settings: ServiceSettings, _ mechanisms: [SASLMechanism], _ timestamp: String?, _ client: SocketAddress
    ) -> POP3Session.Configuration {
        .init(
            offersTLS: settings.tls != nil, timestamp: timestamp,
            allowsPlaintext: settings.allowsPlaintext || (client.isLocal && settings.trustsLoopback),
            requiresTLS: settings.requiresTLS, mechanisms: mechanisms,
            loginDelay: Int(clamping: settings.loginDelay.components.seconds), expiry: settings.expiry,
            isReadOnly: settings.isReadOnly)
    }

    /// Unpredictable and never the same again (RFC 1939 7).
    private static func makeTimestamp(_ host: String) -> String? {
        guard let random = SystemRandom.bytes(16) else { return nil }
        return "<\(Hexadecimal.encode(random)).\(SystemClock.now.seconds)@\(host)>"
    }

    /// Serves the connection to its end.
    mutating func run() async {
        var reason: String?
        do throws(ConnectionError) {
            if origin.listener.isProxied { try await readProxyHeader() }
            if events.isOn { events.write("connect", client: client) }
            try await converse()
        } catch {
            reason = error.description
        }
        store = nil
        if let user { settings.users.leave(user.name) }
        guard events.isOn else { return }
        let user = user
        events.write("disconnect", client: client) {
            $0.field("user", user?.name)
            $0.field("reason", reason)
        }
    }

    private mutating func readProxyHeader() async throws(ConnectionError) {
        guard let source = try await connection.receiveProxyHeader() else { return }
        client = source
        session = POP3Session(
            Conversation.configuration(settings, settings.accounts.mechanisms, timestamp, client))
    }

    private mutating func converse() async throws(ConnectionError) {
        if origin.listener.isTLS { try await startTLS() }
        if origin.isOverLimit {
            session.end(with: "-ERR [SYS/TEMP] too many connections, try again later")
        } else {
            session.greet()
        }
        while try await advance() {}
    }

    private var silence: Duration {
        session.isLoggedIn ? settings.timeout : min(settings.timeout, Conversation.loginTimeout)
    }

    /// How long to wait now: before the login no longer than until the time for all of it is over, so that nobody holds a
    /// connection by saying something now and then.
    private var timeout: Duration {
        session.isLoggedIn ? silence : min(silence, max(.zero, start + silence * Conversation.loginTimeouts - .now))
    }

    /// Does one step; false at the end.
    private mutating func advance() async throws(ConnectionError) -> Bool {
        let input = connection.input
        let (consumed, step) = session.next(input.bytes)
        connection.input.consume(consumed)
        switch step {
        case .needInput: return try await receive()
        case .send: try await flush()
        case .close:
            try await flush()
            return false
        case .login(let user, let proof): await logIn(user, proof)
        case .authenticate(let mechanism, let initialResponse): await authenticate(mechanism, initialResponse)
        case .authenticationResponse(let line): await continueAuthentication(line)
        case .retrieve(let index, let bodyLines): try await send(index, bodyLines)
        case .remove(let indexes): await remove(indexes)
        case .startTLS:
            try await flush()
            try await startTLS()
        }
        // Answers of a long pipeline are sent on the way, so that they never pile up.
        if connection.pendingOutput >= Conversation.pieceSize { try await flush() }
        return true
    }

    private mutating func receive() async throws(ConnectionError) -> Bool {
        try await flush()
        encoded = []
        do throws(ConnectionError) {
            let timeout = timeout
            guard timeout > .zero else { throw .timedOut }
            return try await connection.receive(timeout: timeout, interruptible: true)
        } catch {
            switch error {
            case .interrupted: session.end(with: "-ERR [SYS/TEMP] the server is stopping, nothing was deleted")
            case .timedOut where session.isLoggedIn:
                session.end(with: "-ERR [SYS/TEMP] nothing was heard for too long, nothing was deleted")
            case .timedOut: session.end(with: "-ERR [SYS/TEMP] the login takes too long")
            default: throw error
            }
            connection.write(session.takeOutput())
            try await connection.flush(timeout: .seconds(1))
            throw error
        }
    }

    private mutating func flush() async throws(ConnectionError) {
        connection.write(session.takeOutput())
        if connection.pendingOutput > 0 { try await connection.flush(timeout: timeout) }
    }

    private mutating func startTLS() async throws(ConnectionError) {
        guard let context = settings.tls else { throw .tls("no certificate") }
        try await connection.startTLS(server: context, timeout: .seconds(30))
        session.tlsStarted()
    }

    // MARK: Messages

    private mutating func send(_ index: Int, _ bodyLines: Int?) async throws(ConnectionError) {
        guard let message = await open(index) else {
            return session.beginMessage(index, bodyLines: bodyLines, octets: nil)
        }
        session.beginMessage(index, bodyLines: bodyLines, octets: message.octets)
        connection.write(session.takeOutput())
        var encoder = MessageEncoder(bodyLines: bodyLines)
        var place = message.range.lowerBound
        while !encoder.isDone, place < message.range.upperBound {
            let piece = try await read(message, place)
            place += piece.count
            encoder.encode(piece.span, into: &encoded)
            if connection.pendingOutput + encoded.count >= Conversation.pieceSize { try await flushEncoded() }
        }
        encoder.finish(into: &encoded)
        writeEncoded()
        if bodyLines == nil { retrieved += 1 }
    }

    private func open(_ index: Int) async -> MessageFile? {
        guard let store else { return nil }
        if rights == nil, let message = store.openCached(index) { return message }
        let rights = rights
        return await offload { Privileges.acting(as: rights) { store.open(index) } ?? nil }
    }

    private func read(_ message: MessageFile, _ place: Int) async throws(ConnectionError) -> [UInt8] {
        let limit = min(Conversation.pieceSize, message.range.upperBound - place)
        if let piece = message.readCached(at: place, atMost: limit) { return piece }
        do throws(SystemError) {
            let piece = try await offload { () throws(SystemError) in try message.read(at: place, atMost: limit) }
            // The client must not take a part for the whole.
            guard !piece.isEmpty else { throw SystemError(code: EIO, operation: "read", subject: "a message") }
            return piece
        } catch {
            throw .system(error)
        }
    }

    private mutating func writeEncoded() {
        octetsSent += encoded.count
        connection.write(encoded.span)
        encoded.removeAll(keepingCapacity: true)
    }

    private mutating func flushEncoded() async throws(ConnectionError) {
        writeEncoded()
        try await connection.flush(timeout: timeout)
    }

    private mutating func remove(_ indexes: [Int]) async {
        guard let store else { return }
        let rights = rights
        let failed =
            indexes.isEmpty
            ? 0 : await offload { Privileges.acting(as: rights) { store.remove(indexes) } ?? indexes.count }
        let (user, retrieved, octetsSent) = (user, retrieved, octetsSent)
        if events.isOn {
            events.write("quit", client: client) {
                $0.field("user", user?.name)
                $0.field("retrieved", retrieved)
                $0.field("octetsSent", octetsSent)
                $0.field("deleted", indexes.count - failed)
            }
        }
        session.answerQuit(failed: failed)
    }
}
