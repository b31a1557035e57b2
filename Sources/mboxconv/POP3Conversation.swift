import Bytes
import CommandLineTool
import DNS
import Network
import POP3
import Unix

/// The connection has broken; another one may go on.
struct POP3Broken: Error { let reason: String }

/// A message as the server lists it.
struct ListedPOP3Message: Sendable {
    /// Counted from 1.
    let number: Int
    /// As the server tells it, with CRLF line ends.
    var octets = 0
    /// Its unique id; of several messages with the same, the second has ` 2` behind it. Nil when the server has none.
    var id: String?
}

/// A connection to a POP3 server, logged in: carries bytes between it and the session. Used from one task on the loop.
final class POP3Conversation {
    let settings: POP3Settings
    private let connection: Connection
    private var session: POP3ClientSession

    /// How many commands are sent ahead, where the server allows any.
    static let window = 64
    private static let interruptionStep = Duration.milliseconds(500)

    /// Connects and logs in.
    static func open(_ settings: POP3Settings) async throws -> POP3Conversation {
        let account = settings.account
        var failure = "it has no address"
        for address in try await addresses(of: account) {
            if Interruption.signal != nil { throw Interrupted() }
            let connection: Connection
            do throws(ConnectionError) {
                connection = try await Connection.connect(to: address, timeout: min(settings.timeout, .seconds(30)))
            } catch {
                failure = error.description
                continue
            }
            let conversation = POP3Conversation(settings, connection)
            do {
                try await conversation.begin()
            } catch let broken as POP3Broken {
                throw ToolFailure(.temporaryFailure, "\(account.name): \(broken.reason): try again later")
            }
            return conversation
        }
        throw ToolFailure(.temporaryFailure, "\(account.name): cannot connect: \(failure): try again later")
    }

    private static func addresses(of account: POP3Account) async throws -> [SocketAddress] {
        if let literal = IPAddress(account.host) { return [.ip(literal, port: account.port)] }
        let resolver = Resolver(.servers(try .system()), hosts: HostsFile())
        switch await resolver.addresses(of: account.host).outcome {
        case .addresses(let addresses): return addresses.map { .ip($0, port: account.port) }
        case .noSuchDomain: throw ToolFailure(.noHost, "\(account.name): there is no host \(account.host)")
        case .noData: throw ToolFailure(.noHost, "\(account.name): \(account.host) has no address")
        case .temporaryFailure(let failure):
            throw ToolFailure(
                .temporaryFailure,
                "\(account.name): \(account.host) cannot be looked up now: \(failure): try again later")
        }
    }

    private init(_ settings: POP3Settings, _ connection: Connection) {
        self.settings = settings
        self.connection = connection
        session = POP3ClientSession(
            .init(
                tls: settings.policy, credentials: settings.credentials, method: settings.method,
                isLocal: connection.peer.isLocal))
    }

    private func begin() async throws {
        if settings.policy == .implicit { try await startTLS() }
        while try await next() != .loggedIn {}
    }

    private func startTLS() async throws {
        let context = try settings.makeTLSContext()
        do throws(ConnectionError) {
            try await connection.startTLS(
                client: context, serverName: settings.account.host, timeout: settings.timeout)
        } catch {
            throw ToolFailure(
                .temporaryFailure,
                "\(settings.account.name): \(error): trust its authority with --ca, or see --insecure")
        }
        session.tlsStarted(bindings: connection.channelBindings)
    }

    // MARK: Commands

    /// How many commands may be under way.
    var window: Int { session.canPipeline ? Self.window : 1 }
    var canShowTops: Bool { session.capabilities.has("TOP") || !session.capabilities.areKnown }

    func send(_ command: POP3ClientSession.Command) { session.send(command) }

    /// What has come of the message; to be asked for at each `content` and at its `end`.
    func takeContent(_ body: (Span<UInt8>) throws -> Void) rethrows { try session.takeContent(body) }

    /// The next event; sends and receives as needed.
    func next() async throws -> POP3ClientSession.Event {
        while true {
            let event = try advance()
            switch event {
            case .needInput:
                try await flush()
                try await receive()
            case .startTLS:
                try await flush()
                try await startTLS()
            default: return event
            }
        }
    }

    private func advance() throws -> POP3ClientSession.Event {
        do throws(POP3ClientFailure) {
            let input = connection.input
            let (consumed, event) = try session.next(input.bytes)
            connection.input.consume(consumed)
            return event
        } catch {
            throw settings.failure(error)
        }
    }

    private func flush() async throws {
        connection.write(session.takeOutput())
        do throws(ConnectionError) {
            if connection.pendingOutput > 0 { try await connection.flush(timeout: settings.timeout) }
        } catch {
            throw POP3Broken(reason: error.description)
        }
    }

    private func receive() async throws {
        var waited = Duration.zero
        while true {
            if Interruption.signal != nil { throw Interrupted() }
            do throws(ConnectionError) {
                guard try await connection.receive(timeout: Self.interruptionStep) else { throw ConnectionError.closed }
                return
            } catch {
                waited += Self.interruptionStep
                if case .timedOut = error, waited < settings.timeout { continue }
                throw POP3Broken(reason: error.description)
            }
        }
    }

    /// Asks with one command whose answer is one line.
    func ask(_ command: POP3ClientSession.Command) async throws -> POP3Reply {
        send(command)
        guard case .reply(_, let reply) = try await next() else { throw unexpected }
        return reply
    }

    private var unexpected: ToolFailure {
        settings.failure(POP3ClientFailure(.violation, "the answers do not fit the commands"))
    }

    /// Messages and octets (STAT).
    func status() async throws -> (messages: Int, octets: Int) {
        let reply = try await ask(.status)
        let words = reply.text.split(separator: " ")
        guard reply.isPositive else { throw settings.failure(.refused(reply, "STAT")) }
        guard words.count >= 2, let messages = Int(words[0]), let octets = Int(words[1]) else {
            throw settings.failure(POP3ClientFailure(.violation, "the answer to STAT is not two numbers"))
        }
        return (messages, octets)
    }

    /// All messages, in the server's order.
    func listing() async throws -> [ListedPOP3Message] {
        var messages: [ListedPOP3Message] = []
        try await readListing(.sizes) { number, text in
            messages.append(ListedPOP3Message(number: number, octets: Int(text.text) ?? 0))
        }
        var places: [Int: Int] = [:]
        for (place, message) in messages.enumerated() { places[message.number] = place }
        var counts: [String: Int] = [:]
        try await readListing(.uniqueIDs) { number, text in
            guard let place = places[number], !text.isEmpty else { return }
            let id = text.text
            let count = counts[id, default: 0] + 1
            counts[id] = count
            messages[place].id = count == 1 ? id : "\(id) \(count)"
        }
        return messages
    }

    private func readListing(
        _ command: POP3ClientSession.Command, _ entry: (Int, [UInt8]) -> Void
    ) async throws {
        let reply = try await ask(command)
        guard reply.isPositive else {
            // A server without UIDL has messages all the same.
            if command == .uniqueIDs { return }
            throw settings.failure(.refused(reply, "LIST"))
        }
        while true {
            switch try await next() {
            case .entry(let number, let text): entry(number, text)
            case .end: return
            default: throw unexpected
            }
        }
    }

    /// Retrieves messages, some commands ahead, in order.
    ///
    /// - Parameters:
    ///   - command: that for a message.
    ///   - refused: told of a message that the server does not give.
    ///   - piece: gets a message piece by piece.
    ///   - end: called when a message is complete.
    func retrieve(
        _ messages: [ListedPOP3Message], by command: (ListedPOP3Message) -> POP3ClientSession.Command,
        refused: (ListedPOP3Message, POP3Reply) throws -> Void, piece: (Span<UInt8>) throws -> Void,
        end: (ListedPOP3Message) throws -> Void
    ) async throws {
        var sent = 0
        for (index, message) in messages.enumerated() {
            while sent < messages.count, sent < index + window {
                send(command(messages[sent]))
                sent += 1
            }
            guard case .reply(_, let reply) = try await next() else { throw unexpected }
            guard reply.isPositive else {
                try refused(message, reply)
                continue
            }
            var isOpen = true
            while isOpen {
                switch try await next() {
                case .content: try takeContent(piece)
                case .end:
                    try takeContent(piece)
                    isOpen = false
                default: throw unexpected
                }
            }
            try end(message)
        }
    }

    /// Marks messages as deleted and ends the session: the server removes them.
    func deleteAndQuit(_ messages: [ListedPOP3Message]) async throws {
        var sent = 0
        for index in messages.indices {
            while sent < messages.count, sent < index + window {
                send(.delete(messages[sent].number))
                sent += 1
            }
            // One that is gone already is as good as removed.
            guard case .reply = try await next() else { throw unexpected }
        }
        let reply = try await ask(.quit)
        guard reply.isPositive else { throw settings.failure(.refused(reply, "the removal of messages")) }
    }

    /// Ends the session; nothing depends on how.
    func quit() async {
        _ = try? await ask(.quit)
        connection.close()
    }
}

extension POP3Settings {
    /// What is said, and the code, when a session cannot go on.
    func failure(_ failure: POP3ClientFailure) -> ToolFailure {
        let (code, advice): (ExitCode, String) =
            switch failure.kind {
            case .credentials: (.noPermission, "check user, password and --auth")
            case .temporary: (.temporaryFailure, "try again later")
            case .permanent: (.unavailable, "ask whoever runs the server")
            case .violation: (.protocolError, "check host and port")
            case .insecure: (.temporaryFailure, "see --tls")
            }
        return ToolFailure(code, TerminalText.escape("\(account.name): \(failure.text): \(advice)"))
    }
}
