import Bytes
import MessageFormat
import Unix

/// One message of an mbox or of batch SMTP: its pieces, which are more than one where quoting was undone.
struct StreamItem: Sendable {
    let index: Int
    let envelope: Range<Int>?
    private(set) var first: Range<Int>
    private(set) var more: [Range<Int>] = []

    init(index: Int, envelope: Range<Int>?, at place: Int) {
        self.index = index
        self.envelope = envelope
        first = place..<place
    }

    mutating func add(_ piece: Range<Int>) {
        if first.isEmpty {
            first = piece
        } else if more.isEmpty, first.upperBound == piece.lowerBound {
            first = first.lowerBound..<piece.upperBound
        } else if let last = more.last, last.upperBound == piece.lowerBound {
            more[more.count - 1] = last.lowerBound..<piece.upperBound
        } else {
            more.append(piece)
        }
    }

    var size: Int { more.reduce(first.count) { $0 + $1.count } }
}

/// The messages of an mbox or of batch SMTP that lies in one span, some at a time.
struct ItemFinder: Sendable {
    /// How much is looked through at a time, in bytes.
    private static let step = 1 << 20
    private static let itemsAtOnce = 1_024

    private let file: String
    private var finder: MessageFinder
    private var index = 0
    private var isAtEnd = false

    init(_ file: String, _ finder: MessageFinder) {
        self.file = file
        self.finder = finder
    }

    /// Everything before this place is done with.
    var consumed: Int { finder.consumed }

    /// The next messages; nil at the end.
    mutating func next(in bytes: Span<UInt8>, only: Int?) throws(InputProblem) -> [StreamItem]? {
        var items: [StreamItem] = []
        var item: StreamItem?
        var size = 0
        while !isAtEnd, size < Self.step, items.count < Self.itemsAtOnce {
            guard let event = try finder.next(in: bytes, isFinal: true, file) else {
                isAtEnd = true
                if index == 0, case .batch = finder {
                    throw InputProblem(file: file, kind: .notMessage, reason: "batch SMTP without a message")
                }
                break
            }
            switch event {
            case .begin(let envelope):
                item = StreamItem(index: index, envelope: envelope, at: finder.consumed)
                index += 1
            case .content(let range): item?.add(range)
            case .end:
                guard let complete = item else { continue }
                item = nil
                size += complete.size
                if let only, complete.index != only { continue }
                items.append(complete)
                if only != nil { isAtEnd = true }
            case .wait: finder.waitForContent()
            }
        }
        return items.isEmpty && isAtEnd ? nil : items
    }
}

/// An mbox or batch SMTP in a mapped file.
struct MappedStream: Sendable {
    struct Batch: Sendable {
        let file: String
        let mapping: Mapping
        let items: [StreamItem]
        /// All that the items stand in.
        let range: Range<Int>
    }

    /// A mapping with many users.
    final class Mapping: Sendable {
        private let file: MappedFile
        let count: Int

        init(_ file: consuming MappedFile) {
            count = file.count
            self.file = file
        }

        func withBytes<Result, Failure: Error>(
            _ body: (Span<UInt8>) throws(Failure) -> Result
        ) throws(Failure) -> Result {
            try Mapping.read(file, body)
        }

        private static func read<Result, Failure: Error>(
            _ file: borrowing MappedFile, _ body: (Span<UInt8>) throws(Failure) -> Result
        ) throws(Failure) -> Result {
            try body(file.bytes)
        }

        func release(_ range: Range<Int>) { file.release(range) }
    }

    private let file: String
    private let mapping: Mapping
    private var finder: ItemFinder

    init(_ file: String, _ mapping: Mapping, _ finder: MessageFinder) {
        self.file = file
        self.mapping = mapping
        self.finder = ItemFinder(file, finder)
    }

    /// The next messages; nil at the end.
    mutating func next(only: Int?) throws(InputProblem) -> Batch? {
        let start = finder.consumed
        var finder = finder
        defer { self.finder = finder }
        let items = try mapping.withBytes { bytes throws(InputProblem) in try finder.next(in: bytes, only: only) }
        guard let items else { return nil }
        return Batch(file: file, mapping: mapping, items: items, range: start..<max(start, finder.consumed))
    }
}

/// Finds the messages of an mbox or of batch SMTP.
enum MessageFinder: Sendable {
    case mbox(MboxScanner)
    case batch(BatchScanner)

    enum Event {
        case begin(envelope: Range<Int>?)
        case content(Range<Int>)
        case end
        /// More must be there before it can be told what follows.
        case wait
    }

    /// What the bytes of a file or stream are, as far as its start tells; nil for a single message.
    init?(_ bytes: Span<UInt8>, isMbox: Bool) {
        if isMbox || (bytes.matches("From ", at: 0) && MboxLine(bytes) != nil) {
            self = .mbox(MboxScanner(format: .mboxrd))
        } else if BatchScanner.begins(bytes) {
            self = .batch(BatchScanner())
        } else {
            return nil
        }
    }

    /// So much of an mbox is looked at to tell its variant, in bytes.
    private static let look = 256 << 10

    /// The same, with the variant of an mbox told by the start of it.
    func settled(by bytes: Span<UInt8>, isWhole: Bool) -> MessageFinder {
        guard case .mbox = self else { return self }
        let start = bytes.array(0..<min(bytes.count, Self.look))
        return .mbox(
            MboxScanner(format: MboxSurvey.format(ofStart: start, isWhole: isWhole && start.count == bytes.count)))
    }

    var consumed: Int {
        switch self {
        case .mbox(let scanner): scanner.consumed
        case .batch(let scanner): scanner.consumed
        }
    }

    var isBatch: Bool { if case .batch = self { true } else { false } }

    /// The next event; nil when there is none before more bytes come, or at the end.
    mutating func next(in bytes: Span<UInt8>, isFinal: Bool, _ file: String) throws(InputProblem) -> Event? {
        switch self {
        case .mbox(var scanner):
            defer { self = .mbox(scanner) }
            do throws(MboxError) {
                switch try scanner.next(in: bytes, isFinal: isFinal) {
                case .begin(let line, _): return .begin(envelope: line)
                case .content(let range): return .content(range)
                case .end: return .end
                case .look: return .wait
                case nil: return nil
                }
            } catch {
                throw InputProblem(
                    file: file, kind: .notMessage,
                    reason: "not an mbox: its first line does not begin with \"From \": leave out --mbox")
            }
        case .batch(var scanner):
            defer { self = .batch(scanner) }
            switch scanner.next(in: bytes, isFinal: isFinal) {
            case .begin: return .begin(envelope: nil)
            case .content(let range): return .content(range)
            case .end: return .end
            case nil: return nil
            }
        }
    }

    mutating func waitForContent() {
        guard case .mbox(var scanner) = self else { return }
        scanner.waitForContent()
        self = .mbox(scanner)
    }

    mutating func dropConsumed() {
        switch self {
        case .mbox(var scanner):
            scanner.dropConsumed()
            self = .mbox(scanner)
        case .batch(var scanner):
            scanner.dropConsumed()
            self = .batch(scanner)
        }
    }
}
