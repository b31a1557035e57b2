import Bytes
import Glibc
import Synchronization
import Unix

/// Standard output behind a buffer of 64 KiB.
///
/// A pipe that is closed ends the process quietly, as it ends cat(1); any other write error is said on standard error
/// and ends it with 74. Servers, whose work must go on, take `.discard` instead.
package final class Output: Sendable {
    package enum OnFailure: Sendable {
        case endProcess
        /// Says it once on standard error and writes nothing more.
        case discard
    }

    private struct State {
        var buffer: [UInt8] = []
        var isDiscarding = false
    }

    private let state = Mutex(State())
    private let onFailure: OnFailure
    /// Takes what would go to standard output.
    private let sink: (@Sendable ([UInt8]) -> Void)?
    private let descriptor: Int32

    /// With `toStandardError`, what is written goes there: for servers whose standard output has another use.
    package init(onFailure: OnFailure = .endProcess, toStandardError: Bool = false) {
        self.onFailure = onFailure
        sink = nil
        descriptor = toStandardError ? 2 : 1
    }

    /// Output that goes on to `sink`, in pieces: for a worker whose output has its place among that of others.
    package init(to sink: @escaping @Sendable ([UInt8]) -> Void) {
        onFailure = .discard
        self.sink = sink
        descriptor = 1
    }

    /// The output that `Tool.main` flushes at the end.
    package static let standard = Output()

    package func write(_ text: String) { append { $0.append(contentsOf: text.utf8) } }
    package func writeLine(_ text: String) {
        append {
            $0.append(contentsOf: text.utf8)
            $0.append(ASCII.lf)
        }
    }
    package func writeLine(_ text: Span<UInt8>) {
        append {
            $0.append(span: text)
            $0.append(ASCII.lf)
        }
    }
    package func write(_ bytes: [UInt8]) { append { $0.append(contentsOf: bytes) } }
    package func write(_ bytes: Span<UInt8>) {
        if bytes.count < 65_536 || sink != nil {
            bytes.withUnsafeBufferPointer { part in append { $0.append(contentsOf: part) } }
        } else {
            flush()
            bytes.withUnsafeBytes { raw in state.withLock { send(raw, &$0) } }
        }
    }

    private func append(_ change: (inout [UInt8]) -> Void) {
        state.withLock { state in
            change(&state.buffer)
            if state.buffer.count >= 65_536 { flush(&state) }
        }
    }

    /// Writes out what is buffered.
    package func flush() { state.withLock { flush(&$0) } }

    private func flush(_ state: inout State) {
        if state.buffer.isEmpty { return }
        if let sink {
            sink(state.buffer)
        } else {
            let buffer = state.buffer
            buffer.withUnsafeBytes { send($0, &state) }
        }
        state.buffer.removeAll(keepingCapacity: true)
    }

    private func send(_ bytes: UnsafeRawBufferPointer, _ state: inout State) {
        var rest = bytes[...]
        while !rest.isEmpty, !state.isDiscarding {
            let part = UnsafeRawBufferPointer(rebasing: rest)
            let count = Glibc.write(descriptor, part.baseAddress, part.count)
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                Glibc.poll(&poll, 1, -1)
            } else if errno != EINTR {
                fail(errno, &state)
            }
        }
    }

    private func fail(_ code: Int32, _ state: inout State) {
        let reason = SystemError(code: code, operation: "write").reason
        switch onFailure {
        case .discard:
            state.isDiscarding = true
            Diagnostics.say("standard output: \(reason): no more events are written")
        case .endProcess:
            if code == EPIPE {
                signal(SIGPIPE, SIG_DFL)
                raise(SIGPIPE)
            }
            Diagnostics.say("standard output: \(reason)")
            _exit(ExitCode.ioError.number)
        }
    }
}

/// Standard error, in the form `tool: subject: what is wrong: what to do`.
package enum Diagnostics {
    /// The name that the program was called by.
    package static var programName: String { Files.name(of: CommandLine.arguments.first ?? "facteur") }

    /// Writes one line, the program's name before it. Control characters are escaped.
    package static func say(_ message: String) {
        let line = "\(programName): \(TerminalText.escape(message, keepingLines: true))\n"
        Array(line.utf8).withUnsafeBytes { _ = Glibc.write(2, $0.baseAddress, $0.count) }
    }
}
