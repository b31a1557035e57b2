import Bytes
import Glibc
import Unix

/// An mbox that is appended to under the locks of the other mail programs: fcntl(2) and a dot lock, both or none, so
/// that it makes no difference in which order another takes them. Whatever was appended is cut off again unless `commit`
/// is reached.
package struct MboxAppender: ~Copyable {
    /// Why a mailbox cannot be appended to.
    package enum Failure: Error {
        case system(SystemError)
        /// Another program holds a lock for longer than the timeout.
        case locked
        /// What is there is no mbox: its first bytes.
        case notMailbox(firstBytes: [UInt8])
        /// What an earlier run has appended is not what is there now.
        case changed
    }

    /// Where the mailbox ended before, in bytes.
    package let start: Int
    /// Where it ends now: beyond `start` when an earlier run was killed.
    package let end: Int
    /// Line ends that the mailbox lacks before another message may follow: 0 to 2.
    package let missingLineEnds: Int
    /// Where the next byte goes.
    package private(set) var place: Int
    private let file: FileDescriptor
    private let dotLock: DotLock?
    private var touched = ContinuousClock.now
    private var isCommitted = false

    /// Opens the mailbox, which is made for its owner alone when it is not there. A `timeout` of nil takes no locks.
    /// `resumed` tells where it ended before an earlier run began to append, and up to where that run is known to have
    /// come.
    package static func open(
        _ path: String, timeout: Duration?, resumed: (start: Int, place: Int)? = nil
    ) throws(Failure) -> MboxAppender {
        guard let timeout else {
            let file: FileDescriptor
            do throws(SystemError) {
                file = try FileDescriptor.open(path, O_RDWR | O_CREAT, mode: 0o600)
            } catch {
                throw .system(error)
            }
            return try MboxAppender(file, nil, resumed)
        }
        let deadline = ContinuousClock.now + timeout
        while true {
            if let appender = try tryOpen(path, resumed) { return appender }
            if ContinuousClock.now >= deadline || Interruption.signal != nil { throw .locked }
            usleep(useconds_t.random(in: 50_000...150_000))
        }
    }

    private struct Held: ~Copyable {
        let file: FileDescriptor
        let dotLock: DotLock?
    }

    private static func tryOpen(_ path: String, _ resumed: (start: Int, place: Int)?) throws(Failure) -> MboxAppender? {
        let held: Held?
        do throws(SystemError) { held = try hold(path) } catch { throw .system(error) }
        guard let held else { return nil }
        return try MboxAppender(held.file, held.dotLock, resumed)
    }

    /// The mailbox under both locks, or nil when another program has one of them.
    private static func hold(_ path: String) throws(SystemError) -> Held? {
        let file = try FileDescriptor.open(path, O_RDWR | O_CREAT, mode: 0o600)
        guard try FileLock.tryExclusive(file) else { return nil }
        var dotLock: DotLock?
        do throws(SystemError) {
            dotLock = try DotLock.tryAcquire(path)
            if dotLock == nil { return nil }
        } catch {
            // Where a folder may not be written to, others have no dot lock either.
            guard [EACCES, EPERM, EROFS].contains(error.code) else { throw error }
        }
        // Another program may have put a new file in its place while we waited.
        let status = try file.status()
        guard let named = try? Files.status(path), named.st_ino == status.st_ino, named.st_dev == status.st_dev else {
            return nil
        }
        return Held(file: file, dotLock: dotLock.take())
    }

    private init(
        _ file: consuming FileDescriptor, _ dotLock: consuming DotLock?, _ resumed: (start: Int, place: Int)?
    ) throws(Failure) {
        let size: Int
        let first: [UInt8]
        let last: [UInt8]
        let start: Int
        do throws(SystemError) {
            size = Int(try file.status().st_size)
            start = resumed?.start ?? size
            first = try file.read(at: 0, atMost: Swift.min(size, 256))
            last = try file.read(at: Swift.max(0, start - 4), atMost: Swift.min(start, 4))
        } catch {
            throw .system(error)
        }
        let place = resumed?.place ?? size
        guard start <= place, place <= size else { throw .changed }
        let text = first.drop { $0 == ASCII.lf || $0 == ASCII.cr }
        guard text.isEmpty || text.starts(with: "From ".utf8) else {
            throw .notMailbox(firstBytes: Array(first.prefix(16)))
        }
        self.start = start
        self.place = place
        end = size
        missingLineEnds = Self.missingLineEnds(last, isEmpty: start == 0 || text.isEmpty)
        self.file = file
        self.dotLock = dotLock
    }

    private static func missingLineEnds(_ last: [UInt8], isEmpty: Bool) -> Int {
        if isEmpty { return 0 }
        guard last.last == ASCII.lf else { return 2 }
        let line = last.dropLast()
        let before = line.last == ASCII.cr ? line.dropLast() : line
        return before.last == ASCII.lf ? 0 : 1
    }

    /// Appends bytes. Where a killed run has left some, these must be the same: else another program has written there,
    /// and nothing is touched.
    package mutating func write(_ bytes: Span<UInt8>) throws(Failure) {
        if ContinuousClock.now - touched > .seconds(30) {
            touched = ContinuousClock.now
            dotLock?.refresh()
        }
        do throws(SystemError) {
            if place < end {
                let count = Swift.min(end - place, bytes.count)
                let found = try file.read(at: place, atMost: count)
                for index in 0..<Swift.min(count, found.count) where found[index] != bytes[index] {
                    isCommitted = true
                    throw SystemError(code: ESTALE, operation: "append to")
                }
            }
            try file.seek(to: place)
            try file.writeAll(bytes)
            place += bytes.count
        } catch {
            throw error.code == ESTALE ? .changed : .system(error)
        }
    }

    /// Writes bytes at a place of the mailbox that was appended before.
    package func patch(_ bytes: [UInt8], at offset: Int) throws(SystemError) {
        try file.writeAll(bytes, at: offset)
    }

    /// Waits until what was appended so far is on the disk.
    package func synchronize() throws(SystemError) { try file.synchronize() }

    /// Ends well: what was appended stays; with `synchronizing` it is on the disk then.
    package mutating func commit(synchronizing: Bool) throws(SystemError) {
        if synchronizing { try file.synchronize() }
        isCommitted = true
    }

    deinit {
        if !isCommitted { try? file.truncate(to: start) }
    }
}
