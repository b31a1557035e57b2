import Bytes
import Delivery
import Network
import OpenSSL
import SMTP
import ServerTool
import Unix

/// Where a message comes from.
struct MessageOrigin: Sendable {
    let client: SocketAddress
    /// The client's name in the DNS, when it leads back to its address.
    let clientName: String?
    /// What it said in HELO or EHLO.
    let helloName: String
    /// `ESMTPS` and its like.
    let transport: String
    let user: String?
    let tls: TLSDescription?
    /// It has not logged in and comes from no network that may relay.
    let isStranger: Bool
}

/// A message that comes in: gathered, filtered, and committed to where its recipients' mail goes.
///
/// When nothing has to look at it, its content goes to the temporary files of its deliveries as it comes; else it is
/// gathered whole in a spool first.
final class IncomingMessage {
    private let service: MailService
    private var envelope: Envelope
    private let origin: MessageOrigin
    private let identifier: String
    private let arrival: Int
    private let begin = ContinuousClock.now
    private var size = 0
    private var failure: Reply?
    /// Every delivery of every recipient, by the recipient's place in the envelope.
    private var routes: [[LocalDelivery]] = []
    private var direct: MessageDelivery?
    private var spool: MessageSpool?

    /// Content in memory beyond which it goes to the temporary files.
    private static let memoryLimit = 65_536

    init(_ service: MailService, _ envelope: Envelope, _ origin: MessageOrigin) {
        self.service = service
        self.envelope = envelope
        self.origin = origin
        identifier = service.makeIdentifier()
        arrival = SystemClock.now.seconds
        let settings = service.settings
        guard !settings.isSink || settings.rules.readsMessages else { return }
        if settings.capture == nil, !settings.isSink { routes = envelope.recipients.map { route($0) } }
        if settings.hasFilters || settings.capture != nil || settings.rules.readsMessages || settings.isLMTP
            || checks != nil || wantsReport
            || routes.joined().contains(where: { $0.needsWholeMessage })
        {
            spool = MessageSpool()
        } else {
            let delivery = service.committer.begin(plan(Array(envelope.recipients.indices)))
            delivery.append(received)
            direct = delivery
        }
    }

    /// What is looked at in this message.
    private var checks: SenderChecks? { origin.isStranger ? service.settings.senderChecks : nil }

    /// A recipient's sender wants to be told of success.
    private var wantsReport: Bool {
        envelope.recipients.contains { $0.parameters.notify?.contains(.success) ?? false }
    }

    /// A recipient's deliveries; one that is not local any more since it was accepted goes nowhere, and is found in
    /// `store`.
    private func route(_ recipient: EnvelopeRecipient) -> [LocalDelivery] {
        let recipients = service.settings.recipients
        if !recipients.isLocal(recipient.path) {
            return [LocalDelivery(.forward(recipient.path), recipient: recipient.path)]
        }
        return (try? recipients.deliveries(for: recipient.path)) ?? []
    }

    private var received: [UInt8] {
        TraceFields(
            clientName: origin.helloName, clientAddress: origin.client, serverName: service.settings.hostName,
            transport: origin.transport, security: origin.tls.map { "\($0.version) \($0.cipher)" },
            identifier: identifier,
            onlyRecipient: envelope.recipients.count == 1 ? envelope.recipients[0].path : nil
        ).received(epoch: arrival, zone: SystemClock.zoneOffset(at: arrival))
    }

    // MARK: Content

    /// Takes more content.
    func append(_ piece: [UInt8]) async {
        size += piece.count
        guard failure == nil else { return }
        do throws(SystemError) {
            if let spool { return try await spool.append(piece) }
            guard let direct else { return }
            direct.append(piece)
            guard direct.pendingCount > IncomingMessage.memoryLimit else { return }
            try await offload { () throws(SystemError) in try direct.writePending() }
        } catch {
            fail(error)
        }
    }

    /// The content so far, for rules that look into it.
    func content() async -> [UInt8] {
        guard let spool else { return [] }
        return (try? await spool.bytes()) ?? []
    }

    /// Drops what is there of the message.
    func abandon() { direct?.abort() }

    // MARK: The end

    /// The message is whole: returns when it is on the disk, or why it is not; with LMTP, for each recipient.
    func finish() async -> [Reply] {
        let replies = await store()
        if service.events.isOn {
            service.events.message(
                origin.client, identifier, envelope, size: size, replies: replies,
                elapsed: ContinuousClock.now - begin)
        }
        return replies
    }

    private func store() async -> [Reply] {
        if let failure { return [failure] }
        if let direct { return [await commitDirectly(direct)] }
        guard let spool else { return [Reply(250, "2.0.0", "taken as \(identifier), and thrown away")] }
        do throws(SystemError) {
            let content = try await spool.bytes()
            return await process(content)
        } catch {
            fail(error)
            return [failure ?? .cannotStore]
        }
    }

    private func commitDirectly(_ delivery: MessageDelivery) async -> Reply {
        if routes.contains(where: \.isEmpty) {
            delivery.abort()
            return .cannotStore
        }
        if delivery.receivedCount > LoopGuard.limit {
            delivery.abort()
            return .loop
        }
        if case .failure(let error) = await service.committer.commit([delivery]) {
            fail(error)
            return failure ?? .cannotStore
        }
        tellDelivered(Array(envelope.recipients.indices))
        return Reply(250, "2.0.0", "delivered as \(identifier)")
    }

    private func fail(_ error: SystemError) {
        direct?.abort()
        service.tell(error)
        failure = Reply(storing: error)
    }

    // MARK: A message that is looked at

    private func process(_ content: [UInt8]) async -> [Reply] {
        if LoopGuard.receivedCount(content.span) > LoopGuard.limit { return [.loop] }
        var message = FilteredMessage(
            content: content, sender: "\(envelope.reversePath)",
            recipients: envelope.recipients.map(\.description), identifier: identifier, client: origin.client,
            helloName: origin.helloName, hostName: service.settings.hostName, user: origin.user,
            tls: origin.tls.map { ($0.version, $0.cipher) })
        if let checks {
            switch await check(content, by: checks) {
            case .success(let checked): message.content = checked
            case .failure(let refusal): return [refusal.reply]
            }
        }
        message.content = received + message.content
        switch await filter(message, by: service.settings.filters) {
        case .passes(let filtered):
            if service.settings.isSink { return [Reply(250, "2.0.0", "taken as \(identifier), and thrown away")] }
            if let capture = service.settings.capture { return [await write(filtered.content, to: capture)] }
            return await deliver(take(filtered))
        case .refused(let reply): return [reply]
        case .discarded: return [Reply(250, "2.0.0", "taken as \(identifier), and thrown away")]
        case .quarantined(let reason): return [await putAside(message.content, reason)]
        case .failed: return [.cannotFilter]
        }
    }

    /// The message with what was found out about its sender above it.
    private func check(_ content: [UInt8], by checks: SenderChecks) async -> Result<[UInt8], Refusal> {
        let (report, refusal) = await checks.look(
            content, client: origin.client.ip, helloName: origin.helloName, envelope.reversePath)
        if let report, service.events.isOn { service.events.authentication(origin.client, identifier, report) }
        if let refusal { return .failure(Refusal(reply: refusal)) }
        let server = service.settings.hostName
        let kept = SenderChecks.withoutForgedResults(content, server: server)
        return .success((report.map { checks.field($0, server: server) } ?? []) + kept)
    }

    /// Lets filters see a message, one after the other. A failure that `--filter-open` allows passes.
    private func filter(_ message: FilteredMessage, by filters: [FilterSpecification]) async -> FilterOutcome {
        let settings = service.settings
        let runner = FilterRunner(
            timeout: settings.filterTimeout, limit: settings.maximumSize * 2 + 65_536, resolver: settings.resolver)
        var message = message
        for filter in filters {
            let outcome = await runner.run(filter, message)
            if service.events.isOn { service.events.filter(origin.client, identifier, filter.name, outcome) }
            switch outcome {
            case .passes(let changed): message = changed
            case .failed where settings.passesUnfiltered: continue
            default: return outcome
            }
        }
        return .passes(message)
    }

    /// Takes over what a filter has made of the envelope, and returns the content.
    private func take(_ filtered: FilteredMessage) -> [UInt8] {
        if filtered.sender != "\(envelope.reversePath)" {
            envelope.reversePath = Path(mailbox: filtered.sender) ?? .null
        }
        let old = envelope.recipients
        if filtered.recipients != old.map(\.description), !service.settings.isLMTP {
            envelope.recipients = filtered.recipients.compactMap { text in
                old.first { $0.description == text } ?? Path(mailbox: text).map(EnvelopeRecipient.init)
            }
            routes = envelope.recipients.map { route($0) }
        }
        return filtered.content
    }

    private func write(_ content: [UInt8], to capture: Capture) async -> Reply {
        let envelope = envelope
        do throws(SystemError) {
            try await offload { () throws(SystemError) in try capture.write(content, envelope) }
            return Reply(250, "2.0.0", "written as \(identifier)")
        } catch {
            service.tell(error)
            return Reply(storing: error)
        }
    }

    /// Into the quarantine, when there is one.
    private func putAside(_ content: [UInt8], _ reason: String) async -> Reply {
        guard let folder = service.settings.quarantine else {
            return Reply(554, "5.7.1", "the message is not taken: \(reason)")
        }
        var plan = MessageDelivery.Plan(sender: envelope.reversePath, time: arrival)
        let recipients = envelope.recipients.map(\.description).joined(separator: ", ")
        let notes = "X-Quarantine-Reason: \(reason)\nX-Quarantine-Recipients: \(recipients)\n"
        let head = TraceFields.returnPath(envelope.reversePath) + notes.utf8.map { $0 == 13 ? 32 : $0 }
        plan.places = [(.maildir(folder), head)]
        let delivery = service.committer.begin(plan)
        delivery.append(content)
        if case .failure(let error) = await service.committer.commit([delivery]) {
            service.tell(error)
            return Reply(storing: error)
        }
        return Reply(250, "2.0.0", "taken as \(identifier)")
    }

    // MARK: Delivery

    /// Delivers a message that has passed; with LMTP each recipient's for itself.
    private func deliver(_ content: [UInt8]) async -> [Reply] {
        guard !envelope.recipients.isEmpty else { return [Reply(250, "2.0.0", "taken as \(identifier), for nobody")] }
        guard service.settings.isLMTP else { return [await deliver(content, to: Array(envelope.recipients.indices))] }
        var replies: [Reply] = []
        for index in envelope.recipients.indices { replies.append(await deliver(content, to: [index])) }
        return replies
    }

    private func deliver(_ content: [UInt8], to indices: [Int]) async -> Reply {
        if indices.contains(where: { routes[$0].isEmpty }) { return .cannotStore }
        var deliveries: [MessageDelivery] = []
        // Filters and programs first: nothing is visible yet when one of them fails.
        for delivery in Set(indices.flatMap { routes[$0] }) where delivery.needsWholeMessage {
            switch await deliverAlone(delivery, content) {
            case .success(let prepared): deliveries += prepared
            case .failure(let refusal):
                for delivery in deliveries { delivery.abort() }
                return refusal.reply
            }
        }
        let plan = plan(indices)
        if !plan.places.isEmpty || !plan.queued.isEmpty {
            let delivery = service.committer.begin(plan)
            delivery.append(content)
            deliveries.append(delivery)
        }
        if let report = reportDelivery(indices, content) { deliveries.append(report) }
        if !deliveries.isEmpty, case .failure(let error) = await service.committer.commit(deliveries) {
            service.tell(error)
            return Reply(storing: error)
        }
        tellDelivered(indices)
        return Reply(250, "2.0.0", "delivered as \(identifier)")
    }

    private func tellDelivered(_ indices: [Int]) {
        guard service.events.isOn else { return }
        for delivery in indices.flatMap({ routes[$0] }) {
            if case .program = delivery.target { continue }
            service.events.delivery(origin.client, identifier, delivery, "done")
        }
    }

    /// The report of success that senders have asked for, on its way to them; nil without one, or without a way.
    private func reportDelivery(_ indices: [Int], _ content: [UInt8]) -> MessageDelivery? {
        let here = indices.filter { index in
            !routes[index].contains { if case .forward = $0.target { true } else { false } }
        }
        let notification = DeliveryNotification(
            envelope: envelope, host: service.settings.hostName, arrival: arrival)
        guard let (queued, report) = notification.report(here.map { envelope.recipients[$0] }, content) else {
            return nil
        }
        var plan = MessageDelivery.Plan(sender: .null, time: arrival)
        let recipients = service.settings.recipients
        if recipients.isLocal(envelope.reversePath), let local = try? recipients.deliveries(for: envelope.reversePath) {
            for delivery in local where !delivery.needsWholeMessage {
                if case .forward = delivery.target { continue }
                plan.places.append(
                    (delivery.target, TraceFields.returnPath(.null) + TraceFields.deliveredTo(delivery.recipient)))
            }
        } else if let queue = service.settings.queue {
            plan.queue = queue
            plan.queued = [queued]
        }
        guard !plan.places.isEmpty || !plan.queued.isEmpty else { return nil }
        let delivery = service.committer.begin(plan)
        delivery.append(report.filter { $0 != ASCII.cr })
        return delivery
    }

    private struct Refusal: Error { let reply: Reply }

    /// A delivery with filters of its own, or to a program.
    private func deliverAlone(_ delivery: LocalDelivery, _ content: [UInt8]) async -> Result<[MessageDelivery], Refusal>
    {
        var message = FilteredMessage(
            content: content, sender: "\(envelope.reversePath)", recipients: ["\(delivery.recipient)"],
            identifier: identifier, client: origin.client, helloName: origin.helloName,
            hostName: service.settings.hostName)
        if !delivery.filters.isEmpty {
            let filters = (try? ServerSettings.filters(delivery.filters, "filter")) ?? []
            switch await filter(message, by: filters) {
            case .passes(let filtered): message = filtered
            case .refused(let reply): return .failure(Refusal(reply: reply))
            case .discarded: return .success([])
            case .quarantined(let reason):
                let reply = await putAside(content, reason)
                return reply.isPositive ? .success([]) : .failure(Refusal(reply: reply))
            case .failed: return .failure(Refusal(reply: .cannotFilter))
            }
        }
        if case .program(let command) = delivery.target {
            if let refusal = await pipe(head(delivery) + message.content, to: command, delivery) {
                return .failure(Refusal(reply: refusal))
            }
            return .success([])
        }
        var plan = MessageDelivery.Plan(sender: envelope.reversePath, time: arrival)
        add(delivery, nil, to: &plan)
        let prepared = service.committer.begin(plan)
        prepared.append(message.content)
        return .success([prepared])
    }

    /// Gives a message to a program; nil when it has taken it, by the codes of sysexits(3).
    private func pipe(_ message: [UInt8], to command: String, _ delivery: LocalDelivery) async -> Reply? {
        let local = delivery.recipient.unquotedLocalPart.split(separator: "+", maxSplits: 1).map(String.init)
        let environment = [
            "SENDER": "\(envelope.reversePath)", "RECIPIENT": "\(delivery.recipient)", "USER": local.first ?? "",
            "EXTENSION": local.count > 1 ? local[1] : "", "DOMAIN": delivery.recipient.domain,
            "CLIENT": "\(origin.client)", "MESSAGE_ID": identifier,
        ]
        let outcome = await MessageProgram.run(
            command, message, environment: environment, timeout: service.settings.filterTimeout, limit: 1 << 20)
        if service.events.isOn { service.events.delivery(origin.client, identifier, delivery, outcome.description) }
        guard case .exited(let code, _) = outcome else {
            return Reply(451, "4.3.0", "the message cannot be delivered now")
        }
        switch code {
        case 0: return nil
        case 67: return Reply(550, "5.1.1", "there is no mailbox \(delivery.recipient)")
        case 77: return Reply(550, "5.7.1", "the delivery was refused")
        case 64...66, 68...70, 72, 73, 76, 78: return Reply(554, "5.3.0", "the delivery has failed")
        default: return Reply(451, "4.3.0", "the message cannot be delivered now")
        }
    }

    // MARK: Plans

    private func head(_ delivery: LocalDelivery) -> [UInt8] {
        TraceFields.returnPath(delivery.sender ?? envelope.reversePath) + TraceFields.deliveredTo(delivery.recipient)
    }

    /// Where the message of these recipients goes, each place once however many of them it belongs to.
    private func plan(_ indices: [Int]) -> MessageDelivery.Plan {
        var plan = MessageDelivery.Plan(sender: envelope.reversePath, time: arrival)
        var seen: Set<DeliveryTarget> = []
        for index in indices {
            for delivery in routes[index] where !delivery.needsWholeMessage {
                guard seen.insert(delivery.target).inserted else { continue }
                add(delivery, envelope.recipients[index], to: &plan)
            }
        }
        return plan
    }

    private func add(_ delivery: LocalDelivery, _ recipient: EnvelopeRecipient?, to plan: inout MessageDelivery.Plan) {
        guard case .forward(let path) = delivery.target else {
            plan.places.append((delivery.target, head(delivery)))
            return
        }
        plan.queue = service.settings.queue
        let sender = "\(delivery.sender ?? envelope.reversePath)"
        let queued = QueuedEnvelope.Recipient(
            path: "\(path)", parameters: recipient?.parameters ?? RecipientParameters())
        if let place = plan.queued.firstIndex(where: { $0.reversePath == sender }) {
            plan.queued[place].recipients.append(queued)
        } else {
            plan.queued.append(
                QueuedEnvelope(
                    reversePath: sender, parameters: envelope.parameters, recipients: [queued], arrival: arrival))
        }
    }
}

extension LocalDelivery {
    /// A program or a filter of its own has to see the message first.
    var needsWholeMessage: Bool {
        if case .program = target { return true }
        return !filters.isEmpty
    }
}

extension Reply {
    static let cannotStore = Reply(451, "4.3.0", "the message cannot be stored now")
    static let cannotFilter = Reply(451, "4.3.0", "the message cannot be filtered now, try again later")
    static let loop = Reply(554, "5.4.6", "more than \(LoopGuard.limit) Received fields: the message goes in circles")

    /// What a sender is told of an error on the disk.
    init(storing error: SystemError) {
        self = error.isOutOfSpace ? Reply(452, "4.3.1", "there is no room for the message now") : .cannotStore
    }
}
