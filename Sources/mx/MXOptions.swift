import CommandLineTool

/// The options of mx.
enum MXOptions {
    private static let output = "Output"
    static let short = Option.flag("short", short: "s", "'PREF HOST' lines; no address is looked up", group: output)
    static let addresses = Option.flag("addresses", short: "a", "'PREF HOST ADDRESS' lines", group: output)
    static let json = Option.flag("json", "one JSON object a name", group: output)
    static let format = Option.text("format", "TEMPLATE", "one line a name, such as '{domain}\\t{host}'", group: output)
    static let first = Option.flag("first", "the best host only", group: output)
    static let shuffle = Option.flag("shuffle", "hosts of equal preference in random order", group: output)
    static let explain = Option.text("explain", "ID", "tell what a finding means", group: output)
    static let color = Option.choice(
        "color", ["auto", "always", "never"], default: "auto", "colour the output (auto: on a terminal)", group: output)
    static let time = Option.flag("time", "tell the time and the number of queries at the end", group: output)
    static let verbose = Option.flag("verbose", short: "v", "tell the findings on standard error", group: output)
    static let quiet = Option.flag("quiet", short: "q", "no output, the exit code only", group: output)

    private static let servers = "Servers"
    static let server = Option.list(
        "server", "ADDR[:PORT]", "ask this server; may be given again (default: those of resolv.conf)", group: servers)
    static let resolvConf = Option.text(
        "resolv-conf", "FILE", "read servers and options from FILE (/etc/resolv.conf)", group: servers,
        completion: .file)
    static let port: Option<Int?> = .integer(
        "port", "N", in: 1...65_535,
        "the port of servers that come without one (53); with --check that of the mail hosts (25)", group: servers)
    static let dns = Option.text(
        "dns", "FILE", "answer from the lines of this zone file in place of a server", group: servers,
        completion: .file)
    static let tcp = Option.flag("tcp", "ask over TCP only", group: servers)
    static let noEDNS = Option.flag("no-edns", "send no EDNS", group: servers)
    static let mixedCase = Option.flag("0x20", "send names in mixed case, and want them back so", group: servers)
    static let timeout: Option<Duration?> = .duration(
        "timeout", "S", "the wait for an answer, doubled with each try (2)", group: servers)
    static let tries: Option<Int?> = .integer(
        "tries", "N", in: 1...100, "how often each server is asked (2)", group: servers)
    static let trace = Option.flag("trace", "tell every query on standard error", group: servers)

    private static let lookup = "Lookup"
    static let ipv4 = Option.flag("ipv4", short: "4", "IPv4 addresses only", group: lookup)
    static let ipv6 = Option.flag("ipv6", short: "6", "IPv6 addresses only", group: lookup)
    static let search = Option.flag("search", "complete names with the search list", group: lookup)
    static let noHosts = Option.flag("no-hosts", "do not look for addresses in /etc/hosts", group: lookup)
    static let window = Option.integer(
        "window", "N", in: 1...10_000, default: 256, "look up N names at a time (256)", group: lookup)
    static let deadline: Option<Duration?> = .duration(
        "deadline", "S", "the longest time for the whole run; names left over fail for now", group: lookup)

    private static let diagnosis = "Diagnosis"
    static let check = Option.flag(
        "check", short: "c", "look at everything that matters for mail to the domain", group: diagnosis)
    static let only = Option.list(
        "only", "PART,...", "these parts only: mx dns ptr spf dmarc dkim dane mta-sts tls-rpt bimi dnsbl smtp",
        group: diagnosis, separator: ",")
    static let noSMTP = Option.flag("no-smtp", "ask the DNS only: do not speak with the hosts", group: diagnosis)
    static let strict = Option.flag("strict", "warnings count as errors (exit code 1)", group: diagnosis)
    static let dkim = Option.list(
        "dkim", "SEL,...", "look at the DKIM keys of these selectors", group: diagnosis, separator: ",")
    static let dnsbl = Option.list(
        "dnsbl", "ZONE,...", "ask these blocklists for the addresses of the hosts", group: diagnosis, separator: ",")
    static let bimi = Option.text("bimi", "SEL", "look at the BIMI record of this selector", group: diagnosis)
    static let from = Option.text(
        "from", "ADDRESS", "ask the hosts with MAIL and RCPT whether they take mail from here", group: diagnosis)
    static let startTLSOnly = Option.flag(
        "starttls-only", "end the conversation with a host after the TLS handshake", group: diagnosis)

    static let httpsPort = Option.integer(
        "https-port", "N", in: 1...65_535, default: 443,
        "the port of the server that has the MTA-STS policy (443)", group: diagnosis)

    private static let sender = "Sender"
    static let spfTest = Option.text(
        "spf-test", "IP|-", "may IP send mail for the sender? - reads lines 'IP MAILFROM HELO'", group: sender)
    static let mailFrom = Option.text(
        "mail-from", "A", "the sender of the envelope; empty is the null one", group: sender)
    static let helo = Option.text(
        "helo", "NAME", "the name given with HELO; with --check the one to give to mail hosts", group: sender)

    static let all: [AnyOption] = [
        AnyOption(short), AnyOption(addresses), AnyOption(json), AnyOption(format), AnyOption(first),
        AnyOption(shuffle), AnyOption(explain), AnyOption(color), AnyOption(time), AnyOption(verbose),
        AnyOption(quiet),
        AnyOption(server), AnyOption(resolvConf), AnyOption(port), AnyOption(dns), AnyOption(tcp), AnyOption(noEDNS),
        AnyOption(mixedCase), AnyOption(timeout), AnyOption(tries), AnyOption(trace),
        AnyOption(ipv4), AnyOption(ipv6), AnyOption(search), AnyOption(noHosts), AnyOption(window),
        AnyOption(deadline),
        AnyOption(check), AnyOption(only), AnyOption(noSMTP), AnyOption(strict), AnyOption(dkim), AnyOption(dnsbl),
        AnyOption(bimi), AnyOption(from), AnyOption(startTLSOnly), AnyOption(httpsPort),
        AnyOption(spfTest), AnyOption(mailFrom), AnyOption(helo),
    ]
}
