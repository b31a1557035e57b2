import CommandLineTool
import Network
import ServerTool
import Unix

/// A POP3 server over Maildirs and mboxes in one command.
enum Pop3d: Tool {
    static let server = ServerOptions(
        defaultAddress: "127.0.0.1:1110", timeout: .seconds(600), startTLS: "STLS",
        requireTLS: "log in over TLS only, on loopback too")
    static let hostname = Option.text(
        "hostname", "NAME", "name in the time stamp of APOP", group: ServerOptions.listening)
    static let standardStreams = Option.flag(
        "stdio", "one session on standard input and output (inetd)", group: ServerOptions.listening)
    static let maximumPerUser = Option.integer(
        "max-per-user", "N", in: 1...1_000_000, default: 10, "so many sessions of a user at once (10)",
        group: ServerOptions.listening)

    static let maildir = Option.text(
        "maildir", "PATTERN", "Maildir of a user: %u user, %n local-part, %d domain, %h home (./mail/%u)",
        group: mailboxes)
    static let mbox = Option.text("mbox", "PATTERN", "mbox of a user in place of a Maildir", group: mailboxes)
    static let readOnly = Option.flag("read-only", "refuse to delete, change nothing", group: mailboxes)
    static let expire = Option.text(
        "expire", "DAYS|never", "remove older messages; 0: what was fetched (never)", group: mailboxes)

    static let passwords = Option.text(
        "passwd", "FILE", "accounts, user:{SCHEME}secret a line, as Dovecot's", group: accounts, completion: .file)
    static let checkPassword = Option.text(
        "checkpassword", "PROGRAM", "ask a program with the checkpassword interface", group: accounts)
    static let system = Option.flag("system", "the users of this system, as root", group: accounts)
    static let anyPassword = Option.flag(
        "any-password", "take any password, on loopback only (the default without accounts)", group: accounts)
    static let loginDelay = Option.duration(
        "login-delay", "S", default: .zero, "from one login of a user to the next (0)", group: accounts)

    static let allowPlaintext = Option.flag(
        "allow-plaintext", "passwords without TLS beyond loopback too", group: ServerOptions.security)
    static let trustLoopback = Option.flag(
        "trust-loopback", "passwords without TLS on loopback (the default)", group: ServerOptions.security)
    static let distrustLoopback = Option.flag(
        "no-trust-loopback", "loopback is as any other network", group: ServerOptions.security)

    private static let accounts = "Accounts"
    private static let mailboxes = "Mailboxes"

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard arguments.operands.isEmpty else {
            throw ToolFailure(.usage, "\(arguments.operands[0]): pop3d takes no operands")
        }
        let isOnStandardStreams = arguments[standardStreams]
        let addresses = isOnStandardStreams ? [] : try server.addresses(arguments)
        let settings = try ServiceSettings(arguments)
        if settings.takesAnyPassword {
            for address in addresses where !address.address.isLocal {
                throw ToolFailure(
                    .usage,
                    "--listen \(address.address): beyond loopback, --passwd, --checkpassword or --system must tell the accounts"
                )
            }
            if !arguments[anyPassword], !arguments[server.quiet] {
                Diagnostics.say("no accounts are told: any password is taken, from this machine only")
            }
        }
        let events = server.eventLog(arguments, toStandardError: isOnStandardStreams)
        return try EventLoop.run { _ in
            if isOnStandardStreams { return try await serveStandardStreams(settings, events) }
            let listening = try server.listen(arguments, addresses, events) {
                settings.reload()
                events.write("reload", plain: { "files were read again" })
            }
            await listening.run { connection, origin in
                var conversation = Conversation(settings, events, connection, origin)
                await conversation.run()
            }
            await events.finish()
            return .ok
        }
    }

    /// One session on standard input and output, as inetd(8) has it.
    private static func serveStandardStreams(
        _ settings: ServiceSettings, _ events: EventLog
    ) async throws -> ExitCode {
        var streams = try StandardStreams()
        guard let socket = streams.socket.take() else { return .osError }
        let connection = try Connection(socket, peer: streams.peer)
        let origin = ConnectionOrigin(listener: ListenAddress(connection.local))
        let carried = streams
        async let output: Void = carried.carryOutput()
        var conversation = Conversation(settings, events, connection, origin)
        await conversation.run()
        connection.close()
        await output
        await events.finish()
        return .ok
    }
}
