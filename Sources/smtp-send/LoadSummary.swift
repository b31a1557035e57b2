import CommandLineTool
import SMTP

/// What a load test came to: how many messages, how fast, how long each took.
struct LoadSummary: Sendable {
    private var times: [Double] = []
    private var accepted = 0
    private var refused = 0
    private var temporary = 0
    private let start = ContinuousClock.now

    /// Counts a message by what became of its recipients.
    mutating func add(_ reports: [RecipientReport]) {
        times.append(reports.map(\.time.milliseconds).max() ?? 0)
        for report in reports {
            switch report.result.outcome {
            // The queue has it.
            case _ where report.staysQueued: accepted += 1
            case .accepted: accepted += 1
            case .refused: refused += 1
            case .temporary: temporary += 1
            }
        }
    }

    func write(isJSON: Bool) {
        let seconds = max((ContinuousClock.now - start).milliseconds / 1_000, 1e-9)
        let sorted = times.sorted()
        func at(_ share: Double) -> Double {
            sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
        }
        let rate = Double(times.count) / seconds
        if isJSON {
            var json = JSONWriter()
            json.object { json in
                json.field("messages", times.count)
                json.field("accepted", accepted)
                json.field("refused", refused)
                json.field("temporary", temporary)
                json.field("seconds", seconds, decimals: 3)
                json.field("rate", rate, decimals: 1)
                json.field("ms_median", at(0.5), decimals: 1)
                json.field("ms_90", at(0.9), decimals: 1)
                json.field("ms_99", at(0.99), decimals: 1)
                json.field("ms_max", sorted.last ?? 0, decimals: 1)
            }
            return Output.standard.write(json.takeLine())
        }
        func text(_ number: Double, _ decimals: Int) -> String { DecimalText.format(number, decimals: decimals) }
        Output.standard.writeLine(
            "\(times.count) messages in \(text(seconds, 2)) s, \(text(rate, 0)) a second; recipients: \(accepted) accepted, "
                + "\(refused) refused, \(temporary) not yet")
        Output.standard.writeLine(
            "a message took \(text(at(0.5), 1)) ms (median), \(text(at(0.9), 1)) (90 %), \(text(at(0.99), 1)) (99 %), "
                + "\(text(sorted.last ?? 0, 1)) at most")
    }
}
