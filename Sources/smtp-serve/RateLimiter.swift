import Synchronization
import Unix

/// How many messages a client may send in a time: a bucket for each address, which fills again evenly.
final class RateLimiter: Sendable {
    /// `N/min`, `N/s`, `N/h`; a number alone counts a minute.
    struct Rate: Equatable, Sendable {
        let count: Int
        let seconds: Double

        init?(_ text: String) {
            let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard let first = parts.first, let count = Int(first), count > 0 else { return nil }
            self.count = count
            switch parts.count == 1 ? "min" : String(parts[1]) {
            case "s", "sec": seconds = 1
            case "min", "m": seconds = 60
            case "h", "hour": seconds = 3_600
            default: return nil
            }
        }
    }

    private struct Bucket {
        var level: Double
        var time: ContinuousClock.Instant
    }

    private static let capacity = 100_000
    private let rate: Rate
    private let buckets = Mutex<[IPAddress: Bucket]>([:])

    init(_ rate: Rate) { self.rate = rate }

    /// Counts one message of `address`; false when it is one too many now.
    func allows(_ address: IPAddress) -> Bool {
        let now = ContinuousClock.now
        let size = Double(rate.count)
        return buckets.withLock { buckets in
            if buckets.count >= RateLimiter.capacity {
                buckets = buckets.filter { (now - $0.value.time) / .seconds(1) < rate.seconds }
                if buckets.count >= RateLimiter.capacity { buckets.removeAll() }
            }
            var bucket = buckets[address] ?? Bucket(level: size, time: now)
            bucket.level = min(size, bucket.level + (now - bucket.time) / .seconds(1) * size / rate.seconds)
            bucket.time = now
            let isAllowed = bucket.level >= 1
            if isAllowed { bucket.level -= 1 }
            buckets[address] = bucket
            return isAllowed
        }
    }
}
