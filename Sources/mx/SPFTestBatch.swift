import Bytes
import CommandLineTool
import DNS
import SenderAuthentication
import Synchronization
import Unix

/// `--spf-test -`: one check a line of standard input, many at a time, answered in order.
struct SPFTestBatch: Sendable {
    private let evaluator: SPFEvaluator
    private let window: Int
    private let timeLimit: Duration

    /// The lines that were read together, and what became of them.
    private final class Block: Sendable {
        private struct State {
            var next = 0
            var rows: [[UInt8]]
            var codes: [ExitCode] = []
        }

        let lines: [String]
        private let state: Mutex<State>

        init(_ lines: [String]) {
            self.lines = lines
            state = Mutex(State(rows: Array(repeating: [], count: lines.count)))
        }

        /// The number of a line that nobody has taken yet.
        func take() -> Int? {
            state.withLock { state in
                guard state.next < lines.count else { return nil }
                state.next += 1
                return state.next - 1
            }
        }

        func set(_ row: [UInt8], _ code: ExitCode, at number: Int) {
            state.withLock { state in
                state.rows[number] = row
                state.codes.append(code)
            }
        }

        var results: (rows: [[UInt8]], codes: [ExitCode]) { state.withLock { ($0.rows, $0.codes) } }
    }

    init(_ resolver: Resolver, window: Int, timeLimit: Duration) {
        evaluator = SPFEvaluator(resolver)
        self.window = window
        self.timeLimit = timeLimit
    }

    func run() async -> ExitCode {
        var lines = InputLines()
        var worst = ExitCode.ok
        let input = FileDescriptor(owning: 0, subject: "standard input")
        while true {
            var block: [String] = []
            while let line = lines.next() { block.append(line) }
            for code in await answer(Block(block)) where SPFTestBatch.rank(code) > SPFTestBatch.rank(worst) {
                worst = code
            }
            if lines.isDrained { return worst }
            Output.standard.flush()
            var bytes: [UInt8] = []
            do throws(SystemError) {
                _ = try input.read(into: &bytes)
            } catch {
                Diagnostics.say("standard input: \(error.reason)")
                return .ioError
            }
            lines.append(bytes)
        }
    }

    private static func rank(_ code: ExitCode) -> Int {
        switch code {
        case .temporaryFailure: 3
        case .dataError: 2
        case .negative: 1
        default: 0
        }
    }

    /// Checks all lines of a block and writes their rows.
    private func answer(_ block: Block) async -> [ExitCode] {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<min(window, block.lines.count) {
                group.addTask {
                    while let number = block.take() {
                        let (row, code) = await row(block.lines[number])
                        block.set(row, code, at: number)
                    }
                }
            }
        }
        let results = block.results
        for row in results.rows { Output.standard.write(row) }
        return results.codes
    }

    private func row(_ line: String) async -> ([UInt8], ExitCode) {
        let words = line.utf8.split(whereSeparator: \.isMailWhitespace).map { Array($0).text }
        guard let first = words.first, let address = IPAddress(first), words.count <= 3 else {
            var json = JSONWriter()
            json.object { json in
                json.fieldNull("spf")
                json.field("error", "not a line of a client's address, a sender and a HELO name: \(line)")
            }
            return (json.takeLine(), .dataError)
        }
        let request = SPFRequest(
            address: address, mailFrom: words.count > 1 ? SPFTest.path(words[1]) : "",
            helo: words.count > 2 ? words[2] : nil)
        let outcome = await evaluator.check(request, deadline: .now + timeLimit)
        return (SPFTest.line(outcome, withTrace: false), outcome.result.exitCode)
    }
}
