import Bytes
import Unix

/// The queries of one event loop to one server over UDP.
///
/// As long as few are under way each has a socket of its own, with a port that the kernel chose for it (RFC 5452 9.2).
/// Many share a pool of sockets, each of which is replaced after some hundred queries; ids are random in either case.
/// What the tasks of the loop ask goes out with one system call a socket. The number of queries under way shrinks when
/// datagrams get lost, and a query is repeated early once it is known how long the server takes.
final class DatagramTransport {
    private struct Pending {
        let query: Query
        let continuation: UnsafeContinuation<ExchangeResult, Never>
        let token: UInt64
        let sentAt: UInt64
        let deadline: UInt64
        /// When it is sent once more, though its time is not over.
        var repeatAt: UInt64
        var repeats = 0
    }

    private struct Waiting {
        let query: Query
        let continuation: UnsafeContinuation<ExchangeResult, Never>
        let token: UInt64
        let timeout: Duration
    }

    private final class Port {
        let channel: DatagramChannel
        var pending: [UInt16: Pending] = [:]
        /// What is to be sent, and where each datagram ends.
        var outbox: [UInt8] = []
        var ends: [UInt32] = []
        var queries = 0

        init(_ channel: DatagramChannel) { self.channel = channel }
    }

    /// So many sockets at a time, each for so many queries.
    private static let portLimit = 16
    private static let queriesOfPort = 256
    /// Queries that go to one socket before the next is taken, so that they are sent together.
    private static let batch = 16
    /// The most and the fewest queries under way.
    private static let widest = 768
    private static let narrowest = 16
    private static let receiveBuffer = 1 << 20

    let server: SocketAddress
    let loop: EventLoop
    private var ports: [Port] = []
    private var turn = 0
    /// Sockets that take no more queries and wait for their last answers.
    private var retired: [Port] = []
    private var unsent: [Port] = []
    private var waiting: [Waiting] = []
    private var firstWaiting = 0
    private var underWay = 0
    private var limit = 512
    private var limitChangedAt: UInt64 = 0
    private var answersSinceGrowth = 0
    private var tokens: UInt64 = 0
    private var random = RandomNumbers()
    private let buffer = DatagramBuffer()
    private var roundTrip = RoundTripTime()
    private var alarm: Alarm?

    init(to server: SocketAddress, on loop: EventLoop) {
        self.server = server
        self.loop = loop
        alarm = Alarm(on: loop) { [unowned self] in passTime() }
    }

    deinit { for port in ports + retired { port.channel.close() } }

    /// Sends a query, whose id is chosen here, and waits for the answer that matches it.
    nonisolated(nonsending) func exchange(_ query: Query, timeout: Duration) async -> ExchangeResult {
        tokens &+= 1
        let token = tokens
        let confined = LoopConfined(self, on: loop)
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                if Task.isCancelled { return continuation.resume(returning: .cancelled) }
                let entry = Waiting(query: query, continuation: continuation, token: token, timeout: timeout)
                if underWay < limit { start(entry) } else { waiting.append(entry) }
            }
        } onCancel: {
            confined.loop.execute { confined.value?.cancel(token) }
        }
    }

    // MARK: Sending

    private func start(_ entry: Waiting) {
        let port: Port
        do throws(SystemError) {
            port = try self.port()
        } catch {
            entry.continuation.resume(returning: .failed(error.reason))
            return
        }
        var id = random.next16()
        while port.pending[id] != nil { id = random.next16() }
        var query = entry.query
        query.id = id
        let now = loop.now
        let patience = roundTrip.patience
        let pending = Pending(
            query: query, continuation: entry.continuation, token: entry.token, sentAt: now,
            deadline: loop.deadline(after: entry.timeout), repeatAt: patience.map { now &+ $0 } ?? .max)
        port.pending[id] = pending
        port.queries += 1
        underWay += 1
        put(query, into: port)
        wake(at: min(pending.deadline, pending.repeatAt))
    }

    /// The socket for the next query: a new one as long as there are few, else the one whose turn it is.
    private func port() throws(SystemError) -> Port {
        if ports.count < DatagramTransport.portLimit {
            do throws(SystemError) {
                return try open()
            } catch {
                if ports.isEmpty { throw error }
            }
        }
        turn = (turn + 1) % (ports.count * DatagramTransport.batch)
        let index = turn / DatagramTransport.batch
        let port = ports[index]
        guard port.queries >= DatagramTransport.queriesOfPort, let fresh = try? open() else { return port }
        ports.remove(at: index)
        if port.pending.isEmpty { port.channel.close() } else { retired.append(port) }
        return fresh
    }

    private func open() throws(SystemError) -> Port {
        let port = Port(
            try DatagramChannel(to: server, receiveBuffer: DatagramTransport.receiveBuffer, on: loop))
        port.channel.onReadable = { [unowned self, unowned port] in receive(port) }
        ports.append(port)
        return port
    }

    private func put(_ query: Query, into port: Port) {
        if unsent.isEmpty { loop.beforeWaiting { [weak self] in self?.flush() } }
        if port.outbox.isEmpty { unsent.append(port) }
        query.append(to: &port.outbox)
        port.ends.append(UInt32(truncatingIfNeeded: port.outbox.count))
    }

    private func flush() {
        let ports = unsent
        unsent.removeAll(keepingCapacity: true)
        for port in ports {
            var first = 0
            do throws(SystemError) {
                while first < port.ends.count {
                    let count = try port.channel.send(port.outbox, ends: port.ends, from: first)
                    // What the kernel has no room for is lost, as datagrams are.
                    if count == 0 { break }
                    first += count
                }
            } catch {
                fail(port, error)
            }
            port.outbox.removeAll(keepingCapacity: true)
            port.ends.removeAll(keepingCapacity: true)
        }
    }

    // MARK: Receiving

    private func receive(_ port: Port) {
        do throws(SystemError) {
            try port.channel.receive(into: buffer)
        } catch {
            return fail(port, error)
        }
        for index in 0..<buffer.count { buffer.withDatagram(index) { take($0, port) } }
        release(port)
    }

    /// What does not match the query is ignored; the wait for what does goes on (RFC 5452 9.1).
    private func take(_ datagram: Span<UInt8>, _ port: Port) {
        guard let header = try? MessageHeader(datagram), let pending = port.pending[header.id] else { return }
        let result: ExchangeResult
        switch pending.query.match(datagram) {
        case .foreign: return
        case .otherCase: result = .otherCase
        case .truncated: result = .truncated
        case .malformed: result = .malformed
        case .answer(let message): result = .answer(message)
        }
        port.pending[header.id] = nil
        if pending.repeats == 0 { roundTrip.add(loop.now &- pending.sentAt) }
        answersSinceGrowth += 1
        if answersSinceGrowth >= 4, limit < DatagramTransport.widest {
            limit += 1
            answersSinceGrowth = 0
        }
        end(pending, result)
    }

    private func fail(_ port: Port, _ error: SystemError) {
        let lost = port.pending.values
        port.pending.removeAll()
        for pending in lost { end(pending, .failed(error.reason)) }
        release(port)
    }

    private func end(_ pending: Pending, _ result: ExchangeResult) {
        underWay -= 1
        pending.continuation.resume(returning: result)
        startWaiting()
    }

    private func startWaiting() {
        while underWay < limit, firstWaiting < waiting.count {
            let entry = waiting[firstWaiting]
            firstWaiting += 1
            start(entry)
        }
        if firstWaiting == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            firstWaiting = 0
        } else if firstWaiting > 1_024 {
            waiting.removeFirst(firstWaiting)
            firstWaiting = 0
        }
    }

    /// Closes a socket that waits for nothing, unless there is so much to ask that it is of use again.
    private func release(_ port: Port) {
        guard port.pending.isEmpty else { return }
        if let index = retired.firstIndex(where: { $0 === port }) {
            retired.remove(at: index)
        } else if underWay < DatagramTransport.portLimit, let index = ports.firstIndex(where: { $0 === port }) {
            ports.remove(at: index)
            turn = 0
        } else {
            return
        }
        port.channel.close()
    }

    private func cancel(_ token: UInt64) {
        if let index = waiting[firstWaiting...].firstIndex(where: { $0.token == token }) {
            let entry = waiting.remove(at: index)
            return entry.continuation.resume(returning: .cancelled)
        }
        for port in ports + retired {
            guard let (id, pending) = port.pending.first(where: { $0.value.token == token }) else { continue }
            port.pending[id] = nil
            end(pending, .cancelled)
            return release(port)
        }
    }

    // MARK: Time

    private func wake(at instant: UInt64) {
        guard let alarm else { return }
        if let set = alarm.instant, set <= instant { return }
        alarm.set(at: instant)
    }

    /// Ends the queries whose time is over, and repeats those that should have been answered by now.
    private func passTime() {
        let now = loop.now
        var next = UInt64.max
        var late = 0
        for port in ports + retired {
            var over: [UInt16] = []
            for (id, pending) in port.pending {
                if pending.deadline <= now {
                    over.append(id)
                } else {
                    if pending.repeatAt <= now {
                        late += 1
                        next = min(next, sendAgain(id, port, now))
                    }
                    next = min(next, pending.deadline, pending.repeatAt > now ? pending.repeatAt : .max)
                }
            }
            late += over.count
            for id in over {
                if let pending = port.pending.removeValue(forKey: id) { end(pending, .timedOut) }
            }
            if !over.isEmpty { release(port) }
        }
        if late > 0 { narrow(now) }
        if next != .max { wake(at: next) }
    }

    private func sendAgain(_ id: UInt16, _ port: Port, _ now: UInt64) -> UInt64 {
        guard var pending = port.pending[id] else { return .max }
        pending.repeats += 1
        let patience = (roundTrip.patience ?? 1_000_000_000) << UInt64(min(pending.repeats, 10))
        pending.repeatAt = now &+ patience
        port.pending[id] = pending
        put(pending.query, into: port)
        return pending.repeatAt
    }

    /// Halves what may be under way, once for what was lost together.
    private func narrow(_ now: UInt64) {
        guard now &- limitChangedAt > 100_000_000 else { return }
        limitChangedAt = now
        limit = max(DatagramTransport.narrowest, min(limit, underWay) / 2)
    }
}

/// How long a server takes, smoothed as RFC 6298 does it. In nanoseconds.
struct RoundTripTime {
    private var mean: UInt64 = 0
    private var variation: UInt64 = 0
    private var samples = 0

    /// Fewer answers than this tell nothing.
    private static let wanted = 64
    private static let shortest: UInt64 = 50_000_000

    mutating func add(_ time: UInt64) {
        let time = min(time, 60_000_000_000)
        if samples == 0 {
            mean = time
            variation = time / 2
        } else {
            let distance = time > mean ? time - mean : mean - time
            variation = (3 * variation + distance) / 4
            mean = (7 * mean + time) / 8
        }
        samples = min(samples + 1, RoundTripTime.wanted)
    }

    /// After how long an answer is taken for lost; nil as long as too little is known.
    var patience: UInt64? {
        samples < RoundTripTime.wanted ? nil : max(RoundTripTime.shortest, 2 * (mean + 4 * variation))
    }
}
