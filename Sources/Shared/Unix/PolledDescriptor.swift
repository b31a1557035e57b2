import CLinux
import Glibc

/// How a wait for a descriptor ended.
package enum Readiness: Sendable {
    case ready, timedOut, cancelled
    /// `interrupt` was called, and the wait allowed it.
    case interrupted
}

/// A non-blocking descriptor on the event loop of the task that made it: a task reads or writes until the kernel says
/// EAGAIN, then waits here. At most one task waits for each direction.
package final class PolledDescriptor: LoopWatched, @unchecked Sendable {
    private struct Direction {
        var isReady = false
        var waiter: UnsafeContinuation<Readiness, Never>?
        var isInterruptible = false
        let timer = LoopTimer()
    }

    package let number: Int32
    private let loop: EventLoop
    private var reading = Direction()
    private var writing = Direction()
    private var isOpen = true
    private var isInterrupted = false
    private let isShared: Bool

    /// Takes over a descriptor, which must be non-blocking. Call on the loop. One that is `shared` is a listening socket of
    /// which other loops have copies: a connection wakes one of them.
    package init(_ descriptor: consuming FileDescriptor, shared: Bool = false) throws(SystemError) {
        guard let loop = EventLoop.current else {
            throw SystemError(code: EINVAL, operation: "watch", subject: "a descriptor outside of the event loop")
        }
        self.loop = loop
        isShared = shared
        number = descriptor.release()
        do throws(SystemError) {
            try loop.watch(self)
        } catch {
            Glibc.close(number)
            isOpen = false
            throw error
        }
    }

    /// Ends every wait as cancelled and closes the descriptor. On the loop.
    package func close() {
        guard isOpen else { return }
        isOpen = false
        loop.forget(self)
        Glibc.close(number)
        end(\.reading, .cancelled)
        end(\.writing, .cancelled)
    }

    /// Closes it as soon as its loop comes to that. From any thread.
    package func closeSoon() { loop.execute { self.close() } }

    /// Ends the interruptible waits of now and of later as interrupted: how a server asks its sessions to come to
    /// an end at a point of their choice. From any thread.
    package func interrupt() {
        loop.execute { [self] in
            isInterrupted = true
            if reading.isInterruptible { end(\.reading, .interrupted) }
        }
    }

    /// Waits until a read would not block, the peer has closed, or the time is over.
    package func waitUntilReadable(deadline: UInt64? = nil, interruptible: Bool = false) async -> Readiness {
        await wait(\.reading, deadline, interruptible)
    }

    /// Waits until a write would not block, the peer has closed, or the time is over.
    package func waitUntilWritable(deadline: UInt64? = nil) async -> Readiness {
        await wait(\.writing, deadline, false)
    }

    private func wait(
        _ direction: ReferenceWritableKeyPath<PolledDescriptor, Direction>, _ deadline: UInt64?,
        _ interruptible: Bool
    ) async -> Readiness {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Readiness, Never>) in
                if Task.isCancelled || !isOpen { return continuation.resume(returning: .cancelled) }
                if self[keyPath: direction].isReady {
                    self[keyPath: direction].isReady = false
                    return continuation.resume(returning: .ready)
                }
                if interruptible, isInterrupted { return continuation.resume(returning: .interrupted) }
                self[keyPath: direction].waiter = continuation
                self[keyPath: direction].isInterruptible = interruptible
                if let deadline {
                    let timer = self[keyPath: direction].timer
                    timer.action = { [unowned self] _ in end(direction, .timedOut) }
                    loop.schedule(timer, at: deadline)
                }
            }
        } onCancel: {
            loop.execute { [self] in
                end(\.reading, .cancelled)
                end(\.writing, .cancelled)
            }
        }
    }

    private func end(_ direction: ReferenceWritableKeyPath<PolledDescriptor, Direction>, _ outcome: Readiness) {
        let timer = self[keyPath: direction].timer
        if timer.isScheduled { loop.cancel(timer) }
        guard let waiter = self[keyPath: direction].waiter else { return }
        self[keyPath: direction].waiter = nil
        waiter.resume(returning: outcome)
    }

    private func notice(_ direction: ReferenceWritableKeyPath<PolledDescriptor, Direction>) {
        if self[keyPath: direction].waiter == nil {
            self[keyPath: direction].isReady = true
        } else {
            end(direction, .ready)
        }
    }

    var interest: UInt32 {
        if isShared { return EPOLLIN.rawValue | EPOLLET.rawValue | EPOLLEXCLUSIVE.rawValue }
        return EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
    }

    func handle(_ events: UInt32) {
        let broken = EPOLLERR.rawValue | EPOLLHUP.rawValue
        if events & (EPOLLIN.rawValue | EPOLLRDHUP.rawValue | broken) != 0 { notice(\.reading) }
        if events & (EPOLLOUT.rawValue | broken) != 0 { notice(\.writing) }
    }
}
