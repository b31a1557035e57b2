import CLinux
import Glibc

/// fcntl(2) record locks over a whole file. They belong to the process, and any close of the file by the process
/// drops them: keep one descriptor a file.
package enum FileLock {
    /// Tries to lock for writing; false when another process has a lock.
    package static func tryExclusive(_ file: borrowing FileDescriptor) throws(SystemError) -> Bool {
        try tryLock(file, F_WRLCK)
    }

    /// Tries an exclusive flock(2), which belongs to this open file and ends with it; false when another has one.
    package static func tryWhole(_ file: borrowing FileDescriptor) throws(SystemError) -> Bool {
        if retryingOnInterrupt({ facteur_flock_exclusive(file.number) }) == 0 { return true }
        if errno == EWOULDBLOCK { return false }
        throw .last("lock", file.subject)
    }

    /// Tries to lock for reading; false when another process writes.
    package static func tryShared(_ file: borrowing FileDescriptor) throws(SystemError) -> Bool {
        try tryLock(file, F_RDLCK)
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

    /// Tries to take the file for this open descriptor alone (flock(2)), beside the locks of fcntl(2); false when
    /// another has it.
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

/// A `.lock` file beside a mailbox, as procmail, Dovecot and mutt make it; removed when its owner ends.
package struct DotLock: ~Copyable {
    private let path: String

    /// Takes `path.lock`, waiting up to `timeout`; nil when it was not had in time. A lock older than `staleAfter`
    /// whose process is not known to live is broken.
    package static func acquire(
        _ path: String, timeout: Duration, staleAfter: Duration = .seconds(300)
    ) throws(SystemError) -> DotLock? {
        let lock = path + ".lock"
        let deadline = ContinuousClock.now + timeout
        while true {
            do throws(SystemError) {
                let file = try FileDescriptor.open(lock, O_WRONLY | O_CREAT | O_EXCL, mode: 0o444)
                try? file.writeAll(Array("\(getpid())".utf8))
                return DotLock(path: lock)
            } catch {
                guard error.code == EEXIST else { throw error }
            }
            if let status = try? Files.status(lock, followLinks: false),
                time(nil) - status.st_mtim.tv_sec > staleAfter.components.seconds
            {
                try? Files.remove(lock)
                continue
            }
            if ContinuousClock.now >= deadline { return nil }
            usleep(100_000)
        }
    }

    private init(path: String) { self.path = path }

    deinit { unlink(path) }
}

/// An exclusive flock(2) on a directory: it needs no file, and it ends with its owner or with the process.
package struct DirectoryLock: ~Copyable {
    private let directory: FileDescriptor

    /// Takes the lock of the directory at `path`; nil when another has it.
    package static func tryAcquire(_ path: String) throws(SystemError) -> DirectoryLock? {
        let directory = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY)
        return try FileLock.tryWhole(directory) ? DirectoryLock(directory: directory) : nil
    }
}
