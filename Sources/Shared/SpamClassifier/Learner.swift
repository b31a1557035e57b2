import Bytes
import Glibc
import Unix

/// Changes a file of weights: logistic regression, one step a message, and only when the message was not clear enough.
///
/// A learner holds the file's lock from `init` to its end, so that learners of several processes follow one another. It
/// works on a copy in memory, and `commit` writes a new file beside the old one, synced, and renames it: a learner that
/// is killed at any instant leaves the old file or the new one, and readers never wait.
package final class Learner {
    package enum Outcome: Equatable, Sendable {
        /// The message is learned now.
        case learned
        /// It was learned before, as what it is.
        case known
        /// It was not learned before, so there is nothing to forget.
        case unknown
        /// It is no longer learned.
        case forgotten
    }

    /// Nil for a learner that keeps nothing.
    private let path: String?
    private let lock: FileDescriptor?
    private var weights: [Float]
    private var journal: LessonJournal
    private var samples: LessonSamples
    package private(set) var counts: LessonCounts
    private var isChanged = false

    /// How far one lesson moves the weights of a group; fitted with `clearMargin` by cross-validation.
    private static let rate = 30.0
    /// Spam moves them by so much less: ham taken for spam is the worse mistake.
    private static let spamRate = 0.6
    /// Where a group's log-odds are right by so much, a message teaches it nothing.
    private static let clearMargin = 3.0
    /// Steps are multiples of this, so that sums of them are exact, and a lesson can be taken back exactly.
    private static let quantum = 1.0 / 65_536

    /// Locks and reads `path`; a file that is not there begins empty. A file that is no file of weights is refused and
    /// left as it is.
    package init(_ path: String, timeout: Duration = .seconds(60)) throws(WeightFileError) {
        self.path = path
        lock = try Learner.lock(path, timeout)
        let old = Files.exists(path) ? try LearnedWeights(path) : nil
        weights = old?.weights() ?? Array(repeating: 0, count: WeightFileHeader.weightCount)
        journal = old?.journal() ?? LessonJournal()
        samples = try old?.samples() ?? LessonSamples()
        counts = old?.counts ?? LessonCounts()
    }

    /// A learner that has learned nothing yet and keeps nothing, for trials.
    package init() {
        path = nil
        lock = nil
        weights = Array(repeating: 0, count: WeightFileHeader.weightCount)
        journal = LessonJournal()
        samples = LessonSamples()
        counts = LessonCounts()
    }

    private static func lock(_ path: String, _ timeout: Duration) throws(WeightFileError) -> FileDescriptor {
        do throws(SystemError) {
            let lock = try FileDescriptor.open("\(path).lock", O_RDWR | O_CREAT)
            if try FileLock.exclusive(lock, timeout: timeout) { return lock }
        } catch {
            throw .system(reason: error.reason, code: error.code)
        }
        throw .busy
    }

    /// Learns one message as `kind`. One that was learned as the other kind is forgotten as that first.
    package func learn(
        _ message: Span<UInt8>, as kind: MessageClass, _ extractor: FeatureExtractor
    ) throws(WeightFileError) -> Outcome {
        let digest = try MessageDigest(message)
        let isSpam = kind == .spam
        let features = extractor.features(of: message)
        if let lesson = journal[digest] {
            if lesson.isSpam == isSpam { return .known }
            take(back: lesson, digest, features)
        }
        let steps = step(features, isSpam)
        begin(digest, isSpam, steps)
        samples.insert(digest, isSpam: isSpam, features)
        return .learned
    }

    /// Undoes what a message has taught.
    package func forget(
        _ message: Span<UInt8>, _ extractor: FeatureExtractor
    ) throws(WeightFileError) -> Outcome {
        let digest = try MessageDigest(message)
        guard let lesson = journal[digest] else { return .unknown }
        take(back: lesson, digest, extractor.features(of: message))
        return .forgotten
    }

    /// How a message is known; nil when it is not.
    package func known(_ message: Span<UInt8>) throws(WeightFileError) -> MessageClass? {
        journal[try MessageDigest(message)].map { $0.isSpam ? .spam : .ham }
    }

    private func begin(_ digest: MessageDigest, _ isSpam: Bool, _ steps: LessonSteps) {
        journal.set(digest, Lesson(isSpam: isSpam, steps: steps))
        if isSpam { counts.spam += 1 } else { counts.ham += 1 }
        isChanged = true
    }

    private func take(back lesson: Lesson, _ digest: MessageDigest, _ features: MessageFeatures) {
        add(-lesson.steps, features)
        journal.remove(digest)
        samples.remove(digest, isSpam: lesson.isSpam)
        if lesson.isSpam { counts.spam = max(0, counts.spam - 1) } else { counts.ham = max(0, counts.ham - 1) }
        isChanged = true
    }

    /// One step of the gradient for each group; what was added to the weights of each.
    private func step(_ features: MessageFeatures, _ isSpam: Bool, rate: Double = Learner.rate) -> LessonSteps {
        let steps = Learner.steps(features, isSpam, rate, weights)
        if steps != .zero { add(steps, features) }
        return steps
    }

    private static func steps(
        _ features: MessageFeatures, _ isSpam: Bool, _ rate: Double, _ weights: [Float]
    ) -> LessonSteps {
        let sign = isSpam ? 1.0 : -1.0
        let rate = sign * rate * (isSpam ? spamRate : 1)
        let indices = features.indices.span
        let weights = weights.span
        var steps = LessonSteps.zero
        for group in features.groups {
            let margin = sign * FeatureExtractor.logOdds(indices, group, weights)
            guard margin < clearMargin else { continue }
            let size = rate / (1 + exp(margin))
            steps[group.number] = Float((size * group.value / quantum).rounded() * quantum)
        }
        return steps
    }

    /// The log-odds that a message is spam.
    package func logOdds(of exercise: Exercise) -> Double { Learner.logOdds(exercise.features, weights) }

    private static func logOdds(_ features: MessageFeatures, _ weights: [Float]) -> Double {
        FeatureExtractor.logOdds(features.indices.span, features.groups, weights.span)
    }

    private func add(_ steps: LessonSteps, _ features: MessageFeatures) {
        for group in features.groups {
            Learner.add(steps[group.number], features.indices, group.range, to: &weights)
        }
    }

    private static func add(_ step: Float, _ indices: [UInt32], _ range: Range<Int>, to weights: inout [Float]) {
        guard step != 0 else { return }
        let indices = indices.span
        var table = weights.mutableSpan
        for place in range { table[Int(indices[place])] += step }
    }

    // MARK: Batches

    /// A message of a batch, taken apart.
    package struct Exercise: Sendable {
        let digest: MessageDigest
        let isSpam: Bool
        let features: MessageFeatures

        package init(
            _ message: Span<UInt8>, as kind: MessageClass, _ extractor: FeatureExtractor
        ) throws(WeightFileError) {
            digest = try MessageDigest(message)
            isSpam = kind == .spam
            features = extractor.features(of: message)
        }

        fileprivate init(digest: MessageDigest, isSpam: Bool, features: MessageFeatures) {
            self.digest = digest
            self.isSpam = isSpam
            self.features = features
        }
    }

    /// A smaller batch teaches itself alone, so that forgetting it leaves everything as it was before.
    private static let smallBatch = 16

    /// A batch is gone through so often, with steps that become smaller: what comes last must not count most.
    private static let passes = 5
    private static let rateDecay = 0.6

    /// Learns a batch in several passes, each in another order that depends on nothing but the count. Returns how many
    /// messages were new.
    ///
    /// Samples of earlier lessons are learned again beside it: a batch of one kind alone would else wash away what is
    /// known of the other.
    package func train(_ batch: [Exercise]) -> Int {
        var fresh: [Int] = []
        for (index, exercise) in batch.enumerated() {
            if let lesson = journal[exercise.digest] {
                if lesson.isSpam == exercise.isSpam { continue }
                take(back: lesson, exercise.digest, exercise.features)
            }
            begin(exercise.digest, exercise.isSpam, .zero)
            fresh.append(index)
        }
        // A message that the batch holds as both kinds counts as what it is last.
        fresh.removeAll { journal[batch[$0].digest]?.isSpam != batch[$0].isSpam }
        var exercises = batch
        if fresh.count >= Learner.smallBatch { exercises += repeated(without: batch) }
        var order = fresh
        order += batch.count..<exercises.count
        var totals = Array(repeating: LessonSteps.zero, count: exercises.count)
        var generator = LessonOrder(count: order.count)
        var rate = Learner.rate
        for _ in 0..<Learner.passes {
            generator.shuffle(&order)
            var hasLearned = false
            for index in order {
                let steps = step(exercises[index].features, exercises[index].isSpam, rate: rate)
                if steps == .zero { continue }
                hasLearned = true
                totals[index] += steps
            }
            if !hasLearned { break }
            rate *= Learner.rateDecay
        }
        for index in order { note(totals[index], of: exercises[index]) }
        for isSpam in [true, false] {
            let lessons = fresh.filter { batch[$0].isSpam == isSpam }.map { (batch[$0].digest, batch[$0].features) }
            samples.insert(lessons, isSpam: isSpam)
        }
        return fresh.count
    }

    /// Samples of earlier lessons that the batch does not hold.
    private func repeated(without batch: [Exercise]) -> [Exercise] {
        let known = Set(batch.map(\.digest))
        return samples.all.compactMap { sample in
            guard !known.contains(sample.digest), let features = LessonSamples.features(of: sample) else { return nil }
            return Exercise(digest: sample.digest, isSpam: sample.isSpam, features: features)
        }
    }

    /// Adds to what a lesson has moved the weights by.
    private func note(_ steps: LessonSteps, of exercise: Exercise) {
        guard var lesson = journal[exercise.digest] else { return }
        lesson.steps += steps
        journal.set(exercise.digest, lesson)
    }

    // MARK: Writing

    /// Writes what was learned to the file; nothing when nothing was.
    package func commit() throws(WeightFileError) {
        guard isChanged, let path else { return }
        let sampleBytes = samples.bytes
        var header = WeightFileHeader()
        header.counts = counts
        header.slots = journal.slots
        header.lessons = journal.count
        var checksum = PayloadChecksum()
        checksum.add(weights: weights.span)
        checksum.add(journal.words.span)
        header.checksum = checksum.value
        header.samplesSize = sampleBytes.count
        header.samplesChecksum = WeightFileHeader.checksum(of: sampleBytes.span)
        let temporary = "\(path).new"
        do throws(SystemError) {
            // Nobody else writes it: the lock is ours. One that a killed learner has left is overwritten.
            let mode = (try? Files.status(path)).map { $0.st_mode & 0o777 } ?? 0o666
            let file = try FileDescriptor.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: mode)
            try file.writeAll(header.bytes)
            try file.writeAll(numbers: weights)
            try file.writeAll(numbers: journal.words)
            try file.writeAll(sampleBytes)
            try file.synchronize()
            try file.close()
            try Files.rename(temporary, to: path)
            try Files.synchronizeDirectory(Files.parent(of: path) ?? "/")
        } catch {
            try? Files.remove(temporary)
            throw .system(reason: error.reason, code: error.code)
        }
        isChanged = false
    }
}
