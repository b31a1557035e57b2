import Glibc

/// A POSIX semaphore. It needs no descriptor, so that it is there when a process has none left.
final class Semaphore: @unchecked Sendable {
    // Safe: it has one place for good, and its functions may be called from any thread.
    private let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        semaphore = .allocate(capacity: 1)
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func signal() { sem_post(semaphore) }

    func wait() { while sem_wait(semaphore) != 0 {} }
}
