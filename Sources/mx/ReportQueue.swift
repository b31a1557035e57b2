import CommandLineTool
import DNS

/// Results that came in any order, reported in the order of their questions.
struct ReportQueue<Result: Sendable> {
    private let report: @Sendable (Result) -> ExitCode
    private var early: [Int: Result] = [:]
    /// How many results there are, the reported ones among them.
    private(set) var answered = 0
    /// How many were reported.
    private(set) var reported = 0
    /// Of several names 75 beats 68 beats 65 beats 1 beats 0.
    private(set) var exitCode = ExitCode.ok

    init(_ report: @escaping @Sendable (Result) -> ExitCode) { self.report = report }

    mutating func add(_ result: Result, at number: Int) {
        answered += 1
        if number == reported {
            tell(result)
        } else {
            early[number] = result
            return
        }
        while let next = early.removeValue(forKey: reported) { tell(next) }
    }

    private mutating func tell(_ result: Result) {
        let code = report(result)
        reported += 1
        if code.number > exitCode.number { exitCode = code }
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
