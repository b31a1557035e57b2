import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// A mailbox to read: what it is, and what was found out about it.
struct Source {
    /// As given on the command line, or its place below that.
    let name: String
    /// The folder that it is in a tree of folders; empty for the inbox, or where there is no tree.
    var folder: [String] = []
    private(set) var storage: Storage
    /// Why it is taken for what it is; nil when the user said so.
    private(set) var reason: String?
    /// False when it might be something else.
    private(set) var isCertain = true
    /// What the mailbox looked like, when all of it was looked at.
    private(set) var survey: MboxSurvey?
    /// Folders below a directory, which are read with --recursive only.
    private(set) var subfolders = 0
    private let listing = Listing()

    enum Storage {
        case mbox(MboxFormat, MailboxInput)
        case batch(MailboxInput)
        /// One message.
        case message(MailboxInput)
        case directory(MailboxFormat, path: String)
    }

    /// How a source is to be looked at.
    struct Look {
        /// `auto`, or the name of a format.
        let format: String
        let lockTimeout: Duration?
        /// Keeps what can be read only once and has to be read twice.
        let spool: Spool
        let isReread: Bool

        var given: MailboxFormat? { MailboxFormat(rawValue: format) }
    }

    var format: MailboxFormat {
        switch storage {
        case .mbox(let format, _): MailboxFormat(format)
        case .batch: .bsmtp
        case .message: .eml
        case .directory(let format, _): format
        }
    }

    /// How much of a stream is looked at to tell its variant.
    private static let lookLimit = 8 << 20

    /// It was fetched from a POP3 server.
    private var isFetched = false
    /// What the format is called in reports.
    var formatName: String { isFetched ? "pop3" : format.rawValue }

    /// Messages that came from a POP3 server, as they lie in a directory of `.eml` files until they are converted.
    init(fetchedFrom name: String, to path: String) {
        self.name = name
        storage = .directory(.eml, path: path)
        isFetched = true
    }

    /// Finds out what `name` is.
    init(_ name: String, _ look: Look) throws {
        if name == "-" {
            try self.init(standardInput: look)
            return
        }
        let status: stat
        do throws(SystemError) { status = try Files.status(name) } catch { throw Self.failure(name, error) }
        if Files.kind(of: status) == .directory {
            try self.init(directory: name, look)
            return
        }
        if let given = look.given, given.isMaildir || given == .mh {
            throw ToolFailure(.dataError, "\(name): a file, not a \(given.title)")
        }
        let lockTimeout = Files.kind(of: status) == .file ? look.lockTimeout : nil
        var input = MailboxInput(name: name, path: name, lockTimeout: lockTimeout)
        if Files.kind(of: status) == .other {
            // A pipe or a device can be read only once.
            input = MailboxInput(name: name, path: try look.spool.keep(input), lockTimeout: nil)
        }
        try self.init(name, input, look)
    }

    private init(standardInput look: Look) throws {
        if let given = look.given, given.isMaildir || given == .mh {
            throw ToolFailure(.usage, "-: a \(given.title) cannot come from standard input")
        }
        let needsFile = look.isReread || look.given?.mbox?.countsContent ?? false
        let path = needsFile ? try look.spool.keepStandardInput() : Spool.standardInputFile
        try self.init("-", MailboxInput(name: "standard input", path: path, lockTimeout: nil), look)
    }

    /// What is one file or stream.
    private init(_ name: String, _ input: MailboxInput, _ look: Look) throws {
        self.name = name
        var input = input
        var start = try input.look(atMost: input.path == nil ? Self.lookLimit : 4_096)
        if let compression = Compression(magic: start.bytes) {
            if input.path == nil {
                input = MailboxInput(name: input.name, path: try look.spool.keep(input), lockTimeout: nil)
            }
            input.compression = compression
            start = try input.look(atMost: Self.lookLimit)
        }
        (storage, reason, isCertain, survey) = (.message(input), nil, true, nil)
        switch look.given {
        case .bsmtp: storage = .batch(input)
        case .eml: break
        case .some(let given):
            guard let mbox = given.mbox else { break }
            try settle(mbox, input, look.spool)
        case nil: try detect(input, start, look.spool)
        }
    }

    private mutating func detect(
        _ input: MailboxInput, _ start: (bytes: [UInt8], isWhole: Bool), _ spool: Spool
    ) throws {
        if BatchScanner.begins(start.bytes.span) {
            storage = .batch(input)
            reason = "begins as an SMTP session does"
            return
        }
        let text = start.bytes.drop { $0 == ASCII.lf || $0 == ASCII.cr }
        if !text.starts(with: "From ".utf8), name.asciiLowercased.hasSuffix(".eml"), !text.isEmpty {
            reason = "one message"
            return
        }
        do {
            if input.isSeekable {
                try examine(input)
            } else if let survey = try MboxSurvey(start: start.bytes, isWhole: start.isWhole) {
                take(survey, input)
                if !start.isWhole { reason = "\(survey.reason) in the first 8 MiB" }
            } else {
                try examine(kept(input, spool))
            }
        } catch let error as MailboxError {
            throw Self.failure(input.name, error)
        }
    }

    /// Looks at all of a file.
    private mutating func examine(_ input: MailboxInput) throws {
        var open = try input.open()
        guard let file = open.file.take() else { return }
        let survey = try MboxSurvey(file)
        take(survey, input)
        self.survey = survey
    }

    private func kept(_ input: MailboxInput, _ spool: Spool) throws -> MailboxInput {
        MailboxInput(name: input.name, path: try spool.keep(input), lockTimeout: nil)
    }

    private mutating func take(_ survey: MboxSurvey, _ input: MailboxInput) {
        storage = .mbox(survey.format, input)
        reason = survey.reason
        isCertain = survey.isCertain
    }

    /// A variant that was said. Content-Length is proved by looking ahead: that needs a file.
    private mutating func settle(_ mbox: MboxFormat, _ input: MailboxInput, _ spool: Spool) throws {
        storage = .mbox(mbox, mbox.countsContent && !input.isSeekable ? try kept(input, spool) : input)
    }

    // MARK: Directories

    /// The files of a directory that were listed, for whom comes next.
    private final class Listing {
        var files: MessageFiles?
    }

    /// The messages of a directory as they are now.
    func listed(_ format: MailboxFormat, _ path: String) throws(SystemError) -> MessageFiles {
        let files = try MessageFiles(format, path)
        listing.files = files
        return files
    }

    /// The bytes of the files that were listed, when the names of all tell them.
    var listedSize: Int? {
        listing.files?.files.reduce(0) { sum, file in
            sum.flatMap { sum in file.entry?.name.size("S").map { sum + $0 } }
        }
    }

    /// The messages of a directory: those that were listed, the first time, else as they are now.
    func files(_ format: MailboxFormat, _ path: String) throws(SystemError) -> MessageFiles {
        if let files = listing.files {
            listing.files = nil
            return files
        }
        return try MessageFiles(format, path)
    }

    private init(directory name: String, _ look: Look) throws {
        self.name = name
        let found = try DirectoryLook(name)
        guard let format = look.given ?? found.format else {
            throw ToolFailure(.dataError, "\(name): \(found.refusal)")
        }
        guard format.isDirectory else {
            throw ToolFailure(
                .dataError,
                found.format.map { "\(name): a \($0.title), not \(format.rawValue): leave out --from" }
                    ?? "\(name): a directory, not \(format.rawValue): give files, or use --recursive for a tree")
        }
        if format.isMaildir, found.format?.isMaildir != true {
            throw ToolFailure(.dataError, "\(name): a directory, but no Maildir: it has no new/ and cur/")
        }
        storage = .directory(format, path: name)
        reason = look.given == nil ? found.reason : nil
        isCertain = found.isCertain
        subfolders = found.subfolders
    }

    // MARK: Failures

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
        case ELOOP: ToolFailure(.noInput, "\(name): \(error.reason): give the path of the mailbox itself")
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
