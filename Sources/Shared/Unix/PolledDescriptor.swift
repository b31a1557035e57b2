import CLinux
import Glibc

/// How a wait for a descriptor ended.
package enum Readiness: Sendable {
    case ready, timedOut, cancelled
}

/// A non-blocking descriptor on the event loop of the task that made it: a task reads or writes until the kernel says
/// EAGAIN, then waits here. At most one task waits for each direction.
package final class PolledDescriptor: @unchecked Sendable {
    private struct Direction {
        var isReady = false
        var waiter: UnsafeContinuation<Readiness, Never>?
        let timer = LoopTimer()
    }

    package let number: Int32
    private let loop: EventLoop
    private var reading = Direction()
    private var writing = Direction()
    private var isOpen = true

    /// Takes over a descriptor, which must be non-blocking. Call on the loop.
    package init(_ descriptor: consuming FileDescriptor) throws(SystemError) {
        guard let loop = EventLoop.current else {
            throw SystemError(code: EINVAL, operation: "watch", subject: "a descriptor outside of the event loop")
        }
        self.loop = loop
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

    /// Waits until a read would not block, the peer has closed, or the time is over.
    package func waitUntilReadable(deadline: UInt64? = nil) async -> Readiness {
        await wait(\.reading, deadline)
    }

    /// Waits until a write would not block, the peer has closed, or the time is over.
    package func waitUntilWritable(deadline: UInt64? = nil) async -> Readiness {
        await wait(\.writing, deadline)
    }

    private func wait(
        _ direction: ReferenceWritableKeyPath<PolledDescriptor, Direction>, _ deadline: UInt64?
    ) async -> Readiness {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Readiness, Never>) in
                if Task.isCancelled || !isOpen { return continuation.resume(returning: .cancelled) }
                if self[keyPath: direction].isReady {
                    self[keyPath: direction].isReady = false
                    return continuation.resume(returning: .ready)
                }
                self[keyPath: direction].waiter = continuation
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

    func handle(_ events: UInt32) {
        let broken = EPOLLERR.rawValue | EPOLLHUP.rawValue
        if events & (EPOLLIN.rawValue | EPOLLRDHUP.rawValue | broken) != 0 { notice(\.reading) }
        if events & (EPOLLOUT.rawValue | broken) != 0 { notice(\.writing) }
    }
}
