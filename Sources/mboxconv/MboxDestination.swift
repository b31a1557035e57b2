import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// An mbox that messages are written to: a new file, one that is appended to, a device, or standard output.
///
/// A new file is a temporary one beside its place until all is written; an appended one is cut back unless `finish` is
/// reached: either way nothing half-written stays.
final class MboxDestination: MessageSink {
    private enum Target {
        /// A temporary file, to be renamed to the path.
        case file(temporary: String)
        case appended
        case device
        case standardOutput
    }

    /// How much is written at once.
    private static let step = 1 << 20

    private let path: String
    private let target: Target
    private let crlf: Bool
    private let isSynchronized: Bool
    private let stripsStatus: Bool
    private var file: FileDescriptor?
    private var appender: MboxAppender?
    private var writer: MboxWriter
    /// Where output is kept whose counted messages need patches, when it goes where nothing can be patched.
    private let spool: TemporaryDirectory?
    private var isFinished = false

    /// Opens the mailbox `path`; `-` is standard output. A `lockTimeout` of nil takes no locks.
    init(
        _ path: String, format: MboxFormat, crlf: Bool, appending: Bool, lockTimeout: Duration?, isSynchronized: Bool,
        stripsStatus: Bool
    ) throws {
        self.stripsStatus = stripsStatus
        self.path = path
        self.crlf = crlf
        self.isSynchronized = isSynchronized
        var offset = 0
        var spool: TemporaryDirectory?
        if path == "-" || Files.kind(path) == .other {
            target = path == "-" ? .standardOutput : .device
            if format.countsContent {
                let directory = try TemporaryDirectory(prefix: "mboxconv")
                file = try FileDescriptor.open("\(directory.path)/mbox", O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
                spool = directory
            } else if path != "-" {
                file = try FileDescriptor.open(path, O_WRONLY)
            }
        } else if appending, Files.exists(path) {
            target = .appended
            do throws(MboxAppender.Failure) {
                appender = try MboxAppender.open(path, timeout: lockTimeout)
            } catch {
                throw Self.failure(path, error)
            }
            offset = appender?.start ?? 0
        } else {
            let temporary = Self.temporaryName(for: path)
            target = .file(temporary: temporary)
            do throws(SystemError) {
                file = try Self.create(temporary, like: path)
            } catch {
                throw Conversion.cannotCreate(path, error)
            }
        }
        self.spool = spool
        writer = MboxWriter(format: format, crlf: crlf, offset: offset)
        if let missing = appender?.missingLineEnds { writer.writeLineEnds(missing) }
    }

    /// A name beside the place where the mailbox will be; of the file itself when `path` is a link to one.
    private static func temporaryName(for path: String) -> String { "\(resolved(path)).tmp.\(getpid())" }

    /// Removes the temporary files of processes that are gone.
    static func removeTemporaries(of path: String) throws {
        guard path != "-" else { return }
        let place = resolved(path)
        let start = "\(Files.name(of: place)).tmp."
        let folder = Files.parent(of: place) ?? "/"
        for name in try Files.names(inDirectory: folder).map(\.text) where name.hasPrefix(start) {
            guard let process = pid_t(name.dropFirst(start.count)), process > 0, kill(process, 0) != 0, errno == ESRCH
            else { continue }
            try Files.remove("\(folder)/\(name)")
        }
    }

    private static func resolved(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Makes the temporary file. An empty mailbox that is there keeps its mode, and its owner as far as allowed.
    private static func create(_ temporary: String, like path: String) throws(SystemError) -> FileDescriptor {
        let file = try FileDescriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        if let status = try? Files.status(path) {
            _ = fchown(file.number, status.st_uid, status.st_gid)
            _ = fchmod(file.number, status.st_mode & 0o7777)
        }
        return file
    }

    private static func failure(_ path: String, _ error: MboxAppender.Failure) -> any Error {
        switch error {
        case .system(let error): Conversion.cannotCreate(path, error)
        case .locked:
            ToolFailure(
                .temporaryFailure,
                "\(path): another program holds its lock: try again, wait longer with --lock-timeout, "
                    + "or remove \(path).lock if that program is gone")
        case .notMailbox(let first):
            ToolFailure(
                .dataError,
                "\(path): not an mbox: it begins with \(MailboxError.describe(first)): nothing was appended")
        }
    }

    deinit {
        if !isFinished, case .file(let temporary) = target { try? Files.remove(temporary) }
    }

    func begin(_ envelope: Envelope, _ head: MessageHead) throws {
        let fromLine =
            envelope.fromLine
            ?? FromLine.compose(sender: head.sender ?? [], date: envelope.received)
        // Between mboxes the fields of the store stay where they are.
        let isFromMbox = envelope.fromLine != nil
        let stored = head.stored(
            removingStatus: !isFromMbox || stripsStatus, adding: isFromMbox || stripsStatus ? nil : envelope.flags,
            lineEnd: head.lineEnd)
        writer.begin(
            fromLine: fromLine, header: stored.bytes, fieldsEnd: stored.fieldsEnd,
            lastLineEnd: !canPatch && envelope.lastLineEnd == .uncertain ? .present : envelope.lastLineEnd)
    }

    /// Whether bytes can be written at a place that has been passed.
    private var canPatch: Bool {
        switch target {
        case .file, .appended: true
        case .device, .standardOutput: spool != nil
        }
    }

    func write(_ bytes: Span<UInt8>) throws {
        writer.write(bytes)
        if writer.readyCount >= Self.step { try drain() }
    }

    func end(size: Int) throws {
        writer.end()
        if writer.readyCount >= Self.step || !writer.patches.isEmpty { try drain() }
    }

    private func drain() throws {
        let output = writer.output
        let ready = output.span.extracting(0..<writer.readyCount)
        if file == nil, appender == nil {
            Output.standard.write(ready)
        } else {
            do throws(SystemError) {
                try file?.writeAll(ready)
                try appender?.write(ready)
                for patch in writer.patches {
                    try file?.writeAll(patch.bytes, at: patch.offset)
                    try appender?.patch(patch.bytes, at: patch.offset)
                }
            } catch {
                throw writeFailure(error)
            }
        }
        writer.removeReady()
    }

    private func writeFailure(_ error: SystemError) -> ToolFailure {
        let advice = error.isOutOfSpace ? ": make room and run it again" : ""
        let left = if case .appended = target { "it is as it was before" } else { "nothing was left behind" }
        return ToolFailure(.ioError, "\(path): cannot write: \(error.reason)\(advice); \(left)")
    }

    /// Writes the rest and puts the mailbox in its place.
    func finish() throws {
        try drain()
        do throws(SystemError) {
            switch target {
            case .standardOutput, .device: try copyOut()
            case .appended: try appender?.commit(synchronizing: isSynchronized)
            case .file(let temporary):
                if isSynchronized { try file?.synchronize() }
                file = nil
                let place = Self.resolved(path)
                if Files.exists(place) {
                    try Files.rename(temporary, to: place)
                } else {
                    try Files.renameWithoutReplacing(temporary, to: place)
                }
                isFinished = true
                if isSynchronized { try Files.synchronizeDirectory(Files.parent(of: place) ?? "/") }
            }
        } catch {
            throw writeFailure(error)
        }
        isFinished = true
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
}
