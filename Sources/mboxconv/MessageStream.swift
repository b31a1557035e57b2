import Bytes
import Glibc
import Mailboxes
import Unix

/// What is known of a message beside its bytes.
struct Envelope {
    /// The From_ line that it had in an mbox, without line end.
    var fromLine: [UInt8]?
    /// Where it stands: in an mbox, bytes from the start.
    var offset: Int?
    /// Its file's name in a Maildir.
    var name: [UInt8]?
    var flags: MessageFlags
    /// When it was received, in seconds since 1970.
    var received: Int
    /// Whether its last line ends with a line end.
    var lastLineEnd = MboxWriter.LastLineEnd.present
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
}

extension Source {
    /// Gives every message to `sink`, in order.
    func read(into sink: inout (some MessageSink & ~Copyable)) throws -> Tally {
        switch storage {
        case .mbox(let format, let path):
            try readMbox(Self.open(path, as: name, lockTimeout: lockTimeout), format, into: &sink)
        case .stream(let format):
            try readMbox(FileDescriptor(owning: dup(0), subject: "standard input"), format, into: &sink)
        case .maildir(let path):
            try readMaildir(path, into: &sink)
        }
    }

    /// The bytes that reading will pass over, as far as they are known beforehand.
    var size: Int? {
        guard case .mbox(_, let path) = storage, let status = try? Files.status(path) else { return nil }
        return Files.kind(of: status) == .file ? Int(status.st_size) : nil
    }

    // MARK: mbox

    private func readMbox(
        _ file: consuming FileDescriptor, _ format: MboxFormat, into sink: inout (some MessageSink & ~Copyable)
    ) throws -> Tally {
        do {
            var reader = try MboxReader(file, format: format)
            var assembly = MessageAssembly()
            var tally = Tally()
            while let event = try reader.next() {
                switch event {
                case .begin(let line, let offset):
                    let span = reader.buffer.span
                    let envelope = Envelope(
                        fromLine: span.array(line), offset: offset, flags: MessageFlags(),
                        received: FromLine(span, line)?.date ?? -1)
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
            for finding in reader.scanner.findings.sorted {
                tally.findings.add(finding.id, finding.places)
            }
            return tally
        } catch let error as MailboxError {
            throw Source.failure(name == "-" ? "standard input" : name, error)
        }
    }

    // MARK: Maildir

    private func readMaildir(_ path: String, into sink: inout (some MessageSink & ~Copyable)) throws -> Tally {
        var tally = Tally()
        let maildir: Maildir
        let entries: [Maildir.Entry]
        do throws(SystemError) {
            maildir = try Maildir(path)
            entries = try maildir.entries()
        } catch {
            throw Source.failure(name, error)
        }
        for entry in entries {
            guard let file = try open(entry, of: maildir) else { continue }
            tally.bytes += try readFile(entry, file, into: &sink)
            tally.messages += 1
        }
        return tally
    }

    private func readFile(
        _ entry: Maildir.Entry, _ file: borrowing FileDescriptor, into sink: inout (some MessageSink & ~Copyable)
    ) throws -> Int {
        let status = try file.status()
        var assembly = MessageAssembly()
        assembly.begin(try envelope(entry, status, file))
        var left = Int(status.st_size)
        var buffer: [UInt8] = []
        while true {
            if Interruption.signal != nil { throw Interrupted() }
            buffer.removeAll(keepingCapacity: true)
            do throws(SystemError) {
                let count = try file.read(into: &buffer, atMost: min(max(left, 0) + 1, 256 << 10))
                if count == 0 { break }
                left -= count
            } catch {
                throw Source.failure(name, error)
            }
            try assembly.add(buffer.span, to: &sink)
        }
        return try assembly.end(&sink)
    }

    /// Opens a message's file; nil when another program has removed it since the directory was read.
    private func open(_ entry: Maildir.Entry, of maildir: Maildir) throws -> FileDescriptor? {
        do throws(SystemError) {
            return try maildir.open(entry)
        } catch {
            if error.code == ENOENT { return nil }
            throw Source.failure(name, error)
        }
    }

    private func envelope(
        _ entry: Maildir.Entry, _ status: stat, _ file: borrowing FileDescriptor
    ) throws -> Envelope {
        let size = Int(status.st_size)
        let last = size == 0 ? nil : try file.read(at: size - 1, atMost: 1).first
        // A copy makes the file's time later than the delivery; a conversion may have made the name later than it.
        let changed = status.st_mtim.tv_sec
        return Envelope(
            name: entry.name.bytes, flags: entry.flags,
            received: entry.name.deliveryTime.map { min($0, changed) } ?? changed,
            lastLineEnd: last.map { $0 != ASCII.lf } ?? false ? .missing : .present)
    }
}

/// Puts a message's header together before the sink gets it.
private struct MessageAssembly {
    private var envelope: Envelope?
    private var start: [UInt8] = []
    private var size = 0
    private(set) var wasInternalData = false
    /// Where the message stands in its mbox.
    private(set) var offset = 0
    private var isFirst = true

    mutating func begin(_ envelope: Envelope) {
        self.envelope = envelope
        start.removeAll(keepingCapacity: true)
        size = 0
        wasInternalData = false
        offset = envelope.offset ?? 0
    }

    /// Nothing of the message has come yet.
    var isAtStart: Bool { size == 0 }

    mutating func setLastLineEnd(_ lastLineEnd: MboxWriter.LastLineEnd) { envelope?.lastLineEnd = lastLineEnd }

    mutating func add(_ bytes: Span<UInt8>, to sink: inout (some MessageSink & ~Copyable)) throws {
        size += bytes.count
        if wasInternalData { return }
        guard envelope != nil else { return try sink.write(bytes) }
        start.append(span: bytes)
        guard let head = MessageHead(start: start, isComplete: false) else { return }
        try pass(head, to: &sink)
    }

    mutating func end(_ sink: inout (some MessageSink & ~Copyable)) throws -> Int {
        if envelope != nil, let head = MessageHead(start: start, isComplete: true) { try pass(head, to: &sink) }
        if !wasInternalData { try sink.end(size: size) }
        return size
    }

    private mutating func pass(_ head: MessageHead, to sink: inout (some MessageSink & ~Copyable)) throws {
        guard var envelope = self.envelope else { return }
        self.envelope = nil
        defer { isFirst = false }
        if envelope.fromLine != nil {
            if isFirst, head.isInternalData {
                wasInternalData = true
                return
            }
            envelope.flags = head.flags
        }
        if envelope.received == -1 { envelope.received = head.date ?? SystemClock.now.seconds }
        try sink.begin(envelope, head)
        if start.count > head.bytes.count {
            try sink.write(start.span.extracting(head.bytes.count..<start.count))
        }
    }
}
