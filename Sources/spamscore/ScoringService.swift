import Bytes
import CommandLineTool
import FilterProtocols
import SpamClassifier
import SpamRules
import Synchronization
import Unix

/// What the sessions of the server share: rules, weights of all users, and the workers that score.
final class ScoringService: Sendable {
    /// Rules and options; read again by `reload`.
    private struct Basis: Sendable {
        var generation = 0
        var scoring: ScoringBasis
    }

    /// A scorer, for one worker at a time; compiled rules are shared by all.
    private final class Worker: Sendable {
        let scorer: Mutex<(generation: Int, scorer: MessageScorer)>
        init(_ basis: ScoringBasis) { scorer = Mutex((0, MessageScorer(basis))) }
    }

    private let arguments: Arguments
    private let users: UserFolders
    private let basis: Mutex<Basis>
    private let workers: [Worker]
    private let slots: Slots
    /// Learning goes one after another, and takes no worker's place.
    private let learning = Slots(1)
    private let cache = Mutex<[String: LearnedWeights]>([:])
    /// The rules of users who have some of their own, and the files that they were read from.
    private let own = Mutex<[String: (files: [FileIdentity?], scoring: ScoringBasis)]>([:])
    /// The most that a message may have, unzipped.
    let messageLimit: Int
    /// Bytes of messages that are not whole yet, of all clients.
    private let held = Mutex(0)

    /// So much is held of messages that are not whole, or four of the largest.
    private static let standardHold = 64 << 20
    /// Without `--max-size`.
    private static let standardLimit = 64 << 20
    /// The weights and the rules of so many users are kept.
    private static let cacheLimit = 64

    init(_ arguments: Arguments) throws(ToolFailure) {
        self.arguments = arguments
        users = UserFolders(arguments)
        let scoring = try ScoringBasis(arguments, users.shared, isServing: true)
        basis = Mutex(Basis(scoring: scoring))
        let count = arguments[SpamscoreOptions.workers]
        workers = (0..<count).map { _ in Worker(scoring) }
        slots = Slots(count)
        messageLimit = arguments[SpamscoreOptions.maximumSize] ?? ScoringService.standardLimit
    }

    /// Reads the rules again; when they cannot be used, those in use stay.
    func reload() {
        do throws(ToolFailure) {
            let network = basis.withLock { $0.scoring.network }
            let scoring = try ScoringBasis(arguments, users.shared, network: network, isServing: true)
            own.withLock { $0.removeAll() }
            basis.withLock { basis in
                basis.scoring = scoring
                basis.generation += 1
            }
        } catch {
            Diagnostics.say("\(error.message): the rules in use stay")
        }
    }

    /// Asks for room for `count` bytes more, or gives some back; false when clients hold too much already.
    func hold(_ count: Int) -> Bool {
        let limit = max(ScoringService.standardHold, messageLimit > .max / 4 ? .max : messageLimit * 4)
        return held.withLock { held in
            guard count <= 0 || held + count <= limit else { return false }
            held += count
            return true
        }
    }

    // MARK: Answers

    /// The answer to a request that has a message.
    func answer(_ request: SpamdRequest) async -> [UInt8] {
        do throws(SpamdFailure) {
            if request.method == .tell { return try await tell(request) }
            let slot = await slots.take()
            defer { slots.give(slot) }
            let worker = workers[slot]
            return try await offload { () throws(SpamdFailure) in try self.judge(request, worker) }
        } catch {
            return Array(error.line.utf8)
        }
    }

    private func judge(_ request: SpamdRequest, _ worker: Worker) throws(SpamdFailure) -> [UInt8] {
        let message = try content(request)
        let (verdict, options) = try score(message, request.user, worker)
        let told = SpamdVerdict(
            isSpam: verdict.isSpam, score: Reports.score(verdict), required: Reports.number(verdict.required))
        var content: [UInt8] = []
        switch request.method {
        case .check: return SpamdAnswer.check(told)
        case .symbols:
            let end = request.version < 13 ? "\r\n" : ""
            content = Array((verdict.names.joined(separator: ",") + end).utf8)
        case .report: content = Array(MarkedMessage(message, verdict, options).reportText().utf8)
        case .reportIfSpam:
            if verdict.isSpam { content = Array(MarkedMessage(message, verdict, options).reportText().utf8) }
        case .process: content = MarkedMessage(message, verdict, options).bytes()
        case .headers: content = MarkedMessage(message, verdict, options).header()
        case .ping, .skip, .tell: break
        }
        return SpamdAnswer.content(content, told, for: request.method, version: request.version)
    }

    private func content(_ request: SpamdRequest) throws(SpamdFailure) -> [UInt8] {
        guard request.isCompressed else { return request.message }
        do throws(Zlib.Failure) {
            return try Zlib.inflate(request.message, limit: messageLimit)
        } catch {
            switch error {
            case .missing: throw SpamdFailure(code: 69, reason: "Service Unavailable: zlib is not installed")
            case .damaged: throw .badHeader("(zlib: not a zlib stream, or cut short)")
            case .tooLarge: throw .badHeader("(zlib: more than \(messageLimit) bytes come out)")
            }
        }
    }

    private func score(
        _ message: [UInt8], _ user: String?, _ worker: Worker
    ) throws(SpamdFailure) -> (Verdict, MarkingOptions) {
        let current = basis.withLock { $0 }
        do {
            let folder = users.folder(of: user) ?? users.shared
            let weights = try weights(of: folder)
            if folder.path != users.shared.path, !folder.rules().isEmpty {
                let scoring = try scoring(of: folder, current.scoring.network)
                let verdict = try MessageScorer(scoring).score(message.span, for: scoring.personal(folder, weights))
                return (verdict, scoring.marking)
            }
            return try score(message, current.scoring.personal(folder, weights), current, worker)
        } catch {
            throw ScoringService.failure(error)
        }
    }

    /// 69, or 75 for what may work later.
    private static func failure(_ error: any Error) -> SpamdFailure {
        let failure = error as? ToolFailure
        let reason = failure?.message ?? "\(error)"
        return failure?.exitCode == .temporaryFailure
            ? SpamdFailure(code: 75, reason: "Temporary failure: \(reason)")
            : SpamdFailure(code: 69, reason: "Service Unavailable: \(reason)")
    }

    /// The rules of a user, read again when one of their files has changed.
    private func scoring(of folder: UserFolder, _ network: NetworkTests?) throws(ToolFailure) -> ScoringBasis {
        let path = folder.path ?? ""
        let files = try RuleFiles.files(arguments, folder).map { FileIdentity.of($0) }
        if let known = own.withLock({ $0[path] }), known.files == files { return known.scoring }
        let made = try ScoringBasis(arguments, folder, network: network, isCached: false, isServing: true)
        own.withLock { own in
            if own.count >= ScoringService.cacheLimit, let other = own.keys.first { own[other] = nil }
            own[path] = (files, made)
        }
        return made
    }

    private func score(
        _ message: [UInt8], _ person: PersonalState, _ current: Basis, _ worker: Worker
    ) throws -> (Verdict, MarkingOptions) {
        let verdict = try worker.scorer.withLock { state throws in
            if state.generation != current.generation {
                state = (current.generation, MessageScorer(current.scoring))
            }
            return try state.scorer.score(message.span, for: person)
        }
        return (verdict, current.scoring.marking)
    }

    /// The weights as they are now: a file that was learned into since is opened again.
    private func weights(of folder: UserFolder) throws(ToolFailure) -> LearnedWeights? {
        if arguments[SpamscoreOptions.noLearned] || !folder.hasPlace { return nil }
        let path = try folder.weights()
        guard let identity = FileIdentity.of(path) else { return nil }
        if let known = cache.withLock({ $0[path] }), known.identity == identity { return known }
        guard let weights = try folder.openWeights(mustExist: false) else { return nil }
        cache.withLock { cache in
            if cache.count >= ScoringService.cacheLimit, let other = cache.keys.first { cache[other] = nil }
            cache[path] = weights
        }
        return weights
    }

    // MARK: Learning

    private func tell(_ request: SpamdRequest) async throws(SpamdFailure) -> [UInt8] {
        let slot = await learning.take()
        defer { learning.give(slot) }
        return try await offload { () throws(SpamdFailure) in
            let message = try self.content(request)
            do {
                return try self.learn(message, request)
            } catch {
                throw ScoringService.failure(error)
            }
        }
    }

    private func learn(_ message: [UInt8], _ request: SpamdRequest) throws -> [UInt8] {
        let telling = request.telling
        guard telling.setsLocal || telling.removesLocal else {
            return SpamdAnswer.told(didSet: false, didRemove: false)
        }
        let folder = users.folder(of: request.user) ?? users.shared
        guard folder.hasPlace else {
            throw ToolFailure(.unavailable, "User: names nobody who has a folder here: nothing is learned for all")
        }
        let file = try folder.weights()
        do throws(WeightFileError) {
            return try Lessons.teach(file) { learner throws(WeightFileError) in
                try ScoringService.change(learner, message, telling)
            }
        } catch {
            throw UserFolder.failure(file, error)
        }
    }

    private static func change(
        _ learner: Learner, _ message: [UInt8], _ telling: SpamdRequest.Telling
    ) throws(WeightFileError) -> [UInt8] {
        let extractor = FeatureExtractor()
        var didRemove = false
        if telling.removesLocal { didRemove = try learner.forget(message.span, extractor) == .forgotten }
        var didSet = false
        if telling.setsLocal, let kind = telling.kind {
            didSet = try learner.learn(message.span, as: kind == .spam ? .spam : .ham, extractor) == .learned
        }
        return SpamdAnswer.told(didSet: didSet, didRemove: didRemove)
    }
}
