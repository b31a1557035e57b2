import Bytes
import Glibc
import Unix

/// An mbox that is appended to under the locks of the other mail programs: fcntl(2) and a dot lock. Whatever was
/// appended is cut off again unless `commit` is reached.
package struct MboxAppender: ~Copyable {
    /// Why a mailbox cannot be appended to.
    package enum Failure: Error {
        case system(SystemError)
        /// Another program holds a lock for longer than the timeout.
        case locked
        /// What is there is no mbox: its first bytes.
        case notMailbox(firstBytes: [UInt8])
    }

    /// Where the mailbox ended before, in bytes.
    package let start: Int
    /// Line ends that the mailbox lacks before another message may follow: 0 to 2.
    package let missingLineEnds: Int
    private let file: FileDescriptor
    private let dotLock: DotLock?
    private var isCommitted = false

    /// Opens the mailbox, which is made for its owner alone when it is not there. A `timeout` of nil takes no locks.
    package static func open(_ path: String, timeout: Duration?) throws(Failure) -> MboxAppender {
        let dotLock = try takeDotLock(path, timeout)
        let file = try openLocked(path, timeout)
        return try MboxAppender(file, dotLock)
    }

    private static func takeDotLock(_ path: String, _ timeout: Duration?) throws(Failure) -> DotLock? {
        guard let timeout else { return nil }
        do throws(SystemError) {
            if let lock = try DotLock.acquire(path, timeout: timeout) { return lock }
        } catch {
            throw .system(error)
        }
        throw .locked
    }

    private static func openLocked(_ path: String, _ timeout: Duration?) throws(Failure) -> FileDescriptor {
        do throws(SystemError) {
            let file = try FileDescriptor.open(path, O_RDWR | O_CREAT, mode: 0o600)
            guard let timeout else { return file }
            if try FileLock.exclusive(file, timeout: timeout) { return file }
        } catch {
            throw .system(error)
        }
        throw .locked
    }

    private init(_ file: consuming FileDescriptor, _ dotLock: consuming DotLock?) throws(Failure) {
        let size: Int
        let first: [UInt8]
        let last: [UInt8]
        do throws(SystemError) {
            size = Int(try file.status().st_size)
            first = try file.read(at: 0, atMost: Swift.min(size, 256))
            last = try file.read(at: Swift.max(0, size - 4), atMost: Swift.min(size, 4))
            try file.seek(to: size)
        } catch {
            throw .system(error)
        }
        let text = first.drop { $0 == ASCII.lf || $0 == ASCII.cr }
        guard text.isEmpty || text.starts(with: "From ".utf8) else {
            throw .notMailbox(firstBytes: Array(first.prefix(16)))
        }
        start = size
        missingLineEnds = Self.missingLineEnds(last, isEmpty: text.isEmpty)
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

    /// Appends bytes.
    package func write(_ bytes: Span<UInt8>) throws(SystemError) { try file.writeAll(bytes) }

    /// Writes bytes at a place of the mailbox that was appended before.
    package func patch(_ bytes: [UInt8], at offset: Int) throws(SystemError) {
        try file.writeAll(bytes, at: offset)
    }

    /// Ends well: what was appended stays; with `synchronizing` it is on the disk then.
    package mutating func commit(synchronizing: Bool) throws(SystemError) {
        if synchronizing { try file.synchronize() }
        isCommitted = true
    }

    deinit {
        if !isCommitted { try? file.truncate(to: start) }
    }
}
