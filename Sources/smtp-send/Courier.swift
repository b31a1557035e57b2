import Delivery
import Network
import OpenSSL
import SMTP
import Synchronization
import Unix

/// What became of a message for one recipient, and where.
struct RecipientReport: Sendable {
    var recipient: EnvelopeAddress
    var result: ClientResult
    /// The server that gave the result; nil when none was found.
    var server: ServerName?
    var tlsVersion: String?
    /// From the first attempt on.
    var time: Duration
    /// The server was asked for notifications in place of us (RFC 3461 5.2.3).
    var passedStatusRequest = false
    /// The message's name in a queue.
    var queueID: QueueID?
    /// Not delivered yet, but the queue has it: nothing is left to be done by the caller.
    var staysQueued = false
}

/// Addresses that cost a long wait for nothing: until when the failure is taken for granted, by all couriers.
final class SilentAddresses: Sendable {
    private let known = Mutex<[SocketAddress: (failure: ClientResult, end: ContinuousClock.Instant)]>([:])

    func failure(of address: SocketAddress) -> ClientResult? {
        known.withLock { known in
            guard let entry = known[address] else { return nil }
            if entry.end > .now { return entry.failure }
            known[address] = nil
            return nil
        }
    }

    func note(_ failure: ClientResult, of address: SocketAddress) {
        known.withLock { $0[address] = (failure, .now + .seconds(300)) }
    }
}

/// Brings messages to servers, one after the other: tries host after host and address after address (RFC 5321 5.1),
/// and keeps connections for the next message. Used from one task; several couriers work side by side.
final class Courier {
    private let routes: Routes
    private let settings: SendSettings
    private var idle: [ConnectionKey: Conversation] = [:]
    /// The order in which idle connections came to be, the oldest first.
    private var idleOrder: [ConnectionKey] = []
    private let silent: SilentAddresses
    /// Connections kept while nothing is sent on them.
    private static let idleLimit = 8

    init(routes: Routes, settings: SendSettings, silent: SilentAddresses) {
        self.routes = routes
        self.settings = settings
        self.silent = silent
    }

    /// Sends a message to all its recipients, by routes of its own when it has some; the reports have their order.
    func deliver(_ message: OutgoingMessage, by ownRoutes: Routes? = nil) async -> [RecipientReport] {
        let routes = ownRoutes ?? routes
        var deliveries: [EnvelopeAddress: RecipientReport] = [:]
        for (domain, recipients) in routes.groups(message.recipients) {
            var delivery = Dispatch(message: message, recipients: recipients)
            do throws(ClientResult) {
                await run(&delivery, try await routes.exchanges(for: domain))
            } catch {
                delivery.settle(error)
            }
            for report in delivery.reports { deliveries[report.recipient] = report }
        }
        return message.recipients.compactMap { deliveries[$0] }
    }

    /// Ends all connections in order.
    func quit() async {
        for key in idleOrder { await idle[key]?.quit() }
        idle = [:]
        idleOrder = []
    }

    // MARK: - Hosts and addresses

    /// Goes from host to host until every recipient has a result that stands. A temporary failure leads to the next
    /// host, a broken connection to the next address.
    private func run(_ delivery: inout Dispatch, _ exchanges: [Exchange]) async {
        for exchange in exchanges {
            for address in exchange.addresses where !delivery.isComplete {
                let hasReplied = await attempt(&delivery, exchange, address)
                if hasReplied { break }
            }
            if delivery.isComplete { return }
        }
    }

    /// One host at one address. True when the host has spoken for every recipient, so that its other addresses need not
    /// be asked.
    private func attempt(_ delivery: inout Dispatch, _ exchange: Exchange, _ address: SocketAddress) async -> Bool {
        let mustBeSure = delivery.message.request.parameters.requiresTLS && !settings.tls.acceptsAny
        let exchange = mustBeSure ? exchange.forRequiredTLS : exchange
        if case .unusable(let result) = exchange.security {
            delivery.note(result, at: exchange.server)
            return false
        }
        let key = ConnectionKey(
            address, exchange, isByName: !settings.tls.fallsBackToClear || routes.path.leadsElsewhere)
        var waiting = delivery.pending
        if let conversation = takeIdle(key) {
            waiting = await send(&delivery, conversation, key, to: waiting)
            // A server may close a connection that it finds idle: that says nothing about the message.
            if delivery.isLostUnheard { waiting = delivery.pending }
            if waiting.isEmpty { return delivery.hasReplied }
        }
        if let failure = silent.failure(of: address) {
            delivery.note(failure, at: exchange.server)
            return false
        }
        // A server that takes no more of them on one connection gets another one.
        while !waiting.isEmpty {
            let start = ContinuousClock.now
            do throws(ClientResult) {
                waiting = await send(&delivery, try await open(exchange, address), key, to: waiting)
            } catch {
                if error.cause == .connection, .now - start > .seconds(2) {
                    silent.note(error, of: address)
                }
                delivery.note(error, at: exchange.server, for: waiting)
                return false
            }
        }
        return delivery.hasReplied
    }

    private func open(
        _ exchange: Exchange, _ address: SocketAddress
    ) async throws(ClientResult) -> Conversation {
        // With another address to go to, one of a family that often leads nowhere is not waited for long.
        let isOneOfMany = exchange.addresses.contains { $0.ip?.isIPv6 == false } && address.ip?.isIPv6 == true
        let proxy = try await routes.proxyAddress()
        let limit = isOneOfMany ? min(settings.connectTimeout, .seconds(3)) : settings.connectTimeout
        let policy =
            exchange.security.isRequired && settings.tls.policy == .opportunistic ? .required : settings.tls.policy
        do throws(ClientResult) {
            return try await Conversation.open(
                address, of: exchange, policy: policy, connectTimeout: limit, by: proxy, settings: settings)
        } catch {
            guard error.cause == .tls, settings.tls.fallsBackToClear, policy == .opportunistic else {
                throw error
            }
            return try await Conversation.open(
                address, of: exchange, policy: .never, connectTimeout: limit, by: proxy, settings: settings)
        }
    }

    /// Sends the message to recipients; in several transactions when the server takes only so many at a time. Returns
    /// those for whom it takes no further transaction on this connection.
    private func send(
        _ delivery: inout Dispatch, _ conversation: Conversation, _ key: ConnectionKey,
        to recipients: [EnvelopeAddress]
    ) async -> [EnvelopeAddress] {
        var waiting = recipients[...]
        while !waiting.isEmpty, !(conversation.isOpen && conversation.isExhausted) {
            let batch = conversation.batch(of: waiting)
            waiting = waiting.dropFirst(batch.count)
            let results = await conversation.send(delivery.message, to: batch)
            delivery.note(results, for: batch, conversation)
            if results.contains(where: { $0.outcome == .accepted }) {
                // RFC 5321 4.5.3.1.10: those beyond the server's limit get a transaction of their own.
                waiting = zip(batch, results).filter { $1.isTooManyRecipients }.map { $0.0 } + waiting
            }
        }
        if conversation.isExhausted {
            await conversation.quit()
        } else {
            await keep(conversation, key)
        }
        return Array(waiting)
    }

    // MARK: - Idle connections

    private func takeIdle(_ key: ConnectionKey) -> Conversation? {
        idleOrder.removeAll { $0 == key }
        return idle.removeValue(forKey: key)
    }

    private func keep(_ conversation: Conversation, _ key: ConnectionKey) async {
        if idleOrder.count >= Self.idleLimit, let oldest = idleOrder.first { await takeIdle(oldest)?.quit() }
        idle[key] = conversation
        idleOrder.append(key)
    }
}

/// What a connection has to have in common with what another message asks for, to be of use for it: where it leads, what was
/// asked of its encryption, and where names count, whom it was opened to. One that was opened to a host in any way is not
/// for a domain whose policy wants that host verified (RFC 8461 4.2, RFC 7672 2.2).
private struct ConnectionKey: Hashable {
    private let address: SocketAddress
    private let server: ServerName?
    private let judgement: ClientTLS.Judgement
    private let associations: [TLSAssociation]

    /// `isByName`: the address does not say who is there, or the certificate has to.
    init(_ address: SocketAddress, _ exchange: Exchange, isByName: Bool) {
        self.address = address
        judgement = exchange.security.judgement
        server = isByName || judgement != .usual ? exchange.server : nil
        associations = exchange.security.associations
    }
}

extension Conversation {
    /// The first recipients, as many as one transaction may have.
    fileprivate func batch(of waiting: ArraySlice<EnvelopeAddress>) -> [EnvelopeAddress] {
        let batch = waiting.prefix(recipientLimit)
        guard let domainLimit = recipientDomainLimit else { return Array(batch) }
        var domains: Set<String?> = []
        return Array(
            batch.prefix { recipient in
                domains.insert(recipient.domain)
                return domains.count <= domainLimit
            })
    }
}

extension ClientResult {
    /// The server takes no more recipients in this transaction, but took others.
    fileprivate var isTooManyRecipients: Bool {
        outcome == .temporary && (code == 452 || code == 552)
            && (enhanced == nil || enhanced == "4.5.3" || enhanced == "5.5.3")
    }
}
