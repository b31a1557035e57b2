import Bytes
import CommandLineTool
import Mailboxes

/// Takes messages and does nothing with them.
struct Discard: MessageSink {
    mutating func begin(_ envelope: Envelope, _ head: MessageHead) {}
    mutating func write(_ bytes: Span<UInt8>) {}
    mutating func end(size: Int) {}
}

/// Passes messages on, and shows how far it is and, if wished, each message.
struct ObservedSink<Base: MessageSink>: MessageSink, ~Copyable {
    private(set) var base: Base
    private let listing: MessageListing?
    private var progress: Progress
    private let total: Int?
    private var source = ""
    private var index = 0
    private var count = 0
    private var bytes = 0
    private var envelope: Envelope?
    private var head: MessageHead?

    init(_ base: Base, listing: MessageListing?, progress: String, total: Int?) {
        self.base = base
        self.listing = listing
        self.progress = Progress(progress, unit: "messages")
        self.total = total
    }

    mutating func begin(source: String) {
        self.source = source
        index = 0
    }

    mutating func begin(_ envelope: Envelope, _ head: MessageHead) throws {
        if listing != nil {
            self.envelope = envelope
            self.head = head
        }
        bytes += head.bytes.count
        try base.begin(envelope, head)
    }

    mutating func write(_ bytes: Span<UInt8>) throws {
        self.bytes += bytes.count
        progress.update(count: count, done: self.bytes, total: total)
        try base.write(bytes)
    }

    mutating func end(size: Int) throws {
        try base.end(size: size)
        if let listing, let envelope, let head {
            listing.write(ListedMessage(source: source, index: index, size: size, envelope: envelope, head: head))
        }
        count += 1
        index += 1
        progress.update(count: count, done: bytes, total: total)
    }

    mutating func finish() { progress.finish() }
}
