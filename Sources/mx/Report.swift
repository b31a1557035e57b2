import CommandLineTool
import DNS
import Unix

/// Tells people and programs the answers, in the form that was asked for.
struct Report: Sendable {
    /// How an answer is written.
    enum Form: Sendable {
        /// `10  mx1.example.org   192.0.2.1`, an address a line.
        case table
        /// `PREF HOST`.
        case short
        /// `PREF HOST ADDRESS`, an address a line.
        case addresses
        /// Domain, status and hosts in one line, divided by tabs.
        case row
        case json
        case template(Template)
    }

    private let form: Form
    private let palette: Palette
    private let isBatch: Bool
    private let isSeveral: Bool
    private let onlyFirst: Bool
    private let shuffles: Bool
    private let tellsFindings: Bool
    private let isQuiet: Bool

    init(_ arguments: Arguments, isBatch: Bool, isSeveral: Bool) throws(ToolFailure) {
        let forms = [MXOptions.json, MXOptions.short, MXOptions.addresses].filter { arguments[$0] }
        if let template = arguments[MXOptions.format] {
            guard forms.isEmpty || arguments[MXOptions.short] && forms.count == 1 else {
                throw ToolFailure(.usage, "--format: cannot go with --json or --addresses")
            }
            form = .template(try Template(template))
        } else if arguments[MXOptions.json] {
            form = .json
        } else if isBatch {
            form = .row
        } else if arguments[MXOptions.short] {
            form = .short
        } else {
            form = arguments[MXOptions.addresses] ? .addresses : .table
        }
        palette = Palette(arguments[MXOptions.color])
        self.isBatch = isBatch
        self.isSeveral = isSeveral
        onlyFirst = arguments[MXOptions.first]
        shuffles = arguments[MXOptions.shuffle]
        tellsFindings = arguments[MXOptions.verbose]
        isQuiet = arguments[MXOptions.quiet]
    }

    /// Reports one answer, and says how the tool ends for it.
    func add(_ lookup: Lookup) -> ExitCode {
        if !isQuiet { tell(lookup) }
        return lookup.route.status.exitCode
    }

    private func tell(_ lookup: Lookup) {
        let route = shuffles || onlyFirst ? narrowed(lookup.route) : lookup.route
        switch form {
        case .json:
            let shown = Lookup(route: route, milliseconds: lookup.milliseconds)
            Output.standard.write(JSONReport.line(shown, Finding.all(in: lookup.route)))
        case .template(let template):
            Output.standard.writeLine(template.line(Lookup(route: route, milliseconds: lookup.milliseconds)))
        case .row: Output.standard.write(TextReport.row(route))
        case .short: TextReport.short(route)
        case .addresses: TextReport.addresses(route)
        case .table: TextReport.table(route, palette, title: isSeveral ? route.domain : nil)
        }
        if !isBatch || tellsFindings { diagnose(lookup.route) }
    }

    /// The route as --shuffle and --first want it.
    private func narrowed(_ route: MailRoute) -> MailRoute {
        var route = route
        if shuffles {
            var generator = SystemRandomNumberGenerator()
            route = route.shuffled(using: &generator)
        }
        if onlyFirst { route.hosts = route.best.map { [$0] } ?? [] }
        return route
    }

    /// Says on standard error what is wrong; in a batch the rows say it, and there are findings on demand only.
    private func diagnose(_ route: MailRoute) {
        var messages: [String] = []
        if !isBatch, let problem = route.explanation { messages.append(problem) }
        if tellsFindings {
            messages += Finding.all(in: route).map {
                "\(route.domain): \($0.severity.rawValue): \($0.text) (\($0.id.rawValue))"
            }
        }
        if messages.isEmpty { return }
        // So that both streams on one terminal keep their order.
        Output.standard.flush()
        for message in messages { Diagnostics.say(message) }
    }
}

extension MailRoute {
    /// The best host that can be used.
    var best: MailHost? { usableHosts.first ?? hosts.first { $0.problem == nil } }

    /// Why there is no destination, as a diagnostic without the tool's name; nil when there is one.
    var explanation: String? {
        let domain = TerminalText.escape(domain)
        switch status {
        case .mx, .implicit, .literal: return nil
        case .null: return "\(domain) accepts no mail (null MX, RFC 7505)"
        case .nxdomain: return "\(domain): no such domain (NXDOMAIN): check the spelling"
        case .nodata: return "\(domain): no mail host: the domain has neither MX nor address records"
        case .unreachable: return "\(domain): no mail host can be reached: none of its MX hosts has an address"
        case .tempfail: return "\(domain): DNS failed for now (\(failure?.description ?? "no answer")): try again later"
        case .invalid: return "\(domain): not a mail domain: \(TerminalText.escape(problem ?? "it cannot be read"))"
        }
    }
}
