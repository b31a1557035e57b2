import Bytes
import Glibc
import Mailboxes
import POP3
import Unix

/// Something in a Maildir that is not served, and why.
struct SkippedEntry: Sendable {
    let name: String
    let reason: String
}

/// Looks at every message of a Maildir. Blocks.
struct MaildirScan {
    /// Sizes are checked file by file in Maildirs up to this many messages; in larger ones what is known of a name is
    /// believed, because a message's file is never changed (maildir(5)).
    private static let checkedCount = 256
    private static let skippedLimit = 100

    private let new: Directory
    private let cur: Directory
    private let known: MaildirSnapshot?
    private var knownByID: [ArraySlice<UInt8>: Int] = [:]
    private(set) var skipped: [SkippedEntry] = []

    /// `known` is a snapshot of before, whose sizes need not be found again.
    init(new: Directory, cur: Directory, known: MaildirSnapshot?) {
        self.new = new
        self.cur = cur
        self.known = known
    }

    /// Whether the files of a snapshot still have the sizes that it speaks of, as far as they are checked.
    static func areSizesRight(_ snapshot: MaildirSnapshot, new: Directory, cur: Directory) -> Bool {
        guard snapshot.count <= checkedCount else { return true }
        for index in 0..<snapshot.count {
            let directory = snapshot.folder(index) == .new ? new : cur
            guard directory.size(of: snapshot.name(index)) == snapshot.fileSizes[index] else { return false }
        }
        return true
    }

    private struct Found {
        let folder: Maildir.Folder
        let name: [UInt8]
        let key: MaildirName.SortKey
    }

    mutating func run() throws(SystemError) -> MaildirSnapshot {
        var snapshot = MaildirSnapshot(new: try .init(new), cur: try .init(cur))
        let found = try list()
        if let known {
            knownByID.reserveCapacity(known.count)
            for index in 0..<known.count { knownByID[UniqueID.part(of: known.name(index))] = index }
        }
        snapshot.reserveCapacity(found.count)
        var taken = Set<ArraySlice<UInt8>>(minimumCapacity: found.count)
        for file in found {
            guard let (size, octets) = sizes(of: file, isChecked: found.count <= Self.checkedCount) else { continue }
            let isTaken = !taken.insert(UniqueID.part(of: file.name)).inserted
            // A message that moved to cur/ between the two listings is not there twice.
            if isTaken, (try? directory(file.folder).status(file.name)) == nil { continue }
            snapshot.append(
                file.name, in: file.folder, fileSize: size, octets: octets,
                uniqueID: UniqueID.make(for: file.name, isTaken: isTaken))
        }
        return snapshot
    }

    private func directory(_ folder: Maildir.Folder) -> Directory { folder == .new ? new : cur }

    private mutating func list() throws(SystemError) -> [Found] {
        var found: [Found] = []
        for (folder, directory) in [(Maildir.Folder.new, new), (.cur, cur)] {
            for entry in try directory.entries() where entry.name.first != ASCII.dot {
                switch entry.kind {
                case .file: found.append(Found(folder: folder, name: entry.name, key: MaildirName(entry.name).sortKey))
                case .directory: skip(entry.name, "a directory")
                case .other: skip(entry.name, "a link, or no regular file")
                }
            }
        }
        found.sort { $0.key < $1.key }
        return found
    }

    private mutating func skip(_ name: [UInt8], _ reason: String) {
        guard skipped.count < Self.skippedLimit else { return }
        skipped.append(SkippedEntry(name: name.text, reason: reason))
    }

    /// The size of the file and the octets that RETR sends; nil for a message that cannot be read.
    private mutating func sizes(of file: Found, isChecked: Bool) -> (file: Int, octets: Int)? {
        let known = knownByID[UniqueID.part(of: file.name)]
        if !isChecked, let known, let snapshot = self.known {
            return (snapshot.fileSizes[known], snapshot.table.octets(known))
        }
        do throws(SystemError) {
            let status = try directory(file.folder).status(file.name)
            let size = Int(status.st_size)
            let isReadable =
                status.st_mode & 0o444 == 0o444 || (status.st_uid == geteuid() && status.st_mode & 0o400 != 0)
            if isReadable, let known, let snapshot = self.known, snapshot.fileSizes[known] == size {
                return (size, snapshot.table.octets(known))
            }
            return (size, try count(file, size))
        } catch {
            if error.code != ENOENT { skip(file.name, error.reason) }
            return nil
        }
    }

    /// The octets of a message as sent. The sizes in its name are believed when the one of the file is right.
    private func count(_ found: Found, _ size: Int) throws(SystemError) -> Int {
        let file = try directory(found.folder).open(found.name, O_RDONLY | O_NONBLOCK)
        if size == 0 { return 0 }
        let name = MaildirName(found.name)
        if name.size("S") == size, let wide = name.size("W"), wide >= size, wide <= 2 * size {
            let last = try file.read(at: size - 1, atMost: 1)
            return wide + (last == [ASCII.lf] ? 0 : last == [ASCII.cr] ? 1 : 2)
        }
        return try MessageFile.octets(of: file)
    }
}
