import Unix

/// A content filter, as `--filter` and the users file word it.
enum FilterSpecification: Equatable, Sendable {
    /// A shell command.
    case program(String)
    case spamd(FilterAddress)
    case clamd(FilterAddress)
    case milter(FilterAddress)

    /// Nil when the address of a service cannot be read.
    init?(_ text: String) {
        for (prefix, port, make) in FilterSpecification.services where text.hasPrefix(prefix) {
            guard let address = FilterAddress(String(text.dropFirst(prefix.count)), defaultPort: port) else {
                return nil
            }
            self = make(address)
            return
        }
        self = .program(text)
    }

    private static let services: [(String, UInt16, @Sendable (FilterAddress) -> FilterSpecification)] = [
        ("spamd:", 783, { .spamd($0) }), ("clamd:", 3310, { .clamd($0) }), ("milter:", 8891, { .milter($0) }),
    ]

    /// As the events name it.
    var name: String {
        switch self {
        case .program(let command): command
        case .spamd(let address): "spamd:\(address)"
        case .clamd(let address): "clamd:\(address)"
        case .milter(let address): "milter:\(address)"
        }
    }
}

/// Where a filter service listens: a host by name or address with a port, or `unix:/path`; also milter's `inet:PORT@HOST`
/// and `local:/path`.
struct FilterAddress: Equatable, Sendable, CustomStringConvertible {
    enum Host: Equatable, Sendable { case address(SocketAddress), name(String, port: UInt16) }
    let host: Host
    let description: String

    init?(_ text: String, defaultPort: UInt16) {
        description = text
        var text = text
        if text.hasPrefix("local:") { text = "unix:" + text.dropFirst(6) }
        if text.hasPrefix("/") { text = "unix:" + text }
        for prefix in ["inet:", "inet6:"] where text.hasPrefix(prefix) {
            let parts = text.dropFirst(prefix.count).split(separator: "@", maxSplits: 1).map(String.init)
            guard let port = parts.first else { return nil }
            let host = parts.count == 2 ? parts[1] : "127.0.0.1"
            text = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
        if let address = SocketAddress(text, defaultPort: defaultPort) {
            host = .address(address)
            return
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(parts.count), !parts[0].isEmpty,
            parts[0].utf8.allSatisfy({ $0.isHostNameByte })
        else { return nil }
        guard let port = parts.count == 2 ? UInt16(parts[1]) : defaultPort else { return nil }
        host = .name(parts[0], port: port)
    }
}

extension UInt8 {
    fileprivate var isHostNameByte: Bool {
        (0x30...0x39).contains(self) || (0x41...0x5A).contains(self) || (0x61...0x7A).contains(self) || self == 0x2D
            || self == 0x2E || self == 0x5F
    }
}
