import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// A mailbox that is one file: a new one, one that is appended to, a device, or standard output.
///
/// A new one grows beside its place until all is there, and a journal notes up to where it holds whole messages; one that
/// is appended to is cut back on any error, and after a kill the journal tells what was added. Batch SMTP, whose end is to
/// change, is copied first and grows as a new one does.
final class FileDestination: Destination {
    private enum Target {
        /// A file beside its place, to be renamed.
        case file(partial: String)
        case appended
        case device
        case standardOutput
    }

    /// How much is written at once.
    private static let step = 1 << 20
    /// How often the journal notes what is there, in bytes.
    private static let journalStep = 8 << 20

    private let path: String
    private let target: Target
    private let isSynchronized: Bool
    private var journal: Journal?
    private var file: FileDescriptor?
    private var appender: MboxAppender?
    private let encoder: any MessageEncoder
    /// Where output is kept whose counted messages need patches, when it goes where nothing can be patched.
    private let spool: TemporaryDirectory?
    /// Where the next byte goes, and where the last whole message that the journal knows of ends.
    private var place = 0
    private var noted = 0
    private var begun = 0
    private let known: Int
    private(set) var delivered: Int
    private var isSkipping = false
    /// What is there stays there when this ends; until writing has begun, that is how it was found.
    private var isKept = true
    private var isDone = false
    private var isInMessage = false
    /// What the batch SMTP was that a copy was made of to go on with.
    private var extended: String?

    init(_ path: String, _ encoder: any MessageEncoder, _ settings: WriteSettings) throws {
        self.path = path
        self.encoder = encoder
        isSynchronized = settings.isSynchronized
        if path == "-" || Files.kind(path) == .other {
            target = path == "-" ? .standardOutput : .device
            known = 0
            delivered = 0
            spool = encoder.patchesOutput ? try TemporaryDirectory(prefix: "mboxconv") : nil
            if let spool {
                file = try FileDescriptor.open("\(spool.path)/mbox", O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
            } else if path != "-" {
                file = try FileDescriptor.open(path, O_WRONLY)
            }
            return
        }
        spool = nil
        let place = Self.resolved(path)
        do {
            let journal = try settings.journal(of: place)
            let start = journal.numbers("append")?.first
            let isAppended = start != nil || (settings.isAppending && encoder.appendsInPlace && Files.exists(path))
            let progress = journal.numbers("done") ?? []
            isDone = try Self.isComplete(journal, place, isAppended: isAppended)
            known = isDone ? .max : progress.first ?? 0
            delivered = isDone ? progress.first ?? 0 : known
            target = isAppended ? .appended : .file(partial: "\(place).mboxconv-partial")
            self.journal = journal
            noted = progress.count > 1 ? progress[1] : start ?? 0
            if isDone { return }
            if isAppended {
                try openAppended(place, start, settings)
            } else {
                try openNew(place, settings)
            }
            isKept = false
        } catch let error as SystemError {
            throw DestinationFailure.cannotCreate(path, error)
        }
    }

    /// Whether an earlier run was killed after all was there.
    private static func isComplete(_ journal: Journal, _ path: String, isAppended: Bool) throws -> Bool {
        guard let size = journal.numbers("finishing")?.first, let status = try? Files.status(path) else { return false }
        return Int(status.st_size) >= size && (isAppended || !Files.exists("\(path).mboxconv-partial"))
    }

    private func openAppended(_ path: String, _ start: Int?, _ settings: WriteSettings) throws {
        do throws(MboxAppender.Failure) {
            appender = try MboxAppender.open(
                path, timeout: settings.lockTimeout, resumed: start.map { ($0, max(noted, $0)) })
        } catch {
            throw failure(error)
        }
        place = appender?.place ?? 0
        noted = place
        let end = appender?.start ?? 0
        try journal?.begin(synchronizing: settings.isSynchronized)
        if start == nil { try journal?.note("append \(end)", synchronizing: settings.isSynchronized) }
        encoder.start(at: place, missingLineEnds: place == end ? appender?.missingLineEnds ?? 0 : 0)
    }

    private func openNew(_ path: String, _ settings: WriteSettings) throws {
        let partial = "\(path).mboxconv-partial"
        let isThere = (try? Files.status(path)).map { $0.st_size > 0 } ?? false
        if isThere, !settings.isAppending { throw DestinationFailure.notEmpty(path, "is not empty") }
        if !(journal?.isResumed ?? false), Files.exists(partial) {
            guard settings.isResuming else {
                throw ToolFailure(
                    .cannotCreate,
                    "\(path): a conversion into it was interrupted: go on with --resume, or remove \(partial)")
            }
            try Files.remove(partial)
        }
        let file = try FileDescriptor.open(partial, O_RDWR | O_CREAT, mode: 0o600)
        guard try FileLock.tryHold(file) else {
            throw ToolFailure(.temporaryFailure, "\(path): another conversion is writing to it: wait for its end")
        }
        do {
            try begin(in: file, path, isThere: isThere, settings)
        } catch {
            // What an earlier run has left stays for the next one.
            if !(journal?.isResumed ?? false) {
                try? Files.remove(partial)
                try? journal?.remove()
            }
            throw error
        }
        self.file = consume file
    }

    /// Goes to where the next message is to be written in a new file.
    private func begin(
        in file: borrowing FileDescriptor, _ path: String, isThere: Bool, _ settings: WriteSettings
    ) throws {
        // An empty mailbox that is there keeps its mode, and its owner as far as allowed.
        if let status = try? Files.status(path) {
            _ = fchown(file.number, status.st_uid, status.st_gid)
            _ = fchmod(file.number, status.st_mode & 0o7777)
        }
        guard try file.status().st_size >= noted else {
            throw ToolFailure(
                .dataError, "\(file.subject): is shorter than its journal says: remove it, and begin anew")
        }
        try file.truncate(to: noted)
        try file.seek(to: noted)
        if isThere, noted == 0 {
            let copy = try BatchCopy(of: path, to: file)
            try journal?.begin(synchronizing: settings.isSynchronized)
            if settings.isSynchronized { try file.synchronize() }
            try journal?.note("extends \(copy.stamp)")
            try journal?.note("done 0 \(copy.end)", synchronizing: settings.isSynchronized)
            extended = copy.stamp
            noted = copy.end
        } else {
            extended = journal?.value("extends")
            try journal?.begin(synchronizing: settings.isSynchronized)
        }
        place = noted
        encoder.start(at: place, missingLineEnds: 0)
    }

    private static func resolved(_ path: String) -> String { Files.resolved(path) ?? path }

    // MARK: Failures

    private func failure(_ error: MboxAppender.Failure) -> any Error {
        switch error {
        case .system(let error):
            return appender == nil ? DestinationFailure.cannotCreate(path, error) : writeFailure(error)
        case .locked:
            if Interruption.signal != nil { return Interrupted(left: "it is as it was before") }
            return ToolFailure(
                .temporaryFailure,
                "\(path): another program holds its lock: try again, wait longer with --lock-timeout, "
                    + "or remove \(path).lock if that program is gone")
        case .notMailbox(let first):
            return ToolFailure(
                .dataError,
                "\(path): not an mbox: it begins with \(MailboxError.describe(first)): nothing was appended")
        case .changed:
            isKept = true
            return ToolFailure(
                .dataError,
                "\(path): another program has written to it since the interrupted conversion: "
                    + "take out what that has added, and remove \(path).mboxconv-journal")
        }
    }

    private func writeFailure(_ error: SystemError) -> ToolFailure {
        let left = if case .appended = target { "it is as it was before" } else { "nothing was left behind" }
        return DestinationFailure.cannotWrite(path, error, left: left)
    }

    deinit {
        if isDone || isKept { return }
        if case .file(let partial) = target, file != nil { try? Files.remove(partial) }
        appender = nil
        try? journal?.remove()
    }

    // MARK: Messages

    /// Whether bytes can be written at a place that has been passed.
    private var canPatch: Bool {
        switch target {
        case .file, .appended: true
        case .device, .standardOutput: spool != nil
        }
    }

    func begin(_ envelope: Envelope, _ head: MessageHead) throws {
        isSkipping = begun < known
        begun += 1
        isInMessage = true
        if !isSkipping { encoder.begin(envelope, head, canPatch: canPatch) }
    }

    func write(_ bytes: Span<UInt8>) throws {
        if isSkipping { return }
        encoder.write(bytes)
        if encoder.readyCount >= Self.step { try drain() }
    }

    func end(size: Int) throws {
        isInMessage = false
        if isSkipping { return }
        encoder.end()
        delivered += 1
        if encoder.readyCount >= Self.step || encoder.hasPatches { try drain() }
        if journal != nil, place - noted >= Self.journalStep { try note() }
    }

    private func drain() throws {
        try encoder.drain { ready, patches in
            if appender != nil {
                try append(ready, patches)
            } else if file == nil {
                Output.standard.write(ready)
            } else {
                do throws(SystemError) {
                    try file?.writeAll(ready)
                    for patch in patches { try file?.writeAll(patch.bytes, at: patch.offset) }
                } catch {
                    throw writeFailure(error)
                }
            }
            place += ready.count
        }
    }

    private func append(_ ready: Span<UInt8>, _ patches: [MboxWriter.Patch]) throws {
        do throws(MboxAppender.Failure) {
            try appender?.write(ready)
            for patch in patches {
                do throws(SystemError) { try appender?.patch(patch.bytes, at: patch.offset) } catch {
                    throw .system(error)
                }
            }
        } catch {
            throw failure(error)
        }
    }

    /// Notes that everything up to here is there.
    private func note() throws {
        do throws(SystemError) {
            if isSynchronized {
                try file?.synchronize()
                try appender?.synchronize()
            }
            try journal?.note("done \(delivered) \(place)", synchronizing: isSynchronized)
        } catch {
            throw writeFailure(error)
        }
        noted = place
    }

    /// Writes the rest and puts the mailbox in its place.
    func complete() throws {
        if !isDone {
            encoder.finish()
            try drain()
        }
        if let extended, !isDone, try BatchCopy.stamp(of: Files.status(Self.resolved(path))) != extended {
            throw ToolFailure(
                .temporaryFailure,
                "\(path): another program has written to it meanwhile: it is as that left it: run it again")
        }
        do throws(SystemError) {
            switch target {
            case .standardOutput, .device: try copyOut()
            case .appended:
                if isSynchronized { try appender?.synchronize() }
                try journal?.note("done \(delivered) \(place)")
                try journal?.note("finishing \(place)", synchronizing: isSynchronized)
                try appender?.commit(synchronizing: false)
            case .file(let partial): if !isDone { try rename(partial) }
            }
            isDone = true
        } catch {
            throw writeFailure(error)
        }
    }

    func forget() throws(SystemError) {
        if case .appended = target, appender == nil {
            // An earlier run that was killed has left its lock: taken, it is broken and given back.
            _ = try? DotLock.tryAcquire(Self.resolved(path))
        }
        appender = nil
        try journal?.remove()
    }

    private func rename(_ partial: String) throws(SystemError) {
        if isSynchronized { try file?.synchronize() }
        try journal?.note("done \(delivered) \(place)")
        try journal?.note("finishing \(place)", synchronizing: isSynchronized)
        let place = Self.resolved(path)
        if Files.exists(place) {
            try Files.rename(partial, to: place)
        } else {
            try Files.renameWithoutReplacing(partial, to: place)
        }
        file = nil
        isDone = true
        if isSynchronized { try Files.synchronizeDirectory(Files.parent(of: place) ?? "/") }
    }

    private func copyOut() throws(SystemError) {
        guard spool != nil else { return }
        let device = path == "-" ? nil : try FileDescriptor.open(path, O_WRONLY)
        try file?.seek(to: 0)
        var buffer: [UInt8] = []
        while try file?.read(into: &buffer, atMost: 256 << 10) ?? 0 > 0 {
            if path == "-" { Output.standard.write(buffer) } else { try device?.writeAll(buffer) }
            buffer.removeAll(keepingCapacity: true)
        }
    }

    /// A new file is kept as far as it holds whole messages; one that is appended to is as it was before.
    func interrupt() throws -> Bool {
        guard case .file = target, !isDone else { return false }
        if !isInMessage, delivered > 0 {
            try drain()
            try note()
        }
        guard noted > 0 else { return false }
        isKept = true
        return true
    }
}
