import Bytes
import Glibc
import Mailboxes
import POP3
import Synchronization
import Unix

/// A Maildir, fixed and locked for one session.
final class MaildirStore: MailStore {
    /// Holds the lock; never read.
    private struct Hold: ~Copyable { let lock: DirectoryLock? }
    private struct Place {
        let folder: Maildir.Folder
        let name: [UInt8]
    }

    /// Nil when there is no Maildir yet.
    private let folders: (new: Directory, cur: Directory)?
    private let snapshot: MaildirSnapshot
    let skipped: [SkippedEntry]
    let expired: Int
    private let hold: Mutex<Hold>
    /// Where the messages are now by the unique part of their names, since another program has moved one.
    private let moved = Mutex<[ArraySlice<UInt8>: Place]?>(nil)

    struct Options: Sendable {
        var isReadOnly = false
        /// Messages older than so many days are removed.
        var expiryDays: Int?
    }

    /// Opens the Maildir at `path`; one that is not there yet is empty.
    init(path: String, _ cache: SnapshotCache, _ options: Options) throws(MailStoreFailure) {
        do throws(SystemError) {
            guard Files.exists(path) else {
                folders = nil
                snapshot = MaildirSnapshot(
                    new: .init(inode: 0, seconds: 0, nanoseconds: 0), cur: .init(inode: 0, seconds: 0, nanoseconds: 0))
                (skipped, expired) = ([], 0)
                hold = Mutex(Hold(lock: nil))
                return
            }
            guard let lock = try DirectoryLock.tryAcquire(path) else {
                throw SystemError(code: EBUSY, operation: "lock", subject: path)
            }
            hold = Mutex(Hold(lock: lock))
            let root = try Directory(path)
            let (new, cur) = (try root.directory("new"), try root.directory("cur"))
            folders = (new, cur)
            var opened = try MaildirStore.look(root, new, cur, cache, options)
            var expired = 0
            if let days = options.expiryDays, !options.isReadOnly {
                expired = MaildirStore.removeExpired(opened.snapshot, new, cur, days)
                if expired > 0 { opened = try MaildirStore.look(root, new, cur, cache, options) }
            }
            (snapshot, skipped) = opened
            self.expired = expired
        } catch {
            switch error.code {
            case EBUSY: throw .inUse
            case ENOENT, ENOTDIR, EACCES, EPERM, ELOOP, ENAMETOOLONG: throw .permanent("\(path): \(error)")
            default: throw .temporary("\(path): \(error)")
            }
        }
    }

    /// The snapshot that is known when it still holds, else a new one.
    private static func look(
        _ root: Directory, _ new: Directory, _ cur: Directory, _ cache: SnapshotCache, _ options: Options
    ) throws(SystemError) -> (snapshot: MaildirSnapshot, skipped: [SkippedEntry]) {
        let (newStamp, curStamp) = (try MaildirSnapshot.Stamp(new), try MaildirSnapshot.Stamp(cur))
        func holds(_ snapshot: MaildirSnapshot) -> Bool {
            snapshot.new == newStamp && snapshot.cur == curStamp
                && MaildirScan.areSizesRight(snapshot, new: new, cur: cur)
        }
        let remembered = cache.snapshot(of: root.path)
        if let remembered, holds(remembered) { return (remembered, []) }
        let known = remembered ?? MaildirIndex.read(in: root)
        if remembered == nil, let known, holds(known) {
            cache.remember(known, of: root.path)
            return (known, [])
        }
        var scan = MaildirScan(new: new, cur: cur, known: known)
        let snapshot = try scan.run()
        let now = SystemClock.now
        if snapshot.new.isSettled(at: now), snapshot.cur.isSettled(at: now), !scan.isIncomplete {
            cache.remember(snapshot, of: root.path)
            if !options.isReadOnly, snapshot.count > 0 { MaildirIndex.write(snapshot, in: root) }
        }
        return (snapshot, scan.skipped)
    }

    /// Removes messages older than `days`, by the time in the name or else that of the file; how many.
    private static func removeExpired(
        _ snapshot: MaildirSnapshot, _ new: Directory, _ cur: Directory, _ days: Int
    ) -> Int {
        let limit = SystemClock.now.seconds - days * 86_400
        var count = 0
        for index in 0..<snapshot.count {
            let directory = snapshot.folder(index) == .new ? new : cur
            let name = Array(snapshot.name(index))
            let time = MaildirName(name).deliveryTime ?? (try? directory.status(name)).map { $0.st_mtim.tv_sec }
            guard let time, time < limit, (try? directory.remove(name)) != nil else { continue }
            count += 1
        }
        if count > 0 {
            try? new.synchronize()
            try? cur.synchronize()
        }
        return count
    }

    var table: MaildropTable { snapshot.table }

    private func directory(_ folder: Maildir.Folder, _ folders: (new: Directory, cur: Directory)) -> Directory {
        folder == .new ? folders.new : folders.cur
    }

    // MARK: Reading

    func openCached(_ index: Int) -> MessageFile? {
        guard let folders, index < snapshot.count,
            let file = directory(snapshot.folder(index), folders).openCached(snapshot.name(index)),
            let status = try? file.status(), Files.kind(of: status) == .file,
            Int(status.st_size) == snapshot.fileSizes[index]
        else { return nil }
        return MessageFile(file, range: 0..<Int(status.st_size), octets: snapshot.table.octets(index))
    }

    func open(_ index: Int) -> MessageFile? {
        guard let folders, index < snapshot.count else { return nil }
        do throws(SystemError) {
            return try open(
                Place(folder: snapshot.folder(index), name: Array(snapshot.name(index))), index, folders)
        } catch {
            guard error.code == ENOENT, let place = place(of: snapshot.name(index), folders) else { return nil }
            return try? open(place, index, folders)
        }
    }

    private func open(
        _ place: Place, _ index: Int, _ folders: (new: Directory, cur: Directory)
    ) throws(SystemError) -> MessageFile {
        let file = try directory(place.folder, folders).open(place.name, O_RDONLY | O_NONBLOCK)
        let status = try file.status()
        guard Files.kind(of: status) == .file else {
            throw SystemError(code: EINVAL, operation: "read", subject: file.subject)
        }
        // A file that was changed against the rules is told and sent as it is now.
        let size = Int(status.st_size)
        let octets = size == snapshot.fileSizes[index] ? snapshot.table.octets(index) : try MessageFile.octets(of: file)
        return MessageFile(file, range: 0..<size, octets: octets)
    }

    /// Where another program has moved a message.
    private func place(of name: ArraySlice<UInt8>, _ folders: (new: Directory, cur: Directory)) -> Place? {
        let unique = UniqueID.part(of: name)
        if let place = moved.withLock({ $0?[unique] }),
            (try? directory(place.folder, folders).status(place.name)) != nil
        {
            return place
        }
        // One look serves all messages, so that a mailbox whose every file was renamed costs no more.
        var places: [ArraySlice<UInt8>: Place] = [:]
        for (folder, directory) in [(Maildir.Folder.new, folders.new), (.cur, folders.cur)] {
            for entry in (try? directory.entries()) ?? [] where entry.kind == .file {
                places[UniqueID.part(of: entry.name)] = Place(folder: folder, name: entry.name)
            }
        }
        moved.withLock { $0 = places }
        return places[unique]
    }

    // MARK: Removing

    func remove(_ indexes: [Int]) -> Int {
        guard let folders, !indexes.isEmpty else { return 0 }
        var failed = 0
        var touched: Set<Maildir.Folder> = []
        for index in indexes where index < snapshot.count {
            let place = Place(folder: snapshot.folder(index), name: Array(snapshot.name(index)))
            do throws(SystemError) {
                try remove(place, folders, &touched)
            } catch {
                if error.code != ENOENT { failed += 1 }
            }
        }
        for folder in touched {
            do throws(SystemError) {
                try directory(folder, folders).synchronize()
            } catch {
                return indexes.count
            }
        }
        return failed
    }

    private func remove(
        _ place: Place, _ folders: (new: Directory, cur: Directory), _ touched: inout Set<Maildir.Folder>
    ) throws(SystemError) {
        do throws(SystemError) {
            try directory(place.folder, folders).remove(place.name)
            touched.insert(place.folder)
        } catch {
            guard error.code == ENOENT, let now = self.place(of: place.name[...], folders) else { throw error }
            try directory(now.folder, folders).remove(now.name)
            touched.insert(now.folder)
        }
    }
}
