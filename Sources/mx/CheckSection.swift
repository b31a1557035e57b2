import CommandLineTool

/// The parts of a diagnosis, in the order of the report.
enum CheckPart: String, CaseIterable, Sendable {
    case mx, dns, ptr, spf, dmarc, dkim, dane
    case mtaSTS = "mta-sts"
    case tlsRPT = "tls-rpt"
    case bimi, dnsbl, smtp

    /// The title of its lines.
    var title: String { rawValue.uppercased() }

    /// The key of its facts in JSON.
    var key: String {
        switch self {
        case .mtaSTS: "mtaSts"
        case .tlsRPT: "tlsRpt"
        default: rawValue
        }
    }
}

/// One thing that was looked at: what came out of it, the evidence, and what is wrong with it.
struct CheckItem: Sendable {
    enum Verdict: Sendable {
        case ok, warning, error
        /// Nobody can say now.
        case unknown
        /// There is nothing to judge.
        case notApplicable
    }

    let verdict: Verdict
    let text: String
    var findings: [Finding] = []
    /// Further evidence, a line each.
    var details: [String] = []

    init(_ verdict: Verdict, _ text: String, details: [String] = []) {
        self.verdict = verdict
        self.text = text
        self.details = details
    }

    /// What a finding says, as a line of its own.
    init(_ finding: Finding, text: String? = nil, details: [String] = []) {
        self.init(text ?? finding.text, [finding], details: details)
    }

    /// Evidence with all that is wrong with it; the worst decides. Fine without any.
    init(_ text: String, _ findings: [Finding], details: [String] = []) {
        let severities = findings.map(\.severity)
        verdict =
            severities.contains(.error)
            ? .error : severities.contains(.warning) ? .warning : severities.contains(.unknown) ? .unknown : .ok
        self.text = text
        self.findings = findings
        self.details = details
    }
}

/// What came out of one part.
struct CheckSection: Sendable {
    let part: CheckPart
    var items: [CheckItem]
    /// Writes what was found as one JSON value; nil when it stands elsewhere.
    var facts: (@Sendable (inout JSONWriter) -> Void)?

    init(_ part: CheckPart, _ items: [CheckItem], facts: (@Sendable (inout JSONWriter) -> Void)? = nil) {
        self.part = part
        self.items = items
        self.facts = facts
    }

    var findings: [Finding] { items.flatMap(\.findings) }
}
