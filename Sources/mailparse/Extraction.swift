import Bytes
import CommandLineTool
import Glibc
import MessageFormat
import Unix

/// Writes parts into a directory under safe names, never over anything, never through a link.
struct Extraction: Sendable {
    private let directory: String
    private let only: String?
    private let terminator: UInt8

    init(directory: String, only: String?, terminator: UInt8) {
        self.directory = directory
        self.only = only
        self.terminator = terminator
    }

    /// Extracts the attachments of a message, or with a pattern the parts that fit; whether there was any.
    func run(_ message: ParsedMessage, _ bytes: Span<UInt8>, to output: Output) throws -> Bool {
        var found = false
        let parts = only == nil ? message.readable?.attachments ?? [] : message.structure.walk()
        for part in parts where fits(part, message) {
            found = true
            let path = try write(part, message, bytes, named: name(part, message))
            output.write(Array(path.utf8) + [terminator])
        }
        return found
    }

    private func write(
        _ part: Int, _ message: ParsedMessage, _ bytes: Span<UInt8>, to file: borrowing FileDescriptor
    ) throws(SystemError) {
        guard message.structure.parts[part].isLeaf else {
            return try message.writeBody(of: part, bytes) { piece throws(SystemError) in try file.writeAll(piece) }
        }
        _ = try message.structure.decode(part, in: bytes, passed: message.passed) { piece throws(SystemError) in
            try file.writeAll(piece)
        }
    }

    private func name(_ part: Int, _ message: ParsedMessage) -> String {
        let safe = message.headers[part].filename.map { SafeFileName.make($0) } ?? ""
        if !safe.isEmpty { return safe }
        return SafeFileName.make(
            path: message.structure.path(of: part), type: message.structure.parts[part].contentType.name)
    }

    private func fits(_ part: Int, _ message: ParsedMessage) -> Bool {
        guard let only else { return true }
        let node = message.structure.parts[part]
        if node.isMultipart { return false }
        if message.structure.path(of: part) == only { return true }
        let pattern = only.asciiLowercased
        if pattern.contains("/") { return Extraction.matches(node.contentType.name, pattern) }
        guard let name = message.headers[part].filename else { return false }
        return Extraction.matches(name.asciiLowercased, pattern)
    }

    private static func matches(_ text: String, _ pattern: String) -> Bool {
        !text.utf8.contains(0) && fnmatch(pattern, text, 0) == 0
    }

    /// Creates a file that was not there, with a number in its name when the name is taken.
    private func write(
        _ part: Int, _ message: ParsedMessage, _ bytes: Span<UInt8>, named name: String
    ) throws(ToolFailure) -> String {
        for number in 1...10_000 {
            let path = "\(directory)/\(number == 1 ? name : SafeFileName.numbered(name, number))"
            do throws(SystemError) {
                let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
                do throws(SystemError) {
                    try write(part, message, bytes, to: file)
                    try file.close()
                } catch {
                    try? Files.remove(path)
                    throw error
                }
                return path
            } catch {
                if error.code == EEXIST { continue }
                throw ToolFailure(
                    error.isOutOfSpace || error.code == EIO ? .ioError : .cannotCreate,
                    "\(TerminalText.escape(path)): \(error.reason)")
            }
        }
        throw ToolFailure(.cannotCreate, "\(directory)/\(name): ten thousand files have this name")
    }
}
