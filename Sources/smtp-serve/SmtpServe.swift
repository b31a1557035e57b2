import CommandLineTool
import Network
import ServerTool
import Unix

/// A mail server in one command: takes mail over SMTP and delivers it to Maildirs.
enum SmtpServe: Tool {
    static let server = ServerOptions(
        defaultAddress: "127.0.0.1:2525", timeout: .seconds(300), startTLS: "STARTTLS",
        requireTLS: "take mail over TLS only")
    static let hostname = Option.text(
        "hostname", "NAME", "name in greeting and trace fields", group: ServerOptions.listening)

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

    private static let delivery = "Delivery"
    private static let filtering = "Filters"

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard arguments.operands.isEmpty else {
            throw ToolFailure(.usage, "\(arguments.operands[0]): smtp-serve takes no operands")
        }
        let addresses = try server.addresses(arguments)
        try checkDomains(arguments, addresses)
        let settings = try ServerSettings(arguments)
        let events = server.eventLog(arguments)
        return try EventLoop.run { _ in
            let listening = try server.listen(arguments, addresses, events) { settings.reload() }
            let service = MailService(settings: settings, events: events)
            await listening.run { connection, origin in await service.serve(connection, origin) }
            return .ok
        }
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
