import Bytes
import CommandLineTool
import Glibc
import Mailboxes
import Unix

/// What is known of a message beside its bytes.
struct Envelope {
    /// The From_ line that it had in an mbox, without line end.
    var fromLine: [UInt8]?
    /// Where it stands: in an mbox, bytes from the start.
    var offset: Int?
    /// Its file's name in a directory.
    var name: [UInt8]?
    var flags = MessageFlags()
    /// The names of its keywords.
    var keywords: [[UInt8]] = []
    /// The keywords of its whole mailbox, in their order, where the mailbox tells them.
    var mailboxKeywords: [[UInt8]] = []
    /// When it was received, in seconds since 1970; nil when nothing tells.
    var received: Int?
    /// Whether its last line ends with a line end.
    var lastLineEnd = MboxWriter.LastLineEnd.present
    /// Its reverse-path and recipients, where the source tells them.
    var batch: BatchScanner.Envelope?
    /// Its size in bytes as the source holds it, where that is known before its end.
    var size: Int?

    /// The sender of its From_ line or of its envelope.
    var sender: [UInt8]? {
        if let line = fromLine {
            guard let parsed = FromLine(line.span, 0..<line.count), !parsed.sender.isEmpty else { return nil }
            return Array(line[parsed.sender])
        }
        return batch?.reversePath
    }
}

/// Takes messages one after another, in pieces.
protocol MessageSink: ~Copyable {
    /// A message begins. `head` is its header; it comes here only, not through `write` again.
    mutating func begin(_ envelope: Envelope, _ head: MessageHead) throws
    mutating func write(_ bytes: Span<UInt8>) throws
    /// The message is complete. `size` counts all its bytes as the source holds them.
    mutating func end(size: Int) throws
}

/// What reading a source to its end told.
struct Tally {
    var messages = 0
    var bytes = 0
    var findings = MboxFindings()
    /// Files that could not be read.
    var failures: [ToolFailure] = []
}

extension Source {
    /// Gives every message to `sink`, in order.
    func read(into sink: inout (some MessageSink & ~Copyable)) throws -> Tally {
        switch storage {
        case .mbox(let format, let input): try readMbox(input, format, into: &sink)
        case .batch(let input): try readBatch(input, into: &sink)
        case .message(let input): try readMessage(input, into: &sink)
        case .directory(let format, let path): try readDirectory(format, path, into: &sink)
        }
    }

    /// The bytes that reading will pass over, as far as they are known beforehand.
    var size: Int? {
        let input: MailboxInput
        switch storage {
        case .mbox(_, let of), .batch(let of), .message(let of): input = of
        case .directory: return listedSize
        }
        guard input.isSeekable, let path = input.path, let status = try? Files.status(path) else { return nil }
        return Files.kind(of: status) == .file ? Int(status.st_size) : nil
    }

    // MARK: mbox

    private func readMbox(
        _ input: MailboxInput, _ format: MboxFormat, into sink: inout (some MessageSink & ~Copyable)
    ) throws -> Tally {
        do {
            var open = try input.open()
            guard let file = open.file.take() else { return Tally() }
            var reader = try MboxReader(file, format: format, start: input.start)
            var assembly = MessageAssembly()
            var tally = Tally()
            while let event = try reader.next() {
                switch event {
                case .begin(let line, let offset):
                    let span = reader.buffer.span
                    let envelope = Envelope(
                        fromLine: span.array(line), offset: offset, received: FromLine(span, line)?.date)
                    assembly.begin(envelope)
                case .content(let range):
                    if assembly.isAtStart { assembly.setLastLineEnd(try reader.lastLineEnd()) }
                    try assembly.add(reader.buffer.span.extracting(range), to: &sink)
                case .end:
                    let size = try assembly.end(&sink)
                    if assembly.wasInternalData {
                        tally.findings.add(.internalData, at: assembly.offset)
                    } else {
                        tally.messages += 1
                        tally.bytes += size
                    }
                case .look: break
                }
            }
            try open.finish()
            for finding in reader.scanner.findings.sorted {
                tally.findings.add(finding.id, finding.places)
            }
            return tally
        } catch let error as MailboxError {
            throw Source.failure(input.name, error)
        }
    }

    // MARK: Batch SMTP

    private func readBatch(
        _ input: MailboxInput, into sink: inout (some MessageSink & ~Copyable)
    ) throws -> Tally {
        var tally = Tally()
        var scanner = BatchScanner()
        var assembly = MessageAssembly()
        var lines = LineFeeds()
        var place = 0
        try input.forEachPiece { buffer, isFinal in
            while let event = scanner.next(in: buffer.span, isFinal: isFinal) {
                switch event {
                case .begin:
                    assembly.begin(Self.envelope(scanner.envelope, at: place + scanner.consumed))
                    lines = LineFeeds()
                case .content(let range):
                    let piece = buffer.span.extracting(range)
                    if scanner.isChunked {
                        try assembly.add(piece, to: &sink)
                    } else {
                        try assembly.add(lines.convert(piece).span, to: &sink)
                    }
                case .end:
                    try assembly.add(lines.finish().span, to: &sink)
                    tally.bytes += try assembly.end(&sink)
                    tally.messages += 1
                }
            }
            let count = scanner.consumed
            place += count
            scanner.dropConsumed()
            return count
        }
        if scanner.isCutOff { tally.findings.add(.cutOff, at: place) }
        return tally
    }

    private static func envelope(_ said: BatchScanner.Envelope, at offset: Int) -> Envelope {
        var envelope = Envelope(offset: offset, lastLineEnd: .uncertain, batch: said)
        envelope.received = said.notes["arrived"].flatMap { BatchTime.epoch(Array($0.utf8)) }
        if let letters = said.notes["flags"] {
            envelope.flags = MessageFlags(maildirLetters: letters.utf8.filter { $0.isASCIILetter })
        }
        if let names = said.notes["keywords"] {
            envelope.keywords = names.utf8.split(separator: ASCII.comma).map(Array.init).filter { Keyword.isName($0) }
        }
        return envelope
    }

    // MARK: One message

    private func readMessage(
        _ input: MailboxInput, into sink: inout (some MessageSink & ~Copyable)
    ) throws -> Tally {
        var assembly = MessageAssembly()
        var envelope = Envelope(name: Array(Files.name(of: name).utf8), lastLineEnd: .uncertain)
        if let path = input.path, input.isSeekable, let status = try? Files.status(path) {
            envelope.received = status.st_mtim.tv_sec
        }
        assembly.begin(envelope)
        try input.forEachPiece { buffer, _ in
            try assembly.add(buffer.span, to: &sink)
            return buffer.count
        }
        var tally = Tally()
        tally.bytes = try assembly.end(&sink)
        tally.messages = 1
        return tally
    }
}

extension MailboxInput {
    /// Gives the bytes in pieces; `body` returns how many it is done with, the others come again with more behind them.
    fileprivate func forEachPiece(_ body: (_ buffer: [UInt8], _ isFinal: Bool) throws -> Int) throws {
        var open = try open()
        guard let file = open.file.take() else { return }
        var buffer = start
        var isFinal = false
        while !isFinal {
            do throws(SystemError) {
                guard file.waitForInput() else { throw SystemError(code: EINTR, operation: "read") }
                isFinal = try file.read(into: &buffer, atMost: 256 << 10) == 0
            } catch {
                throw error.code == EINTR ? Interrupted() : Source.failure(name, error)
            }
            buffer.removeFirst(try body(buffer, isFinal))
        }
        try open.finish()
    }
}

/// Turns CRLF into LF, in pieces of any size.
private struct LineFeeds {
    private var heldCR = false

    mutating func convert(_ bytes: Span<UInt8>) -> [UInt8] {
        var converted: [UInt8] = []
        converted.reserveCapacity(bytes.count + 1)
        var start = 0
        if heldCR, bytes.count > 0 {
            heldCR = false
            if bytes[0] != ASCII.lf { converted.append(ASCII.cr) }
        }
        while let cr = bytes.firstIndex(of: ASCII.cr, from: start) {
            converted.append(span: bytes.extracting(start..<cr))
            start = cr + 1
            if start == bytes.count {
                heldCR = true
            } else if bytes[start] != ASCII.lf {
                converted.append(ASCII.cr)
            }
        }
        converted.append(span: bytes.extracting(start..<bytes.count))
        return converted
    }

    mutating func finish() -> [UInt8] {
        defer { heldCR = false }
        return heldCR ? [ASCII.cr] : []
    }
}
