import Synchronization

/// The snapshots of the Maildirs that were looked at last, shared by the sessions of the process.
final class SnapshotCache: Sendable {
    private struct State {
        var snapshots: [String: (snapshot: MaildirSnapshot, use: Int)] = [:]
        var uses = 0
        var messages = 0
    }

    /// Some 100 bytes each.
    private static let messageLimit = 500_000
    private static let mailboxLimit = 2_000
    private let state = Mutex(State())

    func snapshot(of path: String) -> MaildirSnapshot? {
        state.withLock { state in
            guard let entry = state.snapshots[path] else { return nil }
            state.uses += 1
            state.snapshots[path]?.use = state.uses
            return entry.snapshot
        }
    }

    func remember(_ snapshot: MaildirSnapshot, of path: String) {
        state.withLock { state in
            state.uses += 1
            if let old = state.snapshots.updateValue((snapshot, state.uses), forKey: path) {
                state.messages -= old.snapshot.count
            }
            state.messages += snapshot.count
            while state.messages > Self.messageLimit || state.snapshots.count > Self.mailboxLimit,
                let oldest = state.snapshots.min(by: { $0.value.use < $1.value.use })
            {
                state.messages -= oldest.value.snapshot.count
                state.snapshots[oldest.key] = nil
            }
        }
    }
}
