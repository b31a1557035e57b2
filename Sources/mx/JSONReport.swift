import CommandLineTool
import DNS
import Unix

/// An answer as one line of JSON.
enum JSONReport {
    /// `more` writes further members of the object.
    static func line(
        _ lookup: Lookup, _ findings: [Finding], more: (inout JSONWriter) -> Void = { _ in }
    ) -> [UInt8] {
        let route = lookup.route
        var json = JSONWriter()
        json.object { json in
            json.field("domain", route.domain)
            json.field("ascii", route.ascii)
            json.field("status", route.status.rawValue)
            json.field("ttl", route.ttl.map { Int($0) })
            json.field("secure", route.isAuthenticated)
            json.field("server", route.server)
            json.field("ms", lookup.milliseconds, decimals: 1)
            json.array("mx") { json in
                for host in route.hosts { write(host, &json) }
            }
            json.array("findings") { json in
                for finding in findings { write(finding, &json) }
            }
            more(&json)
        }
        return json.takeLine()
    }

    private static func write(_ host: MailHost, _ json: inout JSONWriter) {
        json.object { json in
            json.field("preference", Int(host.preference))
            json.field("host", host.name)
            json.field("addresses", host.addresses.map(\.description))
            json.field("cname", host.canonicalName)
            json.field("error", host.problem?.word)
        }
    }

    private static func write(_ finding: Finding, _ json: inout JSONWriter) {
        json.object { json in
            json.field("id", finding.id.rawValue)
            json.field("severity", finding.severity.rawValue)
            json.field("subject", finding.subject)
            json.field("text", finding.text)
        }
    }
}

extension MailHost.Problem {
    /// One word of three, for programs.
    var word: String {
        switch self {
        case .noSuchDomain, .isAddress: "nxdomain"
        case .noData, .isNoHostName: "nodata"
        case .temporaryFailure: "tempfail"
        }
    }

    /// For people, behind the host's name.
    var phrase: String {
        switch self {
        case .noSuchDomain: "does not exist (NXDOMAIN)"
        case .noData: "has no address"
        case .temporaryFailure(let failure): "DNS failed for now (\(failure))"
        case .isAddress: "is an address, not a host name"
        case .isNoHostName: "is not a host name"
        }
    }
}
