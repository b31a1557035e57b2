import CLinux
import Glibc
import Synchronization

/// Values from a thread that may block to one task of an event loop, in order, a few at a time.
package final class Handoff<Value: Sendable>: Sendable {
    private struct State {
        var values: [Value] = []
        var receiver: UnsafeContinuation<Value?, Never>?
        var isFinished = false
    }

    private let state = Mutex(State())
    /// Counts the values that may still be sent: the sender blocks on it.
    private let room: Int32

    /// So many values may wait.
    package init(capacity: UInt32) {
        room = eventfd(capacity, Int32(EFD_CLOEXEC) | Int32(EFD_SEMAPHORE))
    }

    deinit { close(room) }

    /// Sends a value; blocks the thread while there is no room.
    package func send(_ value: Value) {
        var one: eventfd_t = 0
        while eventfd_read(room, &one) != 0, errno == EINTR {}
        let receiver = state.withLock { state -> UnsafeContinuation<Value?, Never>? in
            if let receiver = state.receiver {
                state.receiver = nil
                return receiver
            }
            state.values.append(value)
            return nil
        }
        guard let receiver else { return }
        eventfd_write(room, 1)
        receiver.resume(returning: value)
    }

    /// Takes the values that wait for nobody who will come.
    package func takeWaiting() -> [Value] {
        let values = state.withLock { state in
            defer { state.values.removeAll() }
            return state.values
        }
        for _ in values { eventfd_write(room, 1) }
        return values
    }

    /// Nothing more will be sent.
    package func finish() {
        let receiver = state.withLock { state -> UnsafeContinuation<Value?, Never>? in
            state.isFinished = true
            defer { state.receiver = nil }
            return state.receiver
        }
        receiver?.resume(returning: nil)
    }

    /// The next value; nil when there will be none.
    package func receive() async -> Value? {
        await withUnsafeContinuation { continuation in
            let ready = state.withLock { state -> Value?? in
                if !state.values.isEmpty { return .some(state.values.removeFirst()) }
                if state.isFinished { return .some(nil) }
                state.receiver = continuation
                return nil
            }
            guard let ready else { return }
            if ready != nil { eventfd_write(room, 1) }
            continuation.resume(returning: ready)
        }
    }
}
