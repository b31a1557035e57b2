import Bytes
import Glibc
import SpamRules
import Unix

/// What a sender's earlier messages have scored, which draws the score of the next one towards their mean
/// (use_auto_welcomelist, use_txrep): one small file a sender in DIR/senders, named for the hash of its address and
/// network, with the count of its messages, the sum of their scores, and who it is.
struct SenderReputation: Sendable {
    let name: String
    private let description: String
    private let folder: String
    /// How far a score is drawn: 0 not at all, 1 to the mean.
    private let factor: Double

    private static let patience = Duration.seconds(2)
    private static let longest = 4_096

    /// Nil when nothing asks for it, or there is no place for it.
    ///
    /// A rule that calls SpamAssassin's test of reputations asks for it too, and gives it its name and description.
    init?(_ plan: RulePlan, _ user: UserFolder) {
        let settings = plan.settings
        let rule = plan.reputationRule
        let isTxRep = settings.isOn("use_txrep", default: rule?.isTxRep ?? false)
        let isAsked = isTxRep || settings.isOn("use_auto_welcomelist", default: rule.map { !$0.isTxRep } ?? false)
        guard let path = user.path, isAsked else { return nil }
        name = rule?.name ?? (isTxRep ? "TXREP" : "AWL")
        description = rule?.description ?? "the mean of this sender's earlier messages"
        folder = "\(path)/senders"
        let told = settings.number(isTxRep ? "txrep_factor" : "auto_welcomelist_factor")
        factor = min(max(told ?? 0.5, 0), 1)
    }

    /// The test that draws the sum of `tests` towards the sender's mean, nil when nothing is known of it; the sum is
    /// remembered. Decisions, as of lists, say nothing of a sender's messages.
    func test(_ sender: Correspondent, _ tests: [Verdict.Test]) -> Result<Verdict.Test?, SystemError> {
        let score = tests.reduce(0) { $0 + ($1.points.magnitude < LearnedPoints.decision ? $1.points : 0) }
        do throws(SystemError) {
            let (count, total) = try remember(sender, score)
            guard count > 0 else { return .success(nil) }
            let mean = total / Double(count)
            let points = LearnedPoints.rounded((mean - score) * factor)
            guard points != 0 else { return .success(nil) }
            return .success(
                Verdict.Test(
                    name: name, points: points, description: description,
                    area: "sender", text: "\(sender.address), \(count) earlier, mean \(Reports.points(mean))",
                    isReason: true))
        } catch {
            return .failure(error)
        }
    }

    /// Adds a score; what was known before.
    private func remember(_ sender: Correspondent, _ score: Double) throws(SystemError) -> (count: Int, total: Double) {
        let who = "\(sender.address) \(sender.network)"
        let hash = SenderReputation.hash(who)
        let directory = "\(folder)/\(hash.prefix(2))"
        try Files.makeDirectory(directory, mode: 0o700, parents: true)
        let file = try FileDescriptor.open(
            "\(directory)/\(hash.dropFirst(2))", O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        let limit = ContinuousClock.now + SenderReputation.patience
        while try !FileLock.tryHold(file) {
            guard ContinuousClock.now < limit else {
                throw SystemError(code: EAGAIN, operation: "lock", subject: directory)
            }
            usleep(2_000)
        }
        let known = SenderReputation.read(try file.readAll(limit: SenderReputation.longest), who)
        // One write of one length: a kill leaves the old line or the new one.
        let line = SenderReputation.line(known.count + 1, known.total + score, who)
        try file.writeAll(line, at: 0)
        return known
    }

    private static func line(_ count: Int, _ total: Double, _ who: String) -> [UInt8] {
        func padded(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        let sum = Reports.points(min(max(total, -1e9), 1e9))
        return Array("\(padded(String(min(count, 999_999_999)), 9)) \(padded(sum, 15)) \(who)\n".utf8)
    }

    /// A line that is no one's, or another's whose hash is the same, counts for nothing.
    private static func read(_ bytes: [UInt8], _ who: String) -> (count: Int, total: Double) {
        let words = bytes.prefix { $0 != ASCII.lf }.split(separator: ASCII.space).map(\.text)
        guard words.count == 4, words[2...].joined(separator: " ") == who, let count = Int(words[0]), count > 0,
            let total = Double(words[1]), total.isFinite
        else { return (0, 0) }
        return (count, total)
    }

    private static func hash(_ text: String) -> String {
        var hash = FNV1a()
        hash.add(text.utf8)
        let digits = String((hash.value ^ hash.value >> 32) &* 0x9E37_79B9_7F4A_7C15, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
