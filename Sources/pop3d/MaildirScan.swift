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
    /// In larger ones `,W=` is believed to the letter: whether a message lacks its last line end is not looked up.
    private static let lastByteCount = 2_000
    private static let skippedLimit = 100

    private let new: Directory
    private let cur: Directory
    private let known: MaildirSnapshot?
    /// Whose rights read the files; asked once, on the thread that has taken them on.
    private let reader = Privileges.fileUser
    private var knownByID: [ArraySlice<UInt8>: Int] = [:]
    private(set) var skipped: [SkippedEntry] = []
    /// A message was left out that another look may find readable.
    private(set) var isIncomplete = false

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
            guard let status = directory.fileStatus(snapshot.name(index)),
                Int(status.st_size) == snapshot.fileSizes[index]
            else { return false }
        }
        return true
    }

    private struct Found {
        let folder: Maildir.Folder
        let name: [UInt8]
    }

    mutating func run() throws(SystemError) -> MaildirSnapshot {
        var snapshot = MaildirSnapshot(new: try .init(new), cur: try .init(cur))
        let found = try list()
        let order = Self.order(of: found)
        if let known {
            knownByID.reserveCapacity(known.count)
            for index in 0..<known.count { knownByID[UniqueID.part(of: known.name(index))] = index }
        }
        snapshot.reserveCapacity(found.count)
        // Messages with the same id have the same time, so that only those next to each other are compared.
        var taken: Set<ArraySlice<UInt8>> = []
        for (place, item) in order.enumerated() {
            let file = found[item.index]
            guard let (size, octets) = sizes(of: file, among: found.count) else { continue }
            if place > 0, order[place - 1].time != item.time { taken.removeAll(keepingCapacity: true) }
            let isAlone =
                (place == 0 || order[place - 1].time != item.time)
                && (place == order.count - 1 || order[place + 1].time != item.time)
            let isTaken = !isAlone && !taken.insert(UniqueID.part(of: file.name)).inserted
            // A message that moved to cur/ between the two listings is not there twice.
            if isTaken, directory(file.folder).fileStatus(file.name[...]) == nil { continue }
            let part = UniqueID.part(of: file.name)
            if !isTaken, UniqueID.fits(part) {
                snapshot.append(file.name, in: file.folder, fileSize: size, octets: octets, uniqueID: part)
            } else {
                snapshot.append(
                    file.name, in: file.folder, fileSize: size, octets: octets,
                    uniqueID: UniqueID.digest(of: file.name, isTaken: isTaken))
            }
        }
        return snapshot
    }

    private struct OrderItem {
        let time: Int
        let index: Int
    }

    /// The order of delivery.
    private static func order(of found: [Found]) -> [OrderItem] {
        var items: [OrderItem] = []
        items.reserveCapacity(found.count)
        for index in found.indices {
            items.append(OrderItem(time: MaildirName(found[index].name).deliveryTime ?? 0, index: index))
        }
        return MaildirName.ordered(items) { MaildirName(found[$0.index].name) }
    }

    private func directory(_ folder: Maildir.Folder) -> Directory { folder == .new ? new : cur }

    private mutating func list() throws(SystemError) -> [Found] {
        var found: [Found] = []
        for (folder, directory) in [(Maildir.Folder.new, new), (.cur, cur)] {
            for entry in try directory.entries() where entry.name.first != ASCII.dot {
                switch entry.kind {
                case .file: found.append(Found(folder: folder, name: entry.name))
                case .directory: skip(entry.name, "a directory")
                case .other: skip(entry.name, "a link, or no regular file")
                }
            }
        }
        return found
    }

    private mutating func skip(_ name: [UInt8], _ reason: String) {
        guard skipped.count < Self.skippedLimit else { return }
        skipped.append(SkippedEntry(name: name.text, reason: reason))
    }

    /// The size of the file and the octets that RETR sends; nil for a message that cannot be read.
    private mutating func sizes(of file: Found, among all: Int) -> (file: Int, octets: Int)? {
        let known = self.known == nil ? nil : knownByID[UniqueID.part(of: file.name)]
        if all > Self.checkedCount, let known, let snapshot = self.known {
            return (snapshot.fileSizes[known], snapshot.table.octets(known))
        }
        guard let status = directory(file.folder).fileStatus(file.name[...]) else {
            isIncomplete = true
            return nil
        }
        let size = Int(status.st_size)
        let isReadable =
            reader == 0 || status.st_mode & 0o444 == 0o444
            || (status.st_uid == reader && status.st_mode & 0o400 != 0)
        if isReadable, let known, let snapshot = self.known, snapshot.fileSizes[known] == size {
            return (size, snapshot.table.octets(known))
        }
        if isReadable, all > Self.lastByteCount, let wide = Self.wideSize(file.name, size) { return (size, wide) }
        do throws(SystemError) {
            return (size, try count(file, size))
        } catch {
            isIncomplete = true
            if error.code != ENOENT { skip(file.name, error.reason) }
            return nil
        }
    }

    /// The octets of a message as sent. The sizes in its name are believed when the one of the file is right.
    private func count(_ found: Found, _ size: Int) throws(SystemError) -> Int {
        let file = try directory(found.folder).open(found.name, O_RDONLY | O_NONBLOCK)
        if size == 0 { return 0 }
        if let wide = Self.wideSize(found.name, size) {
            let last = try file.read(at: size - 1, atMost: 1)
            return wide + (last == [ASCII.lf] ? 0 : last == [ASCII.cr] ? 1 : 2)
        }
        return try MessageFile.octets(of: file)
    }

    /// What `,W=` says, when `,S=` is right and both may be true.
    private static func wideSize(_ name: [UInt8], _ size: Int) -> Int? {
        var told: Int?
        var wide: Int?
        var place = 0
        while let comma = name.span.firstIndex(of: ASCII.comma, from: place) {
            place = comma + 1
            guard comma + 3 < name.count, name[comma + 2] == ASCII.equals else { continue }
            var value = 0
            var end = comma + 3
            while end < name.count, name[end].isASCIIDigit, end - comma < 20 {
                value = value &* 10 &+ Int(name[end] &- ASCII.zero)
                end += 1
            }
            switch name[comma + 1] {
            case UInt8(ascii: "S"): told = value
            case UInt8(ascii: "W"): wide = value
            default: break
            }
        }
        guard told == size, let wide, wide >= size, wide <= 2 * size else { return nil }
        return wide
    }
}
