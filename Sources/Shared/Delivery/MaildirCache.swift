import Glibc
import Mailboxes
import Synchronization
import Unix

/// Open Maildirs by their paths, so that a delivery does not open four directories each time.
final class MaildirCache: Sendable {
    private struct Known {
        let maildir: Maildir
        let device: UInt
        let inode: UInt
    }

    private static let capacity = 512
    private let known = Mutex<[String: Known]>([:])

    /// Begins a message in the Maildir at `path`. Where no more files can be open, those of other Maildirs are closed for
    /// it.
    func begin(at path: String) throws(SystemError) -> (maildir: Maildir, delivery: MaildirDelivery) {
        do throws(SystemError) {
            let maildir = try maildir(at: path)
            return (maildir, try maildir.begin())
        } catch {
            guard error.isOutOfDescriptors else { throw error }
            known.withLock { $0.removeAll() }
            let maildir = try maildir(at: path)
            return (maildir, try maildir.begin())
        }
    }

    /// The Maildir at `path`, made when it is not there. One that was removed or replaced meanwhile is opened anew.
    private func maildir(at path: String) throws(SystemError) -> Maildir {
        if let status = try? Files.status("\(path)/new"),
            let found = known.withLock({ $0[path] }), found.inode == status.st_ino, found.device == status.st_dev
        {
            return found.maildir
        }
        let maildir = try Maildir.create(path)
        let status = try Files.status("\(path)/new")
        // A Maildir holds three descriptors; most of those that the process may have are for connections.
        let capacity = min(MaildirCache.capacity, ResourceLimits.descriptorLimit / 16)
        known.withLock { known in
            if known.count >= capacity { known.removeAll() }
            known[path] = Known(maildir: maildir, device: status.st_dev, inode: status.st_ino)
        }
        return maildir
    }
}
