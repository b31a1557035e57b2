import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// Where a message goes: the folder of a tree, and its part when messages are split.
struct DestinationKey: Hashable {
    var folder: [String] = []
    var part: String?
}

/// The places of all destinations of a conversion.
struct DestinationPlan {
    let base: String
    let format: MailboxFormat
    /// Destinations are folders of a tree.
    let isTree: Bool
    /// Messages are split by date, sender or size.
    let isSplit: Bool
    /// The folders that messages come from.
    let folders: Set<[String]>

    /// There is one destination, at the base itself.
    var isSingle: Bool { !isTree && !isSplit }
    /// The base is a directory that holds the destinations.
    var holdsDestinations: Bool {
        isTree || (isSplit && (format.isDirectory || base.utf8.last == ASCII.slash || Files.isDirectory(base)))
    }

    func path(_ key: DestinationKey) -> String {
        if isSingle { return base }
        let base = base.utf8.count > 1 && base.utf8.last == ASCII.slash ? String(base.dropLast()) : base
        if format == .maildirPlusPlus {
            let name = FolderName.maildirPlusPlus(key.folder + (key.part.map { [$0] } ?? []))
            return name.isEmpty ? base : "\(base)/\(name)"
        }
        if format.isDirectory {
            let inbox = format == .mh && isTree && key.folder.isEmpty ? ["inbox"] : []
            return ([base] + (inbox + key.folder + (key.part.map { [$0] } ?? [])).map(FolderName.fileName))
                .joined(separator: "/")
        }
        let part = key.part.map(FolderName.fileName)
        if isTree { return "\(base)/\(filePath(key.folder))\(part.map { "-\($0)" } ?? "")" }
        guard let part else { return base }
        return holdsDestinations ? "\(base)/\(part).\(format == .bsmtp ? "bsmtp" : "mbox")" : Self.numbered(base, part)
    }

    /// `out.mbox` with the part 2004 is `out-2004.mbox`.
    private static func numbered(_ base: String, _ part: String) -> String {
        let name = Files.name(of: base)
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return "\(base)-\(part)" }
        return "\(base.dropLast(name[dot...].count))-\(part)\(name[dot...])"
    }

    /// A folder with messages is a file; folders below it are then in a directory `NAME.sbd`, as Thunderbird has it.
    private func filePath(_ folder: [String]) -> String {
        if folder.isEmpty { return "INBOX" }
        var parts: [String] = []
        for index in folder.indices {
            let name = FolderName.fileName(folder[index])
            let isParent = index < folder.count - 1
            parts.append(isParent && folders.contains(Array(folder[...index])) ? "\(name).sbd" : name)
        }
        return parts.joined(separator: "/")
    }

    /// The journal of a conversion with several destinations.
    var journalPath: String {
        let base = base.utf8.count > 1 && base.utf8.last == ASCII.slash ? String(base.dropLast()) : base
        return holdsDestinations ? "\(base)/.mboxconv-run.journal" : "\(base).mboxconv-run-journal"
    }
}

/// Gives each message to its destination, which is opened when the first one comes.
final class DestinationTree {
    let plan: DestinationPlan
    private let settings: WriteSettings
    private let journal: Journal?
    private let settled: () throws -> Void
    private var open: [DestinationKey: any Destination] = [:]
    private var order: [DestinationKey] = []
    private var current: (any Destination)?
    /// Destinations that are complete, with the messages that each got.
    private(set) var written: [(key: DestinationKey, path: String, messages: Int)] = []

    /// `settled` is called when all destinations are complete, before what tells how to go on is removed.
    init(_ plan: DestinationPlan, _ settings: WriteSettings, settled: @escaping () throws -> Void) throws {
        self.plan = plan
        self.settled = settled
        self.settings = settings
        guard !plan.isSingle else {
            journal = nil
            return
        }
        do throws(SystemError) {
            if plan.holdsDestinations { try Files.makeDirectory(plan.base, mode: 0o700, parents: true) }
        } catch {
            throw DestinationFailure.cannotCreate(plan.base, error)
        }
        let journal = try Journal(
            plan.journalPath, identity: settings.identity, resuming: settings.isResuming, destination: plan.base)
        try journal.begin(synchronizing: settings.isSynchronized)
        self.journal = journal
    }

    /// Whether an earlier run was interrupted.
    var isResumed: Bool { journal?.isResumed ?? false }

    /// Opens the destination of `key` and makes it the one that messages go to.
    func select(_ key: DestinationKey) throws {
        if let known = open[key] {
            current = known
            return
        }
        let path = plan.path(key)
        let isComplete = journal?.values("complete").contains(path) ?? false
        if !plan.isSingle, !isComplete { try prepare(path, key) }
        let destination: any Destination =
            isComplete ? CompleteDestination(WriteSettings.journalPath(plan.format, path)) : try settings.open(path)
        open[key] = destination
        order.append(key)
        current = destination
    }

    private func prepare(_ path: String, _ key: DestinationKey) throws {
        do throws(SystemError) {
            if let parent = Files.parent(of: path) { try Files.makeDirectory(parent, mode: 0o700, parents: true) }
            if plan.format == .maildirPlusPlus {
                // The tree's own Maildir, and the mark of a folder of it.
                _ = try Maildir.create(plan.base, synchronizing: settings.isSynchronized)
                if path != plan.base {
                    _ = try Maildir.create(path, synchronizing: settings.isSynchronized)
                    let mark = try FileDescriptor.open("\(path)/maildirfolder", O_WRONLY | O_CREAT, mode: 0o600)
                    try mark.close()
                }
            }
        } catch {
            throw DestinationFailure.cannotCreate(path, error)
        }
    }

    func begin(_ envelope: Envelope, _ head: MessageHead) throws { try current?.begin(envelope, head) }
    func write(_ bytes: Span<UInt8>) throws { try current?.write(bytes) }
    func end(size: Int) throws { try current?.end(size: size) }

    /// All messages of the open destinations are there.
    func completeOpen() throws {
        for key in order {
            guard let destination = open[key] else { continue }
            let path = plan.path(key)
            try destination.complete()
            written.append((key, path, destination.delivered))
            if plan.isSingle { try settled() }
            do throws(SystemError) {
                if !(destination is CompleteDestination) {
                    try journal?.note("complete \(path)", synchronizing: settings.isSynchronized)
                }
                try destination.forget()
            } catch {
                throw DestinationFailure.cannotWrite(plan.base, error, left: "go on with --resume")
            }
        }
        open = [:]
        order = []
        current = nil
    }

    /// Everything is there.
    func complete() throws {
        try completeOpen()
        if !plan.isSingle { try settled() }
        do throws(SystemError) {
            try journal?.remove()
        } catch {
            throw DestinationFailure.cannotWrite(plan.base, error, left: "all messages are there")
        }
    }

    /// An error has ended it: where nothing stays that a later run could go on from, no journal does.
    func abandon() {
        let keeps = order.contains { open[$0].map { $0.delivered > 0 && !($0 is FileDestination) } ?? false }
        if isResumed || keeps || !written.isEmpty { return }
        try? journal?.remove()
    }

    /// Stops in the middle; returns what there is.
    func interrupt() throws -> String {
        var count = written.reduce(0) { $0 + $1.messages }
        var canResume = !written.isEmpty
        for key in order {
            guard let destination = open[key] else { continue }
            if try destination.interrupt() {
                count += destination.delivered
                canResume = true
            }
        }
        if canResume { return wholeMessages(count) }
        try journal?.remove()
        return settings.isAppending ? "it is as it was before: run it again" : "nothing was written: run it again"
    }
}

/// A destination that an earlier run has completed: its messages come again, and are there.
private final class CompleteDestination: Destination {
    private(set) var delivered = 0
    private let journalPath: String

    init(_ journalPath: String) { self.journalPath = journalPath }

    func begin(_ envelope: Envelope, _ head: MessageHead) throws { delivered += 1 }
    func write(_ bytes: Span<UInt8>) throws {}
    func end(size: Int) throws {}
    func complete() throws {}
    func forget() throws(SystemError) { if Files.exists(journalPath) { try Files.remove(journalPath) } }
    func interrupt() throws -> Bool { true }
}
