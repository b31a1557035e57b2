import Glibc
import Synchronization

/// Threads that share one piece of work: started as there is more to do, and waited for at its end.
package final class WorkerThreads: Sendable {
    private let running = Mutex<[pthread_t]>([])

    package init() {}

    /// How many processors this process may run on.
    package static var processors: Int { Swift.max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

    /// Runs `work` on a thread of its own; false when none can be made.
    package func start(_ work: @escaping @Sendable () -> Void) -> Bool {
        let box = Unmanaged.passRetained(WorkBox(work))
        var thread = pthread_t()
        guard pthread_create(&thread, nil, workerThread, box.toOpaque()) == 0 else {
            box.release()
            return false
        }
        running.withLock { $0.append(thread) }
        return true
    }

    /// Waits until all threads have ended, those too that others start meanwhile.
    package func join() {
        while let thread = running.withLock({ $0.popLast() }) { pthread_join(thread, nil) }
    }
}

private final class WorkBox: Sendable {
    let work: @Sendable () -> Void
    init(_ work: @escaping @Sendable () -> Void) { self.work = work }
}

/// The body of a thread; a global function, because a closure would carry the isolation of where it is made.
private func workerThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    // Safe: the argument is the box that `start` has retained for this thread alone.
    if let argument { Unmanaged<WorkBox>.fromOpaque(argument).takeRetainedValue().work() }
    return nil
}
