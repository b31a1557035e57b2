import Bytes
import CommandLineTool
import DNS
import Unix

/// Answers as plain lines.
enum TextReport {
    /// `PREF HOST`, of the hosts that can be used.
    static func short(_ route: MailRoute) {
        for host in route.hosts where host.problem == nil {
            Output.standard.writeLine("\(host.preference) \(host.name)")
        }
    }

    /// `PREF HOST ADDRESS`.
    static func addresses(_ route: MailRoute) {
        for host in route.hosts {
            for address in host.addresses { Output.standard.writeLine("\(host.preference) \(host.name) \(address)") }
        }
    }

    /// Domain, status, and each host with its addresses or the reason of a failure, divided by tabs; with a line end.
    static func row(_ route: MailRoute) -> [UInt8] {
        var row: [UInt8] = []
        row.reserveCapacity(128)
        func column(_ text: String, after divider: UInt8) {
            row.append(divider)
            row += text.utf8
        }
        row += TerminalText.escape(route.domain).utf8
        column(route.status.rawValue, after: ASCII.tab)
        for host in route.hosts {
            column(String(host.preference), after: ASCII.tab)
            column(host.name, after: ASCII.space)
            if let problem = host.problem { column(problem.phrase, after: ASCII.space) }
            for address in host.addresses { column(address.description, after: ASCII.space) }
        }
        if route.hosts.isEmpty, let reason = route.failure?.description ?? route.problem {
            column(TerminalText.escape(reason), after: ASCII.tab)
        }
        row.append(ASCII.lf)
        return row
    }

    /// Columns for people: preference, host, an address a line.
    static func table(_ route: MailRoute, _ palette: Palette, title: String?) {
        if let title, !route.hosts.isEmpty { Output.standard.writeLine(palette.bold(TerminalText.escape(title))) }
        let width = route.hosts.reduce(15) { max($0, $1.name.count) }
        let preferenceWidth = route.hosts.reduce(2) { max($0, "\($1.preference)".count) }
        for host in route.hosts {
            let preference = padded(left: "\(host.preference)", preferenceWidth)
            let start = "\(preference)  \(palette.bold(host.name))\(spaces(width - host.name.count))   "
            if let problem = host.problem {
                Output.standard.writeLine(start + palette.red(problem.phrase))
                continue
            }
            var note = ""
            if route.status == .implicit {
                note = "   " + palette.yellow("implicit: no MX, address record (RFC 5321 5.1)")
            }
            for (index, address) in host.addresses.enumerated() {
                let margin = index == 0 ? start : spaces(preference.count + 2 + width + 3)
                Output.standard.writeLine("\(margin)\(address)\(index == 0 ? note : "")")
            }
        }
    }

    private static func padded(left text: String, _ width: Int) -> String { spaces(width - text.count) + text }

    private static func spaces(_ count: Int) -> String { String(repeating: " ", count: max(0, count)) }
}
