extension RulePlan {
    /// The sum of the points that rules can give, decisions of lists not counted: how much it says that none has hit.
    ///
    /// - Parameters:
    ///   - scoreSet: as for `RuleScorer`.
    ///   - decision: rules with so many points or more do not count.
    package func possiblePoints(scoreSet: Int, below decision: Double) -> Double {
        var sum = 0.0
        for rule in 0..<count {
            let points = points(rule, set: scoreSet)
            if points > 0, points < decision { sum += points }
        }
        return sum
    }
}
