import Glibc
import OpenSSL
import Synchronization
import Unix

/// Where a server listens: an address, and how a connection begins there.
package struct ListenAddress: Hashable, Sendable {
    package let address: SocketAddress
    /// TLS begins at once.
    package let isTLS: Bool
    /// A PROXY header says who the client is.
    package let isProxied: Bool

    package init(_ address: SocketAddress, isTLS: Bool = false, isProxied: Bool = false) {
        self.address = address
        self.isTLS = isTLS
        self.isProxied = isProxied
    }

    /// Reads `127.0.0.1:25`, `[::1]:465,tls`, `unix:/path,proxy`; nil for anything else.
    package init?(_ text: String) {
        var text = text
        var words: Set<String> = []
        while let word = ["tls", "proxy"].first(where: { text.hasSuffix(",\($0)") }) {
            words.insert(word)
            text.removeLast(word.utf8.count + 1)
        }
        guard let address = SocketAddress(text) else { return nil }
        self.init(address, isTLS: words.contains("tls"), isProxied: words.contains("proxy"))
    }
}

/// What a session knows of how its connection came in.
package struct ConnectionOrigin: Sendable {
    /// The listening address that took the connection.
    package let listener: ListenAddress
    /// True when more connections are open than the server allows: say so and end.
    package let isOverLimit: Bool

    package init(listener: ListenAddress, isOverLimit: Bool = false) {
        self.listener = listener
        self.isOverLimit = isOverLimit
    }
}

/// The driver that all servers share: listens, takes connections in, gives each a task, and comes to an orderly end.
///
/// SIGTERM and SIGINT stop it: no more connections are taken, interruptible waits end, and it returns when the last
/// session has ended, at the latest after `drainTime`. SIGHUP calls `reload`. Sockets handed over by a service manager
/// (`LISTEN_FDS`) take the place of the addresses to listen on.
package final class Server: Sendable {
    package struct Configuration: Sendable {
        package var listen: [ListenAddress]
        package var maximumConnections: Int
        /// Event loops that take connections, each on a thread of its own.
        package var loops: Int
        /// How long sessions may go on after the request to stop.
        package var drainTime: Duration
        /// Called on SIGHUP.
        package var reload: @Sendable () async -> Void

        package init(
            listen: [ListenAddress], maximumConnections: Int = 10_000, loops: Int = 1,
            drainTime: Duration = .seconds(30),
            reload: @escaping @Sendable () async -> Void = {}
        ) {
            self.listen = listen
            self.maximumConnections = maximumConnections
            self.loops = loops
            self.drainTime = drainTime
            self.reload = reload
        }
    }

    private struct Listener: Sendable {
        let socket: PolledDescriptor
        let address: ListenAddress
    }

    private let listeners: [Listener]
    private let configuration: Configuration
    private let signals: SignalQueue
    private let sessions = LiveSessions()
    /// The loops beside this one.
    private let loops: [EventLoop]
    /// So many connections leave descriptors for what the sessions have to open.
    private let descriptorsForConnections: Int
    private let copies = Mutex(Copies())

    /// The listening sockets of the other loops.
    private struct Copies {
        var sockets: [PolledDescriptor] = []
        var isStopping = false
    }

    /// Binds every address. Call on the loop.
    package init(_ configuration: Configuration) throws(SystemError) {
        self.configuration = configuration
        ResourceLimits.raiseDescriptorLimit()
        let limit = ResourceLimits.descriptorLimit
        descriptorsForConnections = max(1, limit - max(24, limit / 4))
        signals = try SignalQueue([SIGTERM, SIGINT, SIGHUP])
        var listeners: [Listener] = []
        let isShared = configuration.loops > 1
        let inherited = Sockets.inheritedListeners()
        for number in inherited {
            let socket = try PolledDescriptor(
                FileDescriptor(owning: number, subject: "an inherited socket"), shared: isShared)
            // What the options say of the address at the same place of the list holds for it.
            let index = listeners.count
            let wanted =
                configuration.listen.indices.contains(index) ? configuration.listen[index] : configuration.listen.first
            let address = ListenAddress(
                Sockets.localAddress(number), isTLS: wanted?.isTLS ?? false, isProxied: wanted?.isProxied ?? false)
            listeners.append(Listener(socket: socket, address: address))
        }
        if inherited.isEmpty {
            for wanted in configuration.listen {
                let socket = try PolledDescriptor(Sockets.listen(on: wanted.address), shared: isShared)
                let address = ListenAddress(
                    Sockets.localAddress(socket.number), isTLS: wanted.isTLS, isProxied: wanted.isProxied)
                listeners.append(Listener(socket: socket, address: address))
            }
        }
        self.listeners = listeners
        var loops: [EventLoop] = []
        for _ in 0..<max(0, configuration.loops - 1) { loops.append(try EventLoop.start()) }
        self.loops = loops
    }

    /// The addresses that it listens on, with the ports that the kernel chose.
    package var addresses: [ListenAddress] { listeners.map(\.address) }

    /// Serves until a signal stops it. `session` has one connection to itself, which is closed when it returns.
    package func run(
        _ session: @escaping @Sendable (Connection, ConnectionOrigin) async -> Void
    ) async {
        await withTaskGroup(of: Event.self) { group in
            for listener in listeners {
                group.addTask {
                    await self.accept(listener, session)
                    return .listenerEnded
                }
            }
            for loop in loops {
                for listener in listeners {
                    group.addTask(executorPreference: loop) {
                        if let copy = self.copy(of: listener) { await self.accept(copy, session) }
                        return .listenerEnded
                    }
                }
            }
            group.addTask { await self.nextStop() }
            var open = listeners.count * (loops.count + 1)
            while let event = await group.next(), event != .stopRequested { open -= 1 }

            stopListening()
            sessions.interruptAll()
            group.addTask {
                try? await EventLoop.sleep(for: self.configuration.drainTime)
                return .drainTimeOver
            }
            group.addTask { await self.nextStop() }
            while open > 0, let event = await group.next() {
                if event == .listenerEnded { open -= 1 } else { group.cancelAll() }
            }
            group.cancelAll()
        }
        for loop in loops { loop.stop() }
    }

    private func stopListening() {
        for listener in listeners {
            removeSocketFile(listener.address.address)
            listener.socket.close()
        }
        let sockets = copies.withLock { copies in
            copies.isStopping = true
            return copies.sockets
        }
        for socket in sockets { socket.closeSoon() }
    }

    /// A listening socket for the loop that this is called on; nil when there is none to be had.
    private func copy(of listener: Listener) -> Listener? {
        guard let descriptor = Sockets.copy(of: listener.socket.number, subject: "\(listener.address.address)"),
            let socket = try? PolledDescriptor(descriptor, shared: true)
        else { return nil }
        let isStopping = copies.withLock { copies in
            copies.sockets.append(socket)
            return copies.isStopping
        }
        if isStopping { socket.close() }
        return Listener(socket: socket, address: listener.address)
    }

    private enum Event: Sendable { case listenerEnded, stopRequested, drainTimeOver }

    /// Returns at a request to stop.
    private func nextStop() async -> Event {
        while let signal = await signals.next() {
            if signal != SIGHUP { break }
            await configuration.reload()
        }
        return .stopRequested
    }

    private func accept(
        _ listener: Listener, _ session: @escaping @Sendable (Connection, ConnectionOrigin) async -> Void
    ) async {
        await withDiscardingTaskGroup { group in
            while true {
                do throws(SystemError) {
                    if sessions.count >= descriptorsForConnections {
                        throw SystemError(code: EMFILE, operation: "accept")
                    }
                    guard let (number, peer) = try Sockets.accept(from: listener.socket.number) else {
                        guard await listener.socket.waitUntilReadable() == .ready else { return }
                        continue
                    }
                    let origin = ConnectionOrigin(
                        listener: listener.address,
                        isOverLimit: sessions.take() >= configuration.maximumConnections)
                    group.addTask {
                        await self.serve(number, peer, origin, session)
                        self.sessions.give()
                    }
                } catch {
                    if error.code == EBADF || error.code == EINVAL { return }
                    // No descriptors or memory left: those who wait in the backlog are served when some are free.
                    do { try await EventLoop.sleep(for: .milliseconds(50)) } catch { return }
                }
            }
        }
    }

    private func serve(
        _ number: Int32, _ peer: SocketAddress, _ origin: ConnectionOrigin,
        _ session: @Sendable (Connection, ConnectionOrigin) async -> Void
    ) async {
        guard
            let connection = try? Connection(
                FileDescriptor(owning: number, subject: "\(peer)"), peer: peer)
        else { return }
        sessions.add(connection.polled)
        await session(connection, origin)
        sessions.remove(connection.polled)
        connection.close()
    }

    private func removeSocketFile(_ address: SocketAddress) {
        if case .unix(let path) = address, !path.isEmpty { try? Files.remove(path) }
    }
}
