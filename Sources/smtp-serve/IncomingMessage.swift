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
/// gathered in a spool first.
final class IncomingMessage {
    let service: MailService
    var envelope: Envelope
    let origin: MessageOrigin
    let identifier: String
    let arrival: Int
    /// Every delivery of every recipient, by the recipient's place in the envelope.
    var routes: [[LocalDelivery]] = []
    private let milters: SessionMilters?
    private let begin = ContinuousClock.now
    private var size = 0
    private var failure: Reply?
    private var direct: MessageDelivery?
    private var spool: SharedSpool?

    /// Content in memory beyond which it goes to the temporary files.
    private static let memoryLimit = 65_536

    init(
        _ service: MailService, _ envelope: Envelope, _ origin: MessageOrigin, identifier: String,
        milters: SessionMilters?
    ) {
        self.service = service
        self.envelope = envelope
        self.origin = origin
        self.identifier = identifier
        self.milters = milters
        arrival = SystemClock.now.seconds
        let settings = service.settings
        guard !settings.isSink || settings.rules.readsMessages || settings.hasFilters else { return }
        if settings.capture == nil, !settings.isSink { routes = envelope.recipients.map { route($0) } }
        if settings.hasFilters || settings.capture != nil || settings.rules.readsMessages || settings.isLMTP
            || checks != nil || distrustsResults || wantsReport
            || routes.joined().contains(where: { $0.needsWholeMessage })
        {
            spool = SharedSpool()
        } else {
            let delivery = service.committer.begin(plan(Array(envelope.recipients.indices)))
            delivery.append(received)
            direct = delivery
        }
    }

    /// What is looked at in this message.
    private var checks: SenderChecks? { origin.isStranger ? service.settings.senderChecks : nil }

    /// Who has logged in is no server of ours, whose results would be believed (RFC 8601 5).
    private var distrustsResults: Bool { origin.user != nil && service.settings.senderChecks != nil }

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
        own(trace.received(epoch: arrival, zone: SystemClock.zoneOffset(at: arrival)))
    }

    /// Fields of this server with the line ends of the message: a binary one has CRLF.
    func own(_ fields: [UInt8]) -> [UInt8] {
        guard envelope.parameters.body == .binary else { return fields }
        return fields.flatMap { $0 == ASCII.lf ? [ASCII.cr, ASCII.lf] : [$0] }
    }

    private var trace: TraceFields {
        TraceFields(
            clientName: origin.helloName, clientAddress: origin.client, serverName: service.settings.hostName,
            transport: origin.transport, security: origin.tls.map { "\($0.version) \($0.cipher)" },
            identifier: identifier,
            onlyRecipient: envelope.recipients.count == 1 ? envelope.recipients[0].path : nil)
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
            if direct.isPristine, try await screen(direct) { return }
            try await offload { () throws(SystemError) in try direct.writePending() }
        } catch {
            fail(error)
        }
    }

    /// Looks at the start of a message that goes to its places as it comes: one that has been at one of them before is
    /// gathered and dealt with recipient by recipient. True when that is so, or when it is refused.
    private func screen(_ delivery: MessageDelivery) async throws(SystemError) -> Bool {
        let trace = delivery.loopGuard
        if trace.isTooLong(own: 1) { failure = .loop }
        let isBack = routes.joined().contains { $0.isFinal && trace.hasSeen($0.recipient) }
        guard isBack || failure != nil else { return false }
        let content = Array(delivery.pending.dropFirst(received.count))
        delivery.abort()
        direct = nil
        guard failure == nil else { return true }
        let gathering = SharedSpool()
        spool = gathering
        try await gathering.append(content)
        return true
    }

    /// The content so far, for rules that look into it.
    func content() async -> MessageContent? {
        guard let spool, let content = try? await spool.finish() else { return nil }
        self.spool = SharedSpool()
        gathered = content
        return content
    }

    /// What was taken out of the spool before the end.
    private var gathered: MessageContent?

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
        do throws(SystemError) {
            if let direct, failure == nil, direct.isPristine { _ = try await screen(direct) }
            if let failure { return [failure] }
            if let direct { return [await commitDirectly(direct)] }
            guard let spool else { return [.thrownAway(identifier)] }
            let rest = try await spool.finish()
            return await process(MessageContent(pieces: (gathered?.pieces ?? []) + rest.pieces))
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
        if case .failure(let error) = await service.committer.commit([delivery]) {
            fail(error)
            return failure ?? .cannotStore
        }
        tellDelivered(routes.flatMap { $0 })
        return Reply(250, "2.0.0", "delivered as \(identifier)")
    }

    private func fail(_ error: SystemError) {
        direct?.abort()
        service.tell(error)
        failure = Reply(storing: error)
    }

    // MARK: A message that is looked at

    private func process(_ content: MessageContent) async -> [Reply] {
        let start = content.start(limit: IncomingMessage.memoryLimit)
        if LoopGuard(start.span).isTooLong() { return [.loop] }
        var message = FilteredMessage(
            trace: received, content: content, sender: "\(envelope.reversePath)",
            recipients: envelope.recipients.map(\.description), identifier: identifier, client: origin.client,
            helloName: origin.helloName, hostName: service.settings.hostName, user: origin.user,
            tls: origin.tls.map { ($0.version, $0.cipher) }, isBinary: envelope.parameters.body == .binary)
        if let checks {
            switch await check(content, by: checks) {
            case .success(let checked): message.content = checked
            case .failure(let refusal): return [refusal.reply]
            }
        } else if distrustsResults {
            message.content = SenderChecks.withoutForgedResults(content, server: service.settings.hostName)
        }
        switch await filter(message, by: service.settings.filters, milters: milters) {
        case .passes(let filtered):
            if service.settings.isSink { return [.thrownAway(identifier)] }
            let content = take(filtered)
            if let capture = service.settings.capture { return [await write(content, to: capture)] }
            return await deliver(content)
        case .refused(let reply): return [reply]
        case .discarded: return [.thrownAway(identifier)]
        case .quarantined(let reason): return [await putAside(message.whole, reason)]
        case .failed: return [.cannotFilter]
        }
    }

    struct Refusal: Error { let reply: Reply }

    /// The message with what was found out about its sender above it.
    private func check(_ content: MessageContent, by checks: SenderChecks) async -> Result<MessageContent, Refusal> {
        let (report, refusal) = await checks.look(
            content, client: origin.client.ip, helloName: origin.helloName, envelope.reversePath)
        if let report, service.events.isOn { service.events.authentication(origin.client, identifier, report) }
        if let refusal { return .failure(Refusal(reply: refusal)) }
        let server = service.settings.hostName
        let kept = SenderChecks.withoutForgedResults(content, server: server)
        return .success(kept.below(own(report.map { checks.field($0, server: server) } ?? [])))
    }

    /// Lets filters see a message, one after the other. A failure that `--filter-open` allows passes.
    func filter(
        _ message: FilteredMessage, by filters: [FilterSpecification], milters: SessionMilters?
    ) async -> FilterOutcome {
        let settings = service.settings
        let runner = FilterRunner(settings: settings.filterSettings, milters: milters)
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
    private func take(_ filtered: FilteredMessage) -> MessageContent {
        if filtered.sender != "\(envelope.reversePath)" {
            envelope.reversePath = Path(mailbox: filtered.sender) ?? .null
        }
        let old = envelope.recipients
        if filtered.recipients != old.map(\.description), !service.settings.isLMTP {
            envelope.recipients = filtered.recipients.compactMap { text in
                old.first { $0.description == text } ?? Path(mailbox: text).map(EnvelopeRecipient.init)
            }
            if service.settings.capture == nil { routes = envelope.recipients.map { route($0) } }
        }
        return filtered.whole
    }

    private func write(_ content: MessageContent, to capture: Capture) async -> Reply {
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
    func putAside(_ content: MessageContent, _ reason: String) async -> Reply {
        guard let folder = service.settings.quarantine else {
            return Reply(554, "5.7.1", "the message is not taken: \(reason)")
        }
        var plan = MessageDelivery.Plan(sender: envelope.reversePath, time: arrival)
        let recipients = envelope.recipients.map(\.description).joined(separator: ", ")
        let notes = "X-Quarantine-Reason: \(reason)\nX-Quarantine-Recipients: \(recipients)\n"
        let head = TraceFields.returnPath(envelope.reversePath) + notes.utf8.map { $0 == 13 ? 32 : $0 }
        plan.places = [(.maildir(folder), head)]
        do throws(SystemError) {
            let delivery = service.committer.begin(plan)
            try await delivery.append(content)
            try await service.committer.commit([delivery]).get()
        } catch {
            service.tell(error)
            return Reply(storing: error)
        }
        return Reply(250, "2.0.0", "taken as \(identifier)")
    }
}

extension Reply {
    static let cannotStore = Reply(451, "4.3.0", "the message cannot be stored now")
    static let cannotFilter = Reply(451, "4.3.0", "the message cannot be filtered now, try again later")
    static let loop = Reply(554, "5.4.6", "more than \(LoopGuard.limit) Received fields: the message goes in circles")

    static func thrownAway(_ identifier: String) -> Reply {
        Reply(250, "2.0.0", "taken as \(identifier), and thrown away")
    }

    /// What a sender is told of an error on the disk.
    init(storing error: SystemError) {
        self = error.isOutOfSpace ? Reply(452, "4.3.1", "there is no room for the message now") : .cannotStore
    }
}
