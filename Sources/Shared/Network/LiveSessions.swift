import Synchronization
import Unix

/// The sessions that are open, so that they can be counted and asked to end.
final class LiveSessions: Sendable {
    private struct State {
        var sockets: [ObjectIdentifier: PolledDescriptor] = [:]
        var isStopping = false
    }

    private let state = Mutex(State())

    /// Connections that were taken in, whether or not their sessions have begun.
    private let taken = Atomic<Int>(0)
    var count: Int { taken.load(ordering: .relaxed) }

    /// A connection was taken in: how many there were before.
    func take() -> Int { taken.add(1, ordering: .relaxed).oldValue }

    /// A connection that was taken in is closed.
    func give() { taken.subtract(1, ordering: .relaxed) }

    func add(_ socket: PolledDescriptor) {
        let isStopping = state.withLock { state in
            state.sockets[ObjectIdentifier(socket)] = socket
            return state.isStopping
        }
        if isStopping { socket.interrupt() }
    }

    func remove(_ socket: PolledDescriptor) {
        state.withLock { _ = $0.sockets.removeValue(forKey: ObjectIdentifier(socket)) }
    }

    /// Interrupts every session, also those that are still to come.
    func interruptAll() {
        let sockets = state.withLock { state in
            state.isStopping = true
            return state.sockets.values
        }
        for socket in sockets { socket.interrupt() }
    }
}
