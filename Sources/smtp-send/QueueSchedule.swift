import Delivery
import Synchronization
import Unix

/// Which queued message is tried when, and by whom: workers take messages from here, a few at a time for each
/// destination, and messages wait here for their time. All on one event loop.
final class QueueSchedule: Sendable {
    struct Job: Sendable {
        let id: QueueID
        /// What the limit of connections counts: a domain or a server.
        let destination: String
        /// What results call the message; nil: its name in the queue.
        let name: String?
    }

    private struct State {
        /// Messages to be tried now, by destination, in the order of their coming.
        var ready: [String: [Job]] = [:]
        /// Destinations with messages that are ready, the one that waits longest first.
        var turns: [String] = []
        var active: [String: Int] = [:]
        var inHand: Set<QueueID> = []
        /// Messages for later, with their time in seconds since 1970.
        var later: [QueueID: Int] = [:]
        var waiting: [UnsafeContinuation<Void, Never>] = []
        var isClosed = false
        var isStopped = false
    }

    private let state = Mutex(State())
    private let limit: Int

    /// `limit`: the most messages on their way to one destination at a time.
    init(limit: Int) { self.limit = limit }

    /// Adds a message that is to be tried now; one that is here already stays where it is.
    func add(_ job: Job) {
        state.withLock { state in
            guard state.inHand.insert(job.id).inserted else { return }
            state.later[job.id] = nil
            if state.ready[job.destination] == nil { state.turns.append(job.destination) }
            state.ready[job.destination, default: []].append(job)
        }
        wake()
    }

    /// Keeps a message for later.
    func postpone(_ id: QueueID, until time: Int) {
        state.withLock { state in
            if !state.inHand.contains(id) { state.later[id] = time }
        }
    }

    /// The messages whose time has come, taken out; they are to be looked at again.
    func takeDue(at now: Int) -> [QueueID] {
        state.withLock { state in
            let due = state.later.filter { $0.value <= now }.map(\.key)
            for id in due { state.later[id] = nil }
            return due.sorted()
        }
    }

    /// The earliest time of a message that waits.
    var earliest: Int? { state.withLock { $0.later.values.min() } }

    /// The next message; nil when there will be none. To be followed by `done`.
    func take() async -> Job? {
        while true {
            let (job, isOver) = state.withLock { state -> (Job?, Bool) in
                if state.isStopped { return (nil, true) }
                guard let place = state.turns.firstIndex(where: { state.active[$0, default: 0] < limit }) else {
                    return (nil, state.isClosed && state.inHand.isEmpty)
                }
                let destination = state.turns.remove(at: place)
                guard let job = state.ready[destination]?.removeFirst() else { return (nil, false) }
                if state.ready[destination]?.isEmpty ?? true {
                    state.ready[destination] = nil
                } else {
                    // The same worker comes back for it soonest, with its connection.
                    state.turns.insert(destination, at: 0)
                }
                state.active[destination, default: 0] += 1
                return (job, false)
            }
            if let job { return job }
            if isOver {
                wake()
                return nil
            }
            await withUnsafeContinuation { continuation in
                state.withLock { $0.waiting.append(continuation) }
            }
        }
    }

    func done(_ job: Job) {
        state.withLock { state in
            state.inHand.remove(job.id)
            let rest = state.active[job.destination, default: 1] - 1
            state.active[job.destination] = rest > 0 ? rest : nil
        }
        wake()
    }

    /// No message comes from outside any more: workers end when those that are here are done.
    func close() {
        state.withLock { $0.isClosed = true }
        wake()
    }

    /// Workers end after the message that they have in hand.
    func stop() {
        state.withLock { $0.isStopped = true }
        wake()
    }

    var isStopped: Bool { state.withLock { $0.isStopped } }

    private func wake() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
