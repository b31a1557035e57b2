import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// One run that copies sources to a destination.
struct Conversion {
    private let arguments: Arguments
    private let names: [String]
    private let destination: String

    init(_ arguments: Arguments) throws {
        self.arguments = arguments
        guard let last = arguments.operands.last, arguments.operands.count >= 2 else {
            throw ToolFailure(
                .usage,
                arguments.operands.isEmpty
                    ? "no SOURCE and DESTINATION given: see --help"
                    : "no DESTINATION given: name one, or use --count or --list to look at a SOURCE")
        }
        names = Array(arguments.operands.dropLast())
        destination = last
    }

    func run() throws -> ExitCode {
        do {
            return try convert()
        } catch let interrupted as Interrupted {
            Diagnostics.say("\(destination): interrupted: \(interrupted.left)")
            return ExitCode(128 + (Interruption.signal ?? SIGINT))
        }
    }

    private func convert() throws -> ExitCode {
        let spool = Spool()
        try refuseSameFile()
        let isVerified = arguments[Mboxconv.verify] && !arguments[Mboxconv.dryRun]
        if arguments[Mboxconv.verify], destination == "-" || Files.kind(destination) == .other {
            throw ToolFailure(.usage, "\(destination): cannot be read again: --verify needs a file or a Maildir")
        }
        let sources = try names.map { name in
            try Source(
                name, format: arguments[Mboxconv.from], lockTimeout: arguments.lockTimeout, spool: spool,
                isReread: isVerified)
        }
        let format = try destinationFormat()
        if arguments[Mboxconv.crlf], format == .maildir {
            throw ToolFailure(.usage, "--crlf: is for an mbox; the messages of a Maildir keep their line ends")
        }
        let journal = try Journal(destination, sources: sources, resuming: arguments[Mboxconv.resume])
        let existing = try existingMessages(format, journal, spool)
        var report = ConversionReport(destination: destination, format: format)
        let start = ContinuousClock.now
        if arguments[Mboxconv.dryRun] {
            var sink = Discard()
            try transfer(sources, into: &sink, report: &report)
        } else if let mbox = format.mbox {
            try writeMbox(mbox, sources, &report)
        } else {
            try writeMaildir(sources, journal, &report)
        }
        report.seconds = Double((ContinuousClock.now - start) / .microseconds(1)) / 1e6
        if isVerified {
            let verification = Verification(crlf: arguments[Mboxconv.crlf], format: format, existing: existing)
            report.verification = try verification.compare(sources, with: written(as: format, spool))
        }
        report.write(arguments)
        return report.verification?.isSame == false ? .negative : .ok
    }

    private func writeMbox(_ format: MboxFormat, _ sources: [Source], _ report: inout ConversionReport) throws {
        if arguments[Mboxconv.resume] { try MboxDestination.removeTemporaries(of: destination) }
        var sink = try MboxDestination(
            destination, format: format, crlf: arguments[Mboxconv.crlf], appending: arguments[Mboxconv.append],
            lockTimeout: arguments.lockTimeout, isSynchronized: !arguments[Mboxconv.noSync],
            stripsStatus: arguments[Mboxconv.stripStatus])
        do {
            try transfer(sources, into: &sink, report: &report)
        } catch is Interrupted where arguments[Mboxconv.append] {
            throw Interrupted(left: "it is as it was before")
        }
        try sink.finish()
    }

    private func writeMaildir(_ sources: [Source], _ journal: Journal, _ report: inout ConversionReport) throws {
        var sink = try MaildirDestination(
            destination, journal: journal, isSynchronized: !arguments[Mboxconv.noSync],
            stripsStatus: arguments[Mboxconv.stripStatus])
        do {
            try transfer(sources, into: &sink, report: &report)
        } catch is Interrupted {
            try sink.finish()
            throw Interrupted(left: "\(sink.delivered) whole messages are there: go on with --resume")
        }
        try sink.complete()
    }

    private func transfer(
        _ sources: [Source], into sink: inout some MessageSink, report: inout ConversionReport
    ) throws {
        var observed = ObservedSink(
            sink,
            listing: arguments[Mboxconv.verbose]
                ? MessageListing(arguments, ReportOutput(messagesTo: destination)) : nil,
            progress: arguments[Mboxconv.quiet] ? "never" : arguments[Mboxconv.progress],
            total: sources.map(\.size).reduce(0) { sum, size in sum.flatMap { sum in size.map { sum + $0 } } })
        for source in sources {
            let start = ContinuousClock.now
            observed.begin(source: source.name)
            let tally = try source.read(into: &observed)
            report.add(
                source, tally, seconds: Double((ContinuousClock.now - start) / .microseconds(1)) / 1e6)
        }
        observed.finish()
        sink = observed.base
    }

    // MARK: What the destination is

    private func destinationFormat() throws -> MailboxFormat {
        let isDirectory = destination != "-" && Files.isDirectory(destination)
        if let given = MailboxFormat(rawValue: arguments[Mboxconv.to]) {
            if given == .maildir, destination == "-" {
                throw ToolFailure(.usage, "-: a Maildir cannot go to standard output")
            }
            if given != .maildir, isDirectory {
                throw ToolFailure(.cannotCreate, "\(destination): a directory: name a file for an mbox")
            }
            if given == .maildir, Files.kind(destination).map({ $0 != .directory }) ?? false {
                throw ToolFailure(.cannotCreate, "\(destination): there is a file: name a directory for a Maildir")
            }
            return given
        }
        if destination == "-" { return .mboxrd }
        if arguments[Mboxconv.append], let format = try existingFormat() { return format }
        let name = Files.name(of: destination).asciiLowercased
        if isDirectory || destination.utf8.last == ASCII.slash { return .maildir }
        return !Files.exists(destination) && name.hasSuffix("maildir") ? .maildir : .mboxrd
    }

    /// What an mbox that is appended to is: its messages are counted when those that are there are.
    private func existingFormat() throws -> MailboxFormat? {
        guard Files.kind(destination) == .file else { return nil }
        let source = try Source(
            destination, format: "auto", lockTimeout: arguments.lockTimeout, spool: Spool(), isReread: true)
        return source.format
    }

    /// How many messages stand in the destination before; refuses one that is not empty without --append.
    private func existingMessages(_ format: MailboxFormat, _ journal: Journal, _ spool: Spool) throws -> Int {
        guard destination != "-", let kind = Files.kind(destination), kind != .other else { return 0 }
        do {
            if format == .maildir {
                guard Maildir.isMaildir(destination) else {
                    if try Files.names(inDirectory: destination).isEmpty { return 0 }
                    throw refusal("a directory that is not empty, and no Maildir", advice: "name another")
                }
                let count = try Maildir(destination).entries().count - journal.present
                if count > 0, journal.present == 0 {
                    try refuseUnlessAppending("holds \(count) message\(count == 1 ? "" : "s")")
                }
                return count
            }
            if try Files.status(destination).st_size == 0 { return 0 }
            try refuseUnlessAppending("is not empty")
        } catch let error as SystemError {
            throw Self.cannotCreate(destination, error)
        }
        guard arguments[Mboxconv.verify] else { return 0 }
        var sink = Discard()
        return try written(as: format, spool).read(into: &sink).messages
    }

    /// The destination, to be read.
    private func written(as format: MailboxFormat, _ spool: Spool) throws -> Source {
        try Source(
            destination, format: format.rawValue, lockTimeout: arguments.lockTimeout, spool: spool, isReread: true)
    }

    private func refuseUnlessAppending(_ what: String) throws {
        if !arguments[Mboxconv.append] {
            throw refusal(what, advice: "use --append to add to it, or name another destination")
        }
    }

    private func refusal(_ what: String, advice: String) -> ToolFailure {
        ToolFailure(.cannotCreate, "\(destination): \(what): \(advice)")
    }

    /// Reading and writing the same file would never end, or lose it.
    private func refuseSameFile() throws {
        let target = destination == "-" ? Self.status(ofDescriptor: 1) : try? Files.status(destination)
        guard let target, Files.kind(of: target) != .other else { return }
        for name in names {
            let source = name == "-" ? Self.status(ofDescriptor: 0) : try? Files.status(name)
            guard let source, source.st_dev == target.st_dev, source.st_ino == target.st_ino else { continue }
            throw ToolFailure(.usage, "\(name): source and destination are the same: name another destination")
        }
    }

    private static func status(ofDescriptor number: Int32) -> stat? {
        var status = stat()
        return fstat(number, &status) == 0 ? status : nil
    }

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
}
