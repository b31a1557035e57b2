import Bytes
import CommandLineTool
import FilterProtocols
import Network
import Unix

/// --clamd: asks a virus scanner (clamd's INSTREAM) about a message.
struct VirusScan: Sendable {
    private let address: SocketAddress

    /// How long a scan may take in all.
    private let patience: Duration

    /// What a virus adds.
    private static let points = 10.0

    init(_ text: String, patience: Duration) throws(ToolFailure) {
        guard let address = SocketAddress(text, defaultPort: 3310) else {
            throw ToolFailure(.usage, "--clamd \(text): must be ADDRESS:PORT, [IPV6]:PORT or unix:PATH")
        }
        self.address = address
        self.patience = patience
    }

    /// The test when something was found, or why nothing could be asked.
    func run(_ message: Span<UInt8>) -> (test: Verdict.Test?, problem: String?) {
        let request = ClamdProtocol.request(message)
        let answer: [UInt8]
        do {
            answer = try EventLoop.run { [self] _ in try await ask(request) }
        } catch {
            return (nil, "clamd: \((error as? SystemError)?.reason ?? "\(error)")")
        }
        switch ClamdProtocol.answer(answer) {
        case .clean: return (nil, nil)
        case .failed(let reason): return (nil, "clamd: \(reason)")
        case .found(let name):
            let test = Verdict.Test(
                name: "CLAMAV", points: VirusScan.points, description: "a virus scanner has found something",
                area: "full", text: name)
            return (test, nil)
        }
    }

    private func ask(_ request: [UInt8]) async throws(ConnectionError) -> [UInt8] {
        let end = ContinuousClock.now + patience
        func rest() -> Duration { max(.zero, end - .now) }
        let connection = try await Connection.connect(to: address, timeout: rest())
        defer { connection.close() }
        do throws(ConnectionError) {
            connection.write(request)
            try await connection.flush(timeout: rest())
        } catch {
            // A scanner that does not want all of the message has said why; others have said nothing.
            if case .timedOut = error { throw error }
        }
        while true {
            let input = connection.input
            if let end = input.bytes.firstIndex(of: ASCII.nul) { return input.bytes.array(0..<end) }
            guard input.count < 4_096, try await connection.receive(timeout: rest()) else {
                return connection.input.takeAll()
            }
        }
    }
}
