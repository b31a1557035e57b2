import Bytes
import DNS
import Unix

extension FuzzTarget {
    /// What names mail hosts: DNS packets, zones, domains, addresses and the resolver's files.
    static let names = [
        FuzzTarget("dns-message") { bytes in
            _ = try? Message(parsing: bytes.span)
            if let name = try? DomainName("example.org") {
                let query = Query(id: 7, name: name, type: .mx, hasOptions: true)
                _ = query.match(bytes.span)
            }
        },
        FuzzTarget("zone") { bytes in
            guard let zone = try? Zone(parsing: bytes, name: "zone"), let name = try? DomainName("a.example.org")
            else { return }
            _ = zone.answer(name, .mx)
        },
        FuzzTarget("mail-domain") { bytes in
            // libidn2 wants text; what is not UTF-8 never reaches it.
            guard UTF8Text.isValid(bytes.span) else { return }
            _ = try? MailDomain(bytes.text)
            _ = IPAddress(bytes.text)
            _ = SocketAddress(bytes.text)
        },
        FuzzTarget("resolver-configuration") { bytes in
            _ = ResolverConfiguration(parsing: bytes)
            _ = HostsFile(parsing: bytes)
        },
    ]
}
