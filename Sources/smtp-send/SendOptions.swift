import Bytes
import CommandLineTool
import SASL

/// The options of smtp-send.
enum SendOptions {
    private static let envelope = "Envelope"
    static let from = Option.text(
        "from", short: "f", "A", "sender of the envelope; '' or <> is the null one", group: envelope)
    static let to = Option.list("to", "A[,A]", "recipients, repeatable", group: envelope)

    static let readRecipients = Option.flag(
        "read-recipients", short: "t", "recipients from To, Cc, Bcc, too; removes Bcc", group: envelope)

    static let batch = Option.list(
        "batch", "FILE", "batch SMTP (RFC 2442): messages with envelopes", group: envelope, completion: .file)

    private static let message = "A message of its own"
    static let subject = Option.text("subject", "S", "compose a message with this subject", group: message)
    static let header = Option.list("header", "'N: V'", "a header field, repeatable", group: message)
    static let body = Option.text("body", "TEXT|@FILE", "its text (@- is standard input)", group: message)
    static let attach = Option.list(
        "attach", "FILE", "attach a file, repeatable", group: message, completion: .file)

    private static let notifications = "Notifications (RFC 3461)"
    static let notify = Option.text(
        "notify", short: "N", "L", "tell the sender: never, or of success, failure, delay", group: notifications)
    static let ret = Option.choice(
        "ret", short: "R", ["full", "hdrs"], default: "", "with the message, or its header", group: notifications)
    static let envid = Option.text(
        "envid", short: "V", "ID", "the name of the transaction in notifications", group: notifications)
    static let dsn = Option.choice(
        "dsn", ["try", "require"], default: "try", "require: only by servers that offer DSN", group: notifications)

    private static let queueing = "Queue"
    static let queue = Option.text(
        "queue", "DIR", "put messages there, durably, then send", group: queueing, completion: .directory)
    static let queueOnly = Option.flag("queue-only", "send later: --run or --watch does", group: queueing)
    static let run = Option.flag("run", "try all messages of the queue once", group: queueing)
    static let due = Option.flag("due", "with --run: only those whose time has come", group: queueing)
    static let onlyDomain = Option.list(
        "only-domain", "D|@D", "with --run: mail for D only (@D: and below), repeatable", group: queueing)
    static let watch = Option.flag("watch", "send what is due and what comes in, until stopped", group: queueing)
    static let list = Option.flag("list", "list the queue", group: queueing)
    static let show = Option.text("show", "ID", "print a message with its envelope", group: queueing)
    static let hold = Option.list("hold", "ID|all", "keep from being sent, repeatable", group: queueing)
    static let release = Option.list("release", "ID|all", "undo --hold", group: queueing)
    static let remove = Option.list("remove", "ID|all", "remove without a word to anybody", group: queueing)
    static let reroute = Option.list(
        "reroute", "ID|all", "send by --server (without it: by MX)", group: queueing)
    static let retry = Option.text(
        "retry", "T[,MAX]", "wait after the first attempt, doubling to MAX (5m,4h)", group: queueing)
    static let lifetime = Option.duration(
        "lifetime", "T", default: .seconds(432_000), "give up after T (5d)", group: queueing)
    static let delayNotice = Option.duration(
        "delay-notice", "T", default: .seconds(14_400), "tell of a delay after T; 0: never (4h)", group: queueing)
    static let perDestination = Option.integer(
        "per-destination", "N", in: 1...1_000, default: 4, "connections to one destination (4)", group: queueing)

    private static let route = "Where to"
    static let server = Option.text(
        "server", short: "s", "HOST[:PORT]",
        "send everything there (default: by MX)", group: route)
    static let port: Option<Int?> = .integer(
        "port", short: "p", "N", in: 1...65_535, "port where none is given (25; implicit TLS 465)", group: route)
    static let dns = Option.text(
        "dns", "FILE", "look names up in this zone file only", group: route, completion: .file)
    static let dnsServers = Option.list(
        "dns-server", "ADDR[:PORT]", "ask this DNS server, repeatable", group: route)
    static let lmtp = Option.text("lmtp", "PATH", "send by LMTP over a Unix socket", group: route, completion: .file)
    static let socks = Option.text("socks5", "HOST[:PORT]", "connect through a SOCKS5 proxy", group: route)
    static let pipe = Option.text("pipe", "COMMAND", "talk to a program in place of a socket", group: route)
    static let proxyVersion: Option<Int?> = .integer(
        "proxy-version", "1|2", in: 1...2, "begin with a PROXY header of this version", group: route)
    static let proxySource = Option.text("proxy-source", "ADDR:PORT", "the client that it names", group: route)
    static let proxyDestination = Option.text("proxy-dest", "ADDR:PORT", "the server that it names", group: route)
    static let ipv4 = Option.flag("ipv4", short: "4", "use IPv4 addresses only", group: route)
    static let ipv6 = Option.flag("ipv6", short: "6", "use IPv6 addresses only", group: route)

    private static let session = "Session"
    static let helo = Option.text("helo", "NAME", "the name for EHLO (this host's name)", group: session)
    static let noPipelining = Option.flag("no-pipelining", "send commands one by one", group: session)
    static let noChunking = Option.flag("no-chunking", "use DATA even when BDAT is offered", group: session)
    static let noEncoding = Option.flag(
        "no-encoding", "messages go as they are or not at all, encoded for no server", group: session)
    static let timeout: Option<Duration?> = .duration(
        "timeout", "S", "longest wait for any answer (RFC 5321's, minutes)", group: session)
    static let connections = Option.integer(
        "connections", "N", in: 1...1_000, default: 1, "send over N connections at a time (1; a queue 10)",
        group: session)
    static let rate = Option.text("rate", "R/s", "at most R messages a second (/m, /h)", group: session)
    static let repetitions = Option.integer(
        "repeat", "N", in: 1...1_000_000_000, default: 1, "send each message N times, tell the rate", group: session)
    static let parallel: Option<Int?> = .integer(
        "parallel", "M", in: 1...1_000, "load test: over M connections, tell the rate", group: session)
    static let script = Option.text(
        "script", "FILE", "play bytes and expected codes to --server", group: session, completion: .file)
    static let quitAfter = Option.choice(
        "quit-after", steps, default: "", "say QUIT after a step", group: session)
    static let dropAfter = Option.choice(
        "drop-after", steps, default: "", "close the connection after a step", group: session)
    static let steps = ["greeting", "helo", "tls", "auth", "mail", "rcpt", "data", "dot"]

    private static let encryption = "TLS"
    static let tls = ClientTLSOptions(startTLS: "STARTTLS", group: encryption)
    static let policies = Option.choice(
        "policies", ["all", "dane", "mta-sts", "none"], default: "all", "what MX hosts are held to", group: encryption)
    static let httpsPort = Option.integer(
        "https-port", "N", in: 1...65_535, default: 443, "where servers of MTA-STS policies listen (443)",
        group: encryption)
    static let requireTLS = Option.flag(
        "requiretls", "ask that it stays encrypted to the end (RFC 8689)", group: encryption)

    private static let authentication = "Authentication"
    static let auth = Option.text(
        "auth", "MECH", "the mechanism (the best one offered)", group: authentication,
        completion: .words(["auto"] + SASLClientMechanism.allCases.map(\.rawValue.asciiLowercased)))
    static let user = Option.text("user", short: "u", "U", "authenticate as U", group: authentication)
    static let secrets = SecretOptions(group: authentication)

    private static let output = "Output"
    static let dryRun = Option.flag("dry-run", "send nothing: print batch SMTP (RFC 2442)", group: output)
    static let json = Option.flag("json", "one JSON object a recipient", group: output)
    static let verbose = Option.flag("verbose", short: "v", "show the session on standard error", group: output)
    static let showSecrets = Option.flag("show-secrets", "with -v: passwords too", group: output)
    static let progress = Option.choice(
        "progress", ["auto", "always", "never"], default: "auto", "show how far it is (on a terminal)", group: output)
    static let quiet = Option.flag("quiet", short: "q", "say failures only", group: output)

    private static let compatibility = "As sendmail(8)"
    static let sendmail = Option.flag(
        "sendmail", "take sendmail's options; operands are recipients", group: compatibility)
    static let ignoreDots = Option.flag("ignore-dots", "a line with a dot alone is text (-i)", group: compatibility)
    static let fullName = Option.text("full-name", "NAME", "for a From that is missing (-F)", group: compatibility)
    static let stdio = Option.flag("stdio", "take messages by SMTP on standard input (-bs)", group: compatibility)
    static let newAliases = Option.flag("new-aliases", "do nothing: aliases are read as they are (-bi)", group: "")

    static let all: [AnyOption] =
        [
            AnyOption(from), AnyOption(to), AnyOption(readRecipients), AnyOption(batch),
            AnyOption(subject), AnyOption(header), AnyOption(body), AnyOption(attach),
            AnyOption(notify), AnyOption(ret), AnyOption(envid), AnyOption(dsn),
            AnyOption(queue), AnyOption(queueOnly), AnyOption(run), AnyOption(due), AnyOption(onlyDomain),
            AnyOption(watch), AnyOption(list),
            AnyOption(show), AnyOption(hold), AnyOption(release), AnyOption(remove), AnyOption(reroute),
            AnyOption(retry),
            AnyOption(lifetime), AnyOption(delayNotice), AnyOption(perDestination),
            AnyOption(server), AnyOption(port), AnyOption(lmtp), AnyOption(dns), AnyOption(dnsServers),
            AnyOption(socks),
            AnyOption(pipe), AnyOption(proxyVersion), AnyOption(proxySource), AnyOption(proxyDestination),
            AnyOption(ipv4),
            AnyOption(ipv6),
            AnyOption(helo), AnyOption(noPipelining), AnyOption(noChunking), AnyOption(noEncoding), AnyOption(timeout),
            AnyOption(script),
            AnyOption(connections),
            AnyOption(rate), AnyOption(repetitions), AnyOption(parallel),
            AnyOption(quitAfter),
            AnyOption(dropAfter),
        ] + tls.all + [
            AnyOption(policies), AnyOption(httpsPort), AnyOption(requireTLS), AnyOption(auth), AnyOption(user),
        ] + secrets.all + [
            AnyOption(sendmail), AnyOption(ignoreDots), AnyOption(fullName), AnyOption(stdio), AnyOption(newAliases),
            AnyOption(dryRun), AnyOption(json), AnyOption(verbose), AnyOption(showSecrets),
            AnyOption(progress), AnyOption(quiet),
        ] + SigningOptions.all
}
