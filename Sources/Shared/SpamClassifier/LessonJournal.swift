import Bytes
import OpenSSL

/// Spam, or not.
package enum MessageClass: Sendable {
    case ham, spam
}

/// What names a message whatever way it came: the digest of its bytes without line-end and filter differences.
struct MessageDigest: Hashable, Sendable {
    let high: UInt64
    let low: UInt64

    init(_ message: Span<UInt8>) throws(WeightFileError) {
        do throws(OpenSSLError) {
            var digest = try Digest(.sha256)
            let excerpt = MessageExcerpt(message)
            digest.update(excerpt.text.span.extracting(0..<excerpt.headerEnd))
            let body = message.extracting(excerpt.bodyStart..<message.count)
            if body.firstIndex(of: ASCII.cr) == nil {
                digest.update(body)
            } else {
                MessageDigest.update(&digest, body)
            }
            let bytes = digest.finalize()
            func number(_ start: Int) -> UInt64 { bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) } }
            high = number(0)
            low = number(8)
        } catch {
            throw .digest("\(error)")
        }
    }

    /// Adds lines with LF line ends.
    private static func update(_ digest: inout Digest, _ body: Span<UInt8>) {
        var place = 0
        while place < body.count {
            let line = body.line(at: place)
            digest.update(body.extracting(line.content))
            if line.isTerminated { digest.update([ASCII.lf]) }
            place = line.next
        }
    }

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// One message that was learned: its class, and what it has added to the weights of each group of its features.
struct Lesson: Sendable {
    var isSpam: Bool
    var steps: LessonSteps
}

/// What a lesson adds to each weight of each group of its features.
typealias LessonSteps = SIMD8<Float>

/// The lessons that are in the weights, by the digests of their messages: open addressing in a table of a power of two,
/// half full at most, laid out as it stands in the file.
struct LessonJournal: Sendable {
    /// The digest, the class, and the steps of the groups.
    static let wordsPerSlot = 6
    private static let smallest = 64

    private(set) var words: [UInt64] = []
    private(set) var count = 0

    init() {}

    init(words: [UInt64], count: Int) {
        self.words = words
        self.count = count
    }

    var slots: Int { words.count / LessonJournal.wordsPerSlot }

    subscript(digest: MessageDigest) -> Lesson? {
        guard slots > 0, let slot = find(digest), isUsed(slot) else { return nil }
        let base = slot * LessonJournal.wordsPerSlot
        var steps = LessonSteps.zero
        for group in 0..<FeatureGroup.count {
            let word = words[base + 3 + group / 2]
            steps[group] = Float(bitPattern: UInt32(truncatingIfNeeded: group & 1 == 0 ? word : word >> 32))
        }
        return Lesson(isSpam: words[base + 2] == 2, steps: steps)
    }

    /// Notes a lesson, in place of the one that is there.
    mutating func set(_ digest: MessageDigest, _ lesson: Lesson) {
        if (count + 1) * 2 > slots { grow() }
        guard let slot = find(digest) else { return }
        if !isUsed(slot) { count += 1 }
        let base = slot * LessonJournal.wordsPerSlot
        words[base] = digest.high
        words[base + 1] = digest.low
        words[base + 2] = lesson.isSpam ? 2 : 1
        for group in stride(from: 0, to: FeatureGroup.count, by: 2) {
            words[base + 3 + group / 2] =
                UInt64(lesson.steps[group].bitPattern) | UInt64(lesson.steps[group + 1].bitPattern) << 32
        }
    }

    /// Removes a lesson; those that it had pushed on move back, so that no place is lost.
    mutating func remove(_ digest: MessageDigest) {
        guard slots > 0, let found = find(digest), isUsed(found) else { return }
        count -= 1
        var hole = found
        var next = (hole + 1) & (slots - 1)
        while isUsed(next) {
            let home = self.home(words[next * LessonJournal.wordsPerSlot])
            if (next &- home) & (slots - 1) >= (next &- hole) & (slots - 1) {
                move(next, to: hole)
                hole = next
            }
            next = (next + 1) & (slots - 1)
            if next == found { break }
        }
        let base = hole * LessonJournal.wordsPerSlot
        for word in base..<base + LessonJournal.wordsPerSlot { words[word] = 0 }
    }

    private func home(_ high: UInt64) -> Int { Int(truncatingIfNeeded: high) & (slots - 1) }

    private func isUsed(_ slot: Int) -> Bool { words[slot * LessonJournal.wordsPerSlot + 2] != 0 }

    /// The place of a digest, or the free one where it belongs; nil when the table is full, which only a damaged one is.
    private func find(_ digest: MessageDigest) -> Int? {
        var slot = home(digest.high)
        for _ in 0..<slots {
            let base = slot * LessonJournal.wordsPerSlot
            if !isUsed(slot) || (words[base] == digest.high && words[base + 1] == digest.low) { return slot }
            slot = (slot + 1) & (slots - 1)
        }
        return nil
    }

    private mutating func move(_ from: Int, to: Int) {
        let size = LessonJournal.wordsPerSlot
        for word in 0..<size { words[to * size + word] = words[from * size + word] }
    }

    private mutating func grow() {
        let old = self
        let size = LessonJournal.wordsPerSlot
        words = Array(repeating: 0, count: max(LessonJournal.smallest, old.slots * 2) * size)
        for slot in 0..<old.slots where old.isUsed(slot) {
            let digest = MessageDigest(high: old.words[slot * size], low: old.words[slot * size + 1])
            guard let place = find(digest) else { continue }
            for word in 0..<size { words[place * size + word] = old.words[slot * size + word] }
        }
    }
}
