import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Synchronization
import Unix

/// A directory of MH, or of `.eml` files: a file a message, named by number. Files are written under a name that hides
/// them, synchronized together and renamed in order; the journal notes how far that came.
final class FilesDestination: Destination {
    private struct Pending {
        let temporary: [UInt8]
        let flags: MessageFlags
        let keywords: [[UInt8]]
        let file: SharedFile
    }

    /// A file that another thread synchronizes.
    private final class SharedFile: Sendable {
        let descriptor: FileDescriptor
        init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
    }

    /// The first failure of several threads.
    private final class FailureBox: Sendable {
        private let failure = Mutex<SystemError?>(nil)
        func add(_ error: SystemError) { failure.withLock { $0 = $0 ?? error } }
        var first: SystemError? { failure.withLock { $0 } }
    }

    private static let batchCount = 64
    private static let temporaryStart = Array(".mboxconv.tmp.".utf8)

    private let path: String
    private let isMH: Bool
    private let settings: WriteSettings
    private let directory: Directory
    private let journal: Journal
    private var pending: [Pending] = []
    private var current: Pending?
    private var received = 0
    private var buffer: [UInt8] = []
    private var begun = 0
    private var sequences: MessageSequences
    /// The number that the next message is to get.
    private var number: Int
    /// Messages that the journal says are there.
    private let known: Int
    /// What the journal says: up to a message, the number after that of its file.
    private var progress: ArraySlice<(messages: Int, number: Int)>
    private(set) var delivered: Int
    /// Between two runs another program may have put a file where ours would be.
    private let isResumed: Bool

    init(_ path: String, _ settings: WriteSettings) throws {
        self.path = path
        self.settings = settings
        isMH = settings.format == .mh
        do {
            try Files.makeDirectory(path, mode: 0o700, parents: true)
            let directory = try Directory(path)
            let journal = try settings.journal(of: path)
            let entries = try directory.entries()
            if !journal.isResumed, !settings.isAppending { try Self.refuse(path, entries, settings.format) }
            if journal.isResumed {
                for entry in entries where entry.name.starts(with: Self.temporaryStart) {
                    try directory.remove(entry.name)
                }
            }
            progress =
                journal.values("done").map { $0.split(separator: " ").compactMap { Int($0) } }
                .filter { $0.count == 2 }.map { ($0[0], $0[1]) }[...]
            isResumed = journal.isResumed
            known = progress.last?.messages ?? 0
            number = progress.last?.number ?? (entries.compactMap { Self.number(of: $0.name) }.max() ?? 0) + 1
            try journal.begin(synchronizing: settings.isSynchronized)
            if progress.isEmpty { try journal.note("done 0 \(number)", synchronizing: settings.isSynchronized) }
            self.directory = directory
            self.journal = journal
            sequences = MessageSequences(path)
            delivered = known
        } catch let error as SystemError {
            throw DestinationFailure.cannotCreate(path, error)
        }
    }

    private static func refuse(_ path: String, _ entries: [Directory.Entry], _ format: MailboxFormat) throws {
        let files = entries.filter { $0.kind != .directory && !$0.name.starts(with: ".mboxconv".utf8) }
        guard let first = files.first else { return }
        let messages = files.count {
            format == .mh ? MessageFiles.number($0.name) != nil : MessageFiles.isMessageFile($0.name)
        }
        if messages == 0 {
            throw ToolFailure(
                .cannotCreate, "\(path): a directory that is not empty: it holds \(first.name.text): name another")
        }
        throw DestinationFailure.notEmpty(path, "holds \(messages) message\(messages == 1 ? "" : "s")")
    }

    /// The number of a file of ours, or of MH.
    private static func number(of name: [UInt8]) -> Int? {
        if let number = MessageFiles.number(name) { return number }
        guard MessageFiles.isMessageFile(name) else { return nil }
        let digits = name.prefix { $0.isASCIIDigit }
        return 1...15 ~= digits.count ? digits.reduce(0) { $0 * 10 + Int($1 - ASCII.zero) } : nil
    }

    // MARK: Messages

    func begin(_ envelope: Envelope, _ head: MessageHead) throws {
        begun += 1
        if begun <= known { return noteKnown(envelope) }
        let temporary = Self.temporaryStart + Array("\(getpid()).\(begun)".utf8)
        let isExact = envelope.fromLine == nil && !settings.stripsStatus
        do throws(SystemError) {
            let file = try directory.open(temporary, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
            current = Pending(
                temporary: temporary, flags: settings.stripsStatus ? MessageFlags() : envelope.flags,
                keywords: settings.stripsStatus ? [] : envelope.keywords, file: SharedFile(file))
        } catch {
            throw writeFailure(error)
        }
        received = envelope.received ?? SystemClock.now.seconds
        buffer.removeAll(keepingCapacity: true)
        buffer += isExact ? head.bytes : head.stored(removingStatus: true).bytes
    }

    /// The sequences are written at the end: those of a message that an earlier run has put there, too.
    private func noteKnown(_ envelope: Envelope) {
        while let first = progress.first, first.messages < begun { progress.removeFirst() }
        guard isMH, !settings.stripsStatus, let first = progress.first else { return }
        sequences.add(first.number - 1 - (first.messages - begun), envelope.flags, envelope.keywords)
    }

    func write(_ bytes: Span<UInt8>) throws {
        guard current != nil else { return }
        buffer.append(span: bytes)
        if buffer.count >= 1 << 20 { try drain() }
    }

    private func drain() throws {
        do throws(SystemError) { try current?.file.descriptor.writeAll(buffer) } catch { throw writeFailure(error) }
        buffer.removeAll(keepingCapacity: true)
    }

    func end(size: Int) throws {
        guard let message = current else { return }
        try drain()
        do throws(SystemError) {
            try message.file.descriptor.setTimes(received)
        } catch {
            throw writeFailure(error)
        }
        current = nil
        pending.append(message)
        if pending.count >= Self.batchCount { try commit() }
    }

    /// Brings the pending messages to the disk and gives them their names, in order.
    private func commit() throws {
        let batch = pending
        guard !batch.isEmpty else { return }
        do throws(SystemError) {
            if settings.isSynchronized { try Self.synchronize(batch.map(\.file)) }
            for message in batch { try publish(message) }
            pending = []
            try journal.note("done \(delivered) \(number)", synchronizing: settings.isSynchronized)
        } catch {
            throw writeFailure(error)
        }
    }

    private static func synchronize(_ files: [SharedFile]) throws(SystemError) {
        let failures = FailureBox()
        let pool = WorkerPool<SharedFile>(workers: 16) { file in
            do throws(SystemError) { try file.descriptor.synchronize() } catch { failures.add(error) }
        }
        for file in files { pool.submit(file) }
        pool.wait()
        if let failure = failures.first { throw failure }
    }

    private func publish(_ message: Pending) throws(SystemError) {
        while true {
            let name = name(of: message)
            do throws(SystemError) {
                try directory.rename(message.temporary, to: directory, as: name)
                break
            } catch {
                guard error.code == EEXIST else { throw error }
            }
            // The run before may have come further than its journal says.
            if isResumed, try isSame(message, name) {
                try directory.remove(message.temporary)
                break
            }
            number += 1
        }
        if isMH { sequences.add(number, message.flags, message.keywords) }
        number += 1
        delivered += 1
    }

    private func name(of message: Pending) -> [UInt8] {
        if !isMH { return EMLName.make(number, message.flags, message.keywords) }
        var name: [UInt8] = []
        name.append(decimal: number)
        return name
    }

    private func isSame(_ message: Pending, _ name: [UInt8]) throws(SystemError) -> Bool {
        let there = try directory.open(name, O_RDONLY)
        guard try there.status().st_size == message.file.descriptor.status().st_size else { return false }
        var place = 0
        while true {
            let ours = try message.file.descriptor.read(at: place, atMost: 64 << 10)
            if try ours != there.read(at: place, atMost: 64 << 10) { return false }
            if ours.isEmpty { return true }
            place += ours.count
        }
    }

    private func writeSequences() throws {
        // Where messages have been read, that no sequence holds them is to be seen.
        guard isMH, sequences.hasSeen || !sequences.isEmpty else { return }
        let bytes = sequences.bytes
        do throws(SystemError) {
            try Files.writeDurably("\(path)/\(MessageSequences.fileName)", bytes, mode: 0o600)
        } catch {
            throw writeFailure(error)
        }
    }

    private func writeFailure(_ error: SystemError) -> ToolFailure {
        DestinationFailure.cannotWrite(path, error, left: wholeMessages(delivered))
    }

    func complete() throws {
        try commit()
        try writeSequences()
        do throws(SystemError) {
            if settings.isSynchronized { try directory.synchronize() }
        } catch {
            throw writeFailure(error)
        }
    }

    func forget() throws(SystemError) { try journal.remove() }

    func interrupt() throws -> Bool {
        if let current { try? directory.remove(current.temporary) }
        current = nil
        try commit()
        try writeSequences()
        if delivered > 0 { return true }
        try journal.remove()
        return false
    }

    deinit {
        for message in pending { try? directory.remove(message.temporary) }
        if let current { try? directory.remove(current.temporary) }
    }
}
