import CommandLineTool
import Synchronization
import Unix

/// So many messages a second, by all who send together.
final class RateLimit: Sendable {
    private let interval: Duration
    private let next = Mutex(ContinuousClock.now)

    /// Reads `10/s`, `600/m`, `1000/h`, or a number alone for seconds.
    init(_ text: String) throws(ToolFailure) {
        let sides = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let seconds: Double? =
            switch sides.count == 2 ? sides[1] : "s" {
            case "s": 1
            case "m", "min": 60
            case "h": 3_600
            default: nil
            }
        guard let seconds, let count = Double(sides[0]), count > 0, count < 1e9 else {
            throw ToolFailure(.usage, "--rate \(text): must be a number of messages such as 10/s, 600/m or 1000/h")
        }
        interval = .nanoseconds(Int64(min(seconds / count, 1e6) * 1e9))
    }

    /// Waits for the turn of the next message.
    func wait() async {
        let turn = next.withLock { next in
            let turn = max(next, .now)
            next = turn + interval
            return turn
        }
        let time = turn - .now
        if time > .zero { try? await EventLoop.sleep(for: time) }
    }
}
