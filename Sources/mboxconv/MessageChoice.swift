import Bytes
import CommandLineTool
import Mailboxes
import MessageFormat
import OpenSSL
import Unix

/// Which messages are taken: those that --where selects, and of equal ones --dedupe the first.
///
/// What is known when a message begins settles most questions. When the whole message is asked for, or its size, all
/// sources are read beforehand, and the plan of it is followed.
final class MessageChoice {
    enum Equality: String { case id, content }

    private let selection: Selection?
    private let equality: Equality?
    /// Keys of messages that were taken, of 128 bits.
    private var seen: Set<Key> = []
    private var seeds: Set<Key> = []
    /// Whether each message of all sources is taken, and its size, in the order of reading.
    private var plan: [(isTaken: Bool, size: Int)]?
    private var next = 0
    fileprivate(set) var unselected = 0
    private(set) var duplicates = 0
    /// The size of the message just looked at, where the plan tells it.
    private(set) var plannedSize: Int?

    private struct Key: Hashable {
        let high: UInt64
        let low: UInt64
    }

    init(_ arguments: Arguments) throws {
        do throws(SelectionError) {
            selection = try arguments[Mboxconv.selection].map { text throws(SelectionError) in try Selection(text) }
        } catch {
            throw ToolFailure(.usage, "--where: at character \(error.place): \(error.problem): see --help")
        }
        equality = Equality(rawValue: arguments[Mboxconv.dedupe])
    }

    /// Nothing is chosen: every message is taken.
    var takesAll: Bool { selection == nil && equality == nil }
    var hasEquality: Bool { equality != nil }
    /// Questions that only a message that was read to its end can answer.
    var needsPlan: Bool {
        equality == .content || selection.map { $0.needsBody || $0.needsSize } ?? false
    }

    /// Begins to go through all messages again.
    func rewind() {
        next = 0
        // The plan has counted them.
        if plan != nil { return }
        seen = seeds
        unselected = 0
        duplicates = 0
    }

    /// Whether the message that begins so is taken.
    func takes(_ envelope: Envelope, _ head: MessageHead) throws -> Bool {
        if let plan {
            guard next < plan.count else { throw Self.changed }
            let entry = plan[next]
            next += 1
            plannedSize = entry.size
            return entry.isTaken
        }
        if takesAll { return true }
        if let selection, !Self.matches(selection, head.bytes.span, size: envelope.size ?? 0, envelope) {
            unselected += 1
            return false
        }
        return try equality != .id || isFirst(Self.key(of: head))
    }

    private static func matches(
        _ selection: Selection, _ message: Span<UInt8>, size: Int, _ envelope: Envelope
    ) -> Bool {
        selection.matches(
            message, size: size, flags: envelope.flags, keywords: envelope.keywords, received: envelope.received)
    }

    private static var changed: ToolFailure {
        ToolFailure(.ioError, "a source has more messages than a moment ago: run it again")
    }

    private func isFirst(_ key: Key?) -> Bool {
        guard let key else { return true }
        if seen.insert(key).inserted { return true }
        duplicates += 1
        return false
    }

    /// What tells a message by its Message-ID; nil when it has none.
    private static func key(of head: MessageHead) throws -> Key? {
        guard let id = head.value(of: "Message-ID") ?? head.value(of: "Resent-Message-ID"), !id.isEmpty else {
            return nil
        }
        var digest = try begun()
        let text = id.filter { !$0.isMailWhitespace }
        digest.update(text.span)
        return key(digest.finalize())
    }

    private static func begun() throws -> Digest {
        do throws(OpenSSLError) {
            return try Digest(.sha256)
        } catch {
            throw ToolFailure(.unavailable, "--dedupe: \(error)")
        }
    }

    private static func key(_ digest: [UInt8]) -> Key {
        func word(_ place: Int) -> UInt64 { digest[place..<place + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        return digest.count >= 16 ? Key(high: word(0), low: word(8)) : Key(high: 0, low: 0)
    }

    // MARK: The plan

    /// Reads all sources to know which of their messages are taken.
    func makePlan(_ sources: [Source]) throws {
        var sink = PlanSink(choice: self)
        for source in sources { _ = try source.read(into: &sink) }
        plan = sink.plan
    }

    /// What the messages of the destination are known by, so that equal ones do not come again.
    func seed(with source: Source) throws {
        guard equality != nil else { return }
        var sink = PlanSink(choice: self, isSeed: true)
        _ = try source.read(into: &sink)
        seeds = seen
        duplicates = 0
    }

    /// Looks at every message to its end.
    private struct PlanSink: MessageSink, ~Copyable {
        /// Of a larger message --where sees no more than so many bytes.
        private static let limit = 32 << 20

        let choice: MessageChoice
        var isSeed = false
        var plan: [(isTaken: Bool, size: Int)] = []
        private var message: [UInt8] = []
        private var digest: Digest?
        private var envelope = Envelope()
        private var idKey: Key?

        init(choice: MessageChoice, isSeed: Bool = false) {
            self.choice = choice
            self.isSeed = isSeed
        }

        mutating func begin(_ envelope: Envelope, _ head: MessageHead) throws {
            self.envelope = envelope
            message.removeAll(keepingCapacity: true)
            if choice.selection != nil, !isSeed { message += head.bytes }
            if choice.equality == .content {
                var digest = try begun()
                let stored = head.stored(removingStatus: true).bytes
                digest.update(stored.span)
                self.digest = consume digest
            }
            idKey = choice.equality == .id ? try key(of: head) : nil
        }

        mutating func write(_ bytes: Span<UInt8>) throws {
            digest?.update(bytes)
            guard !isSeed, let selection = choice.selection, selection.needsBody, message.count < Self.limit else {
                return
            }
            message.append(span: bytes)
        }

        mutating func end(size: Int) throws {
            var isTaken = true
            if !isSeed, let selection = choice.selection {
                isTaken = MessageChoice.matches(selection, message.span, size: size, envelope)
            }
            var contentKey: Key?
            if let digest = digest.take() { contentKey = MessageChoice.key(digest.finalize()) }
            if isTaken {
                isTaken = choice.isFirst(choice.equality == .id ? idKey : contentKey)
            } else {
                choice.unselected += 1
            }
            plan.append((isTaken, size))
        }
    }
}
