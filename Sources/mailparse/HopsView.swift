import Bytes
import CommandLineTool
import MessageFormat

/// The way that a message took, and what the servers on it say of its authenticity.
struct HopsView {
    private let text: ViewText

    init(_ text: ViewText) { self.text = text }

    /// A table, newest first, with the delay since the hop below; `!` marks a clock that runs ahead.
    func writeHops(_ message: ParsedMessage, to output: Output) {
        let hops = message.hops
        guard !hops.isEmpty else { return output.writeLine("no Received fields") }
        var rows = [["#", "delay", "from", "by", "with", "time"]]
        for (index, hop) in hops.enumerated() {
            rows.append([
                String(hops.count - index), message.delays[index].map(HopsView.delay) ?? "", from(hop),
                text.line(hop.by ?? "?"), text.line(hop.with ?? ""), hop.date.map(HopsView.time) ?? "",
            ])
        }
        let widths = (0..<6).map { column in rows.map { $0[column].count }.max() ?? 0 }
        for (index, row) in rows.enumerated() {
            var line = ""
            for (column, cell) in row.enumerated() {
                line += column == 5 ? cell : ViewText.padded(cell, widths[column]) + "  "
            }
            output.writeLine(index == 0 ? text.palette.dim(line) : line)
        }
        let skews = message.delays.count { ($0 ?? 0) < 0 }
        var total = "\(hops.count) hop\(hops.count == 1 ? "" : "s")"
        // A clock that is wrong says nothing of the time that the message took.
        let delays = message.delays.compactMap { $0 }.filter { $0 >= 0 }
        if !delays.isEmpty { total = "total \(HopsView.delay(delays.reduce(0, +)).drop { $0 == "+" }), \(total)" }
        if skews > 0 { total += ", \(skews) clock skew\(skews == 1 ? "" : "s")" }
        output.writeLine(total)
    }

    private func from(_ hop: ReceivedHop) -> String {
        var name = text.line(hop.from ?? hop.helo ?? "(submitted)")
        if let address = hop.address, !name.contains(address) { name += " [\(text.line(address))]" }
        if let helo = hop.helo, let from = hop.from, helo != from { name += " (helo \(text.line(helo)))" }
        return name
    }

    /// `+0:00:02`, `-0:00:10!`
    private static func delay(_ seconds: Int) -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let size = seconds.magnitude
        let number = Int(clamping: size)
        return "\(seconds < 0 ? "-" : "+")\(number / 3_600):\(two(number / 60 % 60)):\(two(number % 60))"
            + (seconds < 0 ? "!" : "")
    }

    /// The time where the receiver is: `2004-08-21 12:27:43 +0200`.
    private static func time(_ date: DateTime) -> String {
        "\(date.local.sortable) \(date.zone)"
    }

    /// Each Authentication-Results field; anyone can write one, so only that of the newest hop's server is trusted
    /// (RFC 8601 5).
    func writeAuthentication(_ message: ParsedMessage, to output: Output) {
        let newest = message.hops.first?.by?.asciiLowercased
        if message.summary.authenticationResults.isEmpty { output.writeLine("no Authentication-Results") }
        for value in message.summary.authenticationResults {
            let field = AuthenticationResults(value)
            let server = field.server ?? "?"
            let results = field.results.map { result in
                let domain = result.properties.first { property in
                    ["header.d", "header.i", "smtp.mailfrom", "header.from"].contains(property.name)
                }
                return "\(result.method)=\(result.result)" + (domain.map { " (\($0.value))" } ?? "")
            }
            let isTrusted = newest != nil && newest == server.asciiLowercased
            let list = results.isEmpty ? "none" : results.joined(separator: "  ")
            let trust =
                isTrusted ? "trusted: it is the newest hop's `by`" : "untrusted: it is not the newest hop's `by`"
            output.writeLine(
                "\(text.line(server)): \(text.line(list))    "
                    + (isTrusted ? text.palette.green(trust) : text.palette.yellow(trust)))
        }
    }
}
