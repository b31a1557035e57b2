import CommandLineTool
import Delivery
import Unix

/// What the command line says of a queue.
struct QueueOptions: Sendable {
    enum Mode: Sendable { case submit, run, watch, surgery }

    let path: String
    let mode: Mode
    let onlyQueues: Bool
    let onlyDue: Bool
    /// Recipients elsewhere are left as they are.
    let domains: QueueDomains
    let schedule: RetrySchedule
    let connectionsPerDestination: Int

    /// Nil without --queue.
    init?(_ arguments: Arguments) throws(ToolFailure) {
        let modes: [(name: String, isGiven: Bool, mode: Mode)] = [
            ("--run", arguments[SendOptions.run], .run), ("--watch", arguments[SendOptions.watch], .watch),
            ("--list", arguments[SendOptions.list], .surgery),
            ("--show", arguments.isGiven(SendOptions.show), .surgery),
            ("--hold", arguments.isGiven(SendOptions.hold), .surgery),
            ("--release", arguments.isGiven(SendOptions.release), .surgery),
            ("--remove", arguments.isGiven(SendOptions.remove), .surgery),
            ("--reroute", arguments.isGiven(SendOptions.reroute), .surgery),
        ]
        let given = modes.filter(\.isGiven)
        guard let path = arguments[SendOptions.queue] else {
            let others = [
                ("--queue-only", arguments[SendOptions.queueOnly]), ("--due", arguments[SendOptions.due]),
                ("--only-domain", arguments.isGiven(SendOptions.onlyDomain)),
            ]
            if let name = given.first?.name ?? others.first(where: \.1)?.0 {
                throw ToolFailure(.usage, "\(name): needs --queue DIR")
            }
            return nil
        }
        guard given.count <= 1 else {
            throw ToolFailure(.usage, "\(given.map(\.name).joined(separator: " and ")): exclude each other: give one")
        }
        self.path = path
        mode = given.first?.mode ?? .submit
        let early = [("--quit-after", SendOptions.quitAfter), ("--drop-after", SendOptions.dropAfter)]
        if mode != .surgery, let option = early.first(where: { arguments.isGiven($0.1) })?.0 {
            // sendmail -bv asks about addresses, and leaves nothing behind.
            if arguments[SendOptions.sendmail] { return nil }
            throw ToolFailure(.usage, "\(option): not with --queue: what was not sent would be taken for delivered")
        }
        if mode == .run || mode == .watch, arguments[SendOptions.dryRun] {
            throw ToolFailure(.usage, "--dry-run: not with \(given[0].name): --list and --show tell what is there")
        }
        if mode != .submit, let operand = arguments.operands.first {
            throw ToolFailure(.usage, "\(operand): is not sent with \(given[0].name): messages go without it")
        }
        onlyQueues = arguments[SendOptions.queueOnly]
        onlyDue = arguments[SendOptions.due]
        guard let domains = QueueDomains(arguments[SendOptions.onlyDomain]) else {
            throw ToolFailure(.usage, "--only-domain: must be a domain, or @ and a domain for those below it too")
        }
        guard domains.isEmpty || mode == .run else { throw ToolFailure(.usage, "--only-domain: needs --run") }
        self.domains = domains
        connectionsPerDestination = arguments[SendOptions.perDestination]
        schedule = try Self.schedule(arguments)
    }

    private static func schedule(_ arguments: Arguments) throws(ToolFailure) -> RetrySchedule {
        var schedule = RetrySchedule(
            lifetime: arguments[SendOptions.lifetime].wholeSeconds,
            delayNotice: arguments[SendOptions.delayNotice].wholeSeconds)
        guard let text = arguments[SendOptions.retry] else { return schedule }
        let times = text.split(separator: ",", omittingEmptySubsequences: false).map {
            OptionValue.duration(String($0))
        }
        guard (1...2).contains(times.count), let first = times[0], let maximum = times.last ?? nil else {
            throw ToolFailure(.usage, "--retry \(text): must be a time such as 5m, or two with a comma")
        }
        schedule.first = max(1, first.wholeSeconds)
        schedule.maximum = max(schedule.first, times.count == 2 ? maximum.wholeSeconds : schedule.maximum)
        return schedule
    }

    /// Opens the queue; with `creating`, makes it when it is not there.
    func open(creating: Bool = true) throws -> Queue {
        do throws(SystemError) {
            return try Queue(path, creating: creating)
        } catch {
            throw ToolFailure(queue: path, error, creating: creating)
        }
    }

    /// Does what needs no sending; nil when the command line asks to send.
    func answer(_ arguments: Arguments) throws -> ExitCode? {
        guard mode == .surgery else { return nil }
        let queue = try open(creating: false)
        if arguments[SendOptions.list] { return try QueueListing.list(queue, isJSON: arguments[SendOptions.json]) }
        if let id = arguments[SendOptions.show] { return try QueueSurgery.show(id, in: queue) }
        let operations: [([String], QueueSurgery.Operation)] = [
            (arguments[SendOptions.hold], .hold), (arguments[SendOptions.release], .release),
            (arguments[SendOptions.remove], .remove),
            (arguments[SendOptions.reroute], .reroute(try Self.server(arguments))),
        ]
        for (names, operation) in operations where !names.isEmpty {
            return try QueueSurgery.run(operation, names, in: queue)
        }
        return nil
    }

    private static func server(_ arguments: Arguments) throws(ToolFailure) -> String? {
        guard let text = arguments[SendOptions.server] else { return nil }
        return "\(try ServerName(text, defaultPort: 25))"
    }
}

extension Duration {
    /// Rounded up.
    fileprivate var wholeSeconds: Int { Int(components.seconds) + (components.attoseconds > 0 ? 1 : 0) }
}
