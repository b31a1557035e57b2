import CommandLineTool
import DNS
import Unix

/// Says where mail for a domain goes: its hosts in the order of preference, with their addresses.
enum MX: Tool {
    static let description = ToolDescription(
        name: "mx",
        summary: "where does mail for this domain go",
        synopsis: ["[options] DOMAIN|ADDRESS|[LITERAL]...", "[options] -"],
        details: """
            Looks up the mail exchanges of each domain, or of the domain of a mail address, and the addresses of each \
            host, as a mail server does before it delivers (RFC 5321 5.1): by preference, hosts of equal preference in \
            the order of their names. A domain without MX records that has an address is its own host (implicit MX); \
            a null MX says that a domain takes no mail (RFC 7505).

            A failure of the DNS is never taken for "there is none": it is said as such, and the exit code is 75.

            With - or no operand, names come from standard input, one a line. Every line makes one row, in order: \
            domain, status and hosts, divided by tabs (or as --json or --format say).
            """,
        options: MXOptions.all,
        operands: .nothing,
        sections: [
            .init(
                "Status",
                """
                    mx           hosts with addresses
                    implicit     no MX, but an address of the domain itself
                    literal      an address in brackets
                    null         the domain takes no mail (null MX)
                    nxdomain     no such domain
                    nodata       neither MX nor address
                    unreachable  no host of the MX records has an address
                    tempfail     the DNS failed for now
                    invalid      not a mail domain
                """),
            .init(
                "JSON",
                """
                With --json, one object a line: domain (as it was given), ascii (its A-label form), status, ttl \
                (seconds), secure (verified with DNSSEC by a resolver that is trusted), server (who answered), ms, mx \
                (a list of preference, host, addresses, cname: what the host is an alias of, and error: nxdomain, \
                nodata, tempfail or null), findings (a list of id, verdict: error, warning or unknown, subject, text).
                """),
            .init(
                "SPF",
                """
                --spf-test IP checks one client against the SPF policy of --mail-from, or of --helo for the null sender, \
                or of DOMAIN, and shows how every term was decided (RFC 7208). The exit code is 0 for pass, neutral and \
                none, 1 for fail, softfail and permerror, 75 for temperror. With --json: spf (result, domain, identity, \
                mechanism, record, explanation, lookups, void, problem, trace).

                --spf-test - reads lines of a client, a sender (<> for none) and a HELO name, and answers each with a \
                line of JSON, in order.
                """),
            .init(
                "Template",
                """
                In the TEMPLATE of --format these stand for themselves: {domain} {ascii} {status} {ttl} {secure} \
                {server} {ms} {error}, of the best host {preference} {host} {addresses}, and {hosts} for all of them. \
                \\t, \\n and \\\\ are a tab, a line feed and a backslash.
                """),
            .init(
                "Zone files",
                """
                --dns FILE takes the lines of a zone file, name [ttl] [class] type data, without the need for a SOA. \
                $ORIGIN, $TTL, @, wildcards, comments and parentheses are understood. What is not there does not \
                exist. A name can be made to fail:

                    broken.example.  SERVFAIL
                    half.example.    SERVFAIL MX
                    slow.example.    TIMEOUT
                """),
            .init(
                "Findings",
                Finding.ID.allCases.map { "    \($0.rawValue)" }.joined(separator: "\n")),
            .init(
                "Files",
                "/etc/resolv.conf, with RES_OPTIONS and LOCALDOMAIN of the environment; /etc/hosts for addresses."),
        ],
        examples: [
            .init("The hosts of a domain", "mx example.org"),
            .init("The best host only, for a script", "mx --short --first example.org"),
            .init("Many domains at a time", "mx --json - <domains"),
            .init("May this client send for that sender", "mx --spf-test 192.0.2.7 --mail-from a@example.org"),
            .init("Without a network", "mx --dns Examples/zone example.net"),
        ],
        exitCodes: [
            (.ok, "a host with an address takes the mail"),
            (.usage, "wrong usage"),
            (.dataError, "not a mail domain"),
            (.noInput, "a file cannot be read"),
            (.noHost, "no such domain, null MX, or no host with an address"),
            (.osError, "the system refuses"),
            (.ioError, "reading or writing failed"),
            (.temporaryFailure, "the DNS failed for now: try again later (of several names the worst counts)"),
        ],
        seeAlso: ["smtp-send(1)", "resolv.conf(5)"])

    static func run(_ arguments: Arguments) throws -> ExitCode {
        if let id = arguments[MXOptions.explain] { return try Finding.explain(id) }
        if let client = arguments[MXOptions.spfTest] { return try SPFTest(arguments).run(client) }
        let settings = try LookupSettings(arguments)
        let report = try Report(arguments, isBatch: settings.readsInput, isSeveral: settings.names.count > 1)
        let start = ContinuousClock.now
        let (code, queries) = try EventLoop.run { _ in
            let lookups = settings.makeLookups(since: start)
            let code =
                settings.readsInput
                ? try await lookups.runBatch(from: 0, report)
                : await lookups.run(settings.names, report)
            return (code, lookups.resolver.queryCount)
        }
        if arguments[MXOptions.time] {
            let seconds = Double((ContinuousClock.now - start) / .milliseconds(1)) / 1_000
            Output.standard.flush()
            let noun = queries == 1 ? "query" : "queries"
            Diagnostics.say("\(DecimalText.format(seconds, decimals: 3)) s, \(queries) \(noun)")
        }
        return code
    }
}
