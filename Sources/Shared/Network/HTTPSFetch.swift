import OpenSSL
import Unix

/// Why a document could not be had.
package enum HTTPSError: Error, CustomStringConvertible {
    /// There was no connection: the last address that was tried.
    case connection(ConnectionError, SocketAddress)
    /// The server could not prove who it is.
    case untrusted(String)
    /// The time for the whole of it is over.
    case tooSlow
    case response(HTTPError)

    package var description: String {
        switch self {
        case .connection(let error, let address): "\(address): \(error)"
        case .untrusted(let reason): reason
        case .tooSlow: "no whole answer in time"
        case .response(let error): "\(error)"
        }
    }
}

/// Gets a document by HTTPS from a server that proves its name, with limits of time and size. Redirections are told, not
/// followed; nothing is kept.
package struct HTTPSFetch: Sendable {
    private let context: TLSContext
    /// Where servers listen.
    package var port: UInt16 = 443
    /// For the whole of one fetch, all addresses together.
    package var timeLimit = Duration.seconds(30)
    /// Bytes of a body.
    package var sizeLimit = 65_536

    /// `context` must verify servers.
    package init(context: TLSContext) { self.context = context }

    /// What the server answers to `GET path`, whatever the status. The addresses are tried in their order until one
    /// takes the connection.
    package func get(
        host: String, path: String, addresses: [IPAddress]
    ) async throws(HTTPSError) -> HTTPResponse {
        let end = ContinuousClock.now + timeLimit
        var failure: HTTPSError?
        for (number, address) in addresses.enumerated() {
            let left = end - .now
            guard left > .zero else { break }
            // An address that is silent leaves time for those after it.
            let share = left / (addresses.count - number)
            let place = SocketAddress.ip(address, port: port)
            let connection: Connection
            do throws(ConnectionError) {
                connection = try await Connection.connect(to: place, timeout: share)
            } catch {
                // That there is no way to an address says less than what became of another.
                if failure == nil || !error.isNoRoute { failure = .connection(error, place) }
                continue
            }
            defer { connection.close() }
            return try await converse(connection, host, path, end)
        }
        throw failure ?? .tooSlow
    }

    private func converse(
        _ connection: Connection, _ host: String, _ path: String, _ end: ContinuousClock.Instant
    ) async throws(HTTPSError) -> HTTPResponse {
        do throws(ConnectionError) {
            try await connection.startTLS(client: context, serverName: host, timeout: try Self.left(end))
        } catch {
            if case .tls(let reason) = error { throw .untrusted(reason) }
            throw Self.failure(error, connection)
        }
        // A name in the subject alone is none (RFC 9525 6.3).
        guard let certificate = connection.inspectCertificates(host: host)?.leaf, !certificate.names.isEmpty else {
            throw .untrusted("the certificate of \(host) holds no name (subjectAltName)")
        }
        connection.write(
            "GET \(path) HTTP/1.1\r\nHost: \(host)\r\nUser-Agent: Facteur\r\nAccept: */*\r\nConnection: close\r\n\r\n")
        var reader = HTTPResponseReader(limit: sizeLimit)
        do {
            try await connection.flush(timeout: try Self.left(end))
            while !reader.isComplete, try await connection.receive(timeout: try Self.left(end)) {
                try reader.receive(connection.input.takeAll())
            }
            return try reader.finish(isProper: connection.isClosedByPeer)
        } catch let error as ConnectionError {
            throw Self.failure(error, connection)
        } catch let error as HTTPError {
            throw .response(error)
        } catch {
            throw .tooSlow
        }
    }

    private static func failure(_ error: ConnectionError, _ connection: Connection) -> HTTPSError {
        if case .timedOut = error { return .tooSlow }
        return .connection(error, connection.peer)
    }

    private static func left(_ end: ContinuousClock.Instant) throws(ConnectionError) -> Duration {
        let left = end - .now
        guard left > .zero else { throw .timedOut }
        return left
    }
}
