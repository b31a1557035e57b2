import Bytes
import Network
import Unix

/// What a server did with one query.
enum ExchangeResult {
    case answer(Message)
    /// The answer over UDP was cut short.
    case truncated
    /// The answer does not repeat the mixed case of the query.
    case otherCase
    case malformed
    case timedOut
    /// The connection or the datagram was refused, or the system cannot send.
    case failed(String)
    case cancelled
}

/// One query and its answer over a connection of its own.
enum Exchange {
    /// Over TCP (RFC 7766): a length before each message, which may come in pieces.
    static func overTCP(_ query: Query, to server: SocketAddress, timeout: Duration) async -> ExchangeResult {
        let end = ContinuousClock.now + timeout
        do throws(ConnectionError) {
            let connection = try await Connection.connect(to: server, timeout: timeout)
            defer { connection.close() }
            var request: [UInt8] = []
            request.append(high: UInt16(truncatingIfNeeded: query.bytes.count))
            connection.write(request + query.bytes)
            try await connection.flush(timeout: end - .now)
            while true {
                try await receive(connection, atLeast: 2, until: end)
                let length = Int(connection.input.bytes.integer16(at: 0))
                try await receive(connection, atLeast: 2 + length, until: end)
                let message = connection.input.bytes.array(2..<(2 + length))
                connection.input.consume(2 + length)
                switch query.match(message.span, overStream: true) {
                case .answer(let message): return .answer(message)
                case .otherCase: return .otherCase
                case .foreign where length >= MessageHeader.size: continue
                case .foreign, .truncated, .malformed: return .malformed
                }
            }
        } catch {
            switch error {
            case .timedOut: return .timedOut
            case .cancelled: return .cancelled
            case .closed: return .failed("connection closed early")
            default: return .failed("\(error)")
            }
        }
    }

    private static func receive(
        _ connection: Connection, atLeast count: Int, until end: ContinuousClock.Instant
    ) async throws(ConnectionError) {
        while connection.input.count < count {
            let left = end - .now
            guard left > .zero else { throw .timedOut }
            guard try await connection.receive(timeout: left) else { throw .closed }
        }
    }
}
