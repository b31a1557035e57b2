import Accounts
import CommandLineTool
import Glibc
import Network
import OpenSSL
import Unix

/// A POP3 server over Maildirs in one command.
enum Pop3d: Tool {
    static let listen = Option.list(
        "listen", "ADDR:PORT[,tls]", "listen there, repeatable; unix:PATH too (127.0.0.1:1110)", group: listening)
    static let hostname = Option.text("hostname", "NAME", "name in the time stamp of APOP", group: listening)
    static let maximumConnections = Option.integer(
        "max-connections", "N", in: 1...1_000_000, default: 1_000, "so many at once (1000)", group: listening)
    static let timeout = Option.duration(
        "timeout", "S", default: .seconds(600), "close what says nothing for so long (600)", group: listening)
    static let user = Option.text("user", "NAME", "become this user after binding the ports", group: listening)
    static let maildir = Option.text(
        "maildir", "PATTERN", "Maildir of a user: %u user, %n local-part, %d domain, %h home (./mail/%u)",
        group: accounts)
    static let passwords = Option.text(
        "passwd", "FILE", "accounts, user:{SCHEME}secret a line, as Dovecot's", group: accounts, completion: .file)
    static let anyPassword = Option.flag(
        "any-password", "take any password, on loopback only (when no --passwd)", group: accounts)
    static let certificate = Option.text(
        "cert", "FILE", "certificate chain (PEM): offers STLS", group: security, completion: .file)
    static let key = Option.text("key", "FILE", "its key (PEM)", group: security, completion: .file)
    static let requireTLS = Option.flag("require-tls", "log in over TLS only, on loopback too", group: security)
    static let allowPlaintext = Option.flag(
        "allow-plaintext", "passwords without TLS beyond loopback too", group: security)
    static let json = Option.flag("json", "events on standard output, one JSON object each", group: output)
    static let verbose = Option.flag("verbose", short: "v", "events on standard error", group: output)
    static let quiet = Option.flag("quiet", short: "q", "say nothing but errors", group: output)

    private static let listening = "Listening"
    private static let accounts = "Accounts"
    private static let security = "TLS"
    private static let output = "Output"

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard arguments.operands.isEmpty else {
            throw ToolFailure(.usage, "\(arguments.operands[0]): pop3d takes no operands")
        }
        let addresses = try listenAddresses(arguments)
        let settings = try ServiceSettings(arguments)
        if addresses.contains(where: \.isTLS), settings.tls == nil {
            throw ToolFailure(.usage, "--listen ...,tls: needs --cert and --key")
        }
        if settings.takesAnyPassword {
            for address in addresses where !address.address.isLocal {
                throw ToolFailure(
                    .usage, "--listen \(address.address): beyond loopback, --passwd must name the accounts")
            }
            if !arguments[anyPassword], !arguments[quiet] {
                Diagnostics.say("no --passwd: any password is taken, from this machine only")
            }
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
            await server.run { connection, origin in
                var conversation = Conversation(settings, events, connection, origin)
                await conversation.run()
            }
            return .ok
        }
    }

    private static func makeServer(
        _ arguments: Arguments, _ addresses: [ListenAddress], _ settings: ServiceSettings
    ) throws(ToolFailure) -> Server {
        do throws(SystemError) {
            return try Server(
                .init(listen: addresses, maximumConnections: arguments[maximumConnections]) { settings.reload() })
        } catch {
            let advice = error.code == EADDRINUSE ? ": another server is there, choose another --listen" : ""
            throw ToolFailure(
                error.code == EACCES ? .noPermission : .osError, "\(error.subject): \(error.reason)\(advice)")
        }
    }

    private static func listenAddresses(_ arguments: Arguments) throws(ToolFailure) -> [ListenAddress] {
        let texts = arguments[listen].isEmpty ? ["127.0.0.1:1110"] : arguments[listen]
        var addresses: [ListenAddress] = []
        for text in texts {
            guard let address = ListenAddress(text) else {
                throw ToolFailure(.usage, "--listen \(text): must be ADDRESS:PORT, [IPV6]:PORT or unix:PATH")
            }
            addresses.append(address)
        }
        return addresses
    }
}
