import Bytes
import Glibc
import Mailboxes
import Unix

/// A directory of messages that wait to be sent. For a message with the name ID it holds
///
/// - `ID.bsmtp`: envelope and message as batch SMTP (RFC 2442): what a client would say. It is written once, durably,
///   and not changed; a person may edit it while it is held. Whoever works on a message has an exclusive flock(2) on it.
/// - `ID.log`: what became of the recipients so far, a line an event; absent before the first attempt.
/// - `tmp/`: messages that are being written.
///
/// A file that is complete has its name; a crash leaves a message whole or absent.
package final class Queue: Sendable {
    package let path: String
    let directory: Directory
    let temporary: Directory

    static let messageSuffix = ".bsmtp"
    static let logSuffix = ".log"

    /// Opens the queue at `path`; with `creating`, makes it when it is not there.
    package init(_ path: String, creating: Bool = true) throws(SystemError) {
        self.path = path
        if creating {
            try Files.makeDirectoryDurably("\(path)/tmp", mode: 0o700)
        }
        directory = try Directory(path)
        temporary = try directory.directory("tmp")
    }

    /// Begins a message that nobody sees before it is published.
    package func begin(_ envelope: QueuedEnvelope, id: QueueID = .make()) throws(SystemError) -> QueueDelivery {
        try QueueDelivery(self, envelope, id)
    }

    /// Waits until what was published or removed is on the disk. Blocks.
    package func synchronize() throws(SystemError) { try directory.synchronize() }

    /// Queues a message whole, and returns when it would survive a power loss. Blocks.
    @discardableResult
    package func add(
        _ message: Span<UInt8>, _ envelope: QueuedEnvelope, id: QueueID = .make()
    ) throws(SystemError) -> QueueID {
        let delivery = try begin(envelope, id: id)
        try delivery.write(message)
        try delivery.end()
        try delivery.synchronize()
        try delivery.publish()
        try synchronize()
        return id
    }

    /// Queues a message under a name that only one process may give at a time, however often that begins anew: what a
    /// crash has left of it is replaced, and a message that is there already stays as it is. Blocks.
    package func addOnce(
        _ message: Span<UInt8>, _ envelope: QueuedEnvelope, id: QueueID
    ) throws(SystemError) {
        let name = Queue.messageName(id)
        if (try? directory.status(name)) != nil { return try synchronize() }
        do throws(SystemError) {
            try temporary.remove(name)
        } catch {
            guard error.code == ENOENT else { throw error }
        }
        try add(message, envelope, id: id)
    }

    /// The messages that are there, the oldest first.
    package func identifiers() throws(SystemError) -> [QueueID] {
        try directory.entries().compactMap { entry in
            let name = entry.name.text
            guard entry.kind == .file, name.hasSuffix(Queue.messageSuffix) else { return nil }
            return QueueID(String(name.dropLast(Queue.messageSuffix.utf8.count)))
        }.sorted()
    }

    /// Removes what crashes left behind: temporary files that nobody has written to for an hour, and logs of messages
    /// that are gone.
    package func removeLeftovers() throws(SystemError) {
        let now = SystemClock.now.seconds
        for entry in try temporary.entries() where entry.kind == .file {
            guard let status = try? temporary.status(entry.name), now - status.st_mtim.tv_sec > 3_600 else { continue }
            try? temporary.remove(entry.name)
        }
        for entry in try directory.entries() where entry.kind == .file {
            let name = entry.name.text
            guard name.hasSuffix(Queue.logSuffix), let id = QueueID(String(name.dropLast(Queue.logSuffix.utf8.count)))
            else { continue }
            // Looked for after its log was seen: a message that came and was tried meanwhile keeps it.
            do throws(SystemError) {
                _ = try directory.status(Queue.messageName(id))
            } catch {
                if error.code == ENOENT { try? directory.remove(entry.name) }
            }
        }
    }

    /// Removes a message whose file cannot be read, and its log.
    package func removeDamaged(_ id: QueueID) throws(SystemError) {
        try directory.remove(Queue.messageName(id))
        try synchronize()
        try? directory.remove(Queue.logName(id))
    }

    static func messageName(_ id: QueueID) -> [UInt8] { Array("\(id)\(messageSuffix)".utf8) }
    static func logName(_ id: QueueID) -> [UInt8] { Array("\(id)\(logSuffix)".utf8) }
}
