/// When a message is tried again, and when it is given up. Times in seconds.
package struct RetrySchedule: Equatable, Sendable {
    /// The wait after the first attempt; it doubles with each further one.
    package var first: Int
    package var maximum: Int
    /// From arrival to the end.
    package var lifetime: Int
    /// From arrival to the notice that it takes long; 0: never.
    package var delayNotice: Int

    package init(first: Int = 300, maximum: Int = 14_400, lifetime: Int = 432_000, delayNotice: Int = 14_400) {
        self.first = max(1, first)
        self.maximum = max(self.first, maximum)
        self.lifetime = max(1, lifetime)
        self.delayNotice = delayNotice
    }

    /// The time of the next attempt after `attempts` of them, the last one at `now`; nil when the message has lived long
    /// enough. The last attempt comes at the end of its life.
    package func next(after attempts: Int, now: Int, arrival: Int) -> Int? {
        let end = arrival + lifetime
        guard now < end else { return nil }
        let doublings = min(max(0, attempts - 1), 20)
        return min(now + min(first << doublings, maximum), max(end, now + 1))
    }

    package func isDelayed(now: Int, arrival: Int) -> Bool { delayNotice > 0 && now - arrival >= delayNotice }
}
