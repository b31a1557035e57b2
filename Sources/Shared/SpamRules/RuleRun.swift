/// What is known of a message while its rules run, by the place of each rule.
struct RuleRun {
    /// How often each hit; the value of a meta.
    var counts: [Double]
    var matched: [Int: [UInt8]] = [:]
    var reasons: [Int: String] = [:]
    var cut: Set<Int> = []
    let scoreSet: Int
    let active: [Bool]
    private let deadline: ContinuousClock.Instant?
    private(set) var isOutOfTime = false
    private var matches = 0

    init(count: Int, scoreSet: Int, active: [Bool], deadline: ContinuousClock.Instant?) {
        counts = Array(repeating: 0, count: count)
        self.scoreSet = scoreSet
        self.active = active
        self.deadline = deadline
    }

    /// Whether the time of the message is over; it is looked at now and then.
    mutating func isOver() -> Bool {
        matches &+= 1
        if !isOutOfTime, matches & 15 == 0, let deadline, .now > deadline { isOutOfTime = true }
        return isOutOfTime
    }
}
