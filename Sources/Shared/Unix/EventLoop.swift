import CLinux
import Glibc
import Synchronization

/// One epoll loop on one thread that is itself the executor of the tasks that wait on it (SE-0417).
///
/// Everything that a task on the loop touches runs on the loop's thread, so descriptors, timers and waiting tasks
/// need no locks; only work that comes in from other threads passes through one.
package final class EventLoop: TaskExecutor, @unchecked Sendable {
    private struct Incoming {
        var jobs: [UnownedJob] = []
        var actions: [@Sendable () -> Void] = []
        var isSignalled = false
    }

    private let epoll: Int32
    private let wakeup: Int32
    private let incoming = Mutex(Incoming())
    /// Set before anybody else has the loop.
    private var thread = pthread_self()

    // Touched on the loop's thread only, as is everything below.
    private var jobs: [UnownedJob] = []
    private var timers = TimerHeap()
    private var isStopped = false
    private var watched: [Int32: any LoopWatched] = [:]
    private var lastActions: [() -> Void] = []
    private var events = [epoll_event](repeating: epoll_event(), count: 256)

    /// Nanoseconds of the monotonic clock when the loop last looked.
    package private(set) var now: UInt64 = 0

    /// Runs `body` and everything that it starts on a loop on this thread, until `body` ends.
    package static func run<Value: Sendable>(
        _ body: @escaping @Sendable (EventLoop) async throws -> Value
    ) throws -> Value {
        let loop = try EventLoop()
        let outcome = Outcome<Value>()
        _ = Task(executorPreference: loop) {
            do {
                let value = try await body(loop)
                outcome.result.withLock { $0 = .success(value) }
            } catch {
                outcome.result.withLock { $0 = .failure(error) }
            }
            loop.isStopped = true
        }
        loop.runUntilStopped()
        guard let result = outcome.result.withLock({ $0 }) else {
            throw SystemError(code: ECANCELED, operation: "finish", subject: "the event loop")
        }
        return try result.get()
    }

    private final class Outcome<Value: Sendable>: Sendable {
        let result = Mutex<Result<Value, any Error>?>(nil)
    }

    /// Begins another loop on a thread of its own, for tasks whose executor it is made; to be ended with `stop`.
    package static func start() throws(SystemError) -> EventLoop {
        let loop = try EventLoop()
        let begun = eventfd(0, Int32(EFD_CLOEXEC))
        guard begun >= 0 else { throw .last("make", "an eventfd") }
        defer { close(begun) }
        let isStarted = WorkerThreads().start {
            loop.thread = pthread_self()
            eventfd_write(begun, 1)
            loop.runUntilStopped()
        }
        guard isStarted else { throw SystemError(code: EAGAIN, operation: "make", subject: "a thread") }
        var one: eventfd_t = 0
        while eventfd_read(begun, &one) != 0, errno == EINTR {}
        return loop
    }

    /// Ends a loop that was begun with `start`, when it has done what it was given so far. From any thread.
    package func stop() { execute { self.isStopped = true } }

    private init() throws(SystemError) {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw .last("make", "an epoll instance") }
        wakeup = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        guard wakeup >= 0 else { throw .last("make", "an eventfd") }
        var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(fd: wakeup))
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, wakeup, &event) == 0 else { throw .last("watch", "an eventfd") }
        now = EventLoop.monotonicNanoseconds()
    }

    deinit {
        close(wakeup)
        close(epoll)
    }

    // MARK: Executing

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isOnThread {
            jobs.append(job)
        } else {
            signal { $0.jobs.append(job) }
        }
    }

    /// Runs `action` on the loop's thread, from any thread.
    package func execute(_ action: @escaping @Sendable () -> Void) {
        signal { $0.actions.append(action) }
    }

    private var isOnThread: Bool { pthread_equal(pthread_self(), thread) != 0 }

    private func signal(_ change: (inout Incoming) -> Void) {
        let mustWake = incoming.withLock { incoming in
            change(&incoming)
            let first = !incoming.isSignalled
            incoming.isSignalled = true
            return first
        }
        if mustWake { eventfd_write(wakeup, 1) }
    }

    private func runUntilStopped() {
        EventLoop.setCurrent(self)
        defer { EventLoop.setCurrent(nil) }
        let executor = asUnownedTaskExecutor()
        var batch: [UnownedJob] = []
        while !isStopped {
            swap(&batch, &jobs)
            for job in batch { job.runSynchronously(on: executor) }
            batch.removeAll(keepingCapacity: true)
            if isStopped { return }
            if jobs.isEmpty { runLastActions() }
            waitForEvents()
        }
    }

    /// Runs `action` once, when every task of the loop waits and before the loop does: what tasks have gathered until
    /// then can go out together. On the loop's thread.
    package func beforeWaiting(_ action: @escaping () -> Void) { lastActions.append(action) }

    private func runLastActions() {
        if lastActions.isEmpty { return }
        let actions = lastActions
        lastActions.removeAll(keepingCapacity: true)
        for action in actions { action() }
    }

    private func waitForEvents() {
        var timeout: Int32 = -1
        if !jobs.isEmpty {
            timeout = 0
        } else if let deadline = timers.earliest {
            now = EventLoop.monotonicNanoseconds()
            timeout = deadline <= now ? 0 : Int32(clamping: (deadline - now) / 1_000_000 + 1)
        }
        let count = epoll_wait(epoll, &events, Int32(events.count), timeout)
        now = EventLoop.monotonicNanoseconds()
        for index in 0..<Int(max(count, 0)) {
            let event = events[index]
            let number = event.data.fd
            if number == wakeup {
                takeIncoming()
            } else {
                watched[number]?.handle(event.events)
            }
        }
        while let timer = timers.popExpired(at: now) { timer.fire() }
    }

    private func takeIncoming() {
        var value: eventfd_t = 0
        eventfd_read(wakeup, &value)
        let taken = incoming.withLock { incoming in
            let taken = incoming
            incoming = Incoming()
            return taken
        }
        jobs.append(contentsOf: taken.jobs)
        for action in taken.actions { action() }
    }

    // MARK: Descriptors and timers, on the loop's thread

    func watch(_ descriptor: any LoopWatched) throws(SystemError) {
        var event = epoll_event(events: descriptor.interest, data: epoll_data_t(fd: descriptor.number))
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor.number, &event) == 0 else { throw .last("watch", "a socket") }
        watched[descriptor.number] = descriptor
    }

    func forget(_ descriptor: any LoopWatched) {
        var event = epoll_event()
        epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor.number, &event)
        watched[descriptor.number] = nil
    }

    func schedule(_ timer: LoopTimer, at deadline: UInt64) { timers.schedule(timer, at: deadline) }
    func cancel(_ timer: LoopTimer) { timers.remove(timer) }

    static func monotonicNanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    /// The instant `duration` from now on the loop's clock.
    package func deadline(after duration: Duration) -> UInt64 {
        let parts = duration.components
        guard parts.seconds >= 0 else { return now }
        let seconds = UInt64(clamping: parts.seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let total = seconds.overflow ? .max : seconds.partialValue &+ UInt64(parts.attoseconds / 1_000_000_000)
        let instant = EventLoop.monotonicNanoseconds().addingReportingOverflow(total)
        return instant.overflow ? .max : instant.partialValue
    }

    // MARK: The loop of this thread

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        pthread_key_create(&key, nil)
        return key
    }()

    private static func setCurrent(_ loop: EventLoop?) {
        pthread_setspecific(key, loop.map { Unmanaged.passUnretained($0).toOpaque() })
    }

    /// The loop that runs on this thread, if one does.
    package static var current: EventLoop? {
        // Safe: the value is set to a loop only while that loop is alive in runUntilStopped.
        pthread_getspecific(key).map { Unmanaged<EventLoop>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Waits for `duration` without holding the thread; ends early when the task is cancelled.
    package static func sleep(for duration: Duration) async throws(CancellationError) {
        guard let loop = current else { return }
        let timer = LoopTimer()
        let finished = await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Bool, Never>) in
                if Task.isCancelled { return continuation.resume(returning: false) }
                timer.action = { continuation.resume(returning: $0) }
                loop.schedule(timer, at: loop.deadline(after: duration))
            }
        } onCancel: {
            loop.execute {
                loop.cancel(timer)
                timer.end(false)
            }
        }
        if !finished { throw CancellationError() }
    }
}

/// A descriptor that the loop watches, and what is told of it.
protocol LoopWatched: AnyObject {
    var number: Int32 { get }
    /// The bits of epoll_ctl(2).
    var interest: UInt32 { get }
    func handle(_ events: UInt32)
}

/// A value that is touched on the thread of one event loop only, for code that hands it around without touching it.
package struct LoopConfined<Value>: @unchecked Sendable {
    package let loop: EventLoop
    private let confined: Value

    package init(_ value: Value, on loop: EventLoop) {
        self.loop = loop
        confined = value
    }

    /// The value, on its loop; nil elsewhere.
    package var value: Value? { EventLoop.current === loop ? confined : nil }
}
