import Bytes
import Mailboxes
import Synchronization
import Unix

/// One message on its way into the Maildirs of its recipients. Nothing of it is visible before it is committed, and
/// nothing is left of it when it is dropped.
package final class MessageDelivery: Sendable {
    /// A destination: the Maildir's path and what stands above the message in it.
    package struct Destination: Sendable {
        package let maildir: String
        package let head: [UInt8]

        package init(maildir: String, head: [UInt8]) {
            self.maildir = maildir
            self.head = head
        }
    }

    private struct State {
        var copies: [(maildir: Maildir, delivery: MaildirDelivery)] = []
        var pending: [UInt8] = []
        /// Received fields of the header, as far as it was in the first piece written.
        var receivedCount: Int?
    }

    private let destinations: [Destination]
    private let cache: MaildirCache
    private let state = Mutex(State())

    init(_ destinations: [Destination], _ cache: MaildirCache) {
        self.destinations = destinations
        self.cache = cache
    }

    /// How much content waits in memory.
    package var pendingCount: Int { state.withLock { $0.pending.count } }

    /// How many Received fields the message has (RFC 5321 6.3), as its first 64 KiB tell.
    package var receivedCount: Int {
        state.withLock { $0.receivedCount ?? LoopGuard.receivedCount($0.pending.span) }
    }

    /// Adds to the message, in memory.
    package func append(_ bytes: [UInt8]) { state.withLock { $0.pending += bytes } }

    /// Writes what waits in memory to the temporary files. Blocks: call it through `offload`.
    package func writePending() throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            if state.copies.isEmpty {
                state.receivedCount = LoopGuard.receivedCount(state.pending.span)
                for destination in destinations {
                    let maildir = try cache.maildir(at: destination.maildir)
                    let delivery = try maildir.begin()
                    state.copies.append((maildir, delivery))
                    try delivery.write((destination.head + state.pending).span)
                }
            } else {
                for copy in state.copies { try copy.delivery.write(state.pending.span) }
            }
            state.pending = []
        }
    }

    /// Waits until the content is on the disk. Blocks.
    func synchronize() throws(SystemError) {
        let copies = state.withLock { $0.copies }
        for copy in copies { try copy.delivery.synchronize() }
    }

    /// Makes every copy visible. Returns the Maildirs whose `new/` is to be synced. Blocks.
    func publish() throws(SystemError) -> [Maildir] {
        let copies = state.withLock { $0.copies }
        for copy in copies { try copy.delivery.publish() }
        return copies.map(\.maildir)
    }

    /// Gives the message up; nothing of it remains that was not published.
    package func abort() {
        state.withLock { state in
            for copy in state.copies { copy.delivery.abort() }
            state.copies = []
            state.pending = []
        }
    }
}
