import DNS
import Unix

/// A point in time after which nothing is waited for.
package struct Deadline: Sendable {
    package let instant: ContinuousClock.Instant?

    package static let never = Deadline(instant: nil)
    package static func after(_ duration: Duration) -> Deadline { Deadline(instant: .now + duration) }

    package init(instant: ContinuousClock.Instant?) { self.instant = instant }

    /// The answer to a question; nil when it does not come in time.
    func lookup(_ resolver: Resolver, _ name: DomainName, _ type: RecordType) async -> Answer? {
        if let known = resolver.known(name, type) { return known.answer }
        return await race { await resolver.lookup(name, type) }
    }

    /// Does the work, or gives up on it when the time is over: nil then.
    func race<Value: Sendable>(_ work: @escaping @Sendable () async -> Value) async -> Value? {
        guard let instant, EventLoop.current != nil else { return await work() }
        let left = instant - .now
        guard left > .zero else { return nil }
        return await withTaskGroup(of: Value?.self) { group in
            group.addTask { await work() }
            group.addTask {
                try? await EventLoop.sleep(for: left)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }
}
