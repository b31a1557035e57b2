import Bytes
import CommandLineTool
import DNS
import Network
import Unix

/// A server as results speak of it.
struct ServerName: Hashable, Sendable, CustomStringConvertible {
    /// A host name, an IP address, or the path of a Unix socket.
    let name: String
    /// Nil for a Unix socket.
    let port: UInt16?

    var description: String {
        guard let port else { return name }
        return name.utf8.contains(ASCII.colon) ? "[\(name)]:\(port)" : "\(name):\(port)"
    }

    /// The name as certificates have it: in ASCII.
    var tlsName: String { (try? InternationalName.ascii(name)) ?? name }

    init(name: String, port: UInt16?) {
        self.name = name
        self.port = port
    }

    /// Reads `HOST`, `HOST:PORT`, `[IPv6]:PORT`, a bare IPv6 address, or `unix:PATH`.
    init(_ text: String, of option: String = "--server", defaultPort: UInt16) throws(ToolFailure) {
        if text.hasPrefix("unix:") {
            guard SocketAddress(text) != nil else {
                throw ToolFailure(.usage, "\(option) \(text): is not the path of a Unix socket")
            }
            self.init(name: String(text.dropFirst(5)), port: nil)
            return
        }
        var host = Substring(text)
        var port: Substring?
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            if !rest.isEmpty { port = rest.hasPrefix(":") ? rest.dropFirst() : "" }
        } else if IPAddress(text) == nil, let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        let number = port.map { UInt16($0) ?? 0 } ?? defaultPort
        guard !host.isEmpty, number > 0, !host.utf8.contains(where: { $0 <= ASCII.space || $0 == ASCII.delete }) else {
            throw ToolFailure(
                .usage, "\(option) \(text): is not HOST or HOST:PORT: write an IPv6 address with a port as [::1]:25")
        }
        self.init(name: String(host), port: number)
    }
}

/// The name that EHLO gives when none was asked for.
enum HeloName {
    /// This host's name when it is a full one, else the address of the connection's end (RFC 5321 4.1.4).
    static func standard(from local: SocketAddress) -> String {
        let name = Host.name
        let isFull = name.utf8.contains(ASCII.dot)
        let isClean = name.utf8.allSatisfy { $0.isASCIIAlphanumeric || $0 == ASCII.dot || $0 == ASCII.dash }
        if isFull, isClean { return name }
        guard let address = local.ip?.unmapped else { return "localhost" }
        var plain = address
        plain.scope = 0
        return plain.isIPv6 ? "[IPv6:\(plain)]" : "[\(plain)]"
    }
}
