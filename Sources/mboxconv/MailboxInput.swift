import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// The bytes of a mailbox that is one file or one stream, uncompressed.
struct MailboxInput {
    /// For messages to people.
    let name: String
    /// The file; nil for standard input.
    let path: String?
    var compression: Compression?
    /// What was read of a stream already, to look at it.
    var start: [UInt8] = []
    /// How long to wait for other programs that write to the file; nil takes no lock.
    let lockTimeout: Duration?

    /// The bytes can be read at any place, and again.
    var isSeekable: Bool { path != nil && compression == nil }

    /// Opens it for reading, a file under a lock that lasts until it is closed.
    func open() throws -> OpenInput {
        guard let path else {
            return OpenInput(FileDescriptor(owning: dup(0), subject: "standard input"), nil)
        }
        if let compression {
            let decompression = try Decompression(compression, path: path, name: name)
            return OpenInput(decompression.takeOutput(), decompression)
        }
        return OpenInput(try Self.open(path, as: name, lockTimeout: lockTimeout), nil)
    }

    /// Opens a file for reading, under a lock that lasts until it is closed.
    static func open(_ path: String, as name: String, lockTimeout: Duration?) throws -> FileDescriptor {
        do throws(SystemError) {
            let file = try FileDescriptor.open(path, O_RDONLY)
            guard let lockTimeout, Files.kind(of: try file.status()) == .file else { return file }
            // A file system without locks is read without.
            if (try? FileLock.shared(file, timeout: lockTimeout)) ?? true { return file }
        } catch {
            throw Source.failure(name, error)
        }
        if Interruption.signal != nil { throw Interrupted() }
        throw ToolFailure(
            .temporaryFailure,
            "\(name): another program is writing to it: try again, wait longer with --lock-timeout, or use --no-lock")
    }

    /// The first bytes, up to `limit`, and whether they are all; they are kept in `start` when they cannot be read again.
    mutating func look(atMost limit: Int) throws -> (bytes: [UInt8], isWhole: Bool) {
        var input = try open()
        guard let file = input.file.take() else { return ([], true) }
        var bytes: [UInt8] = []
        var isWhole = false
        do throws(SystemError) {
            while bytes.count < limit {
                guard file.waitForInput() else { throw SystemError(code: EINTR, operation: "read") }
                if try file.read(into: &bytes, atMost: min(limit - bytes.count, 256 << 10)) == 0 {
                    isWhole = true
                    break
                }
            }
        } catch {
            throw error.code == EINTR ? Interrupted() : Source.failure(name, error)
        }
        if isWhole { try input.finish() }
        if path == nil { start = bytes }
        return (bytes, isWhole)
    }
}

/// A mailbox that is being read: its bytes, and the program that makes them.
struct OpenInput: ~Copyable {
    var file: FileDescriptor?
    private let decompression: Decompression?

    init(_ file: consuming FileDescriptor?, _ decompression: Decompression?) {
        self.file = file
        self.decompression = decompression
    }

    /// To be called after the last byte was read: throws when the bytes are not all.
    func finish() throws { try decompression?.finish() }
}

/// How a file is compressed.
enum Compression: String {
    case gzip, zstd, xz, bzip2

    /// Tells it by the first bytes of the file.
    init?(magic bytes: [UInt8]) {
        if bytes.starts(with: [0x1F, 0x8B]) {
            self = .gzip
        } else if bytes.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) {
            self = .zstd
        } else if bytes.starts(with: [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]) {
            self = .xz
        } else if bytes.starts(with: Array("BZh".utf8)), bytes.count > 3, 0x31...0x39 ~= bytes[3] {
            self = .bzip2
        } else {
            return nil
        }
    }
}

/// The system's program at work on a compressed file.
final class Decompression {
    private let compression: Compression
    private let name: String
    private var child: ChildProcess
    private var isFinished = false

    init(_ compression: Compression, path: String, name: String) throws(SystemError) {
        self.compression = compression
        self.name = name
        let quoted = path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
        child = try ChildProcess.shell("exec \(compression.rawValue) -dc <'\(quoted)'")
        child.input = nil
    }

    func takeOutput() -> FileDescriptor? { child.output.take() }

    func finish() throws {
        guard !isFinished else { return }
        isFinished = true
        switch child.ending() {
        case .exited(0): return
        case .exited(127):
            throw ToolFailure(
                .unavailable,
                "\(name): is compressed: \(compression.rawValue) is not installed: install it, or decompress the file")
        default:
            throw ToolFailure(.dataError, "\(name): \(compression.rawValue) cannot decompress it: the file is damaged")
        }
    }

    deinit { if !isFinished { child.kill() } }
}

/// Temporary files for input that can be read only once; removed with it.
final class Spool {
    private var directory: TemporaryDirectory?
    private var standardInput: String?
    private var count = 0

    /// The path of standard input, when it is a file that can be read as often as wished; for programs that we start, too,
    /// whose own standard input is another.
    static var standardInputFile: String? {
        var status = stat()
        let isFile = fstat(0, &status) == 0 && Files.kind(of: status) == .file && lseek(0, 0, SEEK_CUR) == 0
        let path = "/proc/\(getpid())/fd/0"
        return isFile && Files.exists(path) ? path : nil
    }

    /// Copies standard input, the first time, and returns where to.
    func keepStandardInput() throws -> String {
        if let path = standardInput ?? Self.standardInputFile { return path }
        let path = try keep(MailboxInput(name: "standard input", path: nil, lockTimeout: nil))
        standardInput = path
        return path
    }

    /// A new folder.
    func makeFolder() throws(SystemError) -> String {
        if directory == nil { directory = try TemporaryDirectory(prefix: "mboxconv") }
        count += 1
        let path = "\(directory?.path ?? ".")/\(count)"
        try Files.makeDirectory(path, mode: 0o700)
        return path
    }

    /// Copies what cannot be read again, from its first byte.
    func keep(_ input: MailboxInput) throws -> String {
        var open = try input.open()
        guard let file = open.file.take() else { return "/dev/null" }
        let path = try copy(file, after: input.start, of: input.name)
        try open.finish()
        return path
    }

    private func copy(_ file: borrowing FileDescriptor, after start: [UInt8], of name: String) throws -> String {
        do throws(SystemError) {
            if directory == nil { directory = try TemporaryDirectory(prefix: "mboxconv") }
            count += 1
            let path = "\(directory?.path ?? ".")/\(count)"
            let copy = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
            try copy.writeAll(start)
            var buffer: [UInt8] = []
            while file.waitForInput() {
                if try file.read(into: &buffer, atMost: 256 << 10) == 0 { return path }
                try copy.writeAll(buffer)
                buffer.removeAll(keepingCapacity: true)
            }
        } catch {
            throw Source.failure(name, error)
        }
        throw Interrupted()
    }
}
