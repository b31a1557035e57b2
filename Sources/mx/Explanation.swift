import CommandLineTool

extension Finding {
    /// `--explain`: prints what a finding means, where the rule stands, and what to do.
    static func explain(_ name: String) throws(ToolFailure) -> ExitCode {
        guard let id = ID(rawValue: name) else {
            let known = ID.allCases.map(\.rawValue).joined(separator: " ")
            throw ToolFailure(.usage, "--explain \(TerminalText.escape(name)): is not a finding: \(known)")
        }
        let text = explanation(of: id)
        Output.standard.writeLine("\(id.rawValue): \(text.meaning)")
        Output.standard.writeLine("Rule: \(text.rule)")
        Output.standard.writeLine("Remedy: \(text.remedy)")
        return .ok
    }

    private static func explanation(of id: ID) -> (meaning: String, rule: String, remedy: String) {
        switch id {
        case .implicit:
            (
                "The domain has no MX record, but an address of its own, so mail goes to that address.",
                "RFC 5321 5.1",
                "Publish an MX record that names the host, or \"MX 0 .\" when the domain takes no mail."
            )
        case .duplicate:
            (
                "The same host is named by more than one MX record.",
                "RFC 2181 5.5, RFC 5321 5.1",
                "Keep one record for each host, with the preference that is meant."
            )
        case .cname:
            (
                "The host of an MX record is an alias (CNAME). Some senders refuse to follow it.",
                "RFC 2181 10.3, RFC 5321 5.1",
                "Name the host itself in the MX record, or give the alias address records in place of the CNAME."
            )
        case .literal:
            (
                "An MX record holds an IP address where a host name belongs. Nobody delivers to it.",
                "RFC 1035 3.3.9, RFC 5321 5.1",
                "Give the address a name with an A or AAAA record, and put that name into the MX record."
            )
        case .dangling:
            (
                "The host of an MX record does not exist or has no address. Senders lose time with it, and whoever can "
                    + "register the name gets the mail.",
                "RFC 5321 5.1, RFC 2181 10.3",
                "Remove the MX record, or give its host an A or AAAA record."
            )
        case .privateAddress:
            (
                "A mail host has an address that cannot be reached from the Internet.",
                "RFC 1918, RFC 6890",
                "Publish the public address, or show the private one to the inner network only (split DNS)."
            )
        case .nullMixed:
            (
                "A null MX, which says that the domain takes no mail, stands beside other MX records.",
                "RFC 7505 3",
                "Remove \"MX 0 .\" when the domain takes mail; remove the others when it takes none."
            )
        case .nullPreference:
            (
                "The preference of the null MX is not 0.",
                "RFC 7505 3",
                "Publish it as \"MX 0 .\"."
            )
        case .tempfail:
            (
                "The DNS could not answer now: nothing can be said about what was asked for. It may well exist.",
                "RFC 5321 5.1, RFC 2308 7",
                "Try again later; when it stays, check the name servers of the domain, its delegation and its DNSSEC."
            )
        }
    }
}
