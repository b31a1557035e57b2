import Bytes
import CLinux
import Glibc

/// What programs do with files by name. Paths are text as `PathText` has it.
package enum Files {
    package enum Kind: Equatable, Sendable { case file, directory, other }

    /// Where temporary files go: TMPDIR, or /tmp.
    package static var temporaryDirectory: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" }

    /// What stands at `path`, links followed; nil when there is nothing or it cannot be seen.
    package static func kind(_ path: String) -> Kind? {
        guard let status = try? status(path) else { return nil }
        return kind(of: status)
    }

    /// The kind that a status speaks of.
    package static func kind(of status: stat) -> Kind {
        switch status.st_mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .directory
        default: .other
        }
    }

    /// stat(2), or lstat(2).
    package static func status(_ path: String, followLinks: Bool = true) throws(SystemError) -> stat {
        var status = stat()
        let code = withPath(path) { followLinks ? stat($0, &status) : lstat($0, &status) }
        guard code == 0 else { throw .last("read", path) }
        return status
    }

    package static func isDirectory(_ path: String) -> Bool { kind(path) == .directory }
    package static func exists(_ path: String) -> Bool { withPath(path) { access($0, F_OK) } == 0 }

    /// Finds out whether this process may make files in a directory.
    package static func checkWritable(directory path: String) throws(SystemError) {
        guard isDirectory(path) else {
            throw SystemError(code: exists(path) ? ENOTDIR : ENOENT, operation: "write to", subject: path)
        }
        guard withPath(path, { access($0, W_OK | X_OK) }) == 0 else { throw .last("write to", path) }
    }

    /// chown(2).
    package static func setOwner(_ path: String, uid: uid_t, gid: gid_t) throws(SystemError) {
        guard withPath(path, { chown($0, uid, gid) }) == 0 else { throw .last("change the owner of", path) }
    }

    /// The names in a directory but `.` and `..`, in the directory's own order, as bytes.
    package static func names(inDirectory path: String) throws(SystemError) -> [[UInt8]] {
        guard let stream = withPath(path, { opendir($0) }) else { throw .last("open", path) }
        defer { closedir(stream) }
        var names: [[UInt8]] = []
        errno = 0
        while let entry = readdir(stream) {
            // Safe: d_name is NUL-terminated within the entry, which lives until the next readdir.
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: UInt8.self, capacity: 256) { start in
                    Array(UnsafeBufferPointer(start: start, count: strnlen(UnsafeRawPointer(start), 256)))
                }
            }
            if name != [ASCII.dot] && name != [ASCII.dot, ASCII.dot] { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw .last("read", path) }
        return names
    }

    /// Makes a directory; one that is there already is no error. With `parents`, those too.
    package static func makeDirectory(
        _ path: String, mode: mode_t = 0o777, parents: Bool = false
    ) throws(SystemError) {
        if withPath(path, { mkdir($0, mode) }) == 0 { return }
        let code = errno
        if code == EEXIST {
            guard isDirectory(path) else { throw SystemError(code: ENOTDIR, operation: "make", subject: path) }
            return
        }
        if code == ENOENT, parents, let parent = parent(of: path), parent != path {
            try makeDirectory(parent, mode: mode, parents: true)
            try makeDirectory(path, mode: mode)
            return
        }
        throw SystemError(code: code, operation: "make", subject: path)
    }

    /// Makes a directory with those above it, so that all of them would survive a power loss; one that is there is no error.
    package static func makeDirectoryDurably(_ path: String, mode: mode_t = 0o777) throws(SystemError) {
        if isDirectory(path) { return }
        let parent = parent(of: path) ?? "/"
        if !exists(parent) { try makeDirectoryDurably(parent, mode: mode) }
        try makeDirectory(path, mode: mode)
        try synchronizeDirectory(parent)
    }

    /// The directory that a path names its last component in: `.` when it names none, nil for `/`.
    package static func parent(of path: String) -> String? {
        var bytes = Array(path.utf8)
        while bytes.count > 1, bytes.last == ASCII.slash { bytes.removeLast() }
        if bytes == [ASCII.slash] { return nil }
        guard let slash = bytes.lastIndex(of: ASCII.slash) else { return "." }
        return slash == 0 ? "/" : bytes[..<slash].text
    }

    /// The last component of a path.
    package static func name(of path: String) -> String {
        var bytes = Array(path.utf8)
        while bytes.count > 1, bytes.last == ASCII.slash { bytes.removeLast() }
        guard let slash = bytes.lastIndex(of: ASCII.slash), bytes.count > 1 else { return bytes.text }
        return bytes[(slash + 1)...].text
    }

    /// rename(2): replaces what stands at `to`.
    package static func rename(_ from: String, to: String) throws(SystemError) {
        guard withPaths(from, to, { Glibc.rename($0, $1) }) == 0 else { throw .last("rename", "\(from) to \(to)") }
    }

    /// Renames only when nothing stands at `to`; else EEXIST. Falls back to link and unlink where the file system
    /// has no such rename.
    package static func renameWithoutReplacing(_ from: String, to: String) throws(SystemError) {
        if withPaths(from, to, { facteur_rename_noreplace(AT_FDCWD, $0, AT_FDCWD, $1) }) == 0 { return }
        guard errno == EINVAL || errno == ENOSYS else { throw .last("rename", "\(from) to \(to)") }
        guard withPaths(from, to, { link($0, $1) }) == 0 else { throw .last("rename", "\(from) to \(to)") }
        try remove(from)
    }

    /// unlink(2).
    package static func remove(_ path: String) throws(SystemError) {
        guard withPath(path, { unlink($0) }) == 0 else { throw .last("remove", path) }
    }

    /// The path without links; nil when nothing is there.
    package static func resolved(_ path: String) -> String? {
        guard let resolved = withPath(path, { realpath($0, nil) }) else { return nil }
        defer { free(resolved) }
        // Safe: realpath(3) gives a NUL-terminated path of its own.
        return PathText.text(
            UnsafeBufferPointer(start: resolved, count: strlen(resolved)).map { UInt8(bitPattern: $0) })
    }

    /// rmdir(2): of a directory in which nothing is.
    package static func removeDirectory(_ path: String) throws(SystemError) {
        guard withPath(path, { rmdir($0) }) == 0 else { throw .last("remove", path) }
    }

    /// Removes a file or a whole directory tree; links are removed, not followed.
    package static func removeTree(_ path: String) throws(SystemError) {
        var pending = [path]
        var directories: [String] = []
        while let next = pending.popLast() {
            if kind(of: try status(next, followLinks: false)) == .directory {
                directories.append(next)
                for name in try names(inDirectory: next) { pending.append("\(next)/\(PathText.text(name))") }
            } else {
                try remove(next)
            }
        }
        for directory in directories.reversed() { try removeDirectory(directory) }
    }

    /// Waits until a directory's entries are on the disk: after it, a rename into it survives a power loss.
    package static func synchronizeDirectory(_ path: String) throws(SystemError) {
        let directory = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY)
        guard retryingOnInterrupt({ fsync(directory.number) }) == 0 else { throw .last("sync", path) }
    }

    /// Waits until everything that was written to the file system of `path` is on the disk: for many files at once.
    package static func synchronizeFileSystem(of path: String) throws(SystemError) {
        let directory = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY)
        guard retryingOnInterrupt({ facteur_syncfs(directory.number) }) == 0 else { throw .last("sync", path) }
    }

    /// The whole content of a file; a directory is EISDIR.
    package static func read(_ path: String, limit: Int = .max) throws(SystemError) -> [UInt8] {
        let file = try FileDescriptor.open(path, O_RDONLY)
        return try file.readAll(limit: limit)
    }

    /// Replaces a file's content so that a crash at any instant leaves the old or the new content, whole: a temporary
    /// beside it, synced and renamed, and the directory synced.
    package static func writeDurably(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o666) throws(SystemError) {
        let temporary = "\(path).tmp.\(getpid())"
        do throws(SystemError) {
            let file = try FileDescriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode: mode)
            try file.writeAll(bytes)
            try file.synchronize()
            try file.close()
            try rename(temporary, to: path)
        } catch {
            if error.code != EEXIST { try? remove(temporary) }
            throw error
        }
        try synchronizeDirectory(parent(of: path) ?? "/")
    }
}

/// A directory under the system's temporary one that is removed with everything in it when its owner ends.
package final class TemporaryDirectory: Sendable {
    package let path: String

    package init(prefix: String = "facteur") throws(SystemError) {
        let base = Files.temporaryDirectory
        var template = Array("\(base)/\(prefix).XXXXXX".utf8CString)
        // Safe: mkdtemp changes the X's of the NUL-terminated template in place.
        guard mkdtemp(&template) != nil else { throw .last("make a directory in", base) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? Files.removeTree(path) }
}
