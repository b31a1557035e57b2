import Bytes
import CommandLineTool
import DNS
import Mailboxes
import OpenSSL
import SenderAuthentication
import Synchronization
import Unix

/// `--verify`: SPF, DKIM, ARC and DMARC of stored messages. One thread reads and hashes, the event loop asks for keys
/// and verifies; results come in the order of the messages.
struct Verify: Sendable {
    private let options: VerifyOptions
    private let report: VerifyReport
    private let input: MessageInput

    init(_ arguments: Arguments, _ input: MessageInput) throws(ToolFailure) {
        options = try VerifyOptions(arguments)
        report = VerifyReport(
            isJSON: arguments.isGiven(MailparseOptions.json), isQuiet: arguments[MailparseOptions.quiet],
            palette: Palette(arguments[MailparseOptions.color]))
        self.input = input
    }

    /// A message to verify, or what cannot be one.
    enum Item: Sendable {
        case message(VerifyMessage)
        case problem(InputProblem)
    }

    func run() throws -> ExitCode {
        let handoff = Handoff<[Item]>(capacity: 4)
        let reader = VerifyReader(handoff, options)
        let thread = WorkerThreads()
        guard thread.start({ reader.run(input) }) else {
            throw ToolFailure(.osError, "no thread can be started: try again")
        }
        let code = try EventLoop.run { _ in
            let verifier = SenderVerifier(options.resolver, options.verifier)
            var worst = ExitCode.ok
            while let batch = await handoff.receive() {
                for code in await verify(batch, verifier) where Verify.rank(code) > Verify.rank(worst) { worst = code }
            }
            return worst
        }
        thread.join()
        if let failure = reader.failure { throw failure }
        return code
    }

    private static func rank(_ code: ExitCode) -> Int {
        [ExitCode.ok, .negative, .temporaryFailure, .dataError, .noInput].firstIndex(of: code) ?? 0
    }

    /// Verifies the messages of a batch, those that have to wait for answers at the same time, and tells of them in their
    /// order.
    private func verify(_ batch: [Item], _ verifier: SenderVerifier) async -> [ExitCode] {
        var reports = [SenderReport?](repeating: nil, count: batch.count)
        var waiting: [(Int, VerifyMessage)] = []
        for (number, item) in batch.enumerated() {
            guard case .message(let message) = item else { continue }
            reports[number] = verifier.verifyAtOnce(message.content, client: message.client)
            if reports[number] == nil { waiting.append((number, message)) }
        }
        if !waiting.isEmpty {
            await withTaskGroup(of: (Int, SenderReport).self) { group in
                for (number, message) in waiting {
                    group.addTask { (number, await verifier.verify(message.content, client: message.client)) }
                }
                for await (number, report) in group { reports[number] = report }
            }
        }
        return zip(batch, reports).map { item, found in
            switch item {
            case .problem(let problem): return report.write(problem)
            case .message(let message):
                guard let found else { return .ok }
                return report.write(found, message)
            }
        }
    }
}

/// What was read of a message; handed on without copies.
final class VerifyMessage: Sendable {
    let file: String
    let index: Int
    let content: SignedMessage
    let client: SPFRequest?
    /// The client was given with options, not read from the header.
    let isClientGiven: Bool

    init(file: String, index: Int, content: SignedMessage, client: SPFRequest?, isClientGiven: Bool) {
        self.file = file
        self.index = index
        self.content = content
        self.client = client
        self.isClientGiven = isClientGiven
    }
}

/// Reads messages on a thread of its own.
private final class VerifyReader: MessageVisitor, Sendable {
    private let handoff: Handoff<[Verify.Item]>
    private let options: VerifyOptions
    private let state = Mutex<(batch: [Verify.Item], failure: (any Error)?)>(([], nil))

    /// So many messages are verified at a time, at most.
    private static let batchSize = 64

    init(_ handoff: Handoff<[Verify.Item]>, _ options: VerifyOptions) {
        self.handoff = handoff
        self.options = options
    }

    var failure: (any Error)? { state.withLock { $0.failure } }

    func run(_ input: MessageInput) {
        do {
            try input.read(self)
        } catch {
            state.withLock { $0.failure = error }
        }
        endStretch()
        handoff.finish()
    }

    func visit(_ message: InputMessage, _ bytes: Span<UInt8>) throws -> Bool {
        let content: SignedMessage
        do throws(OpenSSLError) {
            content = try SignedMessage(bytes, readsEnvelope: options.client == nil, release: message.release)
        } catch {
            throw ToolFailure(.osError, "\(error)")
        }
        let client = options.client ?? content.storedClient
        add(
            .message(
                VerifyMessage(
                    file: message.file, index: message.index, content: content, client: client,
                    isClientGiven: options.client != nil)))
        return true
    }

    func report(_ problem: InputProblem) { add(.problem(problem)) }

    private func add(_ item: Verify.Item) {
        let isFull = state.withLock { state in
            state.batch.append(item)
            return state.batch.count >= VerifyReader.batchSize
        }
        if isFull { endStretch() }
    }

    func endStretch() {
        let batch = state.withLock { state in
            defer { state.batch = [] }
            return state.batch
        }
        if !batch.isEmpty { handoff.send(batch) }
    }
}
