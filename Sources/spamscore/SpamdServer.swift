import CommandLineTool
import FilterProtocols
import Glibc
import Network
import OpenSSL
import ServerTool
import Synchronization
import Unix

/// --serve: the server of the spamd protocol.
enum SpamdServer {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        let addresses = try addresses(arguments)
        let tls = try SpamdServerTLS(arguments)
        let service = try ScoringService(arguments)
        let events = EventLog(json: arguments[SpamscoreOptions.json], verbose: false)
        return try EventLoop.run { _ in
            let server = try bind(addresses, service, tls, events)
            for address in server.addresses {
                events.listening(address)
                if !arguments[SpamscoreOptions.json] {
                    Diagnostics.say("listening on \(address.address)\(address.isTLS ? ", TLS" : "")")
                }
            }
            await server.run { connection, origin in
                var conversation = SpamdConversation(service, connection)
                do throws(ConnectionError) {
                    if origin.listener.isTLS {
                        guard let context = tls.context else { return }
                        try await connection.startTLS(server: context, timeout: .seconds(30))
                    }
                    try await conversation.run(isOverLimit: origin.isOverLimit)
                } catch {
                    // The client has gone, or was too slow: there is nobody to tell.
                }
            }
            await events.finish()
            return .ok
        }
    }

    private static func addresses(_ arguments: Arguments) throws(ToolFailure) -> [ListenAddress] {
        var addresses: [ListenAddress] = []
        for text in arguments[SpamscoreOptions.serve] {
            guard let address = ListenAddress(text) else {
                throw ToolFailure(.usage, "--serve \(text): must be ADDRESS:PORT, [IPV6]:PORT or unix:PATH")
            }
            if address.isProxied {
                throw ToolFailure(.usage, "--serve \(text): the spamd protocol has no PROXY header: leave ,proxy out")
            }
            if address.isTLS, arguments[SpamscoreOptions.certificate] == nil {
                throw ToolFailure(.usage, "--serve \(text): needs --cert and --key")
            }
            addresses.append(address)
        }
        return addresses
    }

    private static func bind(
        _ addresses: [ListenAddress], _ service: ScoringService, _ tls: SpamdServerTLS, _ events: EventLog
    ) throws(ToolFailure) -> Server {
        let reload: @Sendable () async -> Void = {
            await offload {
                service.reload()
                tls.reload()
            }
            events.write("reload")
        }
        do throws(SystemError) {
            return try Server(.init(listen: addresses, reload: reload))
        } catch {
            let advice = error.code == EADDRINUSE ? ": another server is there, choose another --serve" : ""
            throw ToolFailure(
                error.code == EACCES ? .noPermission : .osError, "\(error.subject): \(error.reason)\(advice)")
        }
    }
}

/// The server's certificate, read again with the rules.
private final class SpamdServerTLS: Sendable {
    private let files: CertificateFiles
    private let current: Mutex<TLSContext?>

    init(_ arguments: Arguments) throws(ToolFailure) {
        let options = SpamscoreOptions.self
        files = try CertificateFiles(chain: arguments[options.certificate], key: arguments[options.key])
        current = Mutex(try files.load())
    }

    var context: TLSContext? { current.withLock { $0 } }

    /// When the files cannot be used, those in use stay.
    func reload() {
        do throws(ToolFailure) {
            let context = try files.load()
            current.withLock { $0 = context }
        } catch {
            Diagnostics.say("\(error.message): the certificate in use stays")
        }
    }
}

/// One connection, which has one request.
struct SpamdConversation {
    private let service: ScoringService
    private let connection: Connection
    private var reader: SpamdRequestReader
    /// What the service knows of how much is held here.
    private var held = 0

    /// What says nothing for so long is closed.
    private static let timeout = Duration.seconds(30)

    init(_ service: ScoringService, _ connection: Connection) {
        self.service = service
        self.connection = connection
        reader = SpamdRequestReader(messageLimit: service.messageLimit)
    }

    mutating func run(isOverLimit: Bool) async throws(ConnectionError) {
        if isOverLimit {
            connection.write(SpamdFailure(code: 75, reason: "Too many connections: try again later").line)
            try await connection.flush(timeout: Self.timeout)
            return
        }
        defer { _ = service.hold(-held) }
        var isEnd = false
        while true {
            let input = connection.input
            let (consumed, step) = reader.next(input.bytes, isEnd: isEnd)
            connection.input.consume(consumed)
            switch step {
            case .needInput:
                guard service.hold(reader.heldCount - held) else {
                    try await answer(Array(Self.tooMuch.line.utf8))
                    return await drain()
                }
                held = reader.heldCount
                do throws(ConnectionError) {
                    isEnd = try await !connection.receive(timeout: Self.timeout, interruptible: true)
                } catch {
                    if case .timedOut = error { try await answer(Array(Self.timedOut.line.utf8)) }
                    throw error
                }
            case .failure(let failure):
                try await answer(Array(failure.line.utf8))
                if !isEnd { await drain() }
                return
            case .request(let request): return try await answer(request)
            }
        }
    }

    /// Takes what the client still sends for a moment: closed at once, the connection would be reset and the answer lost.
    private func drain() async {
        var taken = 0
        while taken < 1 << 20, (try? await connection.receive(timeout: .seconds(1), interruptible: true)) == true {
            taken += connection.input.count
            connection.input.removeAll()
        }
    }

    private static let tooMuch = SpamdFailure(
        code: 75, reason: "Temporary failure: too many messages are under way: try again later")
    private static let timedOut = SpamdFailure(code: 79, reason: "Timeout: (nothing was sent for 30 seconds)")

    private func answer(_ request: SpamdRequest) async throws(ConnectionError) {
        switch request.method {
        case .skip: return
        case .ping: try await answer(Array(SpamdAnswer.pong.utf8))
        default: try await answer(await service.answer(request))
        }
    }

    private func answer(_ bytes: [UInt8]) async throws(ConnectionError) {
        connection.write(bytes)
        try await connection.flush(timeout: Self.timeout)
    }
}
