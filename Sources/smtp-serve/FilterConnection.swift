import DNS
import Network
import Unix

/// How filters are reached, and how long they may take.
struct FilterSettings: Sendable {
    let timeout: Duration
    /// The most that a filter may give back, in bytes.
    let limit: Int
    let resolver: Resolver?

    struct Unreachable: Error, CustomStringConvertible { let description: String }

    func connect(_ address: FilterAddress) async throws -> Connection {
        switch address.host {
        case .address(let address): return try await Connection.connect(to: address, timeout: timeout)
        case .name(let name, let port):
            guard let resolver else { throw Unreachable(description: "\(name): names are not looked up") }
            var last: (any Error)?
            for address in await resolver.addresses(of: name).addresses {
                do {
                    return try await Connection.connect(to: .ip(address, port: port), timeout: timeout)
                } catch {
                    last = error
                }
            }
            throw last ?? Unreachable(description: "\(name) has no address")
        }
    }
}
