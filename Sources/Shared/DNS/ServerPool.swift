import Synchronization
import Unix

/// The servers of a resolver and what was learned of them in this run.
final class ServerPool: Sendable {
    private struct Health {
        /// Asked last until then.
        var failingUntil: ContinuousClock.Instant?
        var lacksEDNS = false
    }

    private struct State {
        var health: [Health]
        var first = 0
    }

    /// How long a server that failed is asked last.
    private static let penalty = Duration.seconds(60)

    let servers: [SocketAddress]
    private let rotates: Bool
    private let state: Mutex<State>

    init(_ configuration: ResolverConfiguration) {
        servers = configuration.servers
        rotates = configuration.rotates
        state = Mutex(State(health: Array(repeating: Health(), count: configuration.servers.count)))
    }

    /// The order in which to ask for one question: as configured, those that failed last.
    func order() -> [Int] {
        if servers.count == 1 { return [0] }
        return state.withLock { state in
            var order = Array(servers.indices)
            if rotates {
                order = Array(order[state.first...] + order[..<state.first])
                state.first = (state.first + 1) % servers.count
            }
            guard state.health.contains(where: { $0.failingUntil != nil }) else { return order }
            let now = ContinuousClock.now
            let isFailing = order.map { (state.health[$0].failingUntil ?? now) > now }
            return zip(order, isFailing).filter { !$0.1 }.map(\.0) + zip(order, isFailing).filter(\.1).map(\.0)
        }
    }

    func hasFailed(_ server: Int) {
        state.withLock { $0.health[server].failingUntil = .now + ServerPool.penalty }
    }

    func hasAnswered(_ server: Int) {
        state.withLock { if $0.health[server].failingUntil != nil { $0.health[server].failingUntil = nil } }
    }

    func lacksEDNS(_ server: Int) -> Bool { state.withLock { $0.health[server].lacksEDNS } }
    func noteLackOfEDNS(_ server: Int) { state.withLock { $0.health[server].lacksEDNS = true } }

    /// How people read a server: the port only when it is not 53.
    static func name(_ server: SocketAddress) -> String {
        if case .ip(let address, port: 53) = server { "\(address)" } else { "\(server)" }
    }
}
