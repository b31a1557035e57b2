import Delivery
import SMTP
import Synchronization
import Unix

/// Puts many messages into a queue, durably: they share the flushes of the disk, and are told of in their order.
final class QueueIntake: Sendable {
    typealias Outcome = Result<QueueID, SystemError>

    private struct State {
        /// The number of the message that is to be told of next, and outcomes of those behind it.
        var next = 0
        var early: [Int: @Sendable () -> Void] = [:]
    }

    /// Messages on their way to the disk at a time.
    private static let window = 256

    private let queue: Queue
    private let committer = GroupCommitter()
    private let state = Mutex(State())

    init(_ queue: Queue) { self.queue = queue }

    /// Queues the messages of a source. `done` is told of each when it would survive a power loss, or could not be stored;
    /// `failed` of those that could not be read.
    func run(
        _ source: MessageSource, done: @escaping @Sendable (OutgoingMessage, Outcome) -> Void,
        failed: @escaping @Sendable (any Error) -> Void
    ) async {
        await withTaskGroup(of: Void.self) { group in
            var number = 0
            var open = 0
            while true {
                let index = number
                do {
                    guard let message = try source.next() else { break }
                    group.addTask {
                        let outcome = await self.put(message)
                        self.tell(index) { done(message, outcome) }
                    }
                    open += 1
                } catch {
                    tell(index) { failed(error) }
                }
                number += 1
                // Lets those that are read have their turn before the next one is waited for.
                await Task.yield()
                if open >= QueueIntake.window {
                    await group.next()
                    open -= 1
                }
            }
        }
    }

    private func put(_ message: OutgoingMessage) async -> Outcome {
        var plan = MessageDelivery.Plan(sender: .null, time: SystemClock.now.seconds)
        let queued = MessageDelivery.Plan.Queued(QueuedEnvelope(message))
        plan.queue = queue
        plan.queued = [queued]
        let delivery = committer.begin(plan)
        do throws(SystemError) {
            try await delivery.append(message.content)
            try await committer.commit([delivery]).get()
            return .success(queued.id)
        } catch {
            delivery.abort()
            return .failure(error)
        }
    }

    /// Tells of a message when all before it have been told of.
    private func tell(_ number: Int, _ body: @escaping @Sendable () -> Void) {
        let ready = state.withLock { state in
            state.early[number] = body
            var ready: [@Sendable () -> Void] = []
            while let body = state.early.removeValue(forKey: state.next) {
                ready.append(body)
                state.next += 1
            }
            return ready
        }
        for body in ready { body() }
    }
}
