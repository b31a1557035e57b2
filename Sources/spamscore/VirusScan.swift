import Bytes
import CommandLineTool
import FilterProtocols
import Network
import Unix

/// --clamd: asks a virus scanner (clamd's INSTREAM) about a message.
struct VirusScan: Sendable {
    private let address: SocketAddress

    /// What a virus adds.
    private static let points = 10.0
    private static let timeout = Duration.seconds(30)

    init(_ text: String) throws(ToolFailure) {
        guard let address = SocketAddress(text) else {
            throw ToolFailure(.usage, "--clamd \(text): must be ADDRESS:PORT, [IPV6]:PORT or unix:PATH")
        }
        self.address = address
    }

    /// The test when something was found, or why nothing could be asked.
    func run(_ message: Span<UInt8>) -> (test: Verdict.Test?, problem: String?) {
        let request = ClamdProtocol.request(message)
        let answer: [UInt8]
        do {
            answer = try EventLoop.run { [address] _ in try await VirusScan.ask(request, address) }
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

    private static func ask(_ request: [UInt8], _ address: SocketAddress) async throws -> [UInt8] {
        let connection = try await Connection.connect(to: address, timeout: timeout)
        defer { connection.close() }
        connection.write(request)
        try await connection.flush(timeout: timeout)
        while true {
            let input = connection.input
            if let end = input.bytes.firstIndex(of: ASCII.nul) { return input.bytes.array(0..<end) }
            guard input.count < 4_096, try await connection.receive(timeout: timeout) else {
                return connection.input.takeAll()
            }
        }
    }
}
