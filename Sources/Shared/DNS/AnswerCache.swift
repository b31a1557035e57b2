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

    private var entries: [Question: Entry] = [:]
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    var count: Int { entries.count }

    func answer(to question: Question, at now: ContinuousClock.Instant) -> Answer? {
        guard let entry = entries[question], entry.expiry > now else { return nil }
        return entry.answer
    }

    mutating func store(_ answer: Answer, for question: Question, at now: ContinuousClock.Instant) {
        let ttl = answer.temporaryFailure == nil ? answer.ttl : AnswerCache.failureTime
        guard ttl > 0 else { return }
        if entries.count >= limit, entries[question] == nil {
            entries = entries.filter { $0.value.expiry > now }
            // Still full: the run asks for more names than it comes back to, so beginning anew loses little.
            if entries.count >= limit { entries.removeAll(keepingCapacity: true) }
        }
        let expiry = now + .seconds(Int(min(ttl, AnswerCache.longestTime)))
        entries[question] = Entry(answer: answer, expiry: expiry)
    }
}
