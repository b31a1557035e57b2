import Bytes
import Glibc
import Mailboxes
import OpenSSL
import POP3
import Synchronization
import Unix

/// A Maildir as one session sees it: fixed at the login, locked against other sessions. All of it blocks: call it
/// through `offload`.
final class Maildrop: Sendable {
    enum Failure: Error { case inUse, unusable }

    /// Holds the lock; never read.
    private struct Hold: ~Copyable { let lock: DirectoryLock? }

    private let maildir: Maildir?
    private let entries: [Maildir.Entry]
    let messages: [MaildropMessage]
    private let hold: Mutex<Hold>

    /// Opens the Maildir at `path`; one that is not there yet is empty.
    init(path: String) throws(Failure) {
        guard Maildir.isMaildir(path) else {
            maildir = nil
            entries = []
            messages = []
            hold = Mutex(Hold(lock: nil))
            return
        }
        let opened: (Maildir, [Maildir.Entry], [MaildropMessage])
        var lock: DirectoryLock?
        do throws(SystemError) {
            lock = try DirectoryLock.tryAcquire(path)
            if lock == nil { throw SystemError(code: EBUSY, operation: "lock", subject: path) }
            opened = try Maildrop.scan(path)
        } catch {
            throw error.code == EBUSY ? .inUse : .unusable
        }
        (maildir, entries, messages) = opened
        hold = Mutex(Hold(lock: lock))
    }

    private static func scan(_ path: String) throws(SystemError) -> (Maildir, [Maildir.Entry], [MaildropMessage]) {
        let maildir = try Maildir(path)
        var entries: [Maildir.Entry] = []
        var messages: [MaildropMessage] = []
        for entry in try maildir.entries() {
            // A message that cannot be read is left out, as if it were not there.
            guard let octets = try? size(entry, maildir) else { continue }
            entries.append(entry)
            messages.append(MaildropMessage(octets: octets, uniqueID: uniqueID(entry.name)))
        }
        return (maildir, entries, messages)
    }

    /// The octets of a message as sent. The sizes in its name are believed when the one of the file is right.
    private static func size(_ entry: Maildir.Entry, _ maildir: Maildir) throws(SystemError) -> Int {
        let file = try maildir.open(entry)
        let length = Int(try file.status().st_size)
        if length == 0 { return 0 }
        if entry.name.size("S") == length, let wide = entry.name.size("W"), wide >= length {
            try file.seek(to: length - 1)
            var last: [UInt8] = []
            _ = try file.read(into: &last, atMost: 1)
            return wide + (last == [ASCII.lf] ? 0 : last == [ASCII.cr] ? 1 : 2)
        }
        var size = MessageSize()
        var buffer: [UInt8] = []
        while try file.read(into: &buffer, atMost: 262_144) > 0 {
            size.add(buffer.span)
            buffer.removeAll(keepingCapacity: true)
        }
        return size.octets
    }

    /// The unique part of the file's name; its digest when it is too long or holds other characters.
    private static func uniqueID(_ name: MaildirName) -> String {
        let unique = name.unique
        if (1...70).contains(unique.count), unique.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) { return unique.text }
        guard let digest = try? Digest.hash(.sha256, unique) else {
            return Hexadecimal.encode(Array(unique.suffix(35)))
        }
        return Hexadecimal.encode(digest)
    }

    var octets: Int { messages.reduce(0) { $0 + $1.octets } }

    /// Opens a message; nil when it is gone.
    func open(_ index: Int) -> MessageFile? {
        guard let maildir, entries.indices.contains(index), let file = try? maildir.open(entries[index]) else {
            return nil
        }
        return MessageFile(file)
    }

    /// Removes messages and returns when that is on the disk; how many could not be removed. One that is gone already
    /// counts as removed.
    func remove(_ indexes: [Int]) -> Int {
        guard let maildir, !indexes.isEmpty else { return 0 }
        var failed = 0
        for index in indexes where entries.indices.contains(index) {
            do throws(SystemError) {
                try maildir.remove(entries[index])
            } catch {
                if error.code != ENOENT { failed += 1 }
            }
        }
        do throws(SystemError) {
            try maildir.synchronize()
        } catch {
            return indexes.count
        }
        return failed
    }
}

/// A message's file that is read piece by piece.
final class MessageFile: Sendable {
    private let file: FileDescriptor

    init(_ file: consuming FileDescriptor) { self.file = file }

    /// The next piece; empty at the end.
    func read() throws(SystemError) -> [UInt8] {
        var piece: [UInt8] = []
        _ = try file.read(into: &piece, atMost: 65_536)
        return piece
    }
}
