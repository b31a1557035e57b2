import Foundation
import Network
import OpenSSL
import Synchronization
import Unix

/// An HTTPS server on a loopback port of the kernel's choice that answers every request as a test wants.
public final class HTTPSTestServer: Sendable {
    public enum Step: Sendable {
        case send(String)
        case pause(Double)
        /// The end of the connection without the goodbye of TLS.
        case cut
    }

    public let port: UInt16
    private let work: Work

    /// The headers of the requests so far.
    public var requests: [String] { work.state.withLock { $0.requests } }

    /// Starts it with the certificate and the key in one PEM file. `answer` gets the header of a request.
    public init(_ certificate: String, _ answer: @escaping @Sendable (String) -> [Step]) throws {
        let work = Work(try TLSContext(certificateChain: certificate, key: certificate), answer)
        Thread.detachNewThread { work.run() }
        work.started.wait()
        guard let port = work.state.withLock({ $0.port }) else { throw TestFailure("an HTTPS server did not start") }
        self.port = port
        self.work = work
    }

    deinit { work.state.withLock { $0.isStopped = true } }

    /// What the thread of the server knows.
    private final class Work: Sendable {
        struct State {
            var port: UInt16?
            var isStopped = false
            var requests: [String] = []
        }

        let state = Mutex(State())
        let started = DispatchSemaphore(value: 0)
        private let context: TLSContext
        private let answer: @Sendable (String) -> [Step]

        init(_ context: TLSContext, _ answer: @escaping @Sendable (String) -> [Step]) {
            self.context = context
            self.answer = answer
        }

        func run() {
            defer { started.signal() }
            try? EventLoop.run { _ in
                let server = try Server(
                    .init(listen: [ListenAddress(.ip(.loopback4, port: 0))], drainTime: .milliseconds(50)))
                guard case .ip(_, let port) = server.addresses[0].address else { return }
                self.state.withLock { $0.port = port }
                self.started.signal()
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { await server.run { connection, _ in await self.serve(connection) } }
                    while !self.state.withLock({ $0.isStopped }) { try? await EventLoop.sleep(for: .milliseconds(50)) }
                    group.cancelAll()
                }
            }
        }

        private func serve(_ connection: Connection) async {
            do {
                try await connection.startTLS(server: context, timeout: .seconds(30))
                var header = ""
                while true {
                    // Who goes away before the empty line has asked for nothing.
                    guard let line = try await connection.receiveLine(limit: 8_192, timeout: .seconds(30)) else {
                        return
                    }
                    if line.isEmpty { break }
                    header += String(decoding: line, as: UTF8.self) + "\n"
                }
                state.withLock { $0.requests.append(header) }
                for step in answer(header) {
                    switch step {
                    case .send(let text):
                        connection.write(text)
                        try await connection.flush(timeout: .seconds(30))
                    case .pause(let seconds): try await EventLoop.sleep(for: .seconds(seconds))
                    case .cut:
                        connection.abort()
                        return
                    }
                }
            } catch {}
        }
    }
}
