import Bytes
import CommandLineTool
import Network
import SMTP
import Unix

/// How a connection to a server comes about: straight, through a SOCKS5 proxy (RFC 1928), or through a program; and
/// whether a header of the PROXY protocol goes before everything else.
struct ConnectionPath: Sendable {
    /// A SOCKS5 proxy, to which names of servers are given as they are.
    var proxy: ServerName?
    /// A program whose standard input and output are the connection.
    var command: String?
    var announcement: ProxyAnnouncement?

    init(_ arguments: Arguments) throws(ToolFailure) {
        proxy = try arguments[SendOptions.socks].map { text throws(ToolFailure) in
            try ServerName(text, of: "--socks5", defaultPort: 1_080)
        }
        command = arguments[SendOptions.pipe]
        announcement = try ProxyAnnouncement(arguments)
        if proxy != nil, command != nil {
            throw ToolFailure(.usage, "--socks5 and --pipe: exclude each other: give one")
        }
    }

    /// What stands for the address of a server whose name the proxy or the program looks up.
    static let elsewhere = SocketAddress.unix("")

    /// Names need not be looked up here.
    var leadsElsewhere: Bool { proxy != nil || command != nil }

    /// Connects to a server at an address; the error is a result for every recipient.
    func connect(
        to address: SocketAddress, of server: ServerName, by proxyAddress: SocketAddress?, timeout: Duration
    ) async throws(ClientResult) -> Connection {
        let target = command.map { "through \($0)" } ?? (address == Self.elsewhere ? "\(server)" : "\(address)")
        do {
            let connection: Connection
            if let command {
                connection = try Connection(CommandSocket.start(command), peer: .unix("|\(command)"))
            } else if let proxyAddress {
                connection = try await SOCKS5.connect(to: proxyAddress, timeout: timeout)
                try await SOCKS5.ask(connection, for: address, of: server, timeout: timeout)
            } else {
                connection = try await Connection.connect(to: address, timeout: timeout)
            }
            if let announcement { connection.write(announcement.bytes(local: connection.local, peer: connection.peer)) }
            return connection
        } catch {
            throw ClientResult(
                outcome: .temporary, enhanced: "4.4.1", text: "cannot connect to \(target): \(error)",
                cause: .connection)
        }
    }
}

/// The client's side of SOCKS5 (RFC 1928), without authentication.
enum SOCKS5 {
    struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    /// A connection to the proxy itself.
    static func connect(to proxy: SocketAddress, timeout: Duration) async throws -> Connection {
        do {
            return try await Connection.connect(to: proxy, timeout: timeout)
        } catch {
            throw Refusal(description: "the proxy \(proxy) cannot be reached: \(error)")
        }
    }

    /// Asks the proxy at the other end of `connection` to connect to a server.
    static func ask(
        _ connection: Connection, for address: SocketAddress, of server: ServerName, timeout: Duration
    ) async throws {
        connection.write([5, 1, 0])
        try await connection.flush(timeout: timeout)
        let method = try await take(2, connection, timeout)
        guard method == [5, 0] else {
            throw Refusal(description: method[0] == 5 ? "the proxy wants a password" : "this is no SOCKS5 proxy")
        }
        connection.write(request(for: address, of: server))
        try await connection.flush(timeout: timeout)
        let answer = try await take(4, connection, timeout)
        guard answer[0] == 5, answer[1] == 0 else {
            throw Refusal(description: "the proxy says: \(reason(answer[1]))")
        }
        // The address that the proxy uses, which nobody needs, and its port.
        switch answer[3] {
        case 1: _ = try await take(6, connection, timeout)
        case 4: _ = try await take(18, connection, timeout)
        case 3: _ = try await take(Int(try await take(1, connection, timeout)[0]) + 2, connection, timeout)
        default: throw Refusal(description: "the proxy's answer makes no sense")
        }
    }

    static func request(for address: SocketAddress, of server: ServerName) -> [UInt8] {
        let port = server.port ?? 25
        let place: [UInt8] =
            switch address {
            case .ip(let ip, _): [ip.isIPv6 ? 4 : 1] + ip.bytes
            case .unix: [3, UInt8(truncatingIfNeeded: min(server.name.utf8.count, 255))] + server.name.utf8.prefix(255)
            }
        return [5, 1, 0] + place + [UInt8(port >> 8), UInt8(port & 255)]
    }

    private static func take(_ count: Int, _ connection: Connection, _ timeout: Duration) async throws -> [UInt8] {
        while connection.input.count < count {
            guard try await connection.receive(timeout: timeout) else {
                throw Refusal(description: "the proxy closed the connection")
            }
        }
        let bytes = connection.input.bytes.array(0..<count)
        connection.input.consume(count)
        return bytes
    }

    private static func reason(_ code: UInt8) -> String {
        let reasons = [
            1: "general failure", 2: "not allowed by its rules", 3: "network unreachable", 4: "host unreachable",
            5: "connection refused", 6: "time to live expired", 7: "command not supported", 8: "address not supported",
        ]
        return reasons[Int(code)] ?? "error \(code)"
    }
}

/// A header of the PROXY protocol (versions 1 and 2), by which a proxy tells a server who its client is.
struct ProxyAnnouncement: Sendable {
    let version: Int
    /// Whom to name as client and server; nil: the ends of the connection.
    let source: SocketAddress?
    let destination: SocketAddress?

    /// Nil when none was asked for.
    init?(_ arguments: Arguments) throws(ToolFailure) {
        func address(_ option: Option<String?>) throws(ToolFailure) -> SocketAddress? {
            guard let text = arguments[option] else { return nil }
            guard let address = SocketAddress(text, defaultPort: 25), address.ip != nil else {
                throw ToolFailure(
                    .usage, "--\(option.declaration.long) \(text): is not an address: write 192.0.2.1:1234 or [::1]:25")
            }
            return address
        }
        source = try address(SendOptions.proxySource)
        destination = try address(SendOptions.proxyDestination)
        if let ip = source?.ip, let other = destination?.ip, ip.isIPv6 != other.isIPv6 {
            throw ToolFailure(.usage, "--proxy-source and --proxy-dest: must be of one family")
        }
        let number = arguments[SendOptions.proxyVersion]
        guard number != nil || source != nil || destination != nil else { return nil }
        version = number ?? 1
    }

    /// The header on a connection with these ends.
    func bytes(local: SocketAddress, peer: SocketAddress) -> [UInt8] {
        var source = source ?? local
        var destination = destination ?? peer
        // The end that was not given follows the other one's family.
        if source.ip?.isIPv6 != destination.ip?.isIPv6 {
            source = source.mapped
            destination = destination.mapped
        }
        guard case .ip(let from, let fromPort) = source, case .ip(let to, let toPort) = destination,
            from.isIPv6 == to.isIPv6
        else { return version == 1 ? Array("PROXY UNKNOWN\r\n".utf8) : Self.signature + [0x20, 0, 0, 0] }
        if version == 1 {
            return Array("PROXY TCP\(from.isIPv6 ? 6 : 4) \(from) \(to) \(fromPort) \(toPort)\r\n".utf8)
        }
        let ports = [fromPort, toPort].flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
        let addresses = from.bytes + to.bytes + ports
        return Self.signature + [0x21, from.isIPv6 ? 0x21 : 0x11, 0, UInt8(addresses.count)] + addresses
    }

    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
}

extension SocketAddress {
    /// The same with its IPv4 address in the form of IPv6 (RFC 4291 2.5.5.2).
    fileprivate var mapped: SocketAddress {
        guard case .ip(let ip, let port) = self, !ip.isIPv6, let mapped = IPAddress("::ffff:\(ip)") else { return self }
        return .ip(mapped, port: port)
    }
}
