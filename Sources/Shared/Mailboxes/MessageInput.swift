import Bytes
import Glibc
import MessageFormat
import Synchronization
import Unix

/// The messages of files, mboxes, Maildirs, batch SMTP and standard input, in the order of the operands and in bounded
/// memory, by as many workers as are wanted.
///
/// A file that begins with a From_ line and holds more than one message is an mbox; so is a stream that begins with
/// one. What begins as an SMTP session does is batch SMTP. Anything else is one message.
///
///     let input = MessageInput(["archive.mbox", "mail/bob"])
///     try input.read(visitor)
package struct MessageInput: Sendable {
    package let names: [String]
    /// Everything is an mbox, whatever it looks like.
    package var isMbox = false
    /// Only the message of this index of each input; nil for all.
    package var only: Int?
    /// The header is enough: of large messages the rest need not be given.
    package var headersSuffice = false
    /// What cannot be mail, as binary data and empty files, is given like the rest, for those who may lose nothing.
    package var takesAnything = false
    /// Where the header suffices, the size of each message is asked for all the same.
    package var needsSizes = true

    package init(_ names: [String]) { self.names = names }

    /// Gives every message to `visitor`, on this thread.
    package func read(_ visitor: any MessageVisitor) throws {
        let queue = InputQueue(self, write: nil)
        let worker = InputWorker(self, queue)
        worker.run(visitor)
        if let failure = queue.failure { throw failure }
    }

    /// Gives every message to a visitor, up to `jobs` at a time, each on a thread of its own.
    ///
    /// `visitor` makes one for each thread that takes up work, from a place to write to: what is written there reaches `write` in the order
    /// of the messages, whatever worker ends first. `write` is called by one thread at a time. The visitors are returned.
    package func read<Visitor: MessageVisitor & Sendable>(
        jobs: Int, write: @escaping @Sendable ([UInt8]) -> Void,
        _ visitor: @escaping @Sendable (OrderedPlace) -> Visitor
    ) throws -> [Visitor] {
        let queue = InputQueue(self, write: write)
        let team = InputTeam<Visitor>(self, queue, jobs: jobs, visitor)
        team.work()
        team.threads.join()
        if let failure = queue.failure { throw failure }
        return team.visitors
    }
}

/// A part of the input that one worker takes at a time.
enum InputStretch: Sendable {
    case files(Range<Int>)
    case mapped(MappedStream.Batch)
    case owned(StreamReader.Batch)
    case maildir(MaildirInput, Range<Int>)
    /// Nothing more can be read there.
    case problem(InputProblem)

    /// Its generator has nothing more.
    var isLast: Bool { if case .problem = self { true } else { false } }
}

/// What gives the stretches of an input, one after another.
enum InputGenerator: Sendable {
    /// Operands not looked at yet.
    case files(Range<Int>)
    case mapped(MappedStream)
    case stream(StreamReader)
    case maildir(MaildirInput, from: Int)

    private static let filesAtOnce = 32
    private static let entriesAtOnce = 64

    /// The next stretch; nil at the end.
    mutating func nextOrProblem(_ input: MessageInput) -> InputStretch? {
        do throws(InputProblem) {
            return try next(input)
        } catch {
            return .problem(error)
        }
    }

    private mutating func next(_ input: MessageInput) throws(InputProblem) -> InputStretch? {
        switch self {
        case .files(let range):
            guard !range.isEmpty else { return nil }
            let end = min(range.lowerBound + Self.filesAtOnce, range.upperBound)
            self = .files(end..<range.upperBound)
            return .files(range.lowerBound..<end)
        case .mapped(var stream):
            let batch = try stream.next(only: input.only)
            self = .mapped(stream)
            return batch.map { .mapped($0) }
        case .stream(let reader):
            return try reader.next(only: input.only).map { .owned($0) }
        case .maildir(let maildir, let start):
            var range = start..<min(start + Self.entriesAtOnce, maildir.entries.count)
            if let only = input.only { range = max(start, only)..<min(max(start, only + 1), maildir.entries.count) }
            guard range.lowerBound < range.upperBound else { return nil }
            self = .maildir(maildir, from: range.upperBound)
            return .maildir(maildir, range)
        }
    }
}

/// A Maildir and its messages.
final class MaildirInput: Sendable {
    let name: String
    let maildir: Maildir
    let entries: [Maildir.Entry]

    init(_ name: String) throws(SystemError) {
        self.name = name
        maildir = try Maildir(name)
        entries = try maildir.entries()
    }
}

/// Workers over one queue: another thread is started when there is more to do than the ones at work have taken.
private final class InputTeam<Visitor: MessageVisitor & Sendable>: Sendable {
    let threads = WorkerThreads()
    private let input: MessageInput
    private let queue: InputQueue
    private let jobs: Int
    private let makeVisitor: @Sendable (OrderedPlace) -> Visitor
    private let members = Mutex<(working: Int, visitors: [Visitor])>((0, []))

    init(
        _ input: MessageInput, _ queue: InputQueue, jobs: Int,
        _ makeVisitor: @escaping @Sendable (OrderedPlace) -> Visitor
    ) {
        self.input = input
        self.queue = queue
        self.jobs = jobs
        self.makeVisitor = makeVisitor
    }

    var visitors: [Visitor] { members.withLock { $0.visitors } }

    /// Works until nothing is left that this thread can take.
    func work() {
        members.withLock { $0.working += 1 }
        serve()
    }

    private func serve() {
        let worker = InputWorker(input, queue)
        let visitor = makeVisitor(worker.place)
        members.withLock { $0.visitors.append(visitor) }
        worker.run(visitor, hire: hire)
        members.withLock { $0.working -= 1 }
    }

    /// Starts another worker, when one more is allowed.
    private func hire() {
        let isAllowed = members.withLock { members in
            guard members.working < jobs else { return false }
            members.working += 1
            return true
        }
        guard isAllowed else { return }
        if !threads.start({ self.serve() }) { members.withLock { $0.working -= 1 } }
    }
}
