import Glibc

/// Threads that take pieces of work in turn. The one who gives them waits when too many are pending, so that memory
/// stays bounded; without workers each piece is done where it is given.
package final class WorkerPool<Work: Sendable>: @unchecked Sendable {
    private let workers: Int
    private let perform: @Sendable (Work) -> Void
    // Safe: the two are made in init, live until deinit, and everything below is touched under the mutex alone.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var pending: [Work] = []
    private var started = 0
    private var busy = 0

    package init(workers: Int, _ perform: @escaping @Sendable (Work) -> Void) {
        self.workers = workers
        self.perform = perform
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    /// Gives a piece of work; waits while twice as many pieces as there are workers are pending.
    package func submit(_ work: Work) {
        guard workers > 0 else { return perform(work) }
        pthread_mutex_lock(mutex)
        while pending.count >= 2 * workers { pthread_cond_wait(changed, mutex) }
        pending.append(work)
        let mustStart = started < workers
        if mustStart { started += 1 }
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(mutex)
        if mustStart { submitFileWork { self.workUntilIdle() } }
    }

    /// Waits until everything that was given is done.
    package func wait() {
        pthread_mutex_lock(mutex)
        while !pending.isEmpty || started > 0 { pthread_cond_wait(changed, mutex) }
        pthread_mutex_unlock(mutex)
    }

    /// The work of one thread; it goes back to its pool when nothing is pending.
    private func workUntilIdle() {
        pthread_mutex_lock(mutex)
        while !pending.isEmpty {
            let work = pending.removeFirst()
            busy += 1
            pthread_cond_broadcast(changed)
            pthread_mutex_unlock(mutex)
            perform(work)
            pthread_mutex_lock(mutex)
            busy -= 1
        }
        started -= 1
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(mutex)
    }
}
