import CommandLineTool
import DNS
import Unix

/// What the command line says of names and servers.
struct LookupSettings: Sendable {
    /// The operands; empty when names come from standard input.
    let names: [String]
    let readsInput: Bool
    private let source: Resolver.Source
    private let configuration: ResolverConfiguration
    private let hosts: HostsFile?
    private let families: Resolver.Families
    private let withAddresses: Bool
    private let completes: Bool
    /// How many names are looked up at a time.
    let window: Int
    let deadline: Duration?
    private let traces: Bool

    init(_ arguments: Arguments) throws(ToolFailure) {
        readsInput = arguments.operands.isEmpty || arguments.operands == ["-"]
        names = readsInput ? [] : arguments.operands
        if names.contains("-") {
            throw ToolFailure(.usage, "-: names come from standard input or from the command line, not both")
        }
        if arguments.operands.isEmpty, !arguments.isGiven(MXOptions.spfTest), Terminal.isTerminal(0) {
            throw ToolFailure(.usage, "no domain given: --help shows the usage")
        }
        let configuration = try LookupSettings.configuration(arguments)
        self.configuration = configuration
        if let path = arguments[MXOptions.dns] {
            source = .zone(try LookupSettings.zone(path))
            hosts = nil
        } else {
            source = .servers(configuration)
            hosts = arguments[MXOptions.noHosts] ? nil : HostsFile()
        }
        switch (arguments[MXOptions.ipv4], arguments[MXOptions.ipv6]) {
        case (true, false): families = .ipv4
        case (false, true): families = .ipv6
        default: families = .both
        }
        withAddresses = !arguments[MXOptions.short]
        completes = arguments[MXOptions.search]
        window = arguments[MXOptions.window]
        deadline = arguments[MXOptions.deadline]
        traces = arguments[MXOptions.trace]
    }

    private static func configuration(_ arguments: Arguments) throws(ToolFailure) -> ResolverConfiguration {
        var configuration: ResolverConfiguration
        do throws(SystemError) {
            if let path = arguments[MXOptions.resolvConf] {
                configuration = try .system(path: path, required: true)
            } else {
                configuration = try .system()
            }
        } catch {
            throw ToolFailure(.noInput, "\(error.subject): \(error.reason)")
        }
        // With --check the port is that of the mail hosts, when they are spoken with.
        let isForHosts = arguments[MXOptions.check] && !arguments[MXOptions.noSMTP]
        let port = isForHosts ? 53 : arguments[MXOptions.port].flatMap { UInt16(exactly: $0) } ?? 53
        let given = arguments[MXOptions.server]
        if given.isEmpty {
            configuration.servers = configuration.servers.map { $0.ip.map { .ip($0, port: port) } ?? $0 }
        } else {
            do throws(ResolverError) {
                configuration.servers = try Resolver.addresses(ofServers: given, defaultPort: port)
            } catch {
                throw ToolFailure(.usage, "--server \(error)")
            }
        }
        if let timeout = arguments[MXOptions.timeout] {
            guard timeout > .zero else { throw ToolFailure(.usage, "--timeout 0: must be more than 0") }
            configuration.timeout = timeout
        }
        if let tries = arguments[MXOptions.tries] { configuration.attempts = tries }
        if arguments[MXOptions.tcp] { configuration.usesTCP = true }
        if arguments[MXOptions.noEDNS] { configuration.usesEDNS = false }
        if arguments[MXOptions.mixedCase] { configuration.mixesCase = true }
        return configuration
    }

    private static func zone(_ path: String) throws(ToolFailure) -> Zone {
        do throws(ResolverError) {
            return try Resolver.zone(path)
        } catch {
            if case .unreadable = error { throw ToolFailure(.noInput, "\(error)") }
            throw ToolFailure(.dataError, "\(error)")
        }
    }

    /// The lookups of a run that began at `start`.
    func makeLookups(since start: ContinuousClock.Instant) -> Lookups {
        Lookups(
            resolver: makeResolver(since: start), withAddresses: withAddresses,
            searchList: completes ? configuration : nil)
    }

    /// The resolver of a run that began at `start`.
    func makeResolver(since start: ContinuousClock.Instant) -> Resolver {
        var trace: (@Sendable (QueryTrace) -> Void)?
        if traces {
            trace = { query in
                let time = DecimalText.format(query.milliseconds, decimals: 1)
                let details = query.details.isEmpty ? "" : " (\(query.details))"
                Diagnostics.say(
                    "trace: \(query.name) \(query.type): \(query.server) \(query.transport) \(time) ms "
                        + "\(query.result)\(details)")
            }
        }
        return Resolver(
            source, hosts: hosts, families: families, deadline: deadline.map { start + $0 }, trace: trace)
    }
}
