import CommandLineTool
import DNS

/// Answers that came in any order, reported in the order of their questions.
struct ReportQueue {
    private let report: Report
    private var early: [Int: Lookup] = [:]
    /// How many were reported.
    private(set) var reported = 0
    /// Of several names 75 beats 68 beats 65 beats 0.
    private(set) var exitCode = ExitCode.ok

    init(_ report: Report) { self.report = report }

    mutating func add(_ lookup: Lookup, at number: Int) {
        early[number] = lookup
        while let next = early.removeValue(forKey: reported) {
            report.add(next)
            reported += 1
            let code = next.route.status.exitCode
            if code.number > exitCode.number { exitCode = code }
        }
    }
}

extension MailRoute.Status {
    /// What the tool's end says of a domain.
    var exitCode: ExitCode {
        switch self {
        case .mx, .implicit, .literal: .ok
        case .invalid: .dataError
        case .null, .nxdomain, .nodata, .unreachable: .noHost
        case .tempfail: .temporaryFailure
        }
    }
}
