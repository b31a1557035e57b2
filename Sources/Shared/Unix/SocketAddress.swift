import Bytes
import Glibc

/// An IPv4 or IPv6 address.
package struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// 4 or 16 bytes in network order.
    package let bytes: [UInt8]
    /// The interface of a link-local IPv6 address, 0 when none.
    package var scope: UInt32 = 0

    /// Takes 4 or 16 bytes; nil for any other count.
    package init?(bytes: [UInt8], scope: UInt32 = 0) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = bytes
        self.scope = scope
    }

    /// Reads `192.0.2.1`, `2001:db8::1` or `fe80::1%eth0`; nil for anything else.
    package init?(_ text: String) {
        // Most texts are names, which neither end with a digit nor hold a colon.
        guard text.utf8.last?.isASCIIDigit == true || text.utf8.contains(ASCII.colon), !text.utf8.contains(0) else {
            return nil
        }
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            bytes = withUnsafeBytes(of: v4) { Array($0) }
            return
        }
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        var v6 = in6_addr()
        guard let address = parts.first, inet_pton(AF_INET6, address, &v6) == 1 else { return nil }
        bytes = withUnsafeBytes(of: v6) { Array($0) }
        if parts.count == 2 {
            scope = UInt32(parts[1]) ?? if_nametoindex(parts[1])
            if scope == 0 { return nil }
        }
    }

    package static let loopback4 = IPAddress(known: [127, 0, 0, 1])
    private init(known: [UInt8]) { bytes = known }

    package var isIPv6: Bool { bytes.count == 16 }

    /// 127.0.0.0/8 or ::1, also as an IPv4-mapped address.
    package var isLoopback: Bool {
        let plain = unmapped
        return plain.isIPv6 ? plain.bytes == Array(repeating: 0, count: 15) + [1] : plain.bytes[0] == 127
    }

    /// The IPv4 address within `::ffff:a.b.c.d`, else the address itself.
    package var unmapped: IPAddress {
        guard bytes.count == 16, bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 255, bytes[11] == 255 else {
            return self
        }
        return IPAddress(known: Array(bytes[12...]))
    }

    package var description: String { bytes.count == 4 ? dotted : colonSeparated }

    private var dotted: String {
        var text: [UInt8] = []
        text.reserveCapacity(15)
        for byte in bytes {
            if !text.isEmpty { text.append(ASCII.dot) }
            if byte > 99 { text.append(ASCII.zero + byte / 100) }
            if byte > 9 { text.append(ASCII.zero + byte / 10 % 10) }
            text.append(ASCII.zero + byte % 10)
        }
        return text.text
    }

    private var colonSeparated: String {
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        // Safe: `bytes` has the size of an IPv6 address, and the buffer that of its longest text.
        let text = inet_ntop(AF_INET6, bytes, &buffer, socklen_t(buffer.count))
        guard text != nil else { return "?" }
        let plain = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return scope == 0 ? plain : "\(plain)%\(scope)"
    }
}

/// The address of a socket: IP and port, or the path of a Unix socket.
package enum SocketAddress: Hashable, Sendable, CustomStringConvertible {
    case ip(IPAddress, port: UInt16)
    case unix(String)

    /// Reads `127.0.0.1:25`, `[::1]:25`, `unix:/path`; with `defaultPort` the port may be left out.
    /// Names are not looked up; `localhost` is 127.0.0.1 and `*` every IPv4 address.
    package init?(_ text: String, defaultPort: UInt16? = nil) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty, path.utf8.count < 108, !path.utf8.contains(0) else { return nil }
            self = .unix(path)
            return
        }
        var host = text
        var port = defaultPort
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else { return nil }
            host = String(text[text.index(after: text.startIndex)..<close])
            let rest = text[text.index(after: close)...]
            if !rest.isEmpty {
                guard rest.hasPrefix(":"), let number = UInt16(rest.dropFirst()) else { return nil }
                port = number
            }
        } else if let colon = text.lastIndex(of: ":"), text.firstIndex(of: ":") == colon {
            guard let number = UInt16(text[text.index(after: colon)...]) else { return nil }
            port = number
            host = String(text[..<colon])
        }
        if host.equalsIgnoringCase("localhost") { host = "127.0.0.1" }
        if host == "*" { host = "0.0.0.0" }
        guard let address = IPAddress(host), let port else { return nil }
        self = .ip(address, port: port)
    }

    package var description: String {
        switch self {
        case .ip(let address, let port): address.isIPv6 ? "[\(address)]:\(port)" : "\(address):\(port)"
        case .unix(let path): path.isEmpty ? "unix" : "unix:\(path)"
        }
    }

    package var ip: IPAddress? {
        if case .ip(let address, _) = self { address } else { nil }
    }

    package var port: UInt16? {
        if case .ip(_, let port) = self { port } else { nil }
    }

    /// A loopback IP address or a Unix socket: reachable from this machine only.
    package var isLocal: Bool { ip.map(\.isLoopback) ?? true }

    package var family: Int32 {
        switch self {
        case .ip(let address, _): address.isIPv6 ? AF_INET6 : AF_INET
        case .unix: AF_UNIX
        }
    }

    /// Calls `body` with the address as the kernel wants it.
    package func withSystemAddress<Result>(
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var storage = sockaddr_storage()
        let length = withUnsafeMutableBytes(of: &storage) { raw -> Int in
            switch self {
            case .ip(let address, let port) where address.isIPv6:
                var value = sockaddr_in6()
                value.sin6_family = sa_family_t(AF_INET6)
                value.sin6_port = port.bigEndian
                value.sin6_scope_id = address.scope
                withUnsafeMutableBytes(of: &value.sin6_addr) { $0.copyBytes(from: address.bytes) }
                raw.storeBytes(of: value, as: sockaddr_in6.self)
                return MemoryLayout<sockaddr_in6>.size
            case .ip(let address, let port):
                var value = sockaddr_in()
                value.sin_family = sa_family_t(AF_INET)
                value.sin_port = port.bigEndian
                withUnsafeMutableBytes(of: &value.sin_addr) { $0.copyBytes(from: address.bytes) }
                raw.storeBytes(of: value, as: sockaddr_in.self)
                return MemoryLayout<sockaddr_in>.size
            case .unix(let path):
                var value = sockaddr_un()
                value.sun_family = sa_family_t(AF_UNIX)
                // The path was checked to leave room for its NUL; cut all the same.
                withUnsafeMutableBytes(of: &value.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
                raw.storeBytes(of: value, as: sockaddr_un.self)
                return MemoryLayout<sockaddr_un>.size
            }
        }
        return withUnsafePointer(to: &storage) { pointer in
            // Safe: sockaddr_storage is made to be read as any socket address.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(length)) }
        }
    }

    /// Reads an address that the kernel filled in by `fill` (accept, getsockname, getpeername).
    package static func filled(
        _ fill: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> (result: Int32, address: SocketAddress) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { fill($0, &length) }
        }
        return (result, SocketAddress(storage))
    }

    private init(_ storage: sockaddr_storage) {
        self = withUnsafeBytes(of: storage) { raw in
            switch Int32(storage.ss_family) {
            case AF_INET:
                let value = raw.loadUnaligned(as: sockaddr_in.self)
                let bytes = withUnsafeBytes(of: value.sin_addr) { Array($0) }
                return .ip(IPAddress(bytes: bytes) ?? .loopback4, port: UInt16(bigEndian: value.sin_port))
            case AF_INET6:
                let value = raw.loadUnaligned(as: sockaddr_in6.self)
                let bytes = withUnsafeBytes(of: value.sin6_addr) { Array($0) }
                return .ip(
                    IPAddress(bytes: bytes, scope: value.sin6_scope_id) ?? .loopback4,
                    port: UInt16(bigEndian: value.sin6_port))
            default:
                let path = raw.dropFirst(2).prefix { $0 != 0 }
                return .unix(String(decoding: path, as: UTF8.self))
            }
        }
    }
}
