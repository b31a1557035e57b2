import Synchronization

/// Wrong passwords by address and by user, so that guessing becomes slow whatever connections it uses, many at once
/// included.
package final class LoginFailures: Sendable {
    private struct Entry {
        var count: Int
        var last: ContinuousClock.Instant
        /// When the next attempt from there may be judged.
        var free: ContinuousClock.Instant
    }

    private static let capacity = 20_000
    private static let memory = Duration.seconds(600)
    /// So many failures of an address cost nothing but the late answer.
    private static let tolerated = 2
    private static let longestDelay = Duration.seconds(5)
    private static let longestWait = Duration.seconds(30)

    private let entries = Mutex<[String: Entry]>([:])

    package init() {}

    /// How long an attempt from `address` has to wait before it is judged: those of an address that has failed before
    /// come one after the other. Nil when too many wait already.
    package func beginAttempt(from address: String) -> Duration? {
        let now = ContinuousClock.now
        return entries.withLock { entries in
            guard var entry = entries[address], entry.count > Self.tolerated, now - entry.last < Self.memory else {
                return .zero
            }
            let wait = max(.zero, entry.free - now)
            guard wait <= Self.longestWait else { return nil }
            entry.free = max(now, entry.free) + Self.delay(entry.count)
            entries[address] = entry
            return wait
        }
    }

    /// Notes a failure, and tells how long to wait before the answer: from 0.25 s, doubling, up to 5 s, by the larger
    /// count of the two.
    package func noteFailure(from address: String, user: String?) -> Duration {
        let now = ContinuousClock.now
        return entries.withLock { entries in
            if entries.count >= Self.capacity {
                entries = entries.filter { now - $0.value.last < Self.memory }
                if entries.count >= Self.capacity { entries.removeAll() }
            }
            var largest = 0
            // Users and addresses cannot be taken for each other: a name stands behind a space.
            for key in [address, user.map { " \($0)" }].compactMap({ $0 }) {
                var entry = entries[key] ?? Entry(count: 0, last: now, free: now)
                if now - entry.last > Self.memory { entry.count = 0 }
                entry.count += 1
                entry.last = now
                entries[key] = entry
                largest = max(largest, entry.count)
            }
            return Self.delay(largest)
        }
    }

    /// A right password: the user's failures are forgotten, and those of the address count half.
    package func noteSuccess(from address: String, user: String) {
        entries.withLock { entries in
            entries[" \(user)"] = nil
            guard var entry = entries[address] else { return }
            entry.count /= 2
            entries[address] = entry.count == 0 ? nil : entry
        }
    }

    private static func delay(_ count: Int) -> Duration {
        min(.milliseconds(250 << min(max(count, 1) - 1, 5)), longestDelay)
    }
}
