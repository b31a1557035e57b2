import CommandLineTool
import Unix

/// Runs of the queue that clients ask for (ETRN): one after the other, by smtp-send.
final class QueueRequests: Sendable {
    private let directory: String
    private let requests: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init(_ directory: String) {
        self.directory = directory
        // A request while another waits asks for nothing more.
        (requests, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func run() { continuation.yield() }

    /// Serves requests until the task is cancelled.
    func serve() async {
        for await _ in requests {
            let outcome = await MessageProgram.run(
                "exec \(quoted(tool)) --queue \(quoted(directory)) --run --quiet", [], environment: [:],
                timeout: .seconds(3_600), limit: 1 << 20)
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
