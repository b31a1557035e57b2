import CommandLineTool
import Delivery
import Glibc
import SMTP
import Unix

/// Brings the messages of a queue to where they go: once, or for as long as it runs.
final class QueueRunner: Sendable {
    let queue: Queue
    private let plan: SendPlan
    private let options: QueueOptions
    private let report: Report
    private let schedule: QueueSchedule
    private let silent = SilentAddresses()
    /// How long messages in hand may take after the request to stop.
    private static let drainTime = Duration.seconds(30)
    /// The whole directory is looked at again after so many seconds, whatever inotify says.
    private static let rescanInterval = 300

    init(_ queue: Queue, _ plan: SendPlan, _ options: QueueOptions, _ report: Report) {
        self.queue = queue
        self.plan = plan
        self.options = options
        self.report = report
        schedule = QueueSchedule(limit: options.connectionsPerDestination)
    }

    // MARK: - Ways to run

    /// Tries everything that is there and not held; with `onlyDue`, what is due. Then ends.
    func runOnce(onlyDue: Bool) async throws {
        try queue.removeLeftovers()
        for id in try queue.identifiers() { consider(id, isForced: !onlyDue) }
        schedule.close()
        await work(isForced: !onlyDue)
    }

    /// Tries these, and then ends.
    func run(_ ids: [QueueID]) async {
        for id in ids { consider(id, isForced: true) }
        schedule.close()
        await work(isForced: true)
    }

    /// Queues the messages of a source, and tries each at once.
    func submit(_ source: MessageSource, isSending: Bool) async {
        await withTaskGroup(of: Void.self) { group in
            if isSending { group.addTask { await self.work(isForced: true) } }
            await QueueIntake(queue).run(source) { message, outcome in
                switch outcome {
                case .success(let id) where isSending:
                    self.schedule.add(
                        .init(id: id, destination: self.destination(message.recipients.first), name: message.name))
                case .success(let id): self.report.add(queued: message, as: id)
                case .failure(let error): self.report.add(inputFailure: error)
                }
            } failed: { error in
                self.report.add(inputFailure: error)
            }
            schedule.close()
        }
    }

    /// Tries what is due, and what comes in, until a signal asks to stop.
    func watch() async throws {
        try queue.removeLeftovers()
        let signals = try SignalQueue([SIGTERM, SIGINT])
        let changes = try DirectoryWatch(queue.path)
        for id in try queue.identifiers() { consider(id, isForced: false) }
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await self.work(isForced: false)
                return true
            }
            group.addTask {
                await self.follow(changes)
                return false
            }
            group.addTask {
                _ = await signals.next()
                self.schedule.stop()
                changes.close()
                try? await EventLoop.sleep(for: Self.drainTime)
                return true
            }
            // The work is done, or the time for it is over.
            while let isOver = await group.next(), !isOver {}
            group.cancelAll()
        }
    }

    private func follow(_ changes: DirectoryWatch) async {
        var rescan = SystemClock.now.seconds + Self.rescanInterval
        while !Task.isCancelled, !schedule.isStopped {
            let now = SystemClock.now.seconds
            let wait = max(0, min(schedule.earliest ?? rescan, rescan) - now)
            let change = await changes.next(deadline: EventLoop.current?.deadline(after: .seconds(wait)))
            if schedule.isStopped { return }
            switch change {
            case .names(let names): for id in Set(names.compactMap(Self.id)).sorted() { consider(id, isForced: false) }
            case .many: rescan = 0
            case .none: break
            }
            for id in schedule.takeDue(at: SystemClock.now.seconds) { consider(id, isForced: false) }
            if SystemClock.now.seconds >= rescan {
                for id in (try? queue.identifiers()) ?? [] { consider(id, isForced: false) }
                rescan = SystemClock.now.seconds + Self.rescanInterval
            }
        }
    }

    private static func id(ofFile name: String) -> QueueID? {
        for suffix in [".bsmtp", ".log"] where name.hasSuffix(suffix) {
            return QueueID(String(name.dropLast(suffix.count)))
        }
        return nil
    }

    // MARK: - Messages

    /// Looks when a message is to be tried, and puts it where it belongs.
    private func consider(_ id: QueueID, isForced: Bool) {
        let entry: QueueEntry
        switch try? QueueEntry.open(id, in: queue, locking: false) {
        case .open(let opened) where !opened.isHeld: entry = opened
        case .open, .gone, .busy: return
        // One that is damaged or cannot be read is told of when it is tried.
        case .damaged, nil: return schedule.add(.init(id: id, destination: "", name: nil))
        }
        let now = SystemClock.now.seconds
        let waiting = entry.recipients.filter { $0.status == .waiting && options.domains.contains($0.path) }
        if waiting.isEmpty, !options.domains.isEmpty { return }
        let hasRest = entry.recipients.contains { $0.status != .waiting && !$0.isTold } || waiting.isEmpty
        let due = waiting.map(\.nextAttempt).min() ?? now
        if isForced || hasRest || due <= now {
            let first = waiting.first { isForced || $0.nextAttempt <= now }.flatMap { EnvelopeAddress($0.path) }
            schedule.add(.init(id: id, destination: entry.route ?? destination(first), name: nil))
        } else {
            schedule.postpone(id, until: due)
        }
    }

    private func destination(_ recipient: EnvelopeAddress?) -> String {
        plan.routes.destination.isOneServer ? "" : recipient?.domain ?? ""
    }

    // MARK: - Workers

    private func work(isForced: Bool) async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<plan.connections { group.addTask { await self.workOne(isForced: isForced) } }
        }
    }

    private func workOne(isForced: Bool) async {
        let courier = Courier(routes: plan.routes, settings: plan.settings, silent: silent)
        while let job = await schedule.take() {
            var attempt = QueueAttempt(
                queue: queue, courier: courier, routes: plan.routes, schedule: options.schedule, report: report,
                isForced: isForced, domains: options.domains, reportingHost: plan.settings.heloName ?? Host.name,
                isFinalDelivery: plan.settings.dialect == .lmtp, name: job.name)
            await plan.rate?.wait()
            do {
                let outcome = try await attempt.run(job.id)
                for id in attempt.notifications { consider(id, isForced: isForced) }
                schedule.done(job)
                if case .next(let time) = outcome { schedule.postpone(job.id, until: time) }
            } catch {
                report.add(inputFailure: error)
                schedule.done(job)
                schedule.postpone(job.id, until: SystemClock.now.seconds + 60)
            }
        }
        await courier.quit()
    }
}
