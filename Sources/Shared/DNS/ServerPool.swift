import Synchronization
import Unix

/// The servers of a resolver and what was learned of them in this run.
final class ServerPool: Sendable {
    private struct Health {
        /// Asked last until then.
        var failingUntil: ContinuousClock.Instant?
        var lacksEDNS = false
        var transports: [ObjectIdentifier: LoopConfined<DatagramTransport>] = [:]
    }

    private struct State {
        var health: [Health]
        var first = 0
    }

    /// How long a server that failed is asked last.
    private static let penalty = Duration.seconds(60)

    let servers: [SocketAddress]
    /// How people read a server: the port only when it is not 53.
    let names: [String]
    private let rotates: Bool
    private let state: Mutex<State>

    init(_ configuration: ResolverConfiguration) {
        servers = configuration.servers
        names = servers.map { if case .ip(let address, port: 53) = $0 { "\(address)" } else { "\($0)" } }
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

    /// What speaks with a server over UDP on the event loop of this task; nil outside of one.
    func transport(_ server: Int) -> DatagramTransport? {
        guard let loop = EventLoop.current else { return nil }
        let confined = state.withLock { state in
            let key = ObjectIdentifier(loop)
            if let known = state.health[server].transports[key] { return known }
            let transport = LoopConfined(DatagramTransport(to: servers[server], on: loop), on: loop)
            state.health[server].transports[key] = transport
            return transport
        }
        return confined.value
    }
}
