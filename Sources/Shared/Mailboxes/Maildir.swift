import Bytes
import Glibc
import Unix

/// A Maildir: messages as files in `new/` and `cur/`, written first in `tmp/`, needing no locks.
///
///     let maildir = try Maildir.create("mail/alice")
///     let delivery = try maildir.begin()
///     try delivery.write(bytes.span)
///     try delivery.synchronize()
///     try delivery.publish()
///     try maildir.synchronize()
package final class Maildir: Sendable {
    package enum Folder: String, Sendable { case new, cur }

    /// A message's file.
    package struct Entry: Equatable, Sendable {
        package let folder: Folder
        /// The file's name; any bytes.
        package let name: MaildirName

        package init(folder: Folder, name: MaildirName) {
            self.folder = folder
            self.name = name
        }

        package var isNew: Bool { folder == .new }
        /// The flags of the name; a message in `new/` has none.
        package var flags: MessageFlags {
            folder == .cur ? MessageFlags(maildirLetters: name.flagLetters) : MessageFlags()
        }
    }

    package let path: String
    /// Nil in a Maildir that can only be read.
    let tmp: Directory?
    let new: Directory
    let cur: Directory
    let names: MaildirNames
    let process = getpid()

    /// Opens the Maildir at `path`, whose `new/` and `cur/` must be there, and `tmp/` too for deliveries. `run`, letters and digits, marks the names
    /// of what is delivered, to know it again (`MaildirName.deliveryNumber`).
    package init(_ path: String, run: String? = nil) throws(SystemError) {
        names = MaildirNames(run: run)
        let directory = try Directory(path)
        self.path = path
        tmp = Files.exists("\(path)/tmp") ? try directory.directory("tmp") : nil
        new = try directory.directory("new")
        cur = try directory.directory("cur")
    }

    /// Makes what is missing of a Maildir at `path`, for its owner alone, and opens it; with `synchronizing`, durably.
    package static func create(
        _ path: String, run: String? = nil, synchronizing: Bool = true
    ) throws(SystemError) -> Maildir {
        let isNew = !Files.exists(path)
        if synchronizing {
            try Files.makeDirectoryDurably(path, mode: 0o700)
        } else {
            try Files.makeDirectory(path, mode: 0o700, parents: true)
        }
        for name in ["tmp", "new", "cur"] { try Files.makeDirectory("\(path)/\(name)", mode: 0o700) }
        if isNew, synchronizing { try Files.synchronizeDirectory(path) }
        return try Maildir(path, run: run)
    }

    /// Whether `path` is a directory that holds the directories of a Maildir.
    package static func isMaildir(_ path: String) -> Bool {
        Files.isDirectory("\(path)/new") && Files.isDirectory("\(path)/cur")
    }

    /// All messages, in the order of their delivery as the names tell it. Dot files, directories, links and whatever is
    /// no regular file are left out; `tmp/` is never looked at.
    package func entries() throws(SystemError) -> [Entry] {
        var entries: [Entry] = []
        for (folder, directory) in [(Folder.new, new), (Folder.cur, cur)] {
            for entry in try directory.entries() where entry.kind == .file && entry.name.first != ASCII.dot {
                entries.append(Entry(folder: folder, name: MaildirName(entry.name)))
            }
        }
        return MaildirName.ordered(entries, \.name)
    }

    /// Opens a message's file for reading. One that another program has moved to `cur/` or given other flags since is
    /// found by the unique part of its name. A link, or what is no regular file, is an error.
    package func open(_ entry: Entry) throws(SystemError) -> FileDescriptor {
        do throws(SystemError) {
            return try open(entry.name.bytes, in: entry.folder)
        } catch {
            guard error.code == ENOENT, let moved = try find(entry.name.unique) else { throw error }
            return try open(moved.name.bytes, in: moved.folder)
        }
    }

    /// Opens a message's file as `open` does, cheap where there are very many: whether it is a regular file is for the
    /// caller to look at.
    package func openMany(_ entry: Entry) throws(SystemError) -> FileDescriptor {
        do throws(SystemError) {
            return try directory(entry.folder).openMany(entry.name.bytes, O_RDONLY)
        } catch {
            guard error.code == ENOENT, let moved = try find(entry.name.unique) else { throw error }
            return try directory(moved.folder).openMany(moved.name.bytes, O_RDONLY)
        }
    }

    private func open(_ name: [UInt8], in folder: Folder) throws(SystemError) -> FileDescriptor {
        let file = try directory(folder).open(name, O_RDONLY | O_NONBLOCK)
        guard Files.kind(of: try file.status()) == .file else {
            throw SystemError(code: EINVAL, operation: "read", subject: file.subject)
        }
        return file
    }

    /// The message with that unique part of the name, wherever it lies now.
    package func find(_ unique: [UInt8]) throws(SystemError) -> Entry? {
        for (folder, directory) in [(Folder.cur, cur), (Folder.new, new)] {
            for entry in try directory.entries() where entry.kind == .file {
                let name = MaildirName(entry.name)
                if name.unique == unique { return Entry(folder: folder, name: name) }
            }
        }
        return nil
    }

    /// The status of a message's file: size, times.
    package func status(_ entry: Entry) throws(SystemError) -> stat {
        try directory(entry.folder).status(entry.name.bytes)
    }

    /// Removes a message; one that is gone already is ENOENT. `synchronize(_:)` makes it last.
    package func remove(_ entry: Entry) throws(SystemError) {
        do throws(SystemError) {
            try directory(entry.folder).remove(entry.name.bytes)
        } catch {
            guard error.code == ENOENT, let moved = try find(entry.name.unique) else { throw error }
            try directory(moved.folder).remove(moved.name.bytes)
        }
    }

    /// Moves a message to `cur/` with these flags, and returns what it is called then.
    package func setFlags(_ flags: MessageFlags, of entry: Entry) throws(SystemError) -> Entry {
        let name = MaildirName(base: entry.name.base, flags: flags)
        if entry.folder == .cur, entry.name.bytes == name.bytes { return entry }
        try directory(entry.folder).rename(entry.name.bytes, to: cur, as: name.bytes)
        return Entry(folder: .cur, name: name)
    }

    /// Waits until what was delivered to, moved into or removed from `new/` and `cur/` is so on the disk.
    package func synchronize() throws(SystemError) {
        try new.synchronize()
        try cur.synchronize()
    }

    /// Waits until what changed in one of the two is on the disk.
    package func synchronize(_ folder: Folder) throws(SystemError) { try directory(folder).synchronize() }

    func directory(_ folder: Folder) -> Directory { folder == .new ? new : cur }

    /// Removes from `tmp/` what the runs `runs` left there unfinished.
    package func removeTemporaries(ofRuns runs: [String]) throws(SystemError) {
        guard let tmp else { return }
        for entry in try tmp.entries() where entry.kind == .file {
            let name = MaildirName(entry.name)
            if runs.contains(where: { name.deliveryNumber(inRun: $0) != nil }) { try tmp.remove(entry.name) }
        }
    }
}
