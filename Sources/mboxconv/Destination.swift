import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// A mailbox that messages are written to.
protocol Destination: AnyObject {
    /// Messages that stand there and are whole.
    var delivered: Int { get }
    func begin(_ envelope: Envelope, _ head: MessageHead) throws
    func write(_ bytes: Span<UInt8>) throws
    func end(size: Int) throws
    /// All is there: makes it last, and visible.
    func complete() throws
    /// What tells how to go on is not needed any more.
    func forget() throws(SystemError)
    /// Stops in the middle, so that a later run can go on. Returns whether there is anything to go on from.
    func interrupt() throws -> Bool
}

/// How destinations are written.
struct WriteSettings {
    let format: MailboxFormat
    let crlf: Bool
    let isAppending: Bool
    let isResuming: Bool
    let lockTimeout: Duration?
    let isSynchronized: Bool
    let stripsStatus: Bool
    let jobs: Int
    /// What tells this conversion from others.
    let identity: [String]

    init(_ arguments: Arguments, format: MailboxFormat, identity: [String]) {
        self.format = format
        self.identity = identity
        crlf = arguments[Mboxconv.crlf]
        isAppending = arguments[Mboxconv.append]
        isResuming = arguments[Mboxconv.resume]
        lockTimeout = arguments.lockTimeout
        isSynchronized = !arguments[Mboxconv.noSync]
        stripsStatus = arguments[Mboxconv.stripStatus]
        jobs = arguments[Mboxconv.jobs] ?? max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    }

    /// The journal of one destination.
    func journal(of path: String) throws -> Journal {
        try Journal(Self.journalPath(format, path), identity: identity, resuming: isResuming, destination: path)
    }

    static func journalPath(_ format: MailboxFormat, _ path: String) -> String {
        guard format.isDirectory else { return "\(path).mboxconv-journal" }
        let folder = path.utf8.last == ASCII.slash ? String(path.dropLast()) : path
        return format.isMaildir ? "\(folder)/mboxconv.journal" : "\(folder)/.mboxconv.journal"
    }

    /// Opens the destination at `path`.
    func open(_ path: String) throws -> any Destination {
        if format.isMaildir { return try MaildirDestination(path, self) }
        if format.isDirectory { return try FilesDestination(path, self) }
        if format == .bsmtp { return try FileDestination(path, BatchEncoder(), self) }
        return try FileDestination(
            path, MboxEncoder(format: format.mbox ?? .mboxrd, crlf: crlf, stripsStatus: stripsStatus), self)
    }
}

/// What goes wrong with a destination.
enum DestinationFailure {
    /// What is said, and the code, when a destination cannot be made or opened.
    static func cannotCreate(_ path: String, _ error: SystemError) -> ToolFailure {
        let code: ExitCode =
            switch error.code {
            case EACCES, EPERM: .noPermission
            case ENOSPC, EDQUOT, EFBIG, EIO: .ioError
            default: .cannotCreate
            }
        return ToolFailure(code, "\(path): cannot be made or opened: \(error.reason): name another, or make its folder")
    }

    static func cannotWrite(_ path: String, _ error: SystemError, left: String) -> ToolFailure {
        let advice = error.isOutOfSpace ? ": make room" : ""
        return ToolFailure(
            error.code == EACCES || error.code == EPERM ? .noPermission : .ioError,
            "\(path): cannot write: \(error.reason)\(advice); \(left)")
    }

    static func notEmpty(_ path: String, _ what: String) -> ToolFailure {
        ToolFailure(.cannotCreate, "\(path): \(what): use --append to add to it, or name another destination")
    }
}

/// Many messages that are there stay whole, and --resume goes on behind them.
func wholeMessages(_ count: Int) -> String {
    "\(count) whole message\(count == 1 ? " is" : "s are") there: go on with --resume"
}
