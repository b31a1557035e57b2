import CommandLineTool
import Delivery
import SMTP
import Unix

/// One attempt to bring a queued message to its recipients, and everything that follows from it: its log, notifications
/// to the sender, its removal. Used from one task.
struct QueueAttempt {
    let queue: Queue
    let courier: Courier
    let routes: Routes
    let schedule: RetrySchedule
    let report: Report
    /// Recipients are tried whether their time has come or not.
    let isForced: Bool
    /// Recipients elsewhere are not tried.
    let domains: QueueDomains
    /// This host, in notifications.
    let reportingHost: String
    /// The next server delivers to mailboxes (LMTP).
    let isFinalDelivery: Bool
    /// The name that results speak of; nil: that in the queue.
    let name: String?

    /// What is to be done next.
    enum Outcome {
        /// Nothing is left of the message.
        case finished
        /// To be tried at a time, in seconds since 1970.
        case next(Int)
        /// Held, in another's hands, or damaged: not now.
        case left
    }

    /// Notifications that were queued on the way.
    private(set) var notifications: [QueueID] = []

    init(
        queue: Queue, courier: Courier, routes: Routes, schedule: RetrySchedule, report: Report, isForced: Bool,
        domains: QueueDomains, reportingHost: String, isFinalDelivery: Bool, name: String?
    ) {
        self.queue = queue
        self.courier = courier
        self.routes = routes
        self.schedule = schedule
        self.report = report
        self.isForced = isForced
        self.domains = domains
        self.reportingHost = reportingHost
        self.isFinalDelivery = isFinalDelivery
        self.name = name
    }

    mutating func run(_ id: QueueID) async throws -> Outcome {
        switch try QueueEntry.open(id, in: queue, locking: true) {
        case .gone: return .finished
        case .busy: return .left
        case .damaged(let problem):
            report.add(inputFailure: ToolFailure(damaged: id, problem, in: queue))
            return .left
        case .open(let entry): return try await attempt(entry)
        }
    }

    private mutating func attempt(_ entry: QueueEntry) async throws -> Outcome {
        if entry.isHeld { return .left }
        // What a crash has interrupted.
        try tell(entry)
        let now = SystemClock.now.seconds
        let due = entry.recipients.indices.filter {
            entry.recipients[$0].status == .waiting && (isForced || entry.recipients[$0].nextAttempt <= now)
                && domains.contains(entry.recipients[$0].path)
        }
        if !due.isEmpty {
            let passed = try await deliver(entry, due)
            if entry.recipients.isEmpty { return .finished }
            try tell(entry, passedStatusRequests: passed)
        }
        if entry.isFinished {
            try entry.remove()
            return .finished
        }
        return .next(entry.recipients.filter { $0.status == .waiting }.map(\.nextAttempt).min() ?? now)
    }

    // MARK: - Delivery

    /// Sends, and records what became of each recipient. Returns those of whom the next server will tell the sender.
    private func deliver(_ entry: QueueEntry, _ due: [Int]) async throws -> Set<Int> {
        let addressOfIndex = due.map { EnvelopeAddress(entry.recipients[$0].path) }
        var known: Set<EnvelopeAddress> = []
        let addresses = addressOfIndex.compactMap { $0 }.filter { known.insert($0).inserted }
        let message = try OutgoingMessage(entry, addresses)
        // A message for one is removed when it is there, and there is nothing to note.
        let isForOne = entry.recipients.count == 1 && !wantsSuccess(entry, 0)
        try entry.prepareRecord(recipients: isForOne ? 0 : due.count)
        let ownRoutes = try entry.route.map { try routes.toServer($0) }
        var reports: [EnvelopeAddress: RecipientReport] = [:]
        for report in await courier.deliver(message, by: ownRoutes) { reports[report.recipient] = report }
        let now = SystemClock.now.seconds
        var events: [QueueEvent] = []
        var passed: Set<Int> = []
        var deferred: Set<EnvelopeAddress> = []
        for (index, address) in zip(due, addressOfIndex) {
            let report = address.flatMap { reports[$0] }
            if report?.passedStatusRequest ?? false { passed.insert(index) }
            let event = event(entry, index, report, now)
            if case .deferred = event, let address { deferred.insert(address) }
            events.append(event)
        }
        let told = forPeople(addresses.compactMap { reports[$0] }, entry, deferred)
        // All that is to be noted of a message that all recipients have is that it is gone.
        let isGone =
            events.count == entry.recipients.count
            && events.allSatisfy { event in
                guard case .delivered(let index, _) = event else { return false }
                return !wantsSuccess(entry, index) || passed.contains(index)
            }
        if isGone {
            try entry.remove()
            entry.forgetRecipients()
        } else {
            try entry.record(events)
        }
        report.add(told, message: name ?? entry.id.description)
        return passed
    }

    private func event(_ entry: QueueEntry, _ index: Int, _ report: RecipientReport?, _ now: Int) -> QueueEvent {
        guard let report else {
            return .failed(index, QueueAnswer(enhanced: "5.1.3", text: "this is no address that mail can be sent to"))
        }
        let result = report.result
        let answer = QueueAnswer(
            code: result.code, enhanced: result.enhanced, host: report.server.map { "\($0)" }, text: result.text)
        switch result.outcome {
        case .accepted: return .delivered(index, answer)
        // A wrong password or certificate says nothing about the message.
        case .refused where result.cause != .authentication: return .failed(index, answer)
        case .refused, .temporary:
            let attempts = entry.recipients[index].attempts + 1
            guard let next = schedule.next(after: attempts, now: now, arrival: entry.envelope.arrival) else {
                return .failed(index, answer)
            }
            return .deferred(index, next: next, answer)
        }
    }

    /// The reports with what became of the recipients in the queue.
    private func forPeople(
        _ reports: [RecipientReport], _ entry: QueueEntry, _ deferred: Set<EnvelopeAddress>
    ) -> [RecipientReport] {
        var reports = reports
        for index in reports.indices {
            reports[index].queueID = entry.id
            let isDeferred = deferred.contains(reports[index].recipient)
            if reports[index].result.outcome == .temporary, !isDeferred {
                reports[index].result.outcome = .refused
                reports[index].result.text += " (given up)"
            }
            reports[index].staysQueued = isDeferred && name != nil
        }
        return reports
    }

    // MARK: - Notifications (RFC 3461 5.2, RFC 3464)

    private func wantsSuccess(_ entry: QueueEntry, _ index: Int) -> Bool {
        entry.recipients[index].parameters.notify?.contains(.success) ?? false
    }

    /// Tells the sender what there is to tell and was not told yet.
    private mutating func tell(_ entry: QueueEntry, passedStatusRequests passed: Set<Int> = []) throws {
        let now = SystemClock.now.seconds
        var wanted: [(index: Int, action: StatusNotification.Action)] = []
        var settled: [QueueEvent] = []
        for (index, recipient) in entry.recipients.enumerated() where !recipient.isTold {
            let notify = recipient.parameters.notify
            switch recipient.status {
            case .delivered:
                settled.append(.told(index))
                if wantsSuccess(entry, index), !passed.contains(index) {
                    wanted.append((index, isFinalDelivery ? .delivered : .relayed))
                }
            case .failed:
                settled.append(.told(index))
                if notify?.contains(.failure) ?? true { wanted.append((index, .failed)) }
            case .waiting:
                guard recipient.attempts > 0, !recipient.isDelayTold,
                    schedule.isDelayed(now: now, arrival: entry.envelope.arrival)
                else { continue }
                settled.append(.delayTold(index))
                if notify?.contains(.delay) ?? true { wanted.append((index, .delayed)) }
            }
        }
        // A message without a sender tells nobody (RFC 5321 4.5.5).
        if !entry.envelope.reversePath.isEmpty {
            for action in [StatusNotification.Action.failed, .delayed, .delivered, .relayed] {
                let indices = wanted.filter { $0.action == action }.map(\.index)
                if !indices.isEmpty { try notify(entry, indices, action, now) }
            }
        } else if wanted.contains(where: { $0.action == .failed }) {
            Diagnostics.say("\(entry.id): given up, and there is no sender to tell")
        }
        try entry.record(settled)
    }

    private mutating func notify(
        _ entry: QueueEntry, _ indices: [Int], _ action: StatusNotification.Action, _ now: Int
    ) throws {
        let limit = StatusNotification.returnLimit(of: action, entry.envelope.parameters)
        let notification = StatusNotification(
            envelope: entry.envelope,
            recipients: indices.map { index in
                let recipient = entry.recipients[index]
                return .init(
                    path: recipient.path, parameters: recipient.parameters, action: action,
                    answer: recipient.answer ?? QueueAnswer(text: ""), latestAttempt: recipient.latestAttempt ?? now,
                    retryUntil: action == .delayed ? entry.envelope.arrival + schedule.lifetime : nil)
            },
            host: reportingHost, header: entry.header(limit: 1 << 20),
            message: entry.file.isStuffed && limit >= 0 ? entry.message(limit: limit) : nil)
        let id = entry.id.notification(entry.notificationCount + notifications.count)
        let message = notification.build(now: now, zone: SystemClock.zoneOffset(at: now))
        // It may have been queued just before something stopped us.
        try queue.addOnce(message.span, notification.queuedEnvelope(arrival: now), id: id)
        notifications.append(id)
    }
}
