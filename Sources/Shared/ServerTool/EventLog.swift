import CommandLineTool
import Network
import Synchronization
import Unix

/// What happens in a server, for people (standard error) and for programs (JSON lines on standard output).
package final class EventLog: Sendable {
    private let json: Bool
    private let verbose: Bool
    private let output: Output
    private let pending = Mutex(Pending())

    /// What waits to be written: who reads events slowly, or not at all, must not hold up the server.
    private struct Pending {
        var bytes: [UInt8] = []
        var isWriting = false
        var isDropping = false
    }

    private static let pendingLimit = 64 << 20
    /// How long the writer waits for more before it ends: a busy server writes many events at once, and wakes nobody
    /// for each of them.
    private static let gathering: UInt32 = 2

    package init(json: Bool, verbose: Bool, toStandardError: Bool = false) {
        self.json = json
        self.verbose = verbose
        output = Output(onFailure: .discard, toStandardError: toStandardError)
    }

    /// False when nobody listens, so that nothing needs to be put together.
    package var isOn: Bool { json || verbose }

    /// Waits until everything is written, at most two seconds: at the end of a server.
    package func finish() async {
        for _ in 0..<200 {
            guard pending.withLock({ $0.isWriting }) else { return }
            do { try await EventLoop.sleep(for: .milliseconds(10)) } catch { return }
        }
    }

    private func enqueue(_ bytes: [UInt8]) {
        let (mustStart, isOverLimit) = pending.withLock { pending -> (Bool, Bool) in
            guard pending.bytes.count < EventLog.pendingLimit else {
                defer { pending.isDropping = true }
                return (false, !pending.isDropping)
            }
            pending.isDropping = false
            pending.bytes += bytes
            defer { pending.isWriting = true }
            return (!pending.isWriting, false)
        }
        if isOverLimit { Diagnostics.say("events are not read: some are left out") }
        if mustStart { submitFileWork { self.writeOut() } }
    }

    private func writeOut() {
        while true {
            let bytes = pending.withLock { pending -> [UInt8] in
                let bytes = pending.bytes
                pending.bytes = []
                if bytes.isEmpty { pending.isWriting = false }
                return bytes
            }
            if bytes.isEmpty { return }
            output.write(bytes)
            output.flush()
            pauseFileWork(milliseconds: EventLog.gathering)
        }
    }

    package func listening(_ address: ListenAddress) {
        write("listening") {
            $0.field("address", "\(address.address)")
            $0.field("tls", address.isTLS)
        } plain: {
            "listening on \(address.address)"
        }
    }

    /// Writes an event: its name, the time, the client, its own fields. Without `plain` people read the JSON too.
    package func write(
        _ event: String, client: SocketAddress? = nil, _ fields: (inout JSONWriter) -> Void = { _ in },
        plain: (() -> String)? = nil
    ) {
        guard isOn else { return }
        var bytes: [UInt8] = []
        if json || plain == nil {
            var line = JSONWriter()
            line.object {
                $0.field("event", event)
                $0.field("time", SystemClock.timestamp)
                if let client { $0.field("client", "\(client)") }
                fields(&$0)
            }
            bytes = line.takeLine()
        }
        if json { enqueue(bytes) }
        if verbose {
            let text = plain?() ?? String(decoding: bytes.dropLast(), as: UTF8.self)
            Diagnostics.say((plain == nil ? "" : client.map { "\($0): " } ?? "") + text)
        }
    }
}
