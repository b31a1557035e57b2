import Bytes
import Mailboxes
import SMTP
import Synchronization
import Unix

/// One message on its way to Maildirs, mboxes and the queue. Nothing of it is visible before it is committed, and
/// nothing is left of it when it is dropped.
package final class MessageDelivery: Sendable {
    /// What goes where.
    package struct Plan: Sendable {
        /// The reverse-path and the time of arrival, in seconds since 1970.
        package var sender: Path
        package var time: Int
        /// Maildirs and mboxes, each with what stands above the message in it.
        package var places: [(target: DeliveryTarget, head: [UInt8])] = []
        /// Messages for the queue, each with what stands above it: one for each reverse-path.
        package var queued: [Queued] = []
        package var queue: Queue?

        package struct Queued: Sendable {
            /// What it will be called there.
            package let id = QueueID.make()
            package let head: [UInt8]
            package var envelope: QueuedEnvelope

            package init(head: [UInt8] = [], _ envelope: QueuedEnvelope) {
                self.head = head
                self.envelope = envelope
            }
        }

        package init(sender: Path, time: Int) {
            self.sender = sender
            self.time = time
        }
    }

    private enum Copy {
        case maildir(Maildir, MaildirDelivery)
        case mbox(MboxDelivery)
        case queue(QueueDelivery)

        func write(_ bytes: Span<UInt8>) throws(SystemError) {
            switch self {
            case .maildir(_, let delivery): try delivery.write(bytes)
            case .mbox(let delivery): try delivery.write(bytes)
            case .queue(let delivery): try delivery.write(bytes)
            }
        }

        func abort() {
            switch self {
            case .maildir(_, let delivery): delivery.abort()
            case .mbox: break
            case .queue(let delivery): delivery.abort()
            }
        }
    }

    private struct State {
        var copies: [Copy] = []
        var hasBegun = false
        /// The message is whole, and on the disk.
        var isSynchronized = false
        /// What stands above the message where it goes to one place only: it goes out in one write with the first content.
        var head: [UInt8] = []
        var pending: [UInt8] = []
    }

    /// A directory whose entries are to be synced after publishing.
    enum Published {
        case maildir(Maildir)
        case queue(Queue)

        var identity: ObjectIdentifier {
            switch self {
            case .maildir(let maildir): ObjectIdentifier(maildir)
            case .queue(let queue): ObjectIdentifier(queue)
            }
        }

        func synchronize() throws(SystemError) {
            switch self {
            case .maildir(let maildir): try maildir.synchronize(.new)
            case .queue(let queue): try queue.synchronize()
            }
        }
    }

    private let plan: Plan
    private let cache: MaildirCache
    private let state = Mutex(State())

    init(_ plan: Plan, _ cache: MaildirCache) {
        self.plan = plan
        self.cache = cache
    }

    /// How much content waits in memory.
    package var pendingCount: Int { state.withLock { $0.pending.count } }

    /// Nothing has been written to the disk: all that was appended is still in memory.
    package var isPristine: Bool { state.withLock { !$0.hasBegun } }

    /// What waits in memory.
    package var pending: [UInt8] { state.withLock { $0.pending } }

    /// What the start of the message tells of its way, as far as it waits in memory.
    package var loopGuard: LoopGuard { state.withLock { LoopGuard($0.pending.span) } }

    /// Adds to the message, in memory.
    package func append(_ bytes: [UInt8]) { state.withLock { $0.pending += bytes } }

    /// Adds a whole message; a large one goes to the temporary files at once.
    package func append(_ content: MessageContent) async throws(SystemError) {
        guard content.count > MessageContent.partSize else { return append(content.bytes) }
        try await offload { [self] () throws(SystemError) in
            var parts = content.parts
            while let part = parts.next() {
                append(part)
                try writePending()
            }
        }
    }

    /// Writes what waits in memory to the temporary files. Blocks: call it through `offload`.
    package func writePending() throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            let isStart = !state.hasBegun
            if isStart { try begin(&state) }
            // What is delivered here has one Return-Path, its own (RFC 5321 4.4); what goes on is left as it is.
            let delivered =
                isStart ? state.head + TraceFields.withoutReturnPath(state.pending) : state.pending
            for copy in state.copies {
                if case .queue = copy { try copy.write(state.pending.span) } else { try copy.write(delivered.span) }
            }
            state.pending = []
        }
    }

    private func begin(_ state: inout State) throws(SystemError) {
        state.hasBegun = true
        for place in plan.places {
            switch place.target {
            case .maildir(let path):
                let (maildir, delivery) = try cache.begin(at: path)
                state.copies.append(.maildir(maildir, delivery))
                if plan.places.count == 1 {
                    state.head = place.head
                } else {
                    try delivery.write(place.head.span)
                }
            case .mbox(let path):
                let delivery = try MboxDelivery(path, sender: "\(plan.sender)", time: plan.time)
                state.copies.append(.mbox(delivery))
                try delivery.write(place.head.span)
            case .program, .forward: break
            }
        }
        guard let queue = plan.queue else { return }
        for queued in plan.queued {
            let delivery = try queue.begin(queued.envelope, id: queued.id)
            state.copies.append(.queue(delivery))
            try delivery.write(queued.head.span)
        }
    }

    /// It goes to an mbox too.
    var hasMboxes: Bool { plan.places.contains { if case .mbox = $0.target { true } else { false } } }

    /// It goes to mboxes only, all of which have it.
    var isDone: Bool { state.withLock { $0.isSynchronized && $0.copies.isEmpty } }

    /// The message is whole: writes what waits in memory, and lets the kernel begin to write all of it to the disk. Blocks.
    func end() throws(SystemError) {
        if state.withLock({ $0.isSynchronized }) { return }
        try writePending()
        try state.withLock { state throws(SystemError) in
            for copy in state.copies {
                switch copy {
                case .maildir(_, let delivery): delivery.beginSynchronizing()
                case .mbox(let delivery): try delivery.end()
                case .queue(let delivery): try delivery.end()
                }
            }
        }
    }

    /// Waits until the content is on the disk; of an mbox that is part of publishing. Blocks.
    func synchronize() throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            if state.isSynchronized { return }
            for copy in state.copies {
                switch copy {
                case .maildir(_, let delivery): try delivery.synchronize()
                case .mbox: break
                case .queue(let delivery): try delivery.synchronize()
                }
            }
            state.isSynchronized = true
        }
    }

    /// Appends to the mboxes that do not have the message yet, up to one that another program holds: the error that this
    /// will be if it goes on for too long. Blocks.
    func publishMboxes() throws(SystemError) -> SystemError? {
        try state.withLock { state throws(SystemError) in
            while let place = state.copies.firstIndex(where: { if case .mbox = $0 { true } else { false } }),
                case .mbox(let delivery) = state.copies[place]
            {
                guard try delivery.publish() else { return delivery.locked }
                state.copies.remove(at: place)
            }
            return nil
        }
    }

    /// Makes every copy visible that is not in an mbox. Returns the directories that are to be synced. Blocks.
    func publish() throws(SystemError) -> [Published] {
        try state.withLock { state throws(SystemError) in
            var published: [Published] = []
            for copy in state.copies {
                switch copy {
                case .maildir(let maildir, let delivery):
                    try delivery.publish()
                    published.append(.maildir(maildir))
                case .queue(let delivery):
                    try delivery.publish()
                    if let queue = plan.queue { published.append(.queue(queue)) }
                case .mbox: break
                }
            }
            return published
        }
    }

    /// Gives the message up; nothing of it remains that was not published.
    package func abort() {
        state.withLock { state in
            for copy in state.copies { copy.abort() }
            state.copies = []
            state.pending = []
        }
    }
}
