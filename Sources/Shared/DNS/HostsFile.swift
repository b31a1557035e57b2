import Bytes
import Unix

/// The addresses of hosts out of /etc/hosts (hosts(5)). Mail domains are never looked up there.
package struct HostsFile: Sendable {
    private var addresses: [String: [IPAddress]] = [:]

    /// Reads lines of an address and names; what is not understood is passed over.
    package init(parsing text: [UInt8]) {
        for line in text.split(whereSeparator: { $0 == ASCII.lf || $0 == ASCII.cr }) {
            let words = line.prefix { $0 != UInt8(ascii: "#") }.split(whereSeparator: \.isSpaceOrTab).map(\.text)
            guard let first = words.first, let address = IPAddress(first) else { continue }
            for word in words.dropFirst() {
                var name = word.asciiLowercased
                if name.hasSuffix(".") { name.removeLast() }
                if addresses[name]?.contains(address) != true { addresses[name, default: []].append(address) }
            }
        }
    }

    /// Reads the file; one that is not there knows no names.
    package init(path: String = "/etc/hosts") {
        self.init(parsing: (try? Files.read(path, limit: 16 << 20)) ?? [])
    }

    /// The addresses of a host; none when the file does not know it.
    package func addresses(of name: DomainName) -> [IPAddress] { addresses[name.description] ?? [] }
}
