import Bytes
import Glibc
import Mailboxes
import OpenSSL
import POP3
import Unix

/// An mbox, fixed for one session. Messages are sent as they stand in the file; other programs may deliver to it
/// meanwhile. At the end it is written anew without the removed ones, under the locks of the other mail programs.
final class MboxStore: MailStore {
    let table: MaildropTable
    private let path: String
    /// Nil when there is no mailbox yet. The open file is what the session sees, whatever takes its place.
    private let messages: [MboxListing.Message]
    private let box: SharedBox?
    let skipped: [SkippedEntry] = []
    let expired = 0

    /// The open mailbox, with the lock that other sessions respect.
    private final class SharedBox: Sendable {
        let file: FileDescriptor
        let seconds: Int
        let nanoseconds: Int
        let size: Int

        init(_ file: consuming FileDescriptor, _ status: stat) {
            self.file = file
            seconds = status.st_mtim.tv_sec
            nanoseconds = status.st_mtim.tv_nsec
            size = Int(status.st_size)
        }
    }

    private static let lockTime = Duration.seconds(20)
    /// How often a mailbox that another program rewrites while it is read is read again.
    private static let readings = 5

    init(path: String) throws(MailStoreFailure) {
        self.path = path
        do throws(SystemError) {
            let file: FileDescriptor
            do throws(SystemError) {
                file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
            } catch {
                guard error.code == ENOENT else { throw error }
                (box, messages, table) = (nil, [], MaildropTable())
                return
            }
            guard Files.kind(of: try file.status()) == .file else {
                throw SystemError(code: EISDIR, operation: "read", subject: path)
            }
            guard try FileLock.tryHold(file) else { throw SystemError(code: EBUSY, operation: "lock", subject: path) }
            // Programs that lock with a dot lock alone must not be in the middle of a delivery.
            let dotLock = try? DotLock.acquire(path, timeout: Self.lockTime)
            guard try FileLock.shared(file, timeout: Self.lockTime) else {
                throw SystemError(code: EAGAIN, operation: "lock", subject: path)
            }
            let status = try file.status()
            let copy = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
            messages = try MboxListing.read(copy)
            FileLock.unlock(file)
            _ = consume dotLock
            table = MboxListing.table(messages)
            box = SharedBox(file, status)
        } catch {
            switch error.code {
            case EBUSY: throw .inUse
            case EACCES, EPERM, ELOOP, EISDIR, ENOTDIR, EINVAL, ENAMETOOLONG: throw .permanent("\(path): \(error)")
            default: throw .temporary("\(path): \(error)")
            }
        }
    }

    // MARK: Reading

    func openCached(_ index: Int) -> MessageFile? { nil }

    func open(_ index: Int) -> MessageFile? {
        guard let box, messages.indices.contains(index) else { return nil }
        let message = messages[index]
        do throws(SystemError) {
            let number = dup(box.file.number)
            guard number >= 0 else { return nil }
            let file = FileDescriptor(owning: number, subject: path)
            let status = try file.status()
            let isUntouched =
                Int(status.st_size) == box.size && status.st_mtim.tv_sec == box.seconds
                && status.st_mtim.tv_nsec == box.nanoseconds
            if !isUntouched {
                // Mail was added behind, or a program has written the mailbox anew in place.
                guard try MboxListing.digest(of: message, in: file) == message.digest else { return nil }
            }
            return MessageFile(file, range: message.content, octets: message.octets)
        } catch {
            return nil
        }
    }

    // MARK: Removing

    func remove(_ indexes: [Int]) -> Int {
        guard box != nil, !indexes.isEmpty else { return 0 }
        let ids = Set(indexes.filter { messages.indices.contains($0) }.map { messages[$0].id })
        do throws(SystemError) {
            guard let dotLock = try DotLock.acquire(path, timeout: Self.lockTime) else { return indexes.count }
            let file = try FileDescriptor.open(path, O_RDWR | O_NOFOLLOW)
            guard let current = try listing(file, ofInterest: ids) else { return indexes.count }
            try rewrite(file, current, without: ids)
            _ = consume dotLock
            return 0
        } catch {
            return error.code == ENOENT ? 0 : indexes.count
        }
    }

    /// What the mailbox holds now, and the lock of fcntl(2) on it, which lasts as long as `file`; nil when another program
    /// does not let go of it.
    private func listing(
        _ file: borrowing FileDescriptor, ofInterest ids: Set<[UInt8]>
    ) throws(SystemError) -> [MboxListing.Message]? {
        for _ in 0..<Self.readings {
            guard try FileLock.exclusive(file, timeout: Self.lockTime) else { return nil }
            let before = try file.status()
            let copy = dup(file.number)
            guard copy >= 0 else { throw .last("open", path) }
            let messages = try MboxListing.read(FileDescriptor(owning: copy, subject: path), includingInternal: true)
            // The end of the copy has dropped the lock: who had waited for it may have delivered, which leaves the other
            // messages where they are.
            guard try FileLock.exclusive(file, timeout: Self.lockTime) else { return nil }
            var isSame = try file.status().st_size >= before.st_size
            for message in messages where isSame && ids.contains(message.id) {
                isSame = try MboxListing.digest(of: message, in: file) == message.digest
            }
            if isSame { return messages }
        }
        return nil
    }

    /// Writes what is to stay beside the mailbox and puts it in its place: what the session does not know of stays.
    private func rewrite(
        _ file: borrowing FileDescriptor, _ current: [MboxListing.Message], without ids: Set<[UInt8]>
    ) throws(SystemError) {
        let status = try file.status()
        let temporary = "\(path).pop3d.\(getpid())"
        // One that a killed process has left is in the way.
        try? Files.remove(temporary)
        let target = try FileDescriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        do throws(SystemError) {
            var place = 0
            for message in current where ids.contains(message.id) {
                try copyBytes(file, place..<message.start, to: target)
                place = message.end
            }
            try copyBytes(file, place..<Int(status.st_size), to: target)
            _ = fchmod(target.number, status.st_mode & 0o7777)
            if geteuid() == 0 || status.st_uid != geteuid() { _ = fchown(target.number, status.st_uid, status.st_gid) }
            try target.synchronize()
            try Files.rename(temporary, to: path)
        } catch {
            try? Files.remove(temporary)
            throw error
        }
        try Files.synchronizeDirectory(Files.parent(of: path) ?? "/")
    }

    private func copyBytes(
        _ file: borrowing FileDescriptor, _ range: Range<Int>, to target: borrowing FileDescriptor
    ) throws(SystemError) {
        var place = range.lowerBound
        while place < range.upperBound {
            let piece = try file.read(at: place, atMost: min(1 << 20, range.upperBound - place))
            if piece.isEmpty { throw SystemError(code: EIO, operation: "read", subject: path) }
            try target.writeAll(piece)
            place += piece.count
        }
    }
}
