import Bytes
import Mailboxes

/// Puts a message together before the sink gets it: all of it when it is small, else its header.
struct MessageAssembly {
    /// A message up to this size, in bytes, is passed on at once.
    static let wholeLimit = 256 << 10

    private var envelope: Envelope?
    private var start: [UInt8] = []
    private var size = 0
    private(set) var wasInternalData = false
    /// Where the message stands in its mbox.
    private(set) var offset = 0
    private var isFirst = true
    /// What the mailbox's own first message told.
    private var mailboxKeywords: [[UInt8]] = []

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
        guard start.count > Self.wholeLimit, let head = MessageHead(start: start, isComplete: false) else { return }
        try pass(head, to: &sink)
    }

    mutating func end(_ sink: inout (some MessageSink & ~Copyable)) throws -> Int {
        if envelope != nil, let head = MessageHead(start: start, isComplete: true) {
            envelope?.size = size
            try pass(head, to: &sink)
        }
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
                mailboxKeywords = head.mailboxKeywords
                return
            }
            envelope.flags = head.flags
            envelope.keywords = head.keywords
            envelope.mailboxKeywords = head.mailboxKeywords.isEmpty ? mailboxKeywords : head.mailboxKeywords
            mailboxKeywords = []
        }
        if envelope.received == nil { envelope.received = head.date }
        try sink.begin(envelope, head)
        if start.count > head.bytes.count {
            try sink.write(start.span.extracting(head.bytes.count..<start.count))
        }
    }
}
