import Bytes
import Glibc
import Unix

/// Which servers a stub resolver asks, and how: what resolv.conf(5) says.
package struct ResolverConfiguration: Equatable, Sendable {
    /// In the order in which they are asked.
    package var servers: [SocketAddress]
    /// The wait for a server in the first round; it doubles with each round.
    package var timeout: Duration = .seconds(2)
    /// How many rounds over all servers.
    package var attempts = 2
    /// Begin with another server for each question.
    package var rotates = false
    package var usesEDNS = true
    /// Ask over TCP only.
    package var usesTCP = false
    /// Send names in mixed case and want them back so (0x20).
    package var mixesCase = false
    /// Believe any server's word that an answer was verified; else only that of a loopback server.
    package var trustsAuthentication = false
    /// Domains that a name may be completed with, when that is asked for.
    package var search: [String] = []
    /// How many dots make a name complete enough to be tried as it stands first.
    package var dots = 1
    /// Do not look for IPv6 addresses.
    package var omitsIPv6 = false

    package init(servers: [SocketAddress]) { self.servers = servers }

    /// glibc asks no more servers than this.
    private static let serverLimit = 3

    /// Reads the lines of a resolv.conf. Unknown words and garbage are passed over; without a server it is 127.0.0.1.
    package init(parsing text: [UInt8]) {
        servers = []
        for line in text.split(whereSeparator: { $0 == ASCII.lf || $0 == ASCII.cr }) {
            let words = ResolverConfiguration.words(line)
            guard let keyword = words.first, !keyword.hasPrefix("#"), !keyword.hasPrefix(";") else { continue }
            let values = words.dropFirst().prefix { !$0.hasPrefix("#") && !$0.hasPrefix(";") }
            switch keyword {
            case "nameserver":
                guard let word = values.first, let address = IPAddress(word),
                    servers.count < ResolverConfiguration.serverLimit
                else { continue }
                servers.append(.ip(address, port: 53))
            case "search": search = Array(values)
            case "domain": search = values.first.map { [$0] } ?? []
            case "options": for option in values { apply(option: option) }
            default: continue
            }
        }
        if servers.isEmpty { servers = [.ip(.loopback4, port: 53)] }
    }

    /// Reads a resolv.conf and then `RES_OPTIONS` and `LOCALDOMAIN` of the environment, which come on top. A file that
    /// is not there means the server 127.0.0.1; `required` makes that an error.
    package static func system(
        path: String = "/etc/resolv.conf", required: Bool = false
    ) throws(SystemError) -> ResolverConfiguration {
        var text: [UInt8] = []
        do throws(SystemError) {
            text = try Files.read(path, limit: 1 << 20)
        } catch {
            if required { throw error }
        }
        var configuration = ResolverConfiguration(parsing: text)
        if let options = environment("RES_OPTIONS") {
            for option in words(options) { configuration.apply(option: option) }
        }
        if let domains = environment("LOCALDOMAIN") { configuration.search = words(domains) }
        return configuration
    }

    private static func environment(_ name: String) -> ArraySlice<UInt8>? {
        getenv(name).map { Array(String(cString: $0).utf8)[...] }
    }

    private static func words(_ text: ArraySlice<UInt8>) -> [String] {
        text.split(whereSeparator: { $0.isSpaceOrTab || $0 == ASCII.cr }).map(\.text)
    }

    /// Takes one word of the `options` line; unknown ones mean nothing.
    package mutating func apply(option: String) {
        let parts = option.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let number = parts.count == 2 ? Int(parts[1]) : nil
        switch (parts[0], number) {
        // The caps of glibc.
        case ("ndots", let number?) where number >= 0: dots = min(number, 15)
        case ("timeout", let number?) where number > 0: timeout = .seconds(min(number, 30))
        case ("attempts", let number?) where number > 0: attempts = min(number, 5)
        case ("rotate", _): rotates = true
        case ("edns0", _): usesEDNS = true
        case ("trust-ad", _): trustsAuthentication = true
        case ("use-vc", _): usesTCP = true
        case ("no-aaaa", _): omitsIPv6 = true
        default: break
        }
    }

    /// The names to try for `name` in order, when completing it was asked for.
    package func candidates(for name: String) -> [String] {
        if name.hasSuffix(".") { return [name] }
        let completed = search.map { $0 == "." ? name : "\(name).\($0)" }
        return name.utf8.count { $0 == ASCII.dot } >= dots ? [name] + completed : completed + [name]
    }
}
