import FilterProtocols
import Network
import Unix

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
