import Mailboxes
import Synchronization
import Unix

/// Puts messages on the disk in groups: while one group is flushed the next gathers, so that many sessions share the
/// flushes of the file system's journal, and one session alone waits for nobody.
package final class GroupCommitter: Sendable {
    package typealias Outcome = Result<Void, SystemError>

    private struct Member {
        let deliveries: [MessageDelivery]
        let continuation: UnsafeContinuation<Outcome, Never>
    }

    private struct State {
        var waiting: [Member] = []
        var running = 0
    }

    /// Two groups at once: while one waits for the disk, the other writes its files.
    private static let lanes = 2
    private static let groupLimit = 64

    private let state = Mutex(State())
    private let cache = MaildirCache()

    package init() {}

    /// A message for these destinations, to be filled and committed.
    package func begin(_ plan: MessageDelivery.Plan) -> MessageDelivery { MessageDelivery(plan, cache) }

    /// Returns when the deliveries of a message are where they belong and would survive a power loss, or could not be
    /// put there; then nothing of them is left that was not already visible.
    package func commit(_ deliveries: [MessageDelivery]) async -> Outcome {
        if deliveries.contains(where: \.hasMboxes) {
            do throws(SystemError) {
                try await publishMboxes(deliveries)
            } catch {
                for delivery in deliveries { delivery.abort() }
                return .failure(error)
            }
            if deliveries.allSatisfy(\.isDone) { return .success(()) }
        }
        return await withUnsafeContinuation { continuation in
            state.withLock { $0.waiting.append(Member(deliveries: deliveries, continuation: continuation)) }
            startGroup()
        }
    }

    /// How long another program may hold an mbox.
    private static let lockTimeout = Duration.seconds(30)

    /// Writes these messages to the disk, and appends them to their mboxes. One that another program holds is waited for
    /// by this message alone, without a thread. It comes first: when it fails, nothing else is visible yet.
    private func publishMboxes(_ deliveries: [MessageDelivery]) async throws(SystemError) {
        try await offload { () throws(SystemError) in
            for delivery in deliveries { try delivery.end() }
            for delivery in deliveries { try delivery.synchronize() }
        }
        let deadline = ContinuousClock.now + GroupCommitter.lockTimeout
        for delivery in deliveries where delivery.hasMboxes {
            while let locked = try await offload({ () throws(SystemError) in try delivery.publishMboxes() }) {
                guard ContinuousClock.now < deadline else { throw locked }
                do { try await EventLoop.sleep(for: .milliseconds(.random(in: 50...150))) } catch { throw locked }
            }
        }
    }

    private func startGroup() {
        let group = state.withLock { state -> [Member] in
            guard state.running < GroupCommitter.lanes, !state.waiting.isEmpty else { return [] }
            state.running += 1
            let group = Array(state.waiting.prefix(GroupCommitter.groupLimit))
            state.waiting.removeFirst(group.count)
            return group
        }
        guard !group.isEmpty else { return }
        submitFileWork { [self] in
            GroupCommitter.flush(group)
            state.withLock { $0.running -= 1 }
            startGroup()
        }
    }

    /// Writes, syncs and publishes a group; each member fails or succeeds alone.
    private static func flush(_ group: [Member]) {
        var failures: [Int: SystemError] = [:]
        func each(_ step: (Int, MessageDelivery) throws(SystemError) -> Void) {
            for (index, member) in group.enumerated() where failures[index] == nil {
                do throws(SystemError) {
                    for delivery in member.deliveries { try step(index, delivery) }
                } catch {
                    failures[index] = error
                    for delivery in member.deliveries { delivery.abort() }
                }
            }
        }
        each { _, delivery throws(SystemError) in try delivery.end() }
        each { _, delivery throws(SystemError) in try delivery.synchronize() }
        var published: [[MessageDelivery.Published]] = Array(repeating: [], count: group.count)
        each { index, delivery throws(SystemError) in published[index] += try delivery.publish() }
        var synced: [ObjectIdentifier: Outcome] = [:]
        for place in published.joined() where synced[place.identity] == nil {
            synced[place.identity] = Outcome { () throws(SystemError) in try place.synchronize() }
        }
        for (index, member) in group.enumerated() {
            var outcome: Outcome = failures[index].map { .failure($0) } ?? .success(())
            for place in published[index] {
                if case .failure(let error) = synced[place.identity] { outcome = .failure(error) }
            }
            member.continuation.resume(returning: outcome)
        }
    }
}
