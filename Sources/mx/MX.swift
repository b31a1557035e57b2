import CommandLineTool
import DNS
import Unix

/// Says where mail for a domain goes: its hosts in the order of preference, with their addresses.
enum MX: Tool {
    static let description = ToolDescription(
        name: "mx",
        summary: "where does mail for this domain go, and can it get there",
        synopsis: ["[options] DOMAIN|ADDRESS|[LITERAL]...", "[options] -"],
        details: """
            Looks up the mail exchanges of each domain, or of the domain of a mail address, and the addresses of each \
            host, as a mail server does before it delivers (RFC 5321 5.1): by preference, hosts of equal preference in \
            the order of their names. A domain without MX records that has an address is its own host (implicit MX); \
            a null MX says that a domain takes no mail (RFC 7505).

            A failure of the DNS is never taken for "there is none": it is said as such, and the exit code is 75.

            With --check it looks at everything that matters for mail to the domain, and speaks with its hosts.

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
                nodata, tempfail or null), findings (a list of id, severity: error, warning or unknown, subject, text).
                """),
            .init(
                "Diagnosis",
                """
                --check looks at these parts, all at the same time; each of them fails alone. A failure of the DNS is \
                said as such (?), and never taken for "missing".

                    mx       the hosts, their addresses, aliases, hosts that are gone, private addresses
                    dns      whether the answers were verified with DNSSEC (AD of a server that is trusted)
                    ptr      the names of the hosts' addresses, and whether they lead back
                    spf      the policy with every record that it leads to, and what it costs (RFC 7208)
                    dmarc    the policy, found by the tree walk (RFC 9989)
                    dkim     the keys of the selectors of --dkim
                    dane     TLSA records, compared with the certificates that the hosts show (RFC 7672)
                    mta-sts  the record and the policy of RFC 8461, which must name the hosts
                    tls-rpt  the record of RFC 8460
                    bimi     the record of the selector of --bimi
                    dnsbl    whether the blocklists of --dnsbl hold the hosts' addresses (RFC 5782)
                    smtp     greeting, EHLO, STARTTLS and certificate of every address of every host

                No mail is sent: the conversation ends with QUIT after EHLO, or with --from after RCPT for the address \
                that was asked for (else the postmaster). Each step may take 10 seconds, or five times --timeout. When \
                no host answers on port 25 at all, this network most likely lets no mail out, and that is said in place \
                of a fault of the domain.

                Every line has a verdict, the evidence, and the finding when something is wrong; --explain ID tells what \
                a finding means, where the rule stands, and what to do.
                """),
            .init(
                "JSON of a diagnosis",
                """
                With --check --json the object has the members of a lookup, and errors, warnings, unknown (how many \
                findings of each severity), queries (to DNS servers), and what was seen, part by part:

                    dns     secure, server
                    ptr     list of address, names, confirmed, error (nxdomain, nodata, tempfail)
                    spf     domain, record, records, lookups, limit, void, problem, terms: list of term, lookups, \
                void, error, policy (null, or the policy it leads to, as this one)
                    dmarc   domain (where the record stands), record, policy (what holds for the domain), p, sp, np, \
                testing, rua, ruf, problems
                    dkim    list of selector, record, algorithm, keyBits, error
                    dane    list of host, name, secure, records: list of usage, selector, matchingType, data, \
                matches (null when no certificate was seen)
                    mtaSts  record, id, policy (null, or mode, mx, maxAge), problem
                    tlsRpt  record, rua, problem
                    bimi    selector, record, location, evidence, problem
                    dnsbl   list of address, zone, listed (null when the list does not say), codes, text
                    smtp    list of host, address, port, connected, error, banner, bannerMs, ehlo, ehloMs, \
                extensions, startTls, tls (null, or error, version, group, cipher, ms, subject, issuer, names, \
                matchesName, trusted, problem, notBefore, notAfter, daysLeft, expired), extensionsAfterTls, mail, rcpt
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
            .init("All about a domain", "mx --check --dkim s1,s2 example.org"),
            .init("What a finding means", "mx --explain spf-lookups"),
            .init("May this client send for that sender", "mx --spf-test 192.0.2.7 --mail-from a@example.org"),
            .init("Without a network", "mx --dns Examples/zone example.net"),
        ],
        exitCodes: [
            (.ok, "a host with an address takes the mail; of a diagnosis: no error was found"),
            (.negative, "a diagnosis has found errors (with --strict: or warnings)"),
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
        let start = ContinuousClock.now
        let (code, queries) =
            try arguments[MXOptions.check]
            ? check(arguments, settings, since: start) : lookUp(arguments, settings, since: start)
        if arguments[MXOptions.time] {
            let seconds = Double((ContinuousClock.now - start) / .milliseconds(1)) / 1_000
            Output.standard.flush()
            let noun = queries == 1 ? "query" : "queries"
            Diagnostics.say("\(DecimalText.format(seconds, decimals: 3)) s, \(queries) \(noun)")
        }
        return code
    }

    private static func lookUp(
        _ arguments: Arguments, _ settings: LookupSettings, since start: ContinuousClock.Instant
    ) throws -> (ExitCode, queries: Int) {
        let report = try Report(arguments, isBatch: settings.readsInput, isSeveral: settings.names.count > 1)
        return try EventLoop.run { _ in
            let lookups = settings.makeLookups(since: start)
            let run = NameRun(window: settings.window) {
                await lookups.lookup($0)
            } report: {
                report.add($0)
            }
            let code = settings.readsInput ? try await run.run(from: 0) : await run.run(settings.names)
            return (code, lookups.resolver.queryCount)
        }
    }

    /// How many domains of a batch are diagnosed at a time, at most.
    private static let checkWindow = 16

    private static func check(
        _ arguments: Arguments, _ settings: LookupSettings, since start: ContinuousClock.Instant
    ) throws -> (ExitCode, queries: Int) {
        let checkSettings = try CheckSettings(arguments)
        let report = try CheckReport(arguments, isBatch: settings.readsInput)
        return try EventLoop.run { _ in
            let lookups = settings.makeLookups(since: start)
            let resolver = lookups.resolver
            let check = DomainCheck(
                resolver: resolver, settings: checkSettings, deadline: settings.deadline.map { start + $0 })
            // One after the other when they are told apart, so that each has its own time and count.
            let window = settings.readsInput ? min(settings.window, checkWindow) : 1
            let run = NameRun(window: window) { name in
                let start = ContinuousClock.now
                let queriesBefore = window == 1 ? resolver.queryCount : nil
                return await check.run(await lookups.route(name), since: start, queriesBefore: queriesBefore)
            } report: {
                report.add($0)
            }
            let code = settings.readsInput ? try await run.run(from: 0) : await run.run(settings.names)
            return (code, resolver.queryCount)
        }
    }
}
