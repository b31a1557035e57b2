import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// The journal of a conversion, a small text file beside or in its destination while it is under way: of which sources it
/// is, and how far it came. Lines are appended; one without line end was being written when the run ended, and does not
/// count.
final class Journal {
    private static let heading = "mboxconv journal 2"

    let path: String
    /// An earlier run has left it.
    let isResumed: Bool
    private let identity: [String]
    private var lines: [[String]] = []
    private var file: FileDescriptor?

    /// Reads the journal at `path`, if there is one. `identity` tells the conversion: an earlier one of another is
    /// refused, and so is any unless `resuming`.
    init(_ path: String, identity: [String], resuming: Bool, destination: String) throws {
        self.path = path
        self.identity = identity
        guard Files.exists(path) else {
            isResumed = false
            return
        }
        guard resuming else {
            throw ToolFailure(
                .cannotCreate,
                "\(destination): a conversion into it was interrupted: go on with --resume, or remove \(path)")
        }
        var text = try Files.read(path, limit: 64 << 20)
        text.removeLast(text.count - (text.lastIndex(of: ASCII.lf).map { $0 + 1 } ?? 0))
        let lines = text.split(separator: ASCII.lf).map(\.text)
        let start = [Self.heading] + identity
        // One that was killed while it made its journal has done nothing yet.
        isResumed = lines.count > start.count
        guard lines.starts(with: start) || start.starts(with: lines) else {
            throw ToolFailure(
                .dataError,
                "\(path): of other sources or options, or the sources have changed: name the same ones, or remove it")
        }
        self.lines = lines.dropFirst(start.count).map { $0.split(separator: " ", maxSplits: 1).map(String.init) }
    }

    /// What the lines that begin with `key` say, in order.
    func values(_ key: String) -> [String] { lines.filter { $0[0] == key }.map { $0.count > 1 ? $0[1] : "" } }
    func value(_ key: String) -> String? { values(key).last }

    /// The numbers that the last line with `key` says.
    func numbers(_ key: String) -> [Int]? { value(key).map { $0.split(separator: " ").compactMap { Int($0) } } }

    /// Begins to write, with one line to say that something follows; with `synchronizing`, durably.
    func begin(synchronizing: Bool) throws {
        if !isResumed {
            let text = Array(([Self.heading] + identity + ["begun"]).joined(separator: "\n").utf8) + [ASCII.lf]
            lines = [["begun"]]
            try make(text, synchronizing: synchronizing)
        }
        let file = try FileDescriptor.open(path, O_RDWR, mode: 0o600)
        // What was being written when an earlier run ended would spoil the next line.
        let text = try file.readAll(limit: 64 << 20)
        let end = text.lastIndex(of: ASCII.lf).map { $0 + 1 } ?? 0
        try file.truncate(to: end)
        try file.seek(to: end)
        self.file = consume file
    }

    /// Makes the file, whole or not at all. What a run that was killed meanwhile has left is written over.
    private func make(_ text: [UInt8], synchronizing: Bool) throws(SystemError) {
        let temporary = "\(path).new"
        let file = try FileDescriptor.open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        do throws(SystemError) {
            try file.writeAll(text)
            if synchronizing { try file.synchronize() }
            try Files.rename(temporary, to: path)
        } catch {
            try? Files.remove(temporary)
            throw error
        }
        if synchronizing { try Files.synchronizeDirectory(Files.parent(of: path) ?? "/") }
    }

    /// Appends a line.
    func note(_ line: String, synchronizing: Bool = false) throws(SystemError) {
        try file?.writeAll(Array("\(line)\n".utf8))
        if synchronizing { try file?.synchronize() }
    }

    /// The conversion is complete, or all of it is undone.
    func remove() throws(SystemError) {
        file = nil
        if Files.exists("\(path).new") { try Files.remove("\(path).new") }
        if Files.exists(path) { try Files.remove(path) }
    }
}
