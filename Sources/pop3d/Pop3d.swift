import Accounts
import CommandLineTool
import Network
import ServerTool
import Unix

/// A POP3 server over Maildirs in one command.
enum Pop3d: Tool {
    static let server = ServerOptions(
        defaultAddress: "127.0.0.1:1110", timeout: .seconds(600), startTLS: "STLS",
        requireTLS: "log in over TLS only, on loopback too")
    static let hostname = Option.text(
        "hostname", "NAME", "name in the time stamp of APOP", group: ServerOptions.listening)
    static let maildir = Option.text(
        "maildir", "PATTERN", "Maildir of a user: %u user, %n local-part, %d domain, %h home (./mail/%u)",
        group: accounts)
    static let passwords = Option.text(
        "passwd", "FILE", "accounts, user:{SCHEME}secret a line, as Dovecot's", group: accounts, completion: .file)
    static let anyPassword = Option.flag(
        "any-password", "take any password, on loopback only (when no --passwd)", group: accounts)
    static let allowPlaintext = Option.flag(
        "allow-plaintext", "passwords without TLS beyond loopback too", group: ServerOptions.security)

    private static let accounts = "Accounts"

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard arguments.operands.isEmpty else {
            throw ToolFailure(.usage, "\(arguments.operands[0]): pop3d takes no operands")
        }
        let addresses = try server.addresses(arguments)
        let settings = try ServiceSettings(arguments)
        if settings.takesAnyPassword {
            for address in addresses where !address.address.isLocal {
                throw ToolFailure(
                    .usage, "--listen \(address.address): beyond loopback, --passwd must name the accounts")
            }
            if !arguments[anyPassword], !arguments[server.quiet] {
                Diagnostics.say("no --passwd: any password is taken, from this machine only")
            }
        }
        let events = server.eventLog(arguments)
        return try EventLoop.run { _ in
            let listening = try server.listen(arguments, addresses, events) { settings.reload() }
            await listening.run { connection, origin in
                var conversation = Conversation(settings, events, connection, origin)
                await conversation.run()
            }
            await events.finish()
            return .ok
        }
    }
}
