import Synchronization

/// Lets so many queries be under way at a time, so that descriptors do not run out; the others wait in line.
final class QueryGate: Sendable {
    private struct State {
        var free: Int
        var waiting: [UnsafeContinuation<Void, Never>] = []
        var next = 0
    }

    private let state: Mutex<State>

    init(limit: Int) { state = Mutex(State(free: limit)) }

    func enter() async {
        let mayPass = state.withLock { state in
            guard state.free > 0 else { return false }
            state.free -= 1
            return true
        }
        if mayPass { return }
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            let mayPass = state.withLock { state in
                // A place may have come free between the two locks.
                if state.free > 0 {
                    state.free -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if mayPass { continuation.resume() }
        }
    }

    /// Gives the place to the first in line.
    func leave() {
        let next = state.withLock { state -> UnsafeContinuation<Void, Never>? in
            guard state.next < state.waiting.count else {
                state.free += 1
                return nil
            }
            let next = state.waiting[state.next]
            state.next += 1
            if state.next == state.waiting.count {
                state.waiting.removeAll(keepingCapacity: true)
                state.next = 0
            }
            return next
        }
        next?.resume()
    }
}
