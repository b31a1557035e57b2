import CommandLineTool
import DNS
import Unix

/// The answer for one name.
struct Lookup: Sendable {
    let route: MailRoute
    let milliseconds: Double
}

/// Looks up names, many at a time, and reports them in the order in which they came.
struct Lookups: Sendable {
    let resolver: Resolver
    let withAddresses: Bool
    /// Says how names are completed; nil when they are not.
    let searchList: ResolverConfiguration?
    /// How many names are under way at a time, at most.
    let window: Int

    private enum Event: Sendable {
        case found(Int, Lookup)
        case input([UInt8])
        case failed(SystemError)
    }

    /// Looks up names that are all known.
    func run(_ names: [String], _ report: Report) async -> ExitCode {
        await withTaskGroup(of: (Int, Lookup).self) { group in
            var queue = ReportQueue(report)
            var started = 0
            while queue.reported < names.count {
                while started < names.count, started - queue.reported < window {
                    let (number, name) = (started, names[started])
                    group.addTask { (number, await lookup(name)) }
                    started += 1
                }
                if let (number, found) = await group.next() { queue.add(found, at: number) }
            }
            return queue.exitCode
        }
    }

    /// Looks up the names that come in on a descriptor, one a line, as they come.
    func runBatch(from descriptor: Int32, _ report: Report) async throws -> ExitCode {
        try await withThrowingTaskGroup(of: Event.self) { group in
            var queue = ReportQueue(report)
            var lines = InputLines()
            var started = 0
            var isReading = false
            while true {
                while started - queue.reported < window, let name = lines.next() {
                    let number = started
                    group.addTask { .found(number, await lookup(name)) }
                    started += 1
                }
                if lines.isDrained, started == queue.reported { return queue.exitCode }
                if lines.wantsMore, !isReading {
                    isReading = true
                    group.addTask { await read(descriptor) }
                }
                if started == queue.reported { Output.standard.flush() }
                switch try await group.next() {
                case .found(let number, let found): queue.add(found, at: number)
                case .input(let bytes):
                    isReading = false
                    lines.append(bytes)
                case .failed(let error): throw error
                case nil: return queue.exitCode
                }
            }
        }
    }

    /// The next bytes of the input, none at its end. Off the loop, because a terminal or a pipe may keep one waiting.
    private func read(_ descriptor: Int32) async -> Event {
        let result = await offload { () -> Result<[UInt8], SystemError> in
            let input = FileDescriptor(owning: descriptor, subject: "standard input")
            var bytes: [UInt8] = []
            let result = Result { () throws(SystemError) in try input.read(into: &bytes) }
            // The descriptor stays open for the next time.
            _ = input.release()
            return result.map { _ in bytes }
        }
        switch result {
        case .success(let bytes): return .input(bytes)
        case .failure(let error): return .failed(error)
        }
    }

    // MARK: One name

    private func lookup(_ name: String) async -> Lookup {
        let start = ContinuousClock.now
        let route = await route(name)
        return Lookup(route: route, milliseconds: Double((ContinuousClock.now - start) / .microseconds(1)) / 1_000)
    }

    /// The route of a name, or of the first of its completions that exists.
    private func route(_ name: String) async -> MailRoute {
        guard let searchList, !name.hasPrefix("["), !name.hasSuffix("]") else {
            return await resolver.mailRoute(for: name, withAddresses: withAddresses)
        }
        var answer: MailRoute?
        for candidate in searchList.candidates(for: name) {
            var route = await resolver.mailRoute(for: candidate, withAddresses: withAddresses)
            route.domain = name
            if route.status != .nxdomain && route.status != .invalid { return route }
            if candidate == name || answer == nil { answer = route }
        }
        return answer ?? MailRoute(domain: name, ascii: nil, status: .invalid)
    }
}
