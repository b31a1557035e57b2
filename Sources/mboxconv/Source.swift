import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// A mailbox to read: what it is, and what was found out about it.
struct Source {
    /// As given on the command line.
    let name: String
    let storage: Storage
    /// Why it is taken for what it is; nil when the user said so.
    var reason: String?
    /// False when it might be something else.
    var isCertain = true

    enum Storage {
        /// An mbox in a file; for standard input, in a temporary file.
        case mbox(MboxFormat, path: String)
        /// An mbox from standard input, read once.
        case stream(MboxFormat)
        case maildir(path: String)
    }

    var format: MailboxFormat {
        switch storage {
        case .mbox(let format, _), .stream(let format): MailboxFormat(format)
        case .maildir: .maildir
        }
    }

    /// What the mailbox looked like, when all of it was looked at.
    var survey: MboxSurvey?

    /// How long to wait for other programs that write to the mailbox; nil takes no lock.
    let lockTimeout: Duration?

    /// Finds out what `name` is. `spool` keeps standard input when it has to be read twice.
    init(_ name: String, format: String, lockTimeout: Duration?, spool: Spool, isReread: Bool) throws {
        self.name = name
        self.lockTimeout = lockTimeout
        let given = MailboxFormat(rawValue: format)
        if name == "-" {
            if given == .maildir { throw ToolFailure(.usage, "-: a Maildir cannot come from standard input") }
            if let mbox = given?.mbox, !mbox.countsContent, !isReread {
                storage = .stream(mbox)
                return
            }
            let path = try spool.keepStandardInput()
            (storage, survey) = try Self.mbox(path, given, name: "standard input", lockTimeout: nil)
        } else {
            let status: stat
            do throws(SystemError) { status = try Files.status(name) } catch { throw Self.failure(name, error) }
            switch Files.kind(of: status) {
            case .directory:
                guard Maildir.isMaildir(name) else {
                    throw ToolFailure(.dataError, "\(name): a directory, but no Maildir: it has no new/ and cur/")
                }
                if let given, given != .maildir {
                    throw ToolFailure(.dataError, "\(name): a Maildir, not \(given.rawValue): leave out --from")
                }
                storage = .maildir(path: name)
                return
            case .other where !isReread && given?.mbox != nil && given?.mbox?.countsContent == false, .file:
                if given == .maildir { throw ToolFailure(.dataError, "\(name): a file, not a Maildir") }
                (storage, survey) = try Self.mbox(name, given, name: name, lockTimeout: lockTimeout)
            case .other:
                // A pipe or a device can be read only once.
                let path = try spool.keep(name)
                (storage, survey) = try Self.mbox(path, given, name: name, lockTimeout: nil)
            }
        }
        if let survey {
            reason = survey.reason
            isCertain = survey.isCertain
        }
    }

    private static func mbox(
        _ path: String, _ given: MailboxFormat?, name: String, lockTimeout: Duration?
    ) throws -> (Storage, MboxSurvey?) {
        if let mbox = given?.mbox {
            return (.mbox(mbox, path: path), nil)
        }
        let file = try open(path, as: name, lockTimeout: lockTimeout)
        do throws(MailboxError) {
            let survey = try MboxSurvey(file)
            return (.mbox(survey.format, path: path), survey)
        } catch {
            throw failure(name, error)
        }
    }

    /// Opens a mailbox for reading, under a lock that lasts until it is closed.
    static func open(_ path: String, as name: String, lockTimeout: Duration?) throws -> FileDescriptor {
        do throws(SystemError) {
            let file = try FileDescriptor.open(path, O_RDONLY)
            guard let lockTimeout, Files.kind(of: try file.status()) == .file else { return file }
            // A file system without locks is read without.
            if (try? FileLock.shared(file, timeout: lockTimeout)) ?? true { return file }
        } catch {
            throw failure(name, error)
        }
        throw ToolFailure(
            .temporaryFailure,
            "\(name): another program is writing to it: try again, wait longer with --lock-timeout, or use --no-lock")
    }

    /// What is said, and the code, when `name` cannot be read.
    static func failure(_ name: String, _ error: MailboxError) -> any Error {
        switch error {
        case .system(let error): return failure(name, error)
        case .interrupted: return Interrupted()
        case .notMailbox(let first):
            let what = "not an mbox: it begins with \(MailboxError.describe(first)) and not with \"From \""
            return ToolFailure(.dataError, "\(name): \(what): give a file that holds an mbox, or a Maildir")
        }
    }

    static func failure(_ name: String, _ error: SystemError) -> ToolFailure {
        switch error.code {
        case ENOENT, ENOTDIR: ToolFailure(.noInput, "\(name): no such mailbox: check the path")
        case EACCES, EPERM: ToolFailure(.noPermission, "\(name): cannot be read: \(error.reason)")
        case EISDIR: ToolFailure(.noInput, "\(name): a directory")
        default: ToolFailure(.ioError, "\(name): \(error.description)")
        }
    }
}

/// A signal asked to stop.
struct Interrupted: Error {
    /// What there is of the destination.
    var left = "nothing was written"
}

/// Temporary files for input that can be read only once; removed with it.
final class Spool {
    private var directory: TemporaryDirectory?
    private var standardInput: String?
    private var count = 0

    /// Copies standard input, the first time, and returns where to.
    func keepStandardInput() throws -> String {
        if let standardInput { return standardInput }
        var status = stat()
        if fstat(0, &status) == 0, Files.kind(of: status) == .file, lseek(0, 0, SEEK_CUR) == 0 {
            // A file can be read as often as wished.
            return "/dev/stdin"
        }
        do throws(MailboxError) {
            let path = try copy(FileDescriptor(owning: dup(0), subject: "standard input"))
            standardInput = path
            return path
        } catch {
            throw Source.failure("standard input", error)
        }
    }

    /// Copies what is no regular file.
    func keep(_ path: String) throws -> String {
        let file = try Source.open(path, as: path, lockTimeout: nil)
        do throws(MailboxError) {
            return try copy(file)
        } catch {
            throw Source.failure(path, error)
        }
    }

    private func copy(_ file: consuming FileDescriptor) throws(MailboxError) -> String {
        do throws(SystemError) {
            if directory == nil { directory = try TemporaryDirectory(prefix: "mboxconv") }
            count += 1
            let path = "\(directory?.path ?? ".")/\(count)"
            let copy = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
            var buffer: [UInt8] = []
            while file.waitForInput() {
                if try file.read(into: &buffer, atMost: 256 << 10) == 0 { return path }
                try copy.writeAll(buffer)
                buffer.removeAll(keepingCapacity: true)
            }
        } catch {
            throw .system(error)
        }
        throw .interrupted
    }
}
