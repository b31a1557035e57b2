import Bytes
import CommandLineTool
import Mailboxes
import Unix

/// Where the messages of a conversion go.
protocol MessageRouter: AnyObject {
    /// The next message belongs there.
    func select(_ key: DestinationKey) throws
    func begin(_ envelope: Envelope, _ head: MessageHead) throws
    func write(_ bytes: Span<UInt8>) throws
    func end(size: Int) throws
}

extension DestinationTree: MessageRouter {}

/// Takes messages and does nothing with them.
final class Discard: MessageRouter {
    func select(_ key: DestinationKey) {}
    func begin(_ envelope: Envelope, _ head: MessageHead) {}
    func write(_ bytes: Span<UInt8>) {}
    func end(size: Int) {}
}

/// Passes the messages that are chosen on to where they belong, shows how far it is and, if wished, each of them.
struct TransferSink: MessageSink, ~Copyable {
    private let router: any MessageRouter
    private let choice: MessageChoice?
    private var split: MessageSplit?
    private let listing: MessageListing?
    private var progress: Progress
    private let total: Int?
    private var source = ""
    private var folder: [String] = []
    private var index = 0
    private var bytes = 0
    private var isSkipped = false
    private var envelope: Envelope?
    private var head: MessageHead?
    private var selected: DestinationKey?
    /// Messages that were passed on, and their bytes as the sources hold them.
    private(set) var count = 0
    private(set) var passed = 0

    init(
        _ router: any MessageRouter, choice: MessageChoice?, split: MessageSplit? = nil,
        listing: MessageListing? = nil, progress: String = "never", total: Int? = nil
    ) {
        self.router = router
        self.choice = choice
        self.split = split
        self.listing = listing
        self.progress = Progress(progress, unit: "messages")
        self.total = total
    }

    mutating func begin(_ source: Source) throws {
        self.source = source.name
        folder = source.folder
        index = 0
        if split == nil { try select(DestinationKey(folder: folder)) }
    }

    private mutating func select(_ key: DestinationKey) throws {
        if key == selected { return }
        try router.select(key)
        selected = key
    }

    /// The open destinations are complete: the next message opens one anew.
    mutating func deselect() { selected = nil }

    mutating func begin(_ envelope: Envelope, _ head: MessageHead) throws {
        bytes += head.bytes.count
        isSkipped = try !(choice?.takes(envelope, head) ?? true)
        if isSkipped { return }
        if split != nil {
            let size = choice?.plannedSize ?? envelope.size ?? head.bytes.count
            if let part = split?.part(of: envelope, head, folder: folder, size: size) {
                try select(DestinationKey(folder: folder, part: part))
            }
        }
        if listing != nil {
            self.envelope = envelope
            self.head = head
        }
        try router.begin(envelope, head)
    }

    mutating func write(_ bytes: Span<UInt8>) throws {
        self.bytes += bytes.count
        if isSkipped { return }
        try router.write(bytes)
        if bytes.count > 65_536 { progress.update(count: count, done: self.bytes, total: total) }
    }

    mutating func end(size: Int) throws {
        defer { index += 1 }
        if !isSkipped {
            try router.end(size: size)
            if let listing, let envelope, let head {
                listing.write(ListedMessage(source: source, index: index, size: size, envelope: envelope, head: head))
            }
            count += 1
            passed += size
        }
        if index & 15 == 0 { progress.update(count: count, done: bytes, total: total) }
    }

    mutating func finish() { progress.finish() }
}
