import CLinux
import Glibc

/// fcntl(2) record locks over a whole file. They belong to the process, and any close of the file by the process
/// drops them: keep one descriptor a file.
package enum FileLock {
    /// Tries to lock for writing; false when another process has a lock.
    package static func tryExclusive(_ file: borrowing FileDescriptor) throws(SystemError) -> Bool {
        try tryLock(file, F_WRLCK)
    }

    private static func tryLock(_ file: borrowing FileDescriptor, _ type: Int32) throws(SystemError) -> Bool {
        var lock = flock()
        lock.l_type = Int16(type)
        lock.l_whence = Int16(SEEK_SET)
        if retryingOnInterrupt({ fcntl(file.number, F_SETLK, &lock) }) == 0 { return true }
        if errno == EACCES || errno == EAGAIN { return false }
        throw .last("lock", file.subject)
    }

    /// Locks for writing, waiting up to `timeout`; false when the lock was not had in time.
    package static func exclusive(
        _ file: borrowing FileDescriptor, timeout: Duration
    ) throws(SystemError) -> Bool {
        try wait(for: F_WRLCK, file, timeout)
    }

    /// Locks for reading, waiting up to `timeout`; false when the lock was not had in time.
    package static func shared(
        _ file: borrowing FileDescriptor, timeout: Duration
    ) throws(SystemError) -> Bool {
        try wait(for: F_RDLCK, file, timeout)
    }

    /// Gives up the process's locks of the file.
    package static func unlock(_ file: borrowing FileDescriptor) {
        var lock = flock()
        lock.l_type = Int16(F_UNLCK)
        lock.l_whence = Int16(SEEK_SET)
        _ = fcntl(file.number, F_SETLK, &lock)
    }

    /// Tries to take the file for this open descriptor alone (flock(2)), beside the locks of fcntl(2): the lock ends with
    /// the descriptor. False when another has it.
    package static func tryHold(_ file: borrowing FileDescriptor) throws(SystemError) -> Bool {
        if retryingOnInterrupt({ facteur_flock_exclusive(file.number) }) == 0 { return true }
        if errno == EWOULDBLOCK { return false }
        throw .last("lock", file.subject)
    }

    private static func wait(
        for type: Int32, _ file: borrowing FileDescriptor, _ timeout: Duration
    ) throws(SystemError) -> Bool {
        let deadline = ContinuousClock.now + timeout
        while true {
            if try tryLock(file, type) { return true }
            if ContinuousClock.now >= deadline { return false }
            usleep(50_000)
        }
    }
}

/// A `.lock` file beside a mailbox, as Dovecot, Postfix, procmail and mutt make it; removed when its owner ends. It
/// holds `pid:host`, as Dovecot writes it, so that others can tell that its owner is gone.
package struct DotLock: ~Copyable {
    private let path: String

    /// Takes `path.lock`, waiting up to `timeout`; nil when it was not had in time.
    package static func acquire(
        _ path: String, timeout: Duration, staleAfter: Duration = .seconds(300)
    ) throws(SystemError) -> DotLock? {
        let deadline = ContinuousClock.now + timeout
        while true {
            if let lock = try tryAcquire(path, staleAfter: staleAfter) { return lock }
            if ContinuousClock.now >= deadline || Interruption.signal != nil { return nil }
            usleep(100_000)
        }
    }

    /// Takes `path.lock`; nil when another has it. A lock that names a process of this host which is gone is broken,
    /// and so is one that nobody has touched for longer than `staleAfter`.
    package static func tryAcquire(
        _ path: String, staleAfter: Duration = .seconds(300)
    ) throws(SystemError) -> DotLock? {
        let lock = path + ".lock"
        for _ in 0..<2 {
            do throws(SystemError) {
                try make(lock)
                return DotLock(path: lock)
            } catch {
                guard error.code == EEXIST else { throw error }
            }
            guard isStale(lock, staleAfter) else { return nil }
            try? Files.remove(lock)
        }
        return nil
    }

    private static func isStale(_ lock: String, _ staleAfter: Duration) -> Bool {
        guard let status = try? Files.status(lock, followLinks: false) else { return false }
        if time(nil) - status.st_mtim.tv_sec > staleAfter.components.seconds { return true }
        guard Files.kind(of: status) == .file, let text = try? Files.read(lock, limit: 512) else { return false }
        let words = String(decoding: text, as: UTF8.self).split(separator: ":", maxSplits: 1)
        guard words.count == 2, words[1] == Host.name, let process = pid_t(words[0]), process > 0 else { return false }
        return kill(process, 0) != 0 && errno == ESRCH
    }

    /// Makes the file with its content, at once: one that was left empty would not tell that its owner is gone.
    private static func make(_ lock: String) throws(SystemError) {
        let folder = Files.parent(of: lock) ?? "/"
        // O_TMPFILE, which the Glibc module lacks.
        let unnamed = 0o20_000_000 | O_DIRECTORY
        if let file = try? FileDescriptor.open(folder, O_WRONLY | unnamed, mode: 0o444),
            (try? file.writeAll(owner)) != nil
        {
            let source = "/proc/self/fd/\(file.number)"
            if withPaths(source, lock, { linkat(AT_FDCWD, $0, AT_FDCWD, $1, Int32(AT_SYMLINK_FOLLOW)) }) == 0 {
                return
            }
            if errno == EEXIST { throw .last("create", lock) }
        }
        // A file system that has no files without names, or no /proc.
        let file = try FileDescriptor.open(lock, O_WRONLY | O_CREAT | O_EXCL, mode: 0o444)
        try? file.writeAll(owner)
    }

    /// What our locks hold.
    private static var owner: [UInt8] { Array("\(getpid()):\(Host.name)".utf8) }

    private init(path: String) { self.path = path }

    /// Shows others that the lock is still held: to be called twice a minute by long work.
    package func refresh() { _ = withPath(path) { utimes($0, nil) } }

    deinit {
        // Another program may have taken it for stale, and have its own there now.
        if let text = try? Files.read(path, limit: 512), !text.isEmpty, text != Self.owner { return }
        try? Files.remove(path)
    }
}

/// An exclusive flock(2) on a directory: it needs no file, and it ends with its owner or with the process.
package struct DirectoryLock: ~Copyable {
    private let directory: FileDescriptor

    /// Takes the lock of the directory at `path`; nil when another has it.
    package static func tryAcquire(_ path: String) throws(SystemError) -> DirectoryLock? {
        let directory = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY)
        return try FileLock.tryHold(directory) ? DirectoryLock(directory: directory) : nil
    }
}
