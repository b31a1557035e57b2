import Bytes
import CommandLineTool
import Mailboxes
import Unix

/// What a source turned out to hold.
struct SourceReport {
    let name: String
    let formatName: String
    let reason: String?
    let isCertain: Bool
    let tally: Tally
    /// Of its messages, those that were chosen, and their bytes.
    let passed: Int
    let passedBytes: Int
    let seconds: Double

    init(_ source: Source, _ tally: Tally, passed: Int, passedBytes: Int, seconds: Double = 0) {
        name = source.name
        formatName = source.formatName
        reason = source.reason
        isCertain = source.isCertain
        self.tally = tally
        self.passed = passed
        self.passedBytes = passedBytes
        self.seconds = seconds
    }

    /// `inbox.mbox: mboxrd (41 lines ">>From", no Content-Length): 18,204 messages, 1.2 GB`.
    var text: String {
        let reason = reason.map { " (\($0))" } ?? ""
        let of = passed == tally.messages ? "" : " of \(Quantity.count(tally.messages))"
        return TerminalText.escape(
            "\(name): \(formatName)\(reason): \(Quantity.count(passed))\(of) message\(tally.messages == 1 ? "" : "s"), "
                + Quantity.bytes(passedBytes))
    }

    /// One line a finding, for people.
    var findingLines: [String] {
        tally.findings.sorted.map { finding in
            TerminalText.escape(
                "\(name): \(finding.id.rawValue): \(Quantity.count(finding.places.count)) "
                    + "time\(finding.places.count == 1 ? "" : "s"), first at byte \(finding.places.first)")
        }
    }

    func write(to json: inout JSONWriter) {
        json.beginObject()
        json.field("source", PathText.repaired(name))
        json.field("format", formatName)
        json.field("reason", reason)
        json.field("certain", isCertain)
        json.field("messages", passed)
        json.field("bytes", passedBytes)
        json.array("findings") { json in
            for finding in tally.findings.sorted {
                json.object { json in
                    json.field("id", finding.id.rawValue)
                    json.field("count", finding.places.count)
                    json.field("first", finding.places.first)
                }
            }
        }
        json.endObject()
    }
}

/// What a conversion did.
struct ConversionReport {
    let destination: String
    let format: MailboxFormat
    private(set) var sources: [SourceReport] = []
    var seconds = 0.0
    var verification: Verification.Outcome?
    /// Where messages were parted, and how many went there.
    var destinations: [(path: String, messages: Int)] = []
    /// Messages that --where and --dedupe left out.
    var unselected = 0
    var duplicates = 0

    init(destination: String, format: MailboxFormat) {
        self.destination = destination
        self.format = format
    }

    mutating func add(_ source: Source, _ tally: Tally, passed: Int, passedBytes: Int, seconds: Double) {
        sources.append(SourceReport(source, tally, passed: passed, passedBytes: passedBytes, seconds: seconds))
    }

    var messages: Int { sources.reduce(0) { $0 + $1.passed } }
    private var bytes: Int { sources.reduce(0) { $0 + $1.passedBytes } }

    /// A difference counts before files that could not be read.
    var exitCode: ExitCode {
        if verification?.isSame == false { return .negative }
        return sources.lazy.compactMap { $0.tally.failures.first?.exitCode }.first ?? .ok
    }

    func write(_ arguments: Arguments) {
        let output = ReportOutput(messagesTo: destination)
        if arguments[Mboxconv.json] {
            output.write(json)
        } else if !arguments[Mboxconv.quiet] {
            for source in sources {
                for line in source.findingLines { Diagnostics.say(line) }
                output.write(Array((summary(source, isDryRun: arguments[Mboxconv.dryRun]) + "\n").utf8))
            }
        }
        for source in sources {
            for failure in source.tally.failures { Diagnostics.say(failure.message) }
        }
        if let verification, !verification.isSame { Diagnostics.say(verification.difference) }
    }

    private func summary(_ source: SourceReport, isDryRun: Bool) -> String {
        let seconds = sources.count == 1 ? self.seconds : source.seconds
        let speed = Double(source.passedBytes) / 1e6 / Swift.max(seconds, 1e-6)
        let verified = verification.map { $0.isSame ? ", verified" : ", NOT the same" } ?? ""
        return source.text + " -> \(format.title)\(isDryRun ? " (not written)" : ""), "
            + "\(DecimalText.format(seconds, decimals: 1)) s, \(DecimalText.format(speed, decimals: 0)) MB/s"
            + (source.name == sources.last?.name ? parted + leftOut + verified : "")
    }

    private var parted: String {
        destinations.isEmpty
            ? "" : ", \(Quantity.count(destinations.count)) mailbox\(destinations.count == 1 ? "" : "es")"
    }

    private var leftOut: String {
        (duplicates > 0 ? ", \(Quantity.count(duplicates)) duplicate\(duplicates == 1 ? "" : "s") left out" : "")
            + (unselected > 0 ? ", \(Quantity.count(unselected)) not selected" : "")
    }

    private var json: [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.array("sources") { json in
            for source in sources { source.write(to: &json) }
        }
        json.field("destination", destination)
        json.field("format", format.rawValue)
        json.field("messages", messages)
        json.field("bytes", bytes)
        json.field("seconds", seconds, decimals: 3)
        json.field("duplicates", duplicates)
        json.field("unselected", unselected)
        json.array("destinations") { json in
            for (path, messages) in destinations {
                json.object { json in
                    json.field("destination", path)
                    json.field("messages", messages)
                }
            }
        }
        json.field("verified", verification?.isSame)
        json.endObject()
        return json.takeLine()
    }
}

/// Numbers for people.
enum Quantity {
    /// `18,204`.
    static func count(_ number: Int) -> String {
        var text = ""
        for (index, digit) in String(number).reversed().enumerated() {
            if index > 0, index % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }

    /// `1.2 GB`; powers of 1000.
    static func bytes(_ number: Int) -> String {
        var value = Double(number)
        for unit in ["bytes", "KB", "MB", "GB"] {
            if value < 1_000 {
                return unit == "bytes"
                    ? "\(number) byte\(number == 1 ? "" : "s")"
                    : "\(DecimalText.format(value, decimals: value < 10 ? 1 : 0)) \(unit)"
            }
            value /= 1_000
        }
        return "\(DecimalText.format(value, decimals: 1)) TB"
    }
}
