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

    /// Domain, status, and each host with its addresses or the reason of a failure, divided by tabs.
    static func row(_ route: MailRoute) -> String {
        var columns = [TerminalText.escape(route.domain), route.status.rawValue]
        for host in route.hosts {
            let rest = host.problem.map { [$0.phrase] } ?? host.addresses.map(\.description)
            columns.append((["\(host.preference)", host.name] + rest).joined(separator: " "))
        }
        if route.hosts.isEmpty, let reason = route.failure?.description ?? route.problem {
            columns.append(TerminalText.escape(reason))
        }
        return columns.joined(separator: "\t")
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
