import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Synchronization
import Unix

/// A Maildir that messages are delivered into, by several threads: each message is written in `tmp/`, synchronized and
/// renamed on its own, so that flushes of many go to the disk together; the directories follow at the end.
///
/// The names are made here, in order, and tell the run and the number of the message among all: what a run that was
/// killed has left out, however the threads came, is seen from the names that are there.
final class MaildirDestination: Destination {
    /// Messages that one thread delivers, one after another.
    private struct Batch: Sendable {
        struct Item: Sendable {
            let name: [UInt8]
            let flags: MessageFlags
            let received: Int
            let range: Range<Int>
        }

        var bytes: [UInt8] = []
        var items: [Item] = []
    }

    private struct Outcome {
        var delivered = 0
        var failure: SystemError?
    }

    /// A larger message is not kept in memory.
    private static let wholeLimit = MessageAssembly.wholeLimit
    private static let batchBytes = 256 << 10
    /// So many flushes at once keep a disk busy that takes parallel ones.
    private static let synchronizingWorkers = 24

    private let maildir: Maildir
    private let path: String
    private let isSynchronized: Bool
    private let stripsStatus: Bool
    private let journal: Journal
    private let batchCount: Int
    private let outcome = OutcomeBox()
    private let pool: WorkerPool<Batch>
    /// The numbers of messages that earlier runs have delivered.
    private let present: Set<Int>
    private var batch = Batch()
    private var keywords: KeywordLetters
    private var current: (name: [UInt8], flags: MessageFlags, received: Int)?
    /// A message that is written piece by piece.
    private var large: MaildirDelivery?
    private var start = 0
    /// Messages begun, those of earlier runs included.
    private var begun = 0

    private final class OutcomeBox: Sendable {
        let value = Mutex(Outcome())
    }

    init(_ path: String, _ settings: WriteSettings) throws {
        self.path = path
        isSynchronized = settings.isSynchronized
        stripsStatus = settings.stripsStatus
        try Self.refuseOthers(path)
        do {
            let journal = try settings.journal(of: path)
            let opened = try Self.open(path, journal, settings)
            self.journal = journal
            maildir = opened.maildir
            present = opened.present
            if journal.isResumed { maildir.breakKeywordLock() }
            keywords = maildir.keywordLetters()
        } catch let error as SystemError {
            throw DestinationFailure.cannotCreate(path, error)
        }
        batchCount = isSynchronized ? 4 : 64
        let workers = isSynchronized ? Self.synchronizingWorkers : settings.jobs > 1 ? settings.jobs : 0
        pool = WorkerPool(workers: workers) { [maildir, outcome, isSynchronized] batch in
            Self.deliver(batch, to: maildir, outcome, synchronizing: isSynchronized)
        }
    }

    var delivered: Int { present.count + outcome.value.withLock { $0.delivered } }

    private static func refuseOthers(_ path: String) throws {
        guard let kind = Files.kind(path) else { return }
        guard kind == .directory else {
            throw ToolFailure(.cannotCreate, "\(path): there is a file: name a directory for a Maildir")
        }
        guard !Maildir.isMaildir(path) else { return }
        let names: [[UInt8]]
        do throws(SystemError) {
            names = try Files.names(inDirectory: path)
        } catch {
            throw DestinationFailure.cannotCreate(path, error)
        }
        // What a run that was killed while it made the Maildir has left, and folders of a tree, are no hindrance.
        let own = ["cur", "new", "tmp", "mboxconv.journal", ".mboxconv-run.journal", "maildirfolder"]
        if let other = names.first(where: { name in
            !own.contains(name.text) && Files.kind("\(path)/\(PathText.text(name))") != .directory
                && !name.starts(with: "mboxconv.journal.".utf8) && !name.starts(with: ".mboxconv-run.journal.".utf8)
        }) {
            throw ToolFailure(
                .cannotCreate,
                "\(path): a directory that is not empty, and no Maildir: it holds \(other.text): name another")
        }
    }

    /// Opens the Maildir, and tells which messages of this conversion are there.
    private static func open(
        _ path: String, _ journal: Journal, _ settings: WriteSettings
    ) throws -> (maildir: Maildir, present: Set<Int>) {
        let existing = try Maildir.create(path, synchronizing: settings.isSynchronized)
        let runs = journal.values("run")
        try existing.removeTemporaries(ofRuns: runs)
        var present: Set<Int> = []
        var others = 0
        var last: Int?
        for entry in try existing.entries() {
            if let number = runs.lazy.compactMap({ entry.name.deliveryNumber(inRun: $0) }).first {
                present.insert(number)
            } else {
                others += 1
                last = entry.name.deliveryTime ?? last
            }
        }
        if others > 0, !journal.isResumed, !settings.isAppending {
            throw DestinationFailure.notEmpty(path, "holds \(others) message\(others == 1 ? "" : "s")")
        }
        try journal.begin(synchronizing: settings.isSynchronized)
        let now = SystemClock.now
        let mark = String(now.seconds, radix: 36) + String(now.microseconds, radix: 36) + String(getpid(), radix: 36)
        try journal.note("run \(mark)", synchronizing: settings.isSynchronized)
        let maildir = try Maildir(path, run: mark)
        // Every run gives a message the same place in the order.
        if let after = journal.value("after") {
            last = Int(after)
        } else if !journal.isResumed, let last {
            try journal.note("after \(last)")
        }
        if let last { maildir.continueOrder(after: last) }
        return (maildir, present)
    }

    // MARK: Messages

    func begin(_ envelope: Envelope, _ head: MessageHead) throws {
        begun += 1
        let name = maildir.nextName(time: envelope.received, number: begun)
        if present.contains(begun) { return }
        var flags = stripsStatus ? MessageFlags() : envelope.flags
        if !stripsStatus { try addKeywords(envelope, to: &flags) }
        let bytes = envelope.fromLine == nil && !stripsStatus ? head.bytes : head.stored(removingStatus: true).bytes
        current = (name, flags, envelope.received ?? SystemClock.now.seconds)
        start = batch.bytes.count
        batch.bytes += bytes
    }

    private func addKeywords(_ envelope: Envelope, to flags: inout MessageFlags) throws {
        guard !envelope.keywords.isEmpty || !envelope.mailboxKeywords.isEmpty else { return }
        var letters = keywords
        for name in envelope.mailboxKeywords { _ = letters.letter(for: name) }
        for name in envelope.keywords {
            guard let letter = letters.letter(for: name), !flags.others.contains(letter) else { continue }
            flags.others.append(letter)
        }
        flags.others.sort()
        guard letters != keywords else { return }
        do throws(SystemError) { try maildir.write(letters) } catch { throw writeFailure(error) }
        keywords = letters
    }

    func write(_ bytes: Span<UInt8>) throws {
        guard let current else { return }
        if let large {
            do throws(SystemError) { try large.write(bytes) } catch { throw writeFailure(error) }
            return
        }
        batch.bytes.append(span: bytes)
        guard batch.bytes.count - start > Self.wholeLimit else { return }
        // Too large for memory: what there is of it goes to its file, the rest follows.
        do throws(SystemError) {
            let delivery = try maildir.begin(named: current.name)
            try delivery.write(batch.bytes.span.extracting(start..<batch.bytes.count))
            large = delivery
        } catch {
            throw writeFailure(error)
        }
        batch.bytes.removeLast(batch.bytes.count - start)
    }

    func end(size: Int) throws {
        guard let current else { return }
        self.current = nil
        if let large {
            self.large = nil
            do throws(SystemError) {
                if isSynchronized {
                    try large.synchronize(received: current.received)
                } else {
                    try large.setTime(received: current.received)
                }
                try large.publish(flags: current.flags)
            } catch {
                throw writeFailure(error)
            }
            outcome.value.withLock { $0.delivered += 1 }
            return
        }
        batch.items.append(
            Batch.Item(
                name: current.name, flags: current.flags, received: current.received, range: start..<batch.bytes.count))
        if batch.items.count >= batchCount || batch.bytes.count >= Self.batchBytes { try submit() }
    }

    private func submit() throws {
        let capacity = batch.bytes.count
        let full = batch
        batch = Batch()
        if !full.items.isEmpty { pool.submit(full) }
        batch.bytes.reserveCapacity(min(capacity, Self.batchBytes))
        try throwFailure()
    }

    private static func deliver(_ batch: Batch, to maildir: Maildir, _ outcome: OutcomeBox, synchronizing: Bool) {
        var count = 0
        let bytes = batch.bytes.span
        defer { outcome.value.withLock { $0.delivered += count } }
        if outcome.value.withLock({ $0.failure != nil }) { return }
        guard let temporary = batch.items.first?.name else { return }
        for item in batch.items {
            do throws(SystemError) {
                try maildir.deliver(
                    bytes.extracting(item.range), named: item.name, temporary: temporary, flags: item.flags,
                    received: item.received, synchronizing: synchronizing)
                count += 1
            } catch {
                outcome.value.withLock { $0.failure = $0.failure ?? error }
                return
            }
        }
    }

    private func throwFailure() throws {
        if let failure = outcome.value.withLock({ $0.failure }) {
            pool.wait()
            throw writeFailure(failure)
        }
    }

    private func writeFailure(_ error: SystemError) -> ToolFailure {
        DestinationFailure.cannotWrite(path, error, left: wholeMessages(delivered))
    }

    /// Delivers what is pending and makes all of it last.
    private func finish() throws {
        try submit()
        pool.wait()
        try throwFailure()
        guard isSynchronized else { return }
        do throws(SystemError) { try maildir.synchronize() } catch { throw writeFailure(error) }
    }

    func complete() throws { try finish() }
    func forget() throws(SystemError) { try journal.remove() }

    func interrupt() throws -> Bool {
        large = nil
        if current != nil { batch.bytes.removeLast(batch.bytes.count - start) }
        current = nil
        try finish()
        if delivered > 0 { return true }
        try journal.remove()
        return false
    }

    deinit { pool.wait() }
}
