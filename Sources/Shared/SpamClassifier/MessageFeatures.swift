/// The features of one message: indices into the table of weights, each once.
///
/// They stand in groups, and each group is a way of looking at the message by itself: it has a classifier of its own, and
/// the log-odds of the message are the mean of theirs. So a group that tells the lessons apart early does not keep the
/// others from learning (which they would not, trained together: "weight undertraining"), and a long body does not drown
/// what the header says.
package struct MessageFeatures: Sendable {
    /// All groups one after the other.
    package let indices: [UInt32]
    /// Where each group ends.
    package let ends: [Int]

    init(_ indices: [UInt32], _ ends: [Int]) {
        self.indices = indices
        self.ends = ends
    }

    /// The groups that have features.
    var groups: [FeatureGroup] { MessageFeatures.groups(ends) }

    static func groups(_ ends: [Int]) -> [FeatureGroup] {
        var groups: [FeatureGroup] = []
        var start = 0
        for (number, end) in ends.enumerated() {
            if end > start { groups.append(FeatureGroup(number: number, range: start..<end)) }
            start = end
        }
        return groups
    }
}

/// The features of one kind in a message.
struct FeatureGroup {
    let number: Int
    /// Where they stand among all.
    let range: Range<Int>
    /// The value of each feature, so that all groups have the same energy.
    var value: Double { 1 / Double(range.count).squareRoot() }

    /// The kinds: byte 4-grams of the header, byte 4-grams of the body, words by their header field, words of the header,
    /// words of the text, letters and digits of the text.
    static let count = 6
}
