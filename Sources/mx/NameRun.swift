import CommandLineTool
import Unix

/// Works on names, many at a time, and reports the results in the order in which the names came.
struct NameRun<Result: Sendable>: Sendable {
    /// How many names are under way at a time, at most.
    let window: Int
    let work: @Sendable (String) async -> Result
    /// Tells a result, and says how the tool ends for it.
    let report: @Sendable (Result) -> ExitCode

    /// How far the names that are under way may be ahead of the first that has no result, so that the results that wait
    /// for their turn stay in bounds.
    private var reach: Int { max(4_096, 4 * window) }

    private enum Event: Sendable {
        case found(Int, Result)
        case input([UInt8])
        case failed(SystemError)
    }

    /// Works on names that are all known.
    func run(_ names: [String]) async -> ExitCode {
        await withTaskGroup(of: (Int, Result).self) { group in
            var queue = ReportQueue(report)
            var started = 0
            while queue.reported < names.count {
                while started < names.count, mayStart(started, queue) {
                    let (number, name) = (started, names[started])
                    group.addTask { (number, await work(name)) }
                    started += 1
                }
                if let (number, found) = await group.next() { queue.add(found, at: number) }
            }
            return queue.exitCode
        }
    }

    /// Works on the names that come in on a descriptor, one a line, as they come.
    func run(from descriptor: Int32) async throws -> ExitCode {
        try await withThrowingTaskGroup(of: Event.self) { group in
            var queue = ReportQueue(report)
            var lines = InputLines()
            var started = 0
            var isReading = false
            while true {
                while mayStart(started, queue), let name = lines.next() {
                    let number = started
                    group.addTask { .found(number, await work(name)) }
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

    private func mayStart(_ started: Int, _ queue: ReportQueue<Result>) -> Bool {
        started - queue.answered < window && started - queue.reported < reach
    }

    /// The next bytes of the input, none at its end. Off the loop, because a terminal or a pipe may keep one waiting.
    private func read(_ descriptor: Int32) async -> Event {
        let result = await offload { () -> Swift.Result<[UInt8], SystemError> in
            let input = FileDescriptor(owning: descriptor, subject: "standard input")
            var bytes: [UInt8] = []
            let result = Swift.Result { () throws(SystemError) in try input.read(into: &bytes) }
            // The descriptor stays open for the next time.
            _ = input.release()
            return result.map { _ in bytes }
        }
        switch result {
        case .success(let bytes): return .input(bytes)
        case .failure(let error): return .failed(error)
        }
    }
}
