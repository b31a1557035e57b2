import Bytes
import CommandLineTool
import Glibc
import MessageFormat
import Synchronization
import Unix

/// Writes parts into a directory under safe names, never over anything, never through a link.
final class Extraction: Sendable {
    private let directory: String
    private let only: String?
    private let terminator: UInt8
    /// The number that a name was last given, so that the next is not looked for from the start.
    private let numbers = Mutex<[String: Int]>([:])

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
            let path = try create(name(part, message, bytes)) { file throws(SystemError) in
                try write(part, message, bytes, to: file)
            }
            output.write(PathText.bytes(path) + [terminator])
        }
        for part in message.structure.walk() where message.structure.parts[part].contentType.isText {
            if try extractBlocks(part, message, bytes, to: output) { found = true }
        }
        return found
    }

    // MARK: uuencoded blocks within text

    /// Text that has to be decoded first is not looked through beyond this many bytes.
    private static let largestText = 64 << 20

    /// Extracts the uuencoded blocks of a text part; whether there was any.
    private func extractBlocks(
        _ part: Int, _ message: ParsedMessage, _ bytes: Span<UInt8>, to output: Output
    ) throws -> Bool {
        let node = message.structure.parts[part]
        switch node.encoding {
        case .uuencode: return false
        case .identity, .unknown:
            return try message.structure.withSource(of: part, in: bytes) { source in
                try extractBlocks(source.extracting(node.body.clamped(to: 0..<source.count)), to: output)
            }
        case .base64, .quotedPrintable:
            guard node.body.count <= Self.largestText else { return false }
            let content = message.structure.content(of: part, in: bytes).bytes
            return try extractBlocks(content.span, to: output)
        }
    }

    private func extractBlocks(_ text: Span<UInt8>, to output: Output) throws -> Bool {
        var found = false
        var place = 0
        while let block = Uuencode.block(in: text, from: place) {
            place = block.next
            let name = Charset.guess(text.extracting(block.name))
            guard fits(name: name) else { continue }
            found = true
            let safe = SafeFileName.make(name)
            let path = try create(safe.isEmpty ? "uuencoded.bin" : safe) { file throws(SystemError) in
                try MessageStructure.decode(uuencoded: text.extracting(0..<block.next), from: block.lines.lowerBound) {
                    piece throws(SystemError) in try file.writeAll(piece)
                }
            }
            output.write(PathText.bytes(path) + [terminator])
        }
        return found
    }

    private func fits(name: String) -> Bool {
        guard let only = only?.asciiLowercased else { return true }
        return !only.contains("/") && Extraction.matches(name.asciiLowercased, only)
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

    private func name(_ part: Int, _ message: ParsedMessage, _ bytes: Span<UInt8>) -> String {
        let safe = message.headers[part].filename.map { SafeFileName.make($0) } ?? ""
        if !safe.isEmpty { return safe }
        if message.structure.parts[part].encoding == .uuencode {
            let named = message.structure.withSource(of: part, in: bytes) { source in
                Uuencode.block(in: source, from: message.structure.parts[part].bodyOffset).map {
                    SafeFileName.make(source.array($0.name).text)
                }
            }
            if let named, !named.isEmpty { return named }
        }
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

    private static let largestNumber = 1_000_000

    /// Creates a file that was not there, with a number in its name when the name is taken.
    private func create(
        _ name: String, _ fill: (borrowing FileDescriptor) throws(SystemError) -> Void
    ) throws(ToolFailure) -> String {
        let first = numbers.withLock { $0[name] ?? 0 } + 1
        for number in first...max(first, Self.largestNumber) {
            numbers.withLock { $0[name] = number }
            let path = "\(directory)/\(number == 1 ? name : SafeFileName.numbered(name, number))"
            do throws(SystemError) {
                let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
                do throws(SystemError) {
                    try fill(file)
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
        throw ToolFailure(.cannotCreate, "\(directory)/\(name): a million files have this name")
    }
}
