import Bytes
import CommandLineTool
import Mailboxes

/// What a source turned out to hold.
struct SourceReport {
    let name: String
    let format: MailboxFormat
    let reason: String?
    let isCertain: Bool
    let tally: Tally
    let seconds: Double

    /// `inbox.mbox: mboxrd (41 lines ">>From", no Content-Length): 18,204 messages, 1.2 GB`.
    var text: String {
        let reason = reason.map { " (\($0))" } ?? ""
        let count = tally.messages
        return TerminalText.escape(
            "\(name): \(format.rawValue)\(reason): \(Quantity.count(count)) message\(count == 1 ? "" : "s"), "
                + Quantity.bytes(tally.bytes))
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
        json.field("source", name)
        json.field("format", format.rawValue)
        json.field("reason", reason)
        json.field("certain", isCertain)
        json.field("messages", tally.messages)
        json.field("bytes", tally.bytes)
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

    init(destination: String, format: MailboxFormat) {
        self.destination = destination
        self.format = format
    }

    mutating func add(_ source: Source, _ tally: Tally, seconds: Double) {
        sources.append(
            SourceReport(
                name: source.name, format: source.format, reason: source.reason, isCertain: source.isCertain,
                tally: tally, seconds: seconds))
    }

    private var messages: Int { sources.reduce(0) { $0 + $1.tally.messages } }
    private var bytes: Int { sources.reduce(0) { $0 + $1.tally.bytes } }

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
        if let verification, !verification.isSame { Diagnostics.say("\(destination): \(verification.difference)") }
    }

    private func summary(_ source: SourceReport, isDryRun: Bool) -> String {
        let seconds = sources.count == 1 ? self.seconds : source.seconds
        let speed = Double(source.tally.bytes) / 1e6 / Swift.max(seconds, 1e-6)
        let target = format == .maildir ? "Maildir" : format.rawValue
        let verified = verification.map { $0.isSame ? ", verified" : ", NOT the same" } ?? ""
        return source.text + " -> \(target)\(isDryRun ? " (not written)" : ""), "
            + "\(DecimalText.format(seconds, decimals: 1)) s, \(DecimalText.format(speed, decimals: 0)) MB/s"
            + (source.name == sources.last?.name ? verified : "")
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
