import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// What the destination is to be, by what was said and what is there.
struct DestinationForm {
    private let destination: String
    private let arguments: Arguments

    init(_ destination: String, _ arguments: Arguments) {
        self.destination = destination
        self.arguments = arguments
    }

    private var isDirectory: Bool { destination != "-" && Files.isDirectory(destination) }

    /// The format: as said, else that of what is there, else by the name.
    func format(appendingLike look: Source.Look) throws -> MailboxFormat {
        if let given = MailboxFormat(rawValue: arguments[Mboxconv.to]) { return given }
        if destination == "-" { return .mboxrd }
        if arguments[Mboxconv.append] || arguments[Mboxconv.resume], let there = try existingFormat(look) {
            return there
        }
        let name = Files.name(of: destination).asciiLowercased
        if isDirectory || destination.utf8.last == ASCII.slash {
            guard isDirectory, !Maildir.isMaildir(destination) else { return .maildir }
            return (try? DirectoryLook(destination))?.format ?? .maildir
        }
        if name.hasSuffix(".bsmtp") { return .bsmtp }
        return !Files.exists(destination) && name.hasSuffix("maildir") ? .maildir : .mboxrd
    }

    /// What an mbox that is appended to is: its messages are counted when those that are there are.
    private func existingFormat(_ look: Source.Look) throws -> MailboxFormat? {
        guard Files.kind(destination) == .file else { return nil }
        return try Source(
            destination,
            Source.Look(format: "auto", lockTimeout: look.lockTimeout, spool: look.spool, isReread: true)
        ).format
    }

    /// Refuses what cannot be.
    func check(_ plan: DestinationPlan) throws {
        let format = plan.format
        if arguments[Mboxconv.verify], !arguments[Mboxconv.dryRun],
            destination == "-" || Files.kind(destination) == .other
        {
            throw ToolFailure(.usage, "\(destination): cannot be read again: --verify needs a file or a directory")
        }
        if destination == "-", format.isDirectory || !plan.isSingle {
            throw ToolFailure(
                .usage,
                plan.isSingle
                    ? "-: a \(format.title) cannot go to standard output"
                    : "-: --recursive and --split need a destination of files")
        }
        if arguments[Mboxconv.crlf], format.mbox == nil {
            throw ToolFailure(
                .usage, "--crlf: is for an mbox; the messages of a \(format.title) keep their line ends")
        }
        let kind = destination == "-" ? nil : Files.kind(destination)
        if format.isDirectory || plan.isTree, let kind, kind != .directory {
            throw ToolFailure(
                .cannotCreate, "\(destination): there is a file: name a directory for a \(format.title)")
        }
        if plan.isSingle, !format.isDirectory, kind == .directory {
            throw ToolFailure(.cannotCreate, "\(destination): a directory: name a file for \(format.title)")
        }
    }
}

/// What tells a file or directory from all others, whatever it is called.
struct FileIdentity: Hashable {
    private let device: UInt
    private let inode: UInt

    init?(_ path: String) {
        guard let status = try? Files.status(path) else { return nil }
        self.init(status)
    }

    init(_ status: stat) {
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
    }

    /// What is open as this descriptor.
    init?(descriptor number: Int32) {
        var status = stat()
        guard fstat(number, &status) == 0, Files.kind(of: status) != .other else { return nil }
        self.init(status)
    }
}

/// Reading and writing the same mailbox would never end, or lose it.
struct SamePlace {
    private let destination: String
    private let isTree: Bool

    init(_ destination: String, isTree: Bool) {
        self.destination = destination
        self.isTree = isTree
    }

    func refuse(_ sources: [String]) throws {
        let target = destination == "-" ? FileIdentity(descriptor: 1) : FileIdentity(destination)
        if destination != "-", Files.kind(destination) == .other { return }
        for name in sources {
            let source = name == "-" ? FileIdentity(descriptor: 0) : FileIdentity(name)
            if let source, source == target { throw refusal(name) }
            guard name != "-", destination != "-", Files.isDirectory(name) else { continue }
            // A Maildir may share its messages with another by a link.
            for part in ["new", "cur"] {
                let place = FileIdentity("\(destination)/\(part)")
                if let place, place == FileIdentity("\(name)/\(part)") || place == source { throw refusal(name) }
                if let target, target == FileIdentity("\(name)/\(part)") { throw refusal(name) }
            }
            if isTree, let inner = Self.resolved(destination), let outer = Self.resolved(name),
                inner.hasPrefix(outer == "/" ? outer : outer + "/")
            {
                throw ToolFailure(.usage, "\(destination): lies within \(name): name a destination outside of it")
            }
        }
    }

    private func refusal(_ name: String) -> ToolFailure {
        ToolFailure(.usage, "\(name): source and destination are the same: name another destination")
    }

    /// The path without links; of what is not there yet, that of its folder with its name.
    private static func resolved(_ path: String) -> String? {
        if let resolved = Files.resolved(path) { return resolved }
        guard let parent = Files.parent(of: path), parent != path, let folder = resolved(parent) else { return nil }
        return "\(folder)/\(Files.name(of: path))"
    }
}

extension WriteSettings {
    /// Refuses a destination that holds something, unless it is to be added to.
    func refuseUnlessEmpty(_ path: String) throws {
        guard let kind = Files.kind(path), kind != .other else { return }
        if kind == .file {
            guard let status = try? Files.status(path), status.st_size > 0 else { return }
            throw DestinationFailure.notEmpty(path, "is not empty")
        }
        guard format.isDirectory, !format.isMaildir || Maildir.isMaildir(path) else { return }
        let count: Int
        do throws(SystemError) {
            count = try MessageFiles(format, path).files.count
        } catch {
            throw DestinationFailure.cannotCreate(path, error)
        }
        if count > 0 { throw DestinationFailure.notEmpty(path, "holds \(count) message\(count == 1 ? "" : "s")") }
    }
}

extension Source {
    /// What tells whether a source is the one of an earlier run.
    var identity: String {
        switch storage {
        case .mbox(_, let input), .batch(let input), .message(let input):
            let status = name == "-" ? nil : input.path.flatMap { try? Files.status($0) }
            return "\(format.rawValue) \(status?.st_size ?? -1) \(name)"
        case .directory(let format, let path):
            // Messages that come or go change what is to be skipped; flags do not.
            var digest: UInt64 = 0xCBF2_9CE4_8422_2325
            let files = (try? listed(format, path))?.files ?? []
            for file in files {
                for byte in file.entry?.name.unique ?? file.name {
                    digest = (digest ^ UInt64(byte)) &* 0x100_0000_01B3
                }
            }
            return "\(format.rawValue) \(files.count) \(String(digest, radix: 36)) \(name)"
        }
    }
}
