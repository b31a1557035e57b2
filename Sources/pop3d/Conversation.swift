import Accounts
import Bytes
import CommandLineTool
import Network
import OpenSSL
import POP3
import SASL
import ServerTool
import Unix

/// One connection: carries bytes between it and the session, and does what the session asks for.
struct Conversation {
    private let settings: ServiceSettings
    private let events: EventLog
    private let connection: Connection
    private let origin: ConnectionOrigin
    private let timestamp: String?
    private var session: POP3Session
    private var maildrop: Maildrop?
    private var user: String?
    private var retrieved = 0
    private var octetsSent = 0

    init(_ settings: ServiceSettings, _ events: EventLog, _ connection: Connection, _ origin: ConnectionOrigin) {
        self.settings = settings
        self.events = events
        self.connection = connection
        self.origin = origin
        timestamp = settings.accounts?.supports(.cramMD5) ?? false ? Conversation.makeTimestamp(settings.hostName) : nil
        let isTrusted = connection.peer.isLocal && !settings.requiresTLS
        session = POP3Session(
            .init(
                offersTLS: settings.tls != nil, timestamp: timestamp,
                allowsPlaintext: isTrusted || (settings.allowsPlaintext && !settings.requiresTLS)),
            isTLS: origin.listener.isTLS)
    }

    /// Unpredictable and never the same again (RFC 1939 7).
    private static func makeTimestamp(_ host: String) -> String? {
        guard let random = try? Secret.random(12) else { return nil }
        return "<\(Hexadecimal.encode(random)).\(SystemClock.now.seconds)@\(host)>"
    }

    /// Serves the connection to its end.
    mutating func run() async {
        events.write("connect", client: connection.peer)
        var reason: String?
        do throws(ConnectionError) {
            try await converse()
        } catch {
            reason = error.description
        }
        let user = user
        events.write("disconnect", client: connection.peer) {
            $0.field("user", user)
            $0.field("reason", reason)
        }
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

    private var timeout: Duration { session.isLoggedIn ? settings.timeout : min(settings.timeout, .seconds(60)) }

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
        case .login(let user, let proof): await logIn(user, proof)
        case .retrieve(let index, let bodyLines): try await send(index, bodyLines)
        case .remove(let indexes): await remove(indexes)
        case .startTLS:
            try await flush()
            try await startTLS()
            session.tlsStarted()
        }
        // Answers of a long pipeline are sent on the way, so that they never pile up.
        if connection.pendingOutput > 65_536 { try await flush() }
        return true
    }

    private mutating func receive() async throws(ConnectionError) -> Bool {
        try await flush()
        do throws(ConnectionError) {
            return try await connection.receive(timeout: timeout, interruptible: true)
        } catch {
            switch error {
            case .interrupted: session.end(with: "-ERR [SYS/TEMP] the server is stopping, nothing was deleted")
            case .timedOut: session.end(with: "-ERR [SYS/TEMP] nothing was heard for too long, nothing was deleted")
            default: throw error
            }
            try await flush()
            throw error
        }
    }

    private mutating func flush() async throws(ConnectionError) {
        connection.write(session.takeOutput())
        if connection.pendingOutput > 0 { try await connection.flush(timeout: timeout) }
    }

    private func startTLS() async throws(ConnectionError) {
        guard let context = settings.tls else { throw .tls("no certificate") }
        try await connection.startTLS(server: context, timeout: .seconds(30))
    }

    // MARK: Login

    private mutating func logIn(_ user: String, _ proof: POP3Session.Proof) async {
        let outcome = await authenticate(user, proof)
        let mechanism = if case .apop = proof { "APOP" } else { "USER" }
        let address = connection.peer.ip.map { "\($0)" } ?? "local"
        let tls = connection.tls?.version
        switch outcome {
        case .success(let maildrop):
            settings.failures.noteSuccess(address)
            self.maildrop = maildrop
            self.user = user
            events.write("login", client: connection.peer) {
                $0.field("user", user)
                $0.field("mechanism", mechanism)
                $0.field("tls", tls)
                $0.field("messages", maildrop.messages.count)
                $0.field("octets", maildrop.octets)
            }
        case .failure(let failure):
            events.write("login-failed", client: connection.peer) {
                $0.field("user", user)
                $0.field("mechanism", mechanism)
                $0.field("reason", "\(failure)")
            }
            if failure == .wrongCredentials {
                try? await EventLoop.sleep(for: settings.failures.noteFailure(address))
            }
        }
        session.answerLogin(outcome.map(\.messages))
    }

    private func authenticate(
        _ user: String, _ proof: POP3Session.Proof
    ) async -> Result<Maildrop, POP3Session.LoginFailure> {
        var home: String?
        if let accounts = settings.accounts {
            let timestamp = timestamp ?? ""
            let verdict = await offload {
                switch proof {
                case .password(let password): accounts.judge(user, password: Array(password.utf8))
                case .apop(let digest): APOP.judge(user, digest: digest, timestamp: timestamp, accounts)
                }
            }
            switch verdict {
            case .wrong: return .failure(.wrongCredentials)
            case .right(let account): home = account.home
            case .unavailable(let reason):
                Diagnostics.say(reason)
                return .failure(.temporary)
            }
        }
        guard let path = settings.maildir(of: user, home: home) else { return .failure(.wrongCredentials) }
        do throws(Maildrop.Failure) {
            return .success(try await offload { () throws(Maildrop.Failure) in try Maildrop(path: path) })
        } catch {
            return .failure(error == .inUse ? .inUse : .temporary)
        }
    }

    // MARK: Messages

    private mutating func send(_ index: Int, _ bodyLines: Int?) async throws(ConnectionError) {
        guard let maildrop else { return }
        let file = await offload { maildrop.open(index) }
        session.beginMessage(index, bodyLines: bodyLines, isThere: file != nil)
        connection.write(session.takeOutput())
        guard let file else { return }
        var encoder = MessageEncoder(bodyLines: bodyLines)
        var encoded: [UInt8] = []
        while !encoder.isDone {
            let piece: [UInt8]
            do throws(SystemError) {
                piece = try await offload { () throws(SystemError) in try file.read() }
            } catch {
                // The client must not take a part for the whole.
                throw .system(error)
            }
            if piece.isEmpty { break }
            encoder.encode(piece.span, into: &encoded)
            octetsSent += encoded.count
            connection.write(encoded)
            encoded.removeAll(keepingCapacity: true)
            if connection.pendingOutput > 65_536 { try await connection.flush(timeout: timeout) }
        }
        encoder.finish(into: &encoded)
        octetsSent += encoded.count
        connection.write(encoded)
        if bodyLines == nil { retrieved += 1 }
    }

    private mutating func remove(_ indexes: [Int]) async {
        guard let maildrop else { return }
        let failed = await offload { maildrop.remove(indexes) }
        let (user, retrieved, octetsSent) = (user, retrieved, octetsSent)
        events.write("quit", client: connection.peer) {
            $0.field("user", user)
            $0.field("retrieved", retrieved)
            $0.field("octetsSent", octetsSent)
            $0.field("deleted", indexes.count - failed)
        }
        session.answerQuit(failed: failed)
    }
}
