import Bytes
import Delivery
import SMTP
import ServerTool
import Unix

// Where a message that has passed goes, recipient by recipient.
extension IncomingMessage {
    /// A recipient's delivery that is not made, for good.
    private struct Refused {
        let delivery: LocalDelivery
        let recipient: EnvelopeRecipient
        let reply: Reply
    }

    /// Delivers a message; with LMTP each recipient's for itself.
    func deliver(_ content: MessageContent) async -> [Reply] {
        guard !envelope.recipients.isEmpty else { return [Reply(250, "2.0.0", "taken as \(identifier), for nobody")] }
        let all = Array(envelope.recipients.indices)
        let groups = service.settings.isLMTP ? all.map { [$0] } : [all]
        var replies: [Reply] = []
        for group in groups {
            do throws(SystemError) {
                replies.append(try await deliver(content, to: group))
            } catch {
                service.tell(error)
                replies.append(Reply(storing: error))
            }
        }
        return replies
    }

    /// Delivers to these recipients, and answers for all of them: what fails for now fails for all; what fails for good
    /// is told to the sender by a notification when others have their mail (RFC 5321 6.1), and is the answer when nobody
    /// has.
    private func deliver(_ content: MessageContent, to indices: [Int]) async throws(SystemError) -> Reply {
        if indices.contains(where: { routes[$0].isEmpty }) { return .cannotStore }
        let trace = LoopGuard(content.header().span)
        var prepared: [MessageDelivery] = []
        var refused: [Refused] = []
        var seen: Set<LocalDelivery> = []
        // Filters and programs first: nothing is visible yet when one of them fails.
        for index in indices {
            for delivery in routes[index] where seen.insert(delivery).inserted {
                let refusal: Reply?
                if delivery.isFinal, trace.hasSeen(delivery.recipient) {
                    refusal = Reply(554, "5.4.6", "\(delivery.recipient) has had this message: it goes in circles")
                } else if delivery.needsWholeMessage {
                    refusal = try await deliverAlone(delivery, content, &prepared)
                } else {
                    refusal = nil
                }
                guard let refusal else { continue }
                if refusal.isTemporary { return give(up: prepared, refusal) }
                refused.append(
                    Refused(delivery: delivery, recipient: envelope.recipients[index], reply: refusal))
            }
        }
        if let first = refused.first, refused.count == seen.count { return give(up: prepared, first.reply) }
        let without = Set(refused.map(\.delivery))
        let plan = plan(indices, without: without)
        if !plan.places.isEmpty || !plan.queued.isEmpty {
            let delivery = service.committer.begin(plan)
            try await delivery.append(content)
            prepared.append(delivery)
        }
        guard let notifications = bounces(refused, content) else {
            // The sender cannot be told but by the answer.
            return give(up: prepared, refused.first?.reply ?? .cannotStore)
        }
        prepared += notifications
        if let report = reportDelivery(indices, without: Set(refused.map(\.recipient.path)), content) {
            prepared.append(report)
        }
        if !prepared.isEmpty { try await service.committer.commit(prepared).get() }
        tell(refused)
        tellDelivered(indices.flatMap { routes[$0] }.filter { !without.contains($0) })
        return Reply(250, "2.0.0", "delivered as \(identifier)")
    }

    private func give(up prepared: [MessageDelivery], _ reply: Reply) -> Reply {
        for delivery in prepared { delivery.abort() }
        return reply
    }

    // MARK: Events

    func tellDelivered(_ deliveries: [LocalDelivery]) {
        guard service.events.isOn else { return }
        for delivery in deliveries {
            if case .program = delivery.target { continue }
            service.events.delivery(origin.client, identifier, delivery, "done")
        }
    }

    private func tell(_ refused: [Refused]) {
        guard service.events.isOn else { return }
        for one in refused {
            let text = "\(one.reply.code) \(one.reply.lines.joined(separator: " "))"
            service.events.delivery(origin.client, identifier, one.delivery, "refused: \(text)")
        }
    }

    // MARK: Notifications

    /// What those who sent to refused recipients are told, on its way to them; nil when somebody cannot be told. A message
    /// without a sender tells nobody.
    private func bounces(_ refused: [Refused], _ content: MessageContent) -> [MessageDelivery]? {
        var notifications: [MessageDelivery] = []
        var senders: [Path] = []
        for one in refused where !senders.contains(sender(of: one.delivery)) {
            senders.append(sender(of: one.delivery))
        }
        for sender in senders {
            var envelope = envelope
            envelope.reversePath = sender
            let notification = DeliveryNotification(
                envelope: envelope, host: service.settings.hostName, arrival: arrival)
            let theirs = refused.filter { self.sender(of: $0.delivery) == sender }
            guard let bounce = notification.bounce(theirs.map { ($0.recipient, $0.reply) }, content) else { continue }
            guard let delivery = send(bounce, to: sender) else { return nil }
            notifications.append(delivery)
        }
        return notifications
    }

    private func sender(of delivery: LocalDelivery) -> Path { delivery.sender ?? envelope.reversePath }

    /// The report of success that senders have asked for, on its way to them; nil without one, or without a way.
    private func reportDelivery(
        _ indices: [Int], without refused: Set<Path>, _ content: MessageContent
    ) -> MessageDelivery? {
        let here = indices.filter { index in
            !refused.contains(envelope.recipients[index].path)
                && !routes[index].contains { if case .forward = $0.target { true } else { false } }
        }
        let notification = DeliveryNotification(
            envelope: envelope, host: service.settings.hostName, arrival: arrival)
        return notification.report(here.map { envelope.recipients[$0] }, content).flatMap {
            send($0, to: envelope.reversePath)
        }
    }

    /// A notification on its way to a sender: to the mailbox of one who is local, else into the queue; nil when there is no
    /// way.
    private func send(_ notification: StatusNotification, to sender: Path) -> MessageDelivery? {
        let now = SystemClock.now.seconds
        var plan = MessageDelivery.Plan(sender: .null, time: arrival)
        let recipients = service.settings.recipients
        if recipients.isLocal(sender), let local = try? recipients.deliveries(for: sender) {
            for delivery in local where !delivery.needsWholeMessage {
                if case .forward = delivery.target { continue }
                plan.places.append(
                    (delivery.target, TraceFields.returnPath(.null) + TraceFields.deliveredTo(delivery.recipient)))
            }
        } else if let queue = service.settings.queue {
            plan.queue = queue
            plan.queued = [.init(notification.queuedEnvelope(arrival: now))]
        }
        guard !plan.places.isEmpty || !plan.queued.isEmpty else { return nil }
        let delivery = service.committer.begin(plan)
        delivery.append(notification.build(now: now, zone: SystemClock.zoneOffset(at: now)).filter { $0 != ASCII.cr })
        return delivery
    }

    // MARK: Filters of one recipient, and programs

    /// A delivery with filters of its own, or to a program: what is to be committed is added to `prepared`. Returns the
    /// reply that refuses it.
    private func deliverAlone(
        _ delivery: LocalDelivery, _ content: MessageContent, _ prepared: inout [MessageDelivery]
    ) async throws(SystemError) -> Reply? {
        var message = FilteredMessage(
            trace: [], content: content, sender: "\(envelope.reversePath)", recipients: ["\(delivery.recipient)"],
            identifier: identifier, client: origin.client, helloName: origin.helloName,
            hostName: service.settings.hostName, isBinary: envelope.parameters.body == .binary)
        if !delivery.filters.isEmpty {
            let filters = (try? ServerSettings.filters(delivery.filters, "filter")) ?? []
            switch await filter(message, by: filters, milters: nil) {
            case .passes(let filtered): message = filtered
            case .refused(let reply): return reply
            case .discarded: return nil
            case .quarantined(let reason):
                let reply = await putAside(content, reason)
                return reply.isPositive ? nil : reply
            case .failed: return .cannotFilter
            }
        }
        if case .program(let command) = delivery.target {
            return await pipe(message.whole.withoutReturnPath.below(head(delivery)), to: command, delivery)
        }
        var plan = MessageDelivery.Plan(sender: envelope.reversePath, time: arrival)
        add(delivery, nil, to: &plan)
        let own = service.committer.begin(plan)
        prepared.append(own)
        try await own.append(message.whole)
        return nil
    }

    /// Gives a message to a program; nil when it has taken it, by the codes of sysexits(3).
    private func pipe(_ message: MessageContent, to command: String, _ delivery: LocalDelivery) async -> Reply? {
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
        own(
            TraceFields.returnPath(delivery.sender ?? envelope.reversePath)
                + TraceFields.deliveredTo(delivery.recipient))
    }

    /// Where the message of these recipients goes, each place once however many of them it belongs to.
    func plan(_ indices: [Int], without refused: Set<LocalDelivery> = []) -> MessageDelivery.Plan {
        var plan = MessageDelivery.Plan(sender: envelope.reversePath, time: arrival)
        var seen: Set<DeliveryTarget> = []
        for index in indices {
            for delivery in routes[index] where !delivery.needsWholeMessage && !refused.contains(delivery) {
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
        // What an alias sends away is marked, so that it is known when it comes back.
        let head = delivery.isFinal ? own(TraceFields.deliveredTo(delivery.recipient)) : []
        let queued = QueuedEnvelope.Recipient(
            path: "\(path)", parameters: recipient?.parameters ?? RecipientParameters())
        if let place = plan.queued.firstIndex(where: { $0.envelope.reversePath == sender && $0.head == head }) {
            plan.queued[place].envelope.recipients.append(queued)
        } else {
            let envelope = QueuedEnvelope(
                reversePath: sender, parameters: envelope.parameters, recipients: [queued], arrival: arrival)
            plan.queued.append(.init(head: head, envelope))
        }
    }
}

extension LocalDelivery {
    /// A program or a filter of its own has to see the message first.
    var needsWholeMessage: Bool {
        if case .program = target { return true }
        return !filters.isEmpty
    }

    /// The address is one of ours, and what is done here is done for it; else it only passes through.
    var isFinal: Bool {
        if case .forward(let path) = target { return path != recipient }
        return true
    }
}
