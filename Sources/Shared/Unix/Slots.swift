import Synchronization

/// So many places for work at a time, given out one by one; who finds none free waits in line.
package final class Slots: Sendable {
    private struct State: Sendable {
        var free: [Int]
        var waiting = FIFOQueue<UnsafeContinuation<Int, Never>>()
    }

    private let state: Mutex<State>

    package init(_ count: Int) { state = Mutex(State(free: Array((0..<count).reversed()))) }

    /// A place of one's own until `give`: its number, below the count.
    package func take() async -> Int {
        await withUnsafeContinuation { continuation in
            let slot = state.withLock { state -> Int? in
                if let slot = state.free.popLast() { return slot }
                state.waiting.append(continuation)
                return nil
            }
            if let slot { continuation.resume(returning: slot) }
        }
    }

    /// Gives the place to the first in line.
    package func give(_ slot: Int) {
        let next = state.withLock { state -> UnsafeContinuation<Int, Never>? in
            if let next = state.waiting.popFirst() { return next }
            state.free.append(slot)
            return nil
        }
        next?.resume(returning: slot)
    }
}
