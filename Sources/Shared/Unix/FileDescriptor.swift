import Bytes
import CLinux
import Glibc

/// An open descriptor with one owner, closed when the owner ends.
package struct FileDescriptor: ~Copyable, Sendable {
    /// The descriptor's number; stays owned by this value.
    package private(set) var number: Int32
    /// What it is, for error messages.
    package let subject: String

    /// Takes over the descriptor `number`.
    package init(owning number: Int32, subject: String = "") {
        self.number = number
        self.subject = subject
    }

    deinit { if number >= 0 { _ = Glibc.close(number) } }

    /// Opens a file, close-on-exec.
    package static func open(
        _ path: String, _ flags: Int32, mode: mode_t = 0o666
    ) throws(SystemError) -> FileDescriptor {
        let verb = flags & O_CREAT != 0 ? "create" : "open"
        guard path.utf8Span.span.firstIndex(of: ASCII.nul) == nil else {
            throw SystemError(code: EINVAL, operation: verb, subject: path)
        }
        let number = withPath(path) { path in
            retryingOnInterrupt { Glibc.open(path, flags | O_CLOEXEC, mode) }
        }
        guard number >= 0 else { throw .last(verb, path) }
        return FileDescriptor(owning: number, subject: path)
    }

    /// A new file of no name in `directory`, of which nothing is left when it is closed, whatever happens.
    package static func openUnnamed(in directory: String) throws(SystemError) -> FileDescriptor {
        // O_TMPFILE is behind a feature macro; it is this bit together with O_DIRECTORY on every Linux.
        let number = withPath(directory) { directory in
            retryingOnInterrupt {
                Glibc.open(directory, 0o20_000_000 | O_DIRECTORY | O_RDWR | O_CLOEXEC, 0o600)
            }
        }
        if number >= 0 { return FileDescriptor(owning: number, subject: "a temporary file in \(directory)") }
        guard errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL else {
            throw .last("create a temporary file in", directory)
        }
        var template = PathText.bytes("\(directory)/.facteur.XXXXXX\0").map { CChar(bitPattern: $0) }
        // Safe: mkstemp changes the X's of the NUL-terminated template in place.
        let named = mkstemp(&template)
        guard named >= 0 else { throw .last("create a temporary file in", directory) }
        unlink(template)
        _ = fcntl(named, F_SETFD, FD_CLOEXEC)
        return FileDescriptor(owning: named, subject: "a temporary file in \(directory)")
    }

    /// Gives up the number without closing it.
    package consuming func release() -> Int32 {
        let number = self.number
        self.number = -1
        return number
    }

    /// Closes, and tells the error that `deinit` would swallow (a late write error of a network file system).
    package consuming func close() throws(SystemError) {
        let number = self.number
        self.number = -1
        guard Glibc.close(number) == 0 || errno == EINTR else { throw .last("close", subject) }
    }

    /// Appends up to `limit` bytes to `buffer`; returns how many, 0 at the end.
    package func read(into buffer: inout [UInt8], atMost limit: Int = 65_536) throws(SystemError) -> Int {
        var count = 0
        var failure: Int32 = 0
        buffer.append(addingCapacity: limit) { output in
            output.withUnsafeMutableBufferPointer { room, filled in
                // Safe: `room` has space for `limit` bytes at least, and as many are filled as were read.
                count = retryingOnInterrupt { Glibc.read(number, room.baseAddress, limit) }
                failure = errno
                filled = Swift.max(count, 0)
            }
        }
        guard count >= 0 else { throw SystemError(code: failure, operation: "read", subject: subject) }
        return count
    }

    /// All that is left, at most `limit` bytes; more than that is EFBIG.
    package func readAll(limit: Int = .max) throws(SystemError) -> [UInt8] {
        var buffer: [UInt8] = []
        var step = 65_536
        while true {
            let count = try read(into: &buffer, atMost: step)
            if count == 0 { return buffer }
            if buffer.count > limit { throw SystemError(code: EFBIG, operation: "read", subject: subject) }
            // A pipe gives little at a time, whatever is asked of it.
            if count == step { step = Swift.min(step * 2, 16 << 20) }
        }
    }

    /// Writes all of `bytes`, however many calls it takes.
    package func writeAll(_ bytes: Span<UInt8>) throws(SystemError) { try writeEverything(bytes) }

    private func writeEverything<Element: BitwiseCopyable>(_ bytes: Span<Element>) throws(SystemError) {
        let code = bytes.withUnsafeBytes { raw -> Int32 in
            var rest = raw[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest)
                // Safe: the pointer and count are those of the rest of the span.
                let count = retryingOnInterrupt { Glibc.write(number, part.baseAddress, part.count) }
                if count < 0 { return errno }
                rest = rest.dropFirst(count)
            }
            return 0
        }
        guard code == 0 else { throw SystemError(code: code, operation: "write to", subject: subject) }
    }

    /// Writes numbers as they lie in memory.
    package func writeAll<Number: FixedWidthInteger & BitwiseCopyable>(numbers: [Number]) throws(SystemError) {
        try writeEverything(numbers.span)
    }

    /// Writes numbers as they lie in memory.
    package func writeAll(numbers: [Float]) throws(SystemError) { try writeEverything(numbers.span) }

    /// Writes all of `bytes`.
    package func writeAll(_ bytes: [UInt8]) throws(SystemError) { try writeAll(bytes.span) }

    /// Lets the kernel begin to write the file's content to the disk, so that many files go out together before they are
    /// waited for. Only `synchronize` says that it is there.
    package func beginSynchronizing() { _ = facteur_begin_writing(number) }

    /// Waits until the file's content and size are on the disk (fdatasync(2)).
    package func synchronize() throws(SystemError) {
        guard retryingOnInterrupt({ fdatasync(number) }) == 0 else { throw .last("sync", subject) }
    }

    /// The file's status (fstat(2)).
    package func status() throws(SystemError) -> stat {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw .last("examine", subject) }
        return status
    }

    /// The place of the next read or write.
    package func position() -> Int { lseek(number, 0, SEEK_CUR) }

    /// Moves to an absolute place, in bytes.
    package func seek(to offset: Int) throws(SystemError) {
        guard lseek(number, offset, SEEK_SET) >= 0 else { throw .last("seek in", subject) }
    }

    /// Gives the bytes of the range a place on the disk, so that writing them needs no further room; the file grows to
    /// their end. Where the file system cannot promise that, nothing happens.
    package func reserve(_ range: Range<Int>) throws(SystemError) {
        let code = posix_fallocate(number, range.lowerBound, range.count)
        switch code {
        case 0, EINVAL, EOPNOTSUPP: return
        default: throw SystemError(code: code, operation: "write to", subject: subject)
        }
    }

    /// Cuts or extends the file to `size` bytes.
    package func truncate(to size: Int) throws(SystemError) {
        guard retryingOnInterrupt({ ftruncate(number, size) }) == 0 else { throw .last("truncate", subject) }
    }
}

/// Repeats a system call as long as a signal interrupts it.
package func retryingOnInterrupt<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result != -1 || errno != EINTR { return result }
    }
}
