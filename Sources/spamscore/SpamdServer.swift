import CommandLineTool
import FilterProtocols
import Glibc
import Network
import OpenSSL
import ServerTool
import Unix

/// --serve: the server of the spamd protocol.
enum SpamdServer {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        let addresses = try addresses(arguments)
        let tls = try certificate(arguments)
        let service = try ScoringService(arguments)
        let events = EventLog(json: arguments[SpamscoreOptions.json], verbose: false)
        return try EventLoop.run { _ in
            let server = try bind(addresses, service)
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
                        guard let tls else { return }
                        try await connection.startTLS(server: tls, timeout: .seconds(30))
                    }
                    try await conversation.run(isOverLimit: origin.isOverLimit)
                } catch {
                    // The client has gone, or was too slow: there is nobody to tell.
                }
            }
            return .ok
        }
    }

    private static func addresses(_ arguments: Arguments) throws(ToolFailure) -> [ListenAddress] {
        var addresses: [ListenAddress] = []
        for text in arguments[SpamscoreOptions.serve] {
            guard let address = ListenAddress(text) else {
                throw ToolFailure(.usage, "--serve \(text): must be ADDRESS:PORT, [IPV6]:PORT or unix:PATH")
            }
            if address.isTLS, arguments[SpamscoreOptions.certificate] == nil {
                throw ToolFailure(.usage, "--serve \(text): needs --cert and --key")
            }
            addresses.append(address)
        }
        return addresses
    }

    private static func certificate(_ arguments: Arguments) throws(ToolFailure) -> TLSContext? {
        switch (arguments[SpamscoreOptions.certificate], arguments[SpamscoreOptions.key]) {
        case (nil, nil): return nil
        case (let chain?, let key?):
            do throws(OpenSSLError) {
                return try TLSContext(certificateChain: chain, key: key)
            } catch {
                throw ToolFailure(.configuration, "\(error)")
            }
        default: throw ToolFailure(.usage, "--cert and --key belong together")
        }
    }

    private static func bind(_ addresses: [ListenAddress], _ service: ScoringService) throws(ToolFailure) -> Server {
        do throws(SystemError) {
            return try Server(.init(listen: addresses, reload: { await offload { service.reload() } }))
        } catch {
            let advice = error.code == EADDRINUSE ? ": another server is there, choose another --serve" : ""
            throw ToolFailure(
                error.code == EACCES ? .noPermission : .osError, "\(error.subject): \(error.reason)\(advice)")
        }
    }
}

/// One connection, which has one request.
struct SpamdConversation {
    private let service: ScoringService
    private let connection: Connection
    private var reader: SpamdRequestReader

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
        var isEnd = false
        while true {
            let input = connection.input
            let (consumed, step) = reader.next(input.bytes, isEnd: isEnd)
            connection.input.consume(consumed)
            switch step {
            case .needInput:
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
