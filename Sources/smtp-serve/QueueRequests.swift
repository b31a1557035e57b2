import CommandLineTool
import Delivery
import Synchronization
import Unix

/// Runs of the queue that clients ask for (ETRN, RFC 1985): one after the other, by smtp-send, each for the domains that
/// were asked for since the last one began.
final class QueueRequests: Sendable {
    private let queue: Queue
    private let wanted = Mutex<Set<String>>([])
    private let signals: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init(_ queue: Queue) {
        self.queue = queue
        // A request while another waits is served with it.
        (signals, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Whether mail waits for a domain, `example.org`, or `@example.org` with those below it.
    func hasWaiting(_ domain: String) async throws(SystemError) -> Bool {
        guard let domains = QueueDomains([domain]) else { return false }
        return try await offload { [queue] () throws(SystemError) in try queue.hasWaiting(for: domains) }
    }

    /// Lets the mail for a domain be tried now.
    func run(_ domain: String) {
        wanted.withLock { _ = $0.insert(domain) }
        continuation.yield()
    }

    /// Serves requests until the task is cancelled.
    func serve() async {
        for await _ in signals {
            let domains = wanted.withLock { wanted in
                defer { wanted = [] }
                return wanted.sorted()
            }
            if domains.isEmpty { continue }
            let words = domains.map { " --only-domain \(quoted($0))" }.joined()
            let outcome = await MessageProgram.run(
                "exec \(quoted(tool)) --queue \(quoted(queue.path)) --run --quiet\(words)", MessageContent([]),
                environment: [:], timeout: .seconds(3_600), limit: 1 << 20)
            if case .failed(let reason) = outcome { Diagnostics.say("\(tool): \(reason)") }
        }
    }

    /// The smtp-send beside this program, or the one that the shell finds.
    private var tool: String {
        let own = Files.parent(of: Executable.path ?? "") ?? ""
        return Files.exists("\(own)/smtp-send") ? "\(own)/smtp-send" : "smtp-send"
    }

    private func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
