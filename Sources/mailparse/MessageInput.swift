import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import MessageFormat
import Unix

/// One message of the input.
struct InputMessage {
    /// The argument that it came with; `-` for standard input.
    let file: String
    /// Its place in the file, mailbox or stream, from 0.
    let index: Int
    /// The mbox line before it, without line end.
    let envelope: [UInt8]?
}

/// Why an input gives no message.
struct InputProblem {
    let file: String
    let index: Int
    let exitCode: ExitCode
    let reason: String
}

/// Takes the messages of the input, one after another.
protocol MessageVisitor: AnyObject {
    /// `bytes` begin with the header. Returns false when no more messages are wanted.
    func visit(_ message: InputMessage, _ bytes: Span<UInt8>) throws -> Bool
    func report(_ problem: InputProblem)
}

/// Finds the messages in files, mailboxes and standard input, in bounded memory: files are mapped, streams are read
/// message by message.
struct MessageInput {
    /// Everything is an mbox, whatever it looks like.
    let isMbox: Bool

    /// Gives every message of `name` to the visitor; false when it wants no more.
    func read(_ name: String, _ visitor: any MessageVisitor) throws -> Bool {
        do throws(SystemError) {
            if name == "-" {
                let input = FileDescriptor(owning: dup(0), subject: "standard input")
                return try readDescriptor(input, name, visitor)
            }
            if Files.isDirectory(name) { return try readMaildir(name, visitor) }
            let file = try FileDescriptor.open(name, O_RDONLY)
            return try readDescriptor(file, name, visitor)
        } catch {
            visitor.report(
                InputProblem(file: name, index: 0, exitCode: .noInput, reason: "cannot be read: \(error.reason)"))
            return true
        }
    }

    private func readDescriptor(
        _ file: borrowing FileDescriptor, _ name: String, _ visitor: any MessageVisitor
    ) throws(SystemError) -> Bool {
        do {
            let status = try file.status()
            if Files.kind(of: status) == .file, file.position() == 0 {
                let mapping = try MappedFile(file)
                return try readWhole(mapping.bytes, name, visitor)
            }
            return try readStream(file, name, visitor)
        } catch let error as SystemError {
            throw error
        } catch {
            throw MessageInput.systemError(error)
        }
    }

    // MARK: Whole files

    private func readWhole(_ bytes: Span<UInt8>, _ name: String, _ visitor: any MessageVisitor) throws -> Bool {
        if isMbox || (name == "-" && MboxLine.begins(bytes)) || MessageInput.holdsSeveral(bytes) {
            return try readMbox(bytes, name, visitor)
        }
        return try single(bytes, name, 0, visitor)
    }

    private func single(
        _ bytes: Span<UInt8>, _ name: String, _ index: Int, _ visitor: any MessageVisitor
    ) throws -> Bool {
        if let line = MboxLine(bytes) {
            let message = InputMessage(file: name, index: index, envelope: bytes.array(line.content))
            return try give(message, bytes.extracting(line.next..<bytes.count), visitor)
        }
        return try give(InputMessage(file: name, index: index, envelope: nil), bytes, visitor)
    }

    private func give(_ message: InputMessage, _ bytes: Span<UInt8>, _ visitor: any MessageVisitor) throws -> Bool {
        if bytes.isEmpty, message.envelope == nil {
            report(message, "empty: not a message", visitor)
            return true
        }
        if BinaryData.isNoMessage(bytes) {
            report(message, "binary data without a header field: not a message", visitor)
            return true
        }
        return try visitor.visit(message, bytes)
    }

    private func report(_ message: InputMessage, _ reason: String, _ visitor: any MessageVisitor) {
        visitor.report(
            InputProblem(file: message.file, index: message.index, exitCode: .dataError, reason: reason))
    }

    /// Whether the bytes are an mbox of more than one message.
    private static func holdsSeveral(_ bytes: Span<UInt8>) -> Bool {
        guard MboxLine.begins(bytes) else { return false }
        var scanner = MboxScanner(format: .mboxrd)
        var count = 0
        while let event = try? scanner.next(in: bytes, isFinal: true) {
            if case .begin = event { count += 1 }
            if count > 1 { return true }
        }
        return false
    }

    private func readMbox(_ bytes: Span<UInt8>, _ name: String, _ visitor: any MessageVisitor) throws -> Bool {
        var scanner = MboxScanner(format: .mboxrd)
        var assembly = StreamAssembly()
        do {
            while let event = try scanner.next(in: bytes, isFinal: true) {
                switch event {
                case .begin(let line, _): assembly.begin(bytes.array(line))
                case .content(let range): assembly.add(range, bytes)
                case .end:
                    let message = InputMessage(file: name, index: assembly.index, envelope: assembly.envelope)
                    let wantsMore: Bool
                    if let range = assembly.range {
                        wantsMore = try give(message, bytes.extracting(range), visitor)
                    } else {
                        let content = assembly.bytes
                        wantsMore = try give(message, content.span, visitor)
                    }
                    if !wantsMore { return false }
                    assembly.end()
                case .look: break
                }
            }
        } catch is MboxError {
            notMbox(name, visitor)
        }
        return true
    }

    private func notMbox(_ name: String, _ visitor: any MessageVisitor) {
        visitor.report(
            InputProblem(
                file: name, index: 0, exitCode: .dataError,
                reason: "not an mbox: its first line does not begin with \"From \": leave out --mbox"))
    }

    // MARK: Streams

    /// An mbox is read message by message; anything else is one message.
    private func readStream(
        _ file: borrowing FileDescriptor, _ name: String, _ visitor: any MessageVisitor
    ) throws -> Bool {
        var buffer: [UInt8] = []
        while buffer.count < 6 {
            if try file.read(into: &buffer, atMost: 65_536) == 0 { break }
        }
        guard isMbox || MboxLine.begins(buffer.span) else {
            while try file.read(into: &buffer, atMost: max(65_536, min(buffer.count, 16 << 20))) > 0 {}
            return try single(buffer.span, name, 0, visitor)
        }
        var scanner = MboxScanner(format: .mboxrd)
        var assembly = StreamAssembly()
        var atEnd = false
        do {
            while true {
                while let event = try scanner.next(in: buffer.span, isFinal: atEnd) {
                    switch event {
                    case .begin(let line, _): assembly.begin(buffer.span.array(line))
                    case .content(let range): assembly.copy(buffer.span.extracting(range))
                    case .end:
                        let message = InputMessage(file: name, index: assembly.index, envelope: assembly.envelope)
                        let content = assembly.bytes
                        if try !give(message, content.span, visitor) { return false }
                        assembly.end()
                    case .look: scanner.waitForContent()
                    }
                }
                if atEnd { return true }
                buffer.removeFirst(scanner.consumed)
                scanner.dropConsumed()
                atEnd = try file.read(into: &buffer, atMost: 256 << 10) == 0
            }
        } catch is MboxError {
            notMbox(name, visitor)
            return true
        }
    }

    // MARK: Maildir

    private func readMaildir(_ name: String, _ visitor: any MessageVisitor) throws(SystemError) -> Bool {
        guard Maildir.isMaildir(name) else {
            visitor.report(
                InputProblem(
                    file: name, index: 0, exitCode: .noInput,
                    reason: "a directory, but no Maildir (it has no new/ and cur/): give its files"))
            return true
        }
        let maildir = try Maildir(name)
        var index = 0
        for entry in try maildir.entries() {
            let file: FileDescriptor
            do throws(SystemError) {
                file = try maildir.open(entry)
            } catch {
                // Another program has removed it since the directory was read.
                if error.code == ENOENT { continue }
                throw error
            }
            let mapping = try MappedFile(file)
            do {
                if try !single(mapping.bytes, name, index, visitor) { return false }
            } catch {
                throw MessageInput.systemError(error)
            }
            index += 1
        }
        return true
    }

    private static func systemError(_ error: any Error) -> SystemError {
        error as? SystemError ?? SystemError(code: EIO, operation: "read")
    }
}

/// A message of an mbox as its pieces come: one range as long as they adjoin, else a copy.
private struct StreamAssembly {
    private(set) var index = 0
    private(set) var envelope: [UInt8]?
    private(set) var range: Range<Int>? = 0..<0
    private(set) var bytes: [UInt8] = []

    mutating func begin(_ line: [UInt8]) {
        envelope = line
        range = 0..<0
        bytes.removeAll(keepingCapacity: true)
    }

    mutating func end() { index += 1 }

    mutating func add(_ piece: Range<Int>, _ source: Span<UInt8>) {
        if let known = range {
            if known.isEmpty {
                range = piece
                return
            }
            if known.upperBound == piece.lowerBound {
                range = known.lowerBound..<piece.upperBound
                return
            }
            range = nil
            bytes = source.array(known)
        }
        bytes.append(span: source.extracting(piece))
    }

    mutating func copy(_ piece: Span<UInt8>) {
        range = nil
        bytes.append(span: piece)
    }
}

/// Data that cannot be mail.
enum BinaryData {
    /// No message has its first field later.
    private static let look = 64 << 10

    /// Whether the first 64 KiB are binary and have no header field.
    static func isNoMessage(_ bytes: Span<UInt8>) -> Bool {
        let start = bytes.extracting(0..<min(bytes.count, look))
        var controls = 0
        for index in 0..<start.count {
            let byte = start[index]
            if byte == 0 { controls += 64 }
            if byte < 0x20, byte != ASCII.tab, byte != ASCII.lf, byte != ASCII.cr, byte != ASCII.escape, byte != 0x0C {
                controls += 1
            }
        }
        guard controls * 20 > start.count else { return false }
        let structure = MessageStructure(headerOf: start)
        return !structure.fields(of: 0).contains { field in
            start.array(field.name).allSatisfy { $0.isASCIIAlphanumeric || $0 == ASCII.dash || $0 == ASCII.underscore }
        }
    }
}

extension MboxLine {
    /// Whether the data are a stream of messages, each after a `From ` line.
    static func begins(_ bytes: Span<UInt8>) -> Bool { bytes.matches("From ", at: 0) }
}
