import Unix

/// Why a resolver cannot be made of what the user gave.
package enum ResolverError: Error, Equatable, CustomStringConvertible {
    /// A file cannot be read.
    case unreadable(file: String, reason: String)
    case badZone(ZoneError)
    case badServer(String)

    package var description: String {
        switch self {
        case .unreadable(let file, let reason): "\(file): \(reason)"
        case .badZone(let error): error.description
        case .badServer(let text): "\(text): is not ADDR or ADDR:PORT: names of servers are not looked up"
        }
    }
}

extension Resolver {
    /// A resolver from the options that tools share: `--dns FILE`, else the servers given, else resolv.conf; `timeout` and
    /// `tries` in place of its own.
    package static func make(
        zoneFile: String?, servers: [String], families: Families = .both, timeout: Duration? = nil, tries: Int? = nil,
        trace: (@Sendable (QueryTrace) -> Void)? = nil
    ) throws(ResolverError) -> Resolver {
        if let zoneFile { return Resolver(.zone(try zone(zoneFile)), families: families) }
        var configuration: ResolverConfiguration
        do throws(SystemError) {
            configuration = try .system()
        } catch {
            throw .unreadable(file: "/etc/resolv.conf", reason: error.reason)
        }
        if !servers.isEmpty { configuration.servers = try addresses(ofServers: servers) }
        if let timeout, timeout > .zero { configuration.timeout = timeout }
        if let tries { configuration.attempts = tries }
        return Resolver(.servers(configuration), hosts: HostsFile(), families: families, trace: trace)
    }

    /// Reads a zone file.
    package static func zone(_ path: String) throws(ResolverError) -> Zone {
        do throws(ZoneError) {
            return try Zone(path: path)
        } catch {
            throw error.line == nil ? .unreadable(file: path, reason: error.problem) : .badZone(error)
        }
    }

    /// Reads `ADDR` and `ADDR:PORT`; IPv6 with a port as `[ADDR]:PORT`.
    package static func addresses(
        ofServers texts: [String], defaultPort: UInt16 = 53
    ) throws(ResolverError) -> [SocketAddress] {
        var servers: [SocketAddress] = []
        for text in texts {
            if let address = IPAddress(text) {
                servers.append(.ip(address, port: defaultPort))
            } else if let address = SocketAddress(text, defaultPort: defaultPort), address.port ?? 0 > 0 {
                servers.append(address)
            } else {
                throw .badServer(text)
            }
        }
        return servers
    }
}
