import CommandLineTool
import Network
import OpenSSL
import Unix

/// The options that every server has, declared once, and what they ask for.
package struct ServerOptions: Sendable {
    package let listen: Option<[String]>
    package let maximumConnections: Option<Int>
    package let timeout: Option<Duration>
    package let user: Option<String?>
    package let certificate: Option<String?>
    package let key: Option<String?>
    package let requireTLS: Option<Bool>
    package let clientAuthorities = Option.text(
        "client-ca", "FILE", "ask clients for certificates of these authorities (PEM)", group: security,
        completion: .file)
    package let json = Option.flag("json", "events on standard output, one JSON object each", group: output)
    package let verbose = Option.flag("verbose", short: "v", "events on standard error", group: output)
    package let quiet = Option.flag("quiet", short: "q", "say nothing but errors", group: output)
    private let defaultAddress: String

    /// The headings that these options stand under.
    package static let listening = "Listening"
    package static let security = "TLS"
    package static let output = "Output"

    /// - Parameters:
    ///   - defaultAddress: where to listen without `--listen`.
    ///   - timeout: when a silent connection is closed.
    ///   - startTLS: the protocol's command that begins TLS.
    ///   - requireTLS: what `--require-tls` does, for the help.
    package init(defaultAddress: String, timeout: Duration, startTLS: String, requireTLS: String) {
        self.defaultAddress = defaultAddress
        let seconds = timeout.components.seconds
        listen = Option.list(
            "listen", "ADDR:PORT[,tls]", "listen there, repeatable; unix:PATH too (\(defaultAddress))",
            group: ServerOptions.listening)
        maximumConnections = Option.integer(
            "max-connections", "N", in: 1...1_000_000, default: 1_000, "so many at once (1000)",
            group: ServerOptions.listening)
        self.timeout = Option.duration(
            "timeout", "S", default: timeout, "close what says nothing for so long (\(seconds))",
            group: ServerOptions.listening)
        user = Option.text(
            "user", "NAME", "become this user after binding the ports", group: ServerOptions.listening)
        certificate = Option.text(
            "cert", "FILE", "certificate chain (PEM): offers \(startTLS)", group: ServerOptions.security,
            completion: .file)
        key = Option.text("key", "FILE", "its key (PEM)", group: ServerOptions.security, completion: .file)
        self.requireTLS = Option.flag("require-tls", requireTLS, group: ServerOptions.security)
    }

    /// Where to listen.
    package func addresses(_ arguments: Arguments) throws(ToolFailure) -> [ListenAddress] {
        let texts = arguments[listen].isEmpty ? [defaultAddress] : arguments[listen]
        var addresses: [ListenAddress] = []
        for text in texts {
            guard let address = ListenAddress(text) else {
                throw ToolFailure(.usage, "--listen \(text): must be ADDRESS:PORT, [IPV6]:PORT or unix:PATH")
            }
            if address.isTLS, arguments[certificate] == nil {
                throw ToolFailure(.usage, "--listen \(text): needs --cert and --key")
            }
            addresses.append(address)
        }
        return addresses
    }

    /// The event log that the options ask for.
    package func eventLog(_ arguments: Arguments, toStandardError: Bool = false) -> EventLog {
        EventLog(json: arguments[json], verbose: arguments[verbose], toStandardError: toStandardError)
    }

    /// Binds the addresses, gives up root's rights, and says where the server listens. Call on the loop. `loops` is the
    /// number of event loops that serve; `check` finds out, without root's rights, whether all is there that is needed.
    package func listen(
        _ arguments: Arguments, _ addresses: [ListenAddress], _ events: EventLog, loops: Int = 1,
        check: () throws(ToolFailure) -> Void = {}, reload: @escaping @Sendable () async -> Void
    ) throws -> Server {
        let server = try bind(arguments, addresses, loops, reload)
        if let name = arguments[user] { try ServerOptions.become(name) }
        try check()
        for address in server.addresses {
            events.listening(address)
            if !arguments[quiet], !arguments[verbose] {
                Diagnostics.say("listening on \(address.address)\(address.isTLS ? ", TLS" : "")")
            }
        }
        return server
    }

    private static func become(_ user: String) throws(ToolFailure) {
        do throws(SystemError) {
            try Privileges.drop(to: user)
        } catch {
            throw ToolFailure(becoming: user, error)
        }
    }

    private func bind(
        _ arguments: Arguments, _ addresses: [ListenAddress], _ loops: Int,
        _ reload: @escaping @Sendable () async -> Void
    ) throws(ToolFailure) -> Server {
        do throws(SystemError) {
            return try Server(
                .init(
                    listen: addresses, maximumConnections: arguments[maximumConnections], loops: loops, reload: reload))
        } catch {
            throw ToolFailure(listening: error)
        }
    }
}
