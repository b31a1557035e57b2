import Bytes
import CLinux
import Glibc

/// An open directory: its files are named relative to it, by names of any bytes, so that neither a renamed parent
/// nor a name that is not UTF-8 is in the way.
package final class Directory: Sendable {
    /// An entry of a directory: its name, and what it is (links are not followed: they are `.other`).
    package struct Entry: Equatable, Sendable {
        package let name: [UInt8]
        package let kind: Files.Kind
    }

    /// The path that it was opened by, for messages.
    package let path: String
    private let descriptor: FileDescriptor

    /// Opens the directory `path`.
    package init(_ path: String) throws(SystemError) {
        descriptor = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY)
        self.path = path
    }

    /// Opens the directory `name` within this one; links are not followed.
    package func directory(_ name: String) throws(SystemError) -> Directory {
        let number = retryingOnInterrupt {
            openat(descriptor.number, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }
        guard number >= 0 else { throw .last("open", subject(Array(name.utf8))) }
        return Directory(owning: number, path: subject(Array(name.utf8)))
    }

    private init(owning number: Int32, path: String) {
        descriptor = FileDescriptor(owning: number, subject: path)
        self.path = path
    }

    /// All entries but `.` and `..`, in the directory's own order.
    package func entries() throws(SystemError) -> [Entry] {
        let copy = openat(descriptor.number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0, let stream = fdopendir(copy) else {
            let failure = SystemError.last("read", path)
            if copy >= 0 { _ = Glibc.close(copy) }
            throw failure
        }
        defer { closedir(stream) }
        var entries: [Entry] = []
        errno = 0
        while let entry = readdir(stream) {
            // Safe: d_name is NUL-terminated within the entry, which lives until the next readdir.
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: UInt8.self, capacity: 256) { start in
                    Array(UnsafeBufferPointer(start: start, count: strnlen(UnsafeRawPointer(start), 256)))
                }
            }
            let isOwn = name.first == ASCII.dot && (name.count == 1 || (name.count == 2 && name[1] == ASCII.dot))
            if !isOwn {
                entries.append(Entry(name: name, kind: kind(ofType: Int(entry.pointee.d_type), name)))
            }
            errno = 0
        }
        guard errno == 0 else { throw .last("read", path) }
        return entries
    }

    private func kind(ofType type: Int, _ name: [UInt8]) -> Files.Kind {
        switch type {
        case Int(DT_REG): return .file
        case Int(DT_DIR): return .directory
        case Int(DT_UNKNOWN): return (try? status(name)).map { Files.kind(of: $0) } ?? .other
        default: return .other
        }
    }

    /// The status of an entry itself, links not followed.
    package func status(_ name: [UInt8]) throws(SystemError) -> stat {
        var status = stat()
        let code = try withTerminated(name) { fstatat(descriptor.number, $0, &status, AT_SYMLINK_NOFOLLOW) }
        guard code == 0 else { throw .last("examine", subject(name)) }
        return status
    }

    /// Throws when this process may not make or remove files here.
    package func checkWritable() throws(SystemError) {
        let code = try withTerminated(Array(".".utf8)) { faccessat(descriptor.number, $0, W_OK, Int32(AT_EACCESS)) }
        guard code == 0 else { throw .last("write to", path) }
    }

    /// The status of the directory itself.
    package func status() throws(SystemError) -> stat {
        var status = stat()
        guard fstat(descriptor.number, &status) == 0 else { throw .last("examine", path) }
        return status
    }

    /// The status of a regular file; nil for anything else, links too.
    package func fileStatus(_ name: ArraySlice<UInt8>) -> stat? {
        withTerminated(name) { terminated in
            var status = stat()
            guard fstatat(descriptor.number, terminated, &status, AT_SYMLINK_NOFOLLOW) == 0,
                Files.kind(of: status) == .file
            else { return nil }
            return status
        }
    }

    /// Opens an entry for reading when that needs no disk; nil when it does, or fails.
    package func openCached(_ name: ArraySlice<UInt8>) -> FileDescriptor? {
        let number = withTerminated(name) {
            facteur_openat_cached(descriptor.number, $0, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        }
        return number >= 0 ? FileDescriptor(owning: number, subject: path) : nil
    }

    /// Calls `body` with the name for a C call.
    private func withTerminated<Result>(
        _ name: ArraySlice<UInt8>, _ body: (UnsafePointer<CChar>) -> Result
    ) -> Result {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: name.count + 1) { buffer in
            for (offset, byte) in name.enumerated() { buffer[offset] = CChar(bitPattern: byte) }
            buffer[name.count] = 0
            // Safe: the buffer is not empty, so it has an address, and it ends with a NUL.
            return body(UnsafePointer(buffer.baseAddress.unsafelyUnwrapped))
        }
    }

    /// Opens an entry, close-on-exec; a link is ELOOP.
    package func open(
        _ name: [UInt8], _ flags: Int32, mode: mode_t = 0o666
    ) throws(SystemError) -> FileDescriptor {
        let number = try withTerminated(name) { terminated in
            retryingOnInterrupt { openat(descriptor.number, terminated, flags | O_NOFOLLOW | O_CLOEXEC, mode) }
        }
        let subject = subject(name)
        guard number >= 0 else { throw .last(flags & O_CREAT != 0 ? "create" : "open", subject) }
        return FileDescriptor(owning: number, subject: subject)
    }

    /// Opens an entry for reading, or a new one for writing, in the directory's own name: cheap where there are very
    /// many. A link is ELOOP; opening does not wait for the other end of a FIFO.
    package func openMany(
        _ name: [UInt8], _ flags: Int32, mode: mode_t = 0o600
    ) throws(SystemError) -> FileDescriptor {
        let number = try withTerminated(name) { terminated in
            retryingOnInterrupt {
                openat(descriptor.number, terminated, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, mode)
            }
        }
        guard number >= 0 else { throw .last(flags & O_CREAT != 0 ? "create" : "open", path) }
        return FileDescriptor(owning: number, subject: path)
    }

    /// Calls `body` with the name as a C string; a name that holds a NUL, or is too long, is EINVAL.
    private func withTerminated<Result>(
        _ name: [UInt8], _ body: (UnsafePointer<CChar>) -> Result
    ) throws(SystemError) -> Result {
        guard name.count < 4_096, !name.contains(0) else {
            throw SystemError(code: EINVAL, operation: "name", subject: subject(name))
        }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: name.count + 1) { buffer in
            // Safe: the buffer has room for the name and its NUL, and lives as long as the call.
            name.withUnsafeBytes { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0) }
            buffer.initializeElement(at: name.count, to: 0)
            return body(UnsafePointer(buffer.baseAddress.unsafelyUnwrapped))
        }
    }

    /// Renames an entry into another directory, only when nothing has the new name there; else EEXIST. Links and
    /// unlinks where the file system has no such rename.
    package func rename(_ name: [UInt8], to other: Directory, as newName: [UInt8]) throws(SystemError) {
        let source = descriptor.number
        let target = other.descriptor.number
        let code = try withTerminated(name) { from in
            try? other.withTerminated(newName) { to in
                if facteur_rename_noreplace(source, from, target, to) == 0 { return Int32(0) }
                guard errno == EINVAL || errno == ENOSYS else { return errno }
                return linkat(source, from, target, to, 0) == 0 && unlinkat(source, from, 0) == 0 ? 0 : errno
            }
        }
        guard code == 0 else {
            throw SystemError(code: code ?? EINVAL, operation: "rename", subject: renaming(name, other, newName))
        }
    }

    /// Renames an entry to `name`, in place of what has that name.
    package func replace(_ name: [UInt8], by other: [UInt8]) throws(SystemError) {
        let code = try withTerminated(other) { from in
            try? withTerminated(name) { to in
                renameat(descriptor.number, from, descriptor.number, to) == 0 ? Int32(0) : errno
            }
        }
        guard code == 0 else {
            throw SystemError(code: code ?? EINVAL, operation: "rename", subject: renaming(other, self, name))
        }
    }

    /// Removes an entry that is no directory.
    package func remove(_ name: [UInt8]) throws(SystemError) {
        guard try withTerminated(name, { unlinkat(descriptor.number, $0, 0) }) == 0 else {
            throw .last("remove", subject(name))
        }
    }

    /// Waits until the entries are on the disk: after it, a rename into the directory survives a power loss.
    package func synchronize() throws(SystemError) {
        guard retryingOnInterrupt({ fsync(descriptor.number) }) == 0 else { throw .last("sync", path) }
    }

    private func subject(_ name: [UInt8]) -> String { "\(path)/\(PathText.text(name))" }

    private func renaming(_ name: [UInt8], _ other: Directory, _ newName: [UInt8]) -> String {
        "\(subject(name)) to \(other.subject(newName))"
    }
}
