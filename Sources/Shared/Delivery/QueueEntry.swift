import Bytes
import Glibc
import MessageFormat
import SMTP
import Unix

/// A recipient of a queued message, and what became of it so far.
package struct QueuedRecipient: Equatable, Sendable {
    package enum Status: String, Sendable {
        case waiting, delivered, failed
    }

    package let path: String
    package let parameters: RecipientParameters
    package internal(set) var status = Status.waiting
    package internal(set) var attempts = 0
    /// The time of the latest attempt, and the earliest of the next one, in seconds since 1970.
    package internal(set) var latestAttempt: Int?
    package internal(set) var nextAttempt = 0
    /// What was said last.
    package internal(set) var answer: QueueAnswer?
    /// The sender knows of the end, or does not want to.
    package internal(set) var isTold = false
    package internal(set) var isDelayTold = false

    init(_ recipient: QueuedEnvelope.Recipient) {
        path = recipient.path
        parameters = recipient.parameters
    }
}

/// A message of a queue, open. While it is locked nobody else works on it; the lock ends with this value or with the
/// process. Used from one task.
package final class QueueEntry {
    package let id: QueueID
    package let file: QueueFile
    /// The whole file; `QueueFile.content` is the message in it.
    package let bytes: SharedMappedFile
    package private(set) var recipients: [QueuedRecipient]
    package private(set) var isHeld = false
    /// The server for all attempts, `HOST:PORT`; nil: where the domains say.
    package private(set) var route: String?
    /// How many times the sender was told something.
    package private(set) var notificationCount = 0
    /// There is a file for the log, and something in it.
    private var hasLog = false
    private var hasEvents = false
    /// The end of the last whole line of the log.
    private var endOfLog = 0

    private let queue: Queue
    private let descriptor: FileDescriptor
    private let isLocked: Bool

    package var envelope: QueuedEnvelope { file.envelope }

    /// Nothing is left to be done for any recipient.
    package var isFinished: Bool { recipients.allSatisfy { $0.status != .waiting && $0.isTold } }

    /// The size of the message in octets, as it stands in the queue.
    package var size: Int { file.content.count }

    /// The header of the message without the empty line, at most `limit` octets of it.
    package func header(limit: Int) -> [UInt8] {
        let start = content(limit: limit)
        let structure = MessageStructure(headerOf: start.span)
        return structure.fields.last.map { Array(start.prefix($0.end)) } ?? []
    }

    /// The message as it was before it was put into SMTP's form; nil when it is larger than `limit` octets.
    package func message(limit: Int) -> [UInt8]? { size <= limit ? content(limit: limit) : nil }

    private func content(limit: Int) -> [UInt8] {
        QueueEntry.unstuffed(bytes.file, file.content.prefix(limit), isStuffed: file.isStuffed)
    }

    private static func unstuffed(_ file: borrowing MappedFile, _ range: Range<Int>, isStuffed: Bool) -> [UInt8] {
        let bytes = file.bytes.extracting(range)
        guard isStuffed else { return bytes.array }
        var content: [UInt8] = []
        content.reserveCapacity(bytes.count)
        var place = 0
        while place < bytes.count {
            let next = bytes.firstIndex(of: ASCII.lf, from: place).map { $0 + 1 } ?? bytes.count
            let start = bytes[place] == ASCII.dot ? place + 1 : place
            content.append(span: bytes.extracting(start..<next))
            place = next
        }
        return content
    }

    package enum Opening {
        case open(QueueEntry)
        /// Another process works on it.
        case busy
        /// It is not there (any more).
        case gone
        /// It cannot be read.
        case damaged(QueueFile.Problem)
    }

    /// Opens a message; with `locking`, to work on it.
    package static func open(_ id: QueueID, in queue: Queue, locking: Bool) throws(SystemError) -> Opening {
        let name = Queue.messageName(id)
        let descriptor: FileDescriptor
        do throws(SystemError) {
            descriptor = try queue.directory.open(name, O_RDONLY)
        } catch {
            if error.code == ENOENT { return .gone }
            throw error
        }
        if locking, !(try FileLock.tryHold(descriptor)) { return .busy }
        let status = try descriptor.status()
        // Between the opening and the lock, its owner may have finished with it, or an editor have put another in place.
        guard status.st_nlink > 0, let current = try? queue.directory.status(name), current.st_ino == status.st_ino
        else {
            return .gone
        }
        let mapped = try SharedMappedFile(descriptor)
        let file: QueueFile
        do throws(QueueFile.Problem) {
            file = try read(mapped.file, arrival: status.st_mtim.tv_sec)
        } catch {
            return .damaged(error)
        }
        return .open(try QueueEntry(queue, id, file, mapped, descriptor, isLocked: locking))
    }

    private static func read(
        _ file: borrowing MappedFile, arrival: Int
    ) throws(QueueFile.Problem) -> QueueFile {
        try QueueFile(file.bytes, arrival: arrival)
    }

    private init(
        _ queue: Queue, _ id: QueueID, _ file: QueueFile, _ bytes: SharedMappedFile,
        _ descriptor: consuming FileDescriptor, isLocked: Bool
    ) throws(SystemError) {
        self.queue = queue
        self.id = id
        self.file = file
        self.bytes = bytes
        self.descriptor = descriptor
        self.isLocked = isLocked
        recipients = file.envelope.recipients.map(QueuedRecipient.init)
        guard let log = try QueueEntry.readLog(queue, id) else { return }
        hasLog = true
        endOfLog = log.lastIndex(of: ASCII.lf).map { $0 + 1 } ?? 0
        for (time, event) in QueueLog.events(log) { apply(event, at: time) }
    }

    private static func readLog(_ queue: Queue, _ id: QueueID) throws(SystemError) -> [UInt8]? {
        do throws(SystemError) {
            return try queue.directory.open(Queue.logName(id), O_RDONLY).readAll()
        } catch {
            if error.code == ENOENT { return nil }
            throw error
        }
    }

    private func apply(_ event: QueueEvent, at time: Int) {
        hasEvents = true
        switch event {
        case .delivered(let index, let answer): attempt(index, at: time, answer) { $0.status = .delivered }
        case .deferred(let index, let next, let answer): attempt(index, at: time, answer) { $0.nextAttempt = next }
        case .failed(let index, let answer): attempt(index, at: time, answer) { $0.status = .failed }
        case .told(let index): change(index) { $0.isTold = true }
        case .delayTold(let index): change(index) { $0.isDelayTold = true }
        case .held: isHeld = true
        case .released: isHeld = false
        case .rerouted(let server): route = server
        }
        switch event {
        case .told, .delayTold: notificationCount += 1
        default: break
        }
    }

    private func attempt(
        _ index: Int, at time: Int, _ answer: QueueAnswer, _ body: (inout QueuedRecipient) -> Void
    ) {
        change(index) { recipient in
            recipient.attempts += 1
            recipient.latestAttempt = time
            recipient.answer = answer
            body(&recipient)
        }
    }

    private func change(_ index: Int, _ body: (inout QueuedRecipient) -> Void) {
        guard recipients.indices.contains(index) else { return }
        body(&recipients[index])
    }

    /// Makes sure that what an attempt comes to can be noted, before anybody gets the message: when it can neither be
    /// removed nor have a log, they would get it again at each attempt. With a count, there is room on the disk then for
    /// what is to be noted of so many recipients. Blocks. Only of a locked message.
    package func prepareRecord(recipients count: Int) throws(SystemError) {
        guard isLocked else { return }
        try queue.directory.checkWritable()
        guard count > 0 else { return }
        try openLog().reserve(endOfLog..<(endOfLog + count * QueueLog.lineLimit))
    }

    private func openLog() throws(SystemError) -> FileDescriptor {
        let log = try queue.directory.open(Queue.logName(id), O_RDWR | O_CREAT, mode: 0o600)
        hasLog = true
        return log
    }

    /// Notes events so that they survive a power loss. Blocks. Only of a locked message.
    package func record(_ events: [QueueEvent]) throws(SystemError) {
        guard isLocked, !events.isEmpty else { return }
        let now = SystemClock.now.seconds
        let log = try openLog()
        let lines = Array(events.map { QueueLog.line($0, at: now) }.joined().utf8)
        // Behind the last whole line is room, or the rest of a line that was being written when its writer was stopped:
        // it would spoil the next one.
        try log.seek(to: endOfLog)
        try log.writeAll(lines)
        try log.truncate(to: endOfLog + lines.count)
        try log.synchronize()
        if endOfLog == 0 { try queue.synchronize() }
        endOfLog += lines.count
        for event in events { apply(event, at: now) }
    }

    /// Nothing is known of any recipient any more: the message was removed.
    package func forgetRecipients() { recipients = [] }

    /// Removes the message: its file first, and its log only when that is on the disk, since a message without its log
    /// would be sent anew. Blocks. Only of a locked message.
    package func remove() throws(SystemError) {
        guard isLocked else { return }
        if hasLog, !hasEvents { try? queue.directory.remove(Queue.logName(id)) }
        try queue.directory.remove(Queue.messageName(id))
        guard hasEvents else { return }
        try queue.synchronize()
        try queue.directory.remove(Queue.logName(id))
    }
}
