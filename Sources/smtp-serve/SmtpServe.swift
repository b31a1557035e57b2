import CommandLineTool
import Network
import ServerTool
import Unix

/// A mail server in one command: takes mail over SMTP or LMTP and delivers it.
enum SmtpServe: Tool {
    static let server = ServerOptions(
        defaultAddress: "127.0.0.1:2525", timeout: .seconds(300), startTLS: "STARTTLS",
        requireTLS: "take mail over TLS only")
    static let lmtp = Option.flag("lmtp", "speak LMTP: an answer for each recipient", group: ServerOptions.listening)
    static let standardInput = Option.flag(
        "stdio", "one session on standard input and output (inetd)", group: ServerOptions.listening)
    static let hostname = Option.text(
        "hostname", "NAME", "name in greeting and trace fields", group: ServerOptions.listening)
    static let threads: Option<Int?> = .integer(
        "threads", "N", in: 1...64, "event loops that serve (one a processor)",
        group: ServerOptions.listening)
    /// A loop a processor; where nothing waits for a disk, half of them are left to who sends.
    private static func standardThreads(isSink: Bool) -> Int {
        min(8, max(1, isSink ? WorkerThreads.processors / 2 : WorkerThreads.processors))
    }
    static let greetingDelay = Option.duration(
        "greeting-delay", "S", default: .zero, "wait before the greeting; who speaks first is refused",
        group: ServerOptions.listening)

    static let mail = Option.text(
        "mail", "DIR", "deliver to DIR/<local-part>/, a Maildir each (./mail)", group: delivery,
        completion: .directory)
    static let mbox = Option.text(
        "mbox", "DIR", "deliver to DIR/<local-part>, an mbox each", group: delivery, completion: .directory)
    static let pipe = Option.text(
        "pipe", "PROGRAM", "deliver each message to a shell command", group: delivery)
    static let domain = Option.list(
        "domain", "D", "local domain, repeatable (every one, on loopback)", group: delivery)
    static let users = Option.text(
        "users", "FILE", "known users, one a line; others are refused", group: delivery, completion: .file)
    static let aliases = Option.text(
        "aliases", "FILE", "other names of users, lists, files and programs", group: delivery, completion: .file)
    static let relayFor = Option.list(
        "relay-for", "NET|auth|cert", "pass mail on for these clients, repeatable", group: delivery)
    static let queue = Option.text(
        "queue", "DIR", "where mail for others waits for smtp-send --queue", group: delivery,
        completion: .directory)
    static let sink = Option.flag("sink", "take mail and throw it away", group: delivery)
    static let standardOutput = Option.choice(
        "stdout", ["mboxrd", "bsmtp"], default: "", "write messages to standard output instead", group: delivery)
    static let showUsers = Option.flag(
        "show-users", "VRFY tells who is known, EXPN shows aliases", group: delivery)

    static let maximumSize = Option.size(
        "max-size", "SIZE", default: 50 << 20, "largest message (50M), 0: any", group: limits)
    static let maximumRecipients = Option.integer(
        "max-recipients", "N", in: 1...100_000, default: 1_000, "recipients of one message (1000)", group: limits)
    static let maximumRate = Option.text(
        "max-rate", "N/min", "messages of one client in a time, 450 for more", group: limits)
    static let greylist = Option.text(
        "greylist", "DIR[:DELAY]", "ask unknown senders to come again (after 5m)", group: limits,
        completion: .directory)
    static let blockList = Option.list(
        "dnsbl", "ZONE[=WEIGHT]", "score clients that a DNS list names, repeatable", group: limits)
    static let refuseScore = Option.number(
        "refuse-score", "N", "refuse clients from this score on (1)", group: limits)
    static let spf = Option.optionalText(
        "spf", "reject", "note what SPF says in Authentication-Results; --spf,reject enforces", group: limits,
        choices: ["reject"])
    static let dkim = Option.optionalText(
        "dkim", "reject", "the same for DKIM signatures", group: limits, choices: ["reject"])
    static let dmarc = Option.optionalText(
        "dmarc", "reject", "the same for DMARC", group: limits, choices: ["reject"])
    static let arc = Option.optionalText(
        "arc", "reject", "the same for ARC chains", group: limits, choices: ["reject"])
    static let dns = Option.text(
        "dns", "FILE", "look names up in this zone file only", group: limits, completion: .file)
    static let dnsServers = Option.list(
        "dns-server", "ADDR[:PORT]", "ask this DNS server, repeatable", group: limits)

    static let filter = Option.list(
        "filter", "FILTER", "PROGRAM, or spamd: clamd: milter: and HOST:PORT; repeatable", group: filtering)
    static let filterTimeout = Option.duration(
        "filter-timeout", "S", default: .seconds(60), "time a filter or program has (60)", group: filtering)
    static let filterOpen = Option.flag(
        "filter-open", "deliver unfiltered when a filter fails", group: filtering)
    static let quarantine = Option.text(
        "quarantine", "DIR", "Maildir for what a scanner finds (554 without)", group: filtering,
        completion: .directory)

    static let accounts = Option.text(
        "auth-file", "FILE", "accounts, user:{SCHEME}secret a line, as pop3d's: offers AUTH",
        group: ServerOptions.security, completion: .file)

    static let rule = Option.list(
        "rule", "RULE", "script an answer: COMMAND[~REGEX][#N] ACTION; repeatable", group: testing)
    static let seed = Option.integer(
        "seed", "N", in: 0...Int.max, default: 1, "for rules with %N (1)", group: testing)

    private static let delivery = "Delivery"
    private static let limits = "Limits and checks"
    private static let filtering = "Filters"
    private static let testing = "Testing"

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard arguments.operands.isEmpty else {
            throw ToolFailure(
                .usage, "\(arguments.operands[0]): smtp-serve takes no operands: --help lists its options")
        }
        let addresses = try server.addresses(arguments)
        if !arguments[standardInput] { try checkDomains(arguments, addresses) }
        let settings = try ServerSettings(arguments)
        let writesMessages = settings.capture != nil || arguments[standardInput]
        let events = server.eventLog(arguments, toStandardError: writesMessages)
        return try EventLoop.run { _ in
            let service = MailService(settings: settings, events: events)
            defer { settings.capture?.end() }
            if arguments[standardInput] { return try await serveStandardStreams(service) }
            let loops = arguments[threads] ?? standardThreads(isSink: arguments[sink])
            let listening = try server.listen(
                arguments, addresses, events, loops: loops, check: settings.folders.check
            ) {
                settings.reload()
                events.write("reload", plain: { "files were read again" })
            }
            await withTaskGroup(of: Void.self) { group in
                if let requests = service.queueRequests { group.addTask { await requests.serve() } }
                await listening.run { connection, origin in await service.serve(connection, origin) }
                group.cancelAll()
            }
            await events.finish()
            return .ok
        }
    }

    /// One session on standard input and output, as inetd(8) and sendmail's `-bs` have it.
    private static func serveStandardStreams(_ service: MailService) async throws -> ExitCode {
        var streams = try StandardStreams()
        guard let socket = streams.socket.take() else { return .osError }
        let connection = try Connection(socket, peer: streams.peer)
        let origin = ConnectionOrigin(listener: ListenAddress(connection.local))
        let carried = streams
        async let output: Void = carried.carryOutput()
        await service.serve(connection, origin)
        connection.close()
        await output
        await service.events.finish()
        return .ok
    }

    /// Beyond loopback a server that takes mail for every domain would be an open door.
    private static func checkDomains(_ arguments: Arguments, _ addresses: [ListenAddress]) throws(ToolFailure) {
        guard arguments[domain].isEmpty, !arguments[sink], arguments[standardOutput].isEmpty else { return }
        for address in addresses where !address.address.isLocal {
            throw ToolFailure(
                .usage, "--listen \(address.address): beyond loopback, name the local domains with --domain")
        }
    }
}
