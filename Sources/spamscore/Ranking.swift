/// How well scores tell spam from ham.
struct Ranking {
    struct Point {
        let score: Double
        let isSpam: Bool
    }

    /// By score, the lowest first.
    private let points: [Point]
    private let spam: Int
    private let ham: Int
    /// Shares, from 0 to 1, at the threshold.
    let hamMisclassified: Double
    let spamMissed: Double
    /// The area above the ROC curve, from 0 to 1: how often a ham scores above a spam.
    let lostArea: Double

    init(_ points: [Point], threshold: Double) {
        self.points = points.sorted { $0.score < $1.score }
        spam = points.count(where: \.isSpam)
        ham = points.count - spam
        hamMisclassified =
            Double(points.count { !$0.isSpam && $0.score >= threshold }) / Double(max(1, ham))
        spamMissed = Double(points.count { $0.isSpam && $0.score < threshold }) / Double(max(1, spam))
        lostArea = Ranking.lostArea(self.points, spam: spam, ham: ham)
    }

    private static func lostArea(_ points: [Point], spam: Int, ham: Int) -> Double {
        var lost = 0.0
        var spamBelow = 0.0
        var place = 0
        while place < points.count {
            var end = place
            while end < points.count, points[end].score == points[place].score { end += 1 }
            let tied = points[place..<end]
            let tiedSpam = Double(tied.count(where: \.isSpam))
            let tiedHam = Double(tied.count) - tiedSpam
            // Of a ham and a spam with one score, half the pairs count.
            lost += tiedHam * (spamBelow + tiedSpam / 2)
            spamBelow += tiedSpam
            place = end
        }
        return lost / Double(max(1, spam * ham))
    }

    /// The share of spam that is missed when no more than this share of ham is misclassified.
    func missed(atHam share: Double) -> Double {
        let hams = points.filter { !$0.isSpam }
        guard !hams.isEmpty else { return 0 }
        let allowed = min(Int(Double(ham) * share), hams.count - 1)
        let threshold = hams[hams.count - 1 - allowed].score
        return Double(points.count { $0.isSpam && $0.score <= threshold }) / Double(max(1, spam))
    }

    /// The curve: the share of ham misclassified and that of spam missed, for falling thresholds.
    var curve: [(ham: Double, missed: Double)] {
        var result: [(ham: Double, missed: Double)] = [(0, 1)]
        var (hamAbove, spamAbove) = (0, 0)
        for place in points.indices.reversed() {
            if points[place].isSpam { spamAbove += 1 } else { hamAbove += 1 }
            if place > 0, points[place - 1].score == points[place].score { continue }
            result.append(
                (Double(hamAbove) / Double(max(1, ham)), 1 - Double(spamAbove) / Double(max(1, spam))))
        }
        return result
    }
}
