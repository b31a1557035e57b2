import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// What is kept beside a destination into which mail is fetched: the ids of what it has already, and the messages that
/// were fetched and are not in it yet.
///
///     DESTINATION.mboxconv-pop3/uidls               a line a message that the destination has: ACCOUNT ID
///     DESTINATION.mboxconv-pop3/ACCOUNT.fetching/   messages that are being fetched, 1.eml, 2.eml and so on
///     DESTINATION.mboxconv-pop3/ACCOUNT.fetched/    all that one conversion takes: it is resumed until it is through
///
/// In the last two, `ids` has a line a message, in order: SIZE ID. After a kill at any point either a message is in
/// neither, and is fetched; or in one of them, and is converted; or its id is among those of the destination.
struct FetchStore: Sendable {
    static let suffix = ".mboxconv-pop3"
    /// No ids are kept: what is fetched is known in this run only.
    static let nowhere = "/dev/null"

    let folder: String
    let uniqueIDFile: String
    let isSynchronized: Bool
    private let account: String

    /// - Parameters:
    ///   - folder: where it is kept.
    ///   - uniqueIDFile: the file of ids, when it is elsewhere.
    ///   - account: `POP3Account.key`.
    init(folder: String, uniqueIDFile: String?, account: String, synchronizing: Bool) {
        self.folder = folder
        self.uniqueIDFile = uniqueIDFile ?? "\(folder)/uidls"
        self.account = account
        isSynchronized = synchronizing
    }

    /// Makes the folder, unless it is there.
    func make() throws(SystemError) { try Files.makeDirectory(folder, mode: 0o700) }

    /// Removes what a run that was killed while it noted ids has left.
    func removeLeftovers() throws(SystemError) {
        guard uniqueIDFile != Self.nowhere, let parent = Files.parent(of: uniqueIDFile) else { return }
        let start = "\(Files.name(of: uniqueIDFile)).tmp."
        for name in try Files.names(inDirectory: parent) where name.starts(with: start.utf8) {
            try Files.remove("\(parent)/\(PathText.text(name))")
        }
    }

    /// The folder for a destination.
    static func folder(for destination: String) -> String {
        var path = Files.resolved(destination) ?? destination
        while path.utf8.count > 1, path.utf8.last == ASCII.slash { path.removeLast() }
        return path + suffix
    }

    // MARK: What the destination has

    /// Mail was fetched into the destination before.
    var hasHistory: Bool { Files.exists(uniqueIDFile) && uniqueIDFile != Self.nowhere }

    /// The ids of the account's messages that the destination has.
    func knownIDs() throws(SystemError) -> Set<String> { Set(try lines().mine) }

    private func lines() throws(SystemError) -> (mine: [String], others: [String]) {
        guard Files.exists(uniqueIDFile) else { return ([], []) }
        var lines: (mine: [String], others: [String]) = ([], [])
        for line in try Files.read(uniqueIDFile, limit: 1 << 30).split(separator: ASCII.lf) {
            let parts = line.split(separator: ASCII.space, maxSplits: 1)
            guard parts.count == 2 else { continue }
            if parts[0].text == account { lines.mine.append(parts[1].text) } else { lines.others.append(line.text) }
        }
        return lines
    }

    /// Notes, durably, that the destination has these.
    func note(_ ids: [String]) throws(SystemError) {
        let (mine, others) = try lines()
        let known = Set(mine)
        try write(mine + ids.filter { !known.contains($0) }, others)
    }

    /// Forgets the ids of messages that the server has no more.
    func keepOnly(_ listed: Set<String>) throws(SystemError) {
        let (mine, others) = try lines()
        let kept = mine.filter { listed.contains($0) }
        if kept.count < mine.count { try write(kept, others) }
    }

    private func write(_ mine: [String], _ others: [String]) throws(SystemError) {
        guard uniqueIDFile != Self.nowhere else { return }
        var text: [UInt8] = []
        for line in others + mine.map({ "\(account) \($0)" }) { text += Array("\(line)\n".utf8) }
        try Files.writeDurably(uniqueIDFile, text, mode: 0o600)
    }

    // MARK: What is fetched and not there yet

    private var fetching: String { "\(folder)/\(account).fetching" }
    var fetched: String { "\(folder)/\(account).fetched" }

    /// An earlier run has fetched what it did not convert to its end.
    var hasFetched: Bool { Files.isDirectory(fetched) }

    /// Goes on with the folder in which an earlier run was fetching, or makes a new one.
    func openFetching() throws(SystemError) -> MessageSpool {
        try Files.makeDirectory(fetching, mode: 0o700)
        return try MessageSpool(fetching)
    }

    /// Leaves nothing behind where nothing was ever fetched.
    func removeIfEmpty() {
        if let entries = try? MessageSpool.entries(fetching), entries.isEmpty { try? Files.removeTree(fetching) }
        // Only when nothing else is in it.
        try? Files.removeDirectory(folder)
    }

    /// Nothing more is added to what was fetched: it is what the next conversion takes.
    func seal() throws(SystemError) {
        if isSynchronized { try Files.synchronizeFileSystem(of: fetching) }
        try Files.rename(fetching, to: fetched)
        if isSynchronized { try Files.synchronizeDirectory(folder) }
    }

    /// The ids of what was fetched.
    func fetchedIDs() throws(SystemError) -> [String] { try MessageSpool.entries(fetched).map(\.id) }

    /// The conversion is through.
    func removeFetched() throws(SystemError) { if hasFetched { try Files.removeTree(fetched) } }
}

/// A folder in which messages gather, numbered from 1, with the list of their ids.
final class MessageSpool {
    struct Entry {
        let number: Int
        let size: Int
        let id: String
    }

    /// Stands for the id of a message where the server has none: it is not known again.
    static let noID = "-"

    private let folder: String
    private let list: FileDescriptor
    private(set) var ids: Set<String> = []
    private var count = 0
    private var file: FileDescriptor?
    private var size = 0
    /// The header, for the message's time.
    private var start: [UInt8] = []
    private var buffer: [UInt8] = []

    private static let headLimit = 65_536
    private static let bufferLimit = 262_144

    init(_ folder: String) throws(SystemError) {
        self.folder = folder
        let entries = try Self.entries(folder)
        var list: [UInt8] = []
        // What a crash of the system has left incomplete is fetched again.
        for entry in entries {
            let status = try? Files.status("\(folder)/\(entry.number).eml")
            guard let status, Int(status.st_size) == entry.size, entry.id != Self.noID else { break }
            count = entry.number
            ids.insert(entry.id)
            list += Self.line(entry.size, entry.id)
        }
        let path = "\(folder)/ids"
        let whole = (try? Files.read(path)) ?? []
        if whole != list { try Files.writeDurably(path, list, mode: 0o600) }
        self.list = try FileDescriptor.open(path, O_WRONLY | O_APPEND | O_CREAT, mode: 0o600)
        // A message behind the last one that is listed was being added when the run ended.
        for name in try Files.names(inDirectory: folder) {
            guard let number = Int(name.text.prefix { $0 != "." }), number > count else { continue }
            try Files.remove("\(folder)/\(name.text)")
        }
    }

    /// The messages that are listed, in order.
    static func entries(_ folder: String) throws(SystemError) -> [Entry] {
        guard Files.exists("\(folder)/ids") else { return [] }
        var bytes = try Files.read("\(folder)/ids", limit: 1 << 30)
        bytes.removeLast(bytes.count - (bytes.lastIndex(of: ASCII.lf).map { $0 + 1 } ?? 0))
        var entries: [Entry] = []
        for line in bytes.split(separator: ASCII.lf) {
            let parts = line.split(separator: ASCII.space, maxSplits: 1)
            guard parts.count == 2, let size = Int(parts[0].text) else { break }
            entries.append(Entry(number: entries.count + 1, size: size, id: parts[1].text))
        }
        return entries
    }

    /// What there is, for people.
    var state: String { "\(count) message\(count == 1 ? " is" : "s are") fetched" }

    private static func line(_ size: Int, _ id: String) -> [UInt8] { Array("\(size) \(id)\n".utf8) }

    private var temporary: String { "\(folder)/part" }

    /// Adds a piece of the message that comes next.
    func write(_ bytes: Span<UInt8>) throws(SystemError) {
        if start.count < Self.headLimit {
            start.append(span: bytes.extracting(0..<min(bytes.count, Self.headLimit - start.count)))
        }
        size += bytes.count
        buffer.append(span: bytes)
        if buffer.count >= Self.bufferLimit { try drain() }
    }

    private func drain() throws(SystemError) {
        if file == nil { file = try FileDescriptor.open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600) }
        try file?.writeAll(buffer)
        buffer.removeAll(keepingCapacity: true)
    }

    /// The message is complete: from now on it is there, with its id.
    func end(id: String) throws(SystemError) {
        try drain()
        if let date = MessageHead(start: start, isComplete: true)?.date { try file?.setTimes(date) }
        file = nil
        try Files.rename(temporary, to: "\(folder)/\(count + 1).eml")
        try list.writeAll(Self.line(size, id))
        count += 1
        ids.insert(id)
        abandon()
    }

    /// The rest of the message does not come.
    func abandon() {
        file = nil
        size = 0
        start.removeAll(keepingCapacity: true)
        buffer.removeAll(keepingCapacity: true)
    }
}
