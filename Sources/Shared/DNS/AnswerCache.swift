/// A question, as the cache knows it.
struct Question: Hashable {
    let name: DomainName
    let type: RecordType
}

/// The answers of one run, each for as long as it holds, and never more than a set number of them.
struct AnswerCache {
    private struct Entry {
        let answer: Answer
        let expiry: ContinuousClock.Instant
    }

    /// A failure is remembered for a moment, so that many names on one dead server do not each wait for it (RFC 9520).
    private static let failureTime: UInt32 = 5
    private static let longestTime: UInt32 = 86_400

    /// What was asked last. When it holds half of what may be kept, it becomes `earlier`, and what that held is gone.
    private var recent: [Question: Entry] = [:]
    private var earlier: [Question: Entry] = [:]
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    var count: Int { recent.count + earlier.count }

    mutating func answer(to question: Question, at now: ContinuousClock.Instant) -> Answer? {
        entry(question, at: now)?.answer
    }

    mutating func known(_ question: Question, at now: ContinuousClock.Instant) -> KnownAnswer? {
        entry(question, at: now).map { KnownAnswer(answer: $0.answer, lifetime: .until($0.expiry)) }
    }

    private mutating func entry(_ question: Question, at now: ContinuousClock.Instant) -> Entry? {
        if let entry = recent[question] { return entry.expiry > now ? entry : nil }
        guard !earlier.isEmpty, let entry = earlier.removeValue(forKey: question), entry.expiry > now else {
            return nil
        }
        insert(entry, for: question)
        return entry
    }

    mutating func store(_ answer: Answer, for question: Question, at now: ContinuousClock.Instant) {
        let ttl = answer.temporaryFailure == nil ? answer.ttl : AnswerCache.failureTime
        guard ttl > 0 else { return }
        let expiry = now + .seconds(Int(min(ttl, AnswerCache.longestTime)))
        insert(Entry(answer: answer, expiry: expiry), for: question)
    }

    private mutating func insert(_ entry: Entry, for question: Question) {
        if recent.count >= limit / 2 {
            swap(&recent, &earlier)
            recent.removeAll(keepingCapacity: true)
        }
        recent[question] = entry
    }
}
