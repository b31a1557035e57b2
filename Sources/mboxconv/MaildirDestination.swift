import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// A Maildir that messages are delivered into. With synchronization many messages go to the disk together, in
/// parallel, before their files get their names; the directories follow at the end.
final class MaildirDestination: MessageSink {
    private struct Pending {
        let delivery: MaildirDelivery
        let flags: MessageFlags
        let received: Int
    }

    /// How many messages, or bytes, are written before they are brought to the disk.
    private static let batchCount = 128
    private static let batchBytes = 64 << 20
    private static let step = 1 << 20

    private let maildir: Maildir
    private let path: String
    private let isSynchronized: Bool
    private let stripsStatus: Bool
    private var pending: [Pending] = []
    private var pendingBytes = 0
    private var current: Pending?
    private var buffer: [UInt8] = []
    private let journal: Journal
    /// Messages begun, those of earlier runs included.
    private var begun = 0
    /// Messages that stand in the Maildir.
    private(set) var delivered: Int

    init(_ path: String, journal: Journal, isSynchronized: Bool, stripsStatus: Bool) throws {
        self.stripsStatus = stripsStatus
        self.path = path
        self.isSynchronized = isSynchronized
        var journal = journal
        do {
            // The journal lies in the Maildir, and gives the names in it their mark.
            _ = try Maildir.create(path)
            maildir = try Maildir(path, run: journal.beginRun(synchronizing: isSynchronized))
            try maildir.continueOrder()
        } catch let error as SystemError {
            throw Conversion.cannotCreate(path, error)
        }
        self.journal = journal
        delivered = journal.done
    }

    func begin(_ envelope: Envelope, _ head: MessageHead) throws {
        begun += 1
        if begun <= journal.done { return }
        let bytes = envelope.fromLine == nil && !stripsStatus ? head.bytes : head.stored(removingStatus: true).bytes
        do throws(SystemError) {
            let delivery = try maildir.begin(time: envelope.received)
            let flags = stripsStatus ? MessageFlags() : envelope.flags
            current = Pending(delivery: delivery, flags: flags, received: envelope.received)
        } catch {
            throw writeFailure(error)
        }
        buffer.removeAll(keepingCapacity: true)
        buffer += bytes
    }

    func write(_ bytes: Span<UInt8>) throws {
        guard current != nil else { return }
        buffer.append(span: bytes)
        if buffer.count >= Self.step { try drain() }
    }

    private func drain() throws {
        do throws(SystemError) {
            try current?.delivery.write(buffer.span)
        } catch {
            throw writeFailure(error)
        }
        pendingBytes += buffer.count
        buffer.removeAll(keepingCapacity: true)
    }

    func end(size: Int) throws {
        guard let message = current else { return }
        try drain()
        current = nil
        guard isSynchronized else {
            do throws(SystemError) {
                try message.delivery.setTime(received: message.received)
                try message.delivery.publish(flags: message.flags)
            } catch {
                throw writeFailure(error)
            }
            delivered += 1
            return
        }
        pending.append(message)
        if pending.count >= Self.batchCount || pendingBytes >= Self.batchBytes { try commit() }
    }

    /// Brings the pending messages to the disk and gives them their names, in order.
    private func commit() throws {
        let batch = pending
        pending = []
        pendingBytes = 0
        if let failure = Self.synchronize(batch) { throw writeFailure(failure) }
        do throws(SystemError) {
            for message in batch {
                try message.delivery.publish(flags: message.flags)
                delivered += 1
            }
        } catch {
            throw writeFailure(error)
        }
    }

    private static func synchronize(_ batch: [Pending]) -> SystemError? {
        let deliveries = batch.map { ($0.delivery, $0.received) }
        if deliveries.isEmpty { return nil }
        do {
            return try EventLoop.run { _ in await synchronize(deliveries) }
        } catch {
            return error as? SystemError ?? SystemError(code: EIO, operation: "sync")
        }
    }

    private static func synchronize(_ deliveries: [(MaildirDelivery, Int)]) async -> SystemError? {
        await withTaskGroup(of: SystemError?.self) { group in
            for (delivery, received) in deliveries {
                group.addTask {
                    do throws(SystemError) {
                        try await offload { () throws(SystemError) in try delivery.synchronize(received: received) }
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            var failure: SystemError?
            for await result in group { failure = failure ?? result }
            return failure
        }
    }

    private func writeFailure(_ error: SystemError) -> ToolFailure {
        let advice = error.isOutOfSpace ? ": make room" : ""
        return ToolFailure(
            error.code == EACCES ? .noPermission : .ioError,
            "\(path): cannot write: \(error.reason)\(advice); \(delivered) whole messages are there: "
                + "go on with --resume"
        )
    }

    /// Delivers what is pending and makes all of it last.
    func finish() throws {
        try commit()
        guard isSynchronized else { return }
        do throws(SystemError) { try maildir.synchronize() } catch { throw writeFailure(error) }
    }

    /// All is done: the journal is not needed any more.
    func complete() throws {
        try finish()
        do throws(SystemError) { try journal.remove() } catch { throw writeFailure(error) }
    }
}
