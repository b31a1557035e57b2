import Glibc
import Synchronization

/// Runs blocking file work on a pool of threads, so that it does not hold up the event loop; the caller goes on where
/// it was, on its loop. Not cancelled with the task: what has begun on the disk is finished.
package func offload<Value: Sendable, Failure: Error>(
    _ work: @escaping @Sendable () throws(Failure) -> Value
) async throws(Failure) -> Value {
    let result = await withUnsafeContinuation { (continuation: UnsafeContinuation<Result<Value, Failure>, Never>) in
        FileWork.submit { continuation.resume(returning: Result(catching: work)) }
    }
    return try result.get()
}

/// Runs blocking file work on the same pool of threads, without waiting for it.
package func submitFileWork(_ work: @escaping @Sendable () -> Void) { FileWork.submit(work) }

/// Blocks the calling thread, which must be one of the pool's, for a fraction of a second.
package func pauseFileWork(milliseconds: UInt32) { usleep(min(milliseconds, 999) * 1_000) }

/// The pool of threads behind `offload`: threads are made as work comes in, up to a limit, and stay.
enum FileWork {
    /// Enough that a disk which takes parallel flushes is kept busy; a thread costs little while it waits.
    private static let maximumThreads = 32

    private struct State {
        var pending = FIFOQueue<@Sendable () -> Void>()
        var idle = 0
        var threads = 0
    }

    private static let state = Mutex(State())
    /// Counts pending pieces of work; idle threads block on it.
    private static let available = Semaphore()

    static func submit(_ work: @escaping @Sendable () -> Void) {
        let mustStart = state.withLock { state in
            state.pending.append(work)
            guard state.pending.count > state.idle, state.threads < maximumThreads else { return false }
            state.threads += 1
            return true
        }
        available.signal()
        if mustStart { startThread() }
    }

    private static func startThread() {
        var thread = pthread_t()
        if pthread_create(&thread, nil, fileWorkThread, nil) == 0 {
            pthread_detach(thread)
            return
        }
        // The work is left to the threads that exist. When there is none it is done here: late, but not lost.
        let isAlone = state.withLock { state in
            state.threads -= 1
            return state.threads == 0
        }
        while isAlone, let work = next(wasIdle: false) { work() }
    }

    /// The piece of work that has waited longest, for this thread, which may have been idle.
    private static func next(wasIdle: Bool) -> (@Sendable () -> Void)? {
        state.withLock { state in
            if wasIdle { state.idle -= 1 }
            return state.pending.popFirst()
        }
    }

    static func runForever() {
        while true {
            state.withLock { $0.idle += 1 }
            available.wait()
            next(wasIdle: true)?()
        }
    }
}

/// The body of a pool thread; a global function, because a closure would carry the isolation of where it is made.
private func fileWorkThread(_: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    FileWork.runForever()
    return nil
}
