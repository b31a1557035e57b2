import CommandLineTool
import Glibc
import Network
import OpenSSL
import SMTP
import Unix

/// A mail server in one command: takes mail over SMTP and delivers it to Maildirs.
enum SmtpServe: Tool {
    static let listen = Option.list(
        "listen", "ADDR:PORT[,tls]", "listen there, repeatable; unix:PATH too (127.0.0.1:2525)", group: listening)
    static let hostname = Option.text("hostname", "NAME", "name in greeting and trace fields", group: listening)
    static let maximumConnections = Option.integer(
        "max-connections", "N", in: 1...1_000_000, default: 1_000, "so many at once, 421 for more (1000)",
        group: listening)
    static let idleTimeout = Option.duration(
        "timeout", "S", default: .seconds(300), "close what says nothing for so long (300)", group: listening)
    static let user = Option.text("user", "NAME", "become this user after binding the ports", group: listening)

    static let mail = Option.text(
        "mail", "DIR", "deliver to DIR/<local-part>/, a Maildir each (./mail)", group: delivery,
        completion: .directory)
    static let domain = Option.list(
        "domain", "D", "local domain, repeatable (every one, on loopback)", group: delivery)
    static let users = Option.text(
        "users", "FILE", "known users, one a line; others are refused", group: delivery, completion: .file)
    static let sink = Option.flag("sink", "take mail and throw it away", group: delivery)
    static let maximumSize = Option.size(
        "max-size", "SIZE", default: 50 << 20, "largest message (50M)", group: delivery)
    static let maximumRecipients = Option.integer(
        "max-recipients", "N", in: 100...100_000, default: 1_000, "recipients of one message (1000)",
        group: delivery)

    static let filter = Option.list(
        "filter", "PROGRAM", "filter each message by a shell command, repeatable", group: filtering)
    static let filterTimeout = Option.duration(
        "filter-timeout", "S", default: .seconds(60), "time a filter has (60)", group: filtering)
    static let filterOpen = Option.flag(
        "filter-open", "deliver unfiltered when a filter fails", group: filtering)

    static let certificate = Option.text(
        "cert", "FILE", "certificate chain (PEM): offers STARTTLS", group: security, completion: .file)
    static let key = Option.text("key", "FILE", "its key (PEM)", group: security, completion: .file)
    static let requireTLS = Option.flag("require-tls", "take mail over TLS only", group: security)

    static let json = Option.flag("json", "events on standard output, one JSON object each", group: output)
    static let verbose = Option.flag("verbose", short: "v", "events on standard error", group: output)
    static let quiet = Option.flag("quiet", short: "q", "say nothing but errors", group: output)

    private static let listening = "Listening"
    private static let delivery = "Delivery"
    private static let filtering = "Filters"
    private static let security = "TLS"
    private static let output = "Output"

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard arguments.operands.isEmpty else {
            throw ToolFailure(.usage, "\(arguments.operands[0]): smtp-serve takes no operands")
        }
        let addresses = try listenAddresses(arguments)
        try checkDomains(arguments, addresses)
        let settings = try ServerSettings(arguments)
        if addresses.contains(where: \.isTLS), settings.tls == nil {
            throw ToolFailure(.usage, "--listen ...,tls: needs --cert and --key")
        }
        let events = EventLog(json: arguments[json], verbose: arguments[verbose])
        return try EventLoop.run { _ in
            let server = try makeServer(arguments, addresses, settings)
            if let name = arguments[user] { try Privileges.drop(to: name) }
            for address in server.addresses {
                events.listening(address)
                if !arguments[quiet] {
                    Diagnostics.say("listening on \(address.address)\(address.isTLS ? ", TLS" : "")")
                }
            }
            let service = MailService(settings: settings, events: events)
            await server.run { connection, origin in await service.serve(connection, origin) }
            return .ok
        }
    }

    private static func makeServer(
        _ arguments: Arguments, _ addresses: [ListenAddress], _ settings: ServerSettings
    ) throws(ToolFailure) -> Server {
        do throws(SystemError) {
            return try Server(
                .init(listen: addresses, maximumConnections: arguments[maximumConnections]) {
                    settings.reload()
                })
        } catch {
            let advice = error.code == EADDRINUSE ? ": another server is there, choose another --listen" : ""
            throw ToolFailure(
                error.code == EACCES ? .noPermission : .osError, "\(error.subject): \(error.reason)\(advice)")
        }
    }

    private static func listenAddresses(_ arguments: Arguments) throws(ToolFailure) -> [ListenAddress] {
        let texts = arguments[listen].isEmpty ? ["127.0.0.1:2525"] : arguments[listen]
        var addresses: [ListenAddress] = []
        for text in texts {
            guard let address = ListenAddress(text) else {
                throw ToolFailure(.usage, "--listen \(text): must be ADDRESS:PORT, [IPV6]:PORT or unix:PATH")
            }
            addresses.append(address)
        }
        return addresses
    }

    /// Beyond loopback a server that takes mail for every domain would be an open door.
    private static func checkDomains(_ arguments: Arguments, _ addresses: [ListenAddress]) throws(ToolFailure) {
        guard arguments[domain].isEmpty, !arguments[sink] else { return }
        for address in addresses where !address.address.isLocal {
            throw ToolFailure(
                .usage, "--listen \(address.address): beyond loopback, name the local domains with --domain")
        }
    }
}
