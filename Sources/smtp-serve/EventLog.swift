import CommandLineTool
import Network
import SMTP
import Unix

/// What happens, for people (standard error) and for programs (JSON lines on standard output).
final class EventLog: Sendable {
    private let json: Bool
    private let verbose: Bool
    private let output = Output(onFailure: .discard)

    init(json: Bool, verbose: Bool) {
        self.json = json
        self.verbose = verbose
    }

    /// False when nobody listens, so that nothing needs to be put together.
    var isOn: Bool { json || verbose }

    func listening(_ address: ListenAddress) {
        write("listening", client: nil) {
            $0.field("address", "\(address.address)")
            $0.field("tls", address.isTLS)
        } plain: {
            "listening on \(address.address)"
        }
    }

    func connect(_ client: SocketAddress) {
        write("connect", client: client) { _ in
        } plain: {
            "connect"
        }
    }
    func disconnect(_ client: SocketAddress, _ reason: String?) {
        write("disconnect", client: client) {
            $0.field("reason", reason)
        } plain: {
            "disconnect" + (reason.map { ": \($0)" } ?? "")
        }
    }

    func tls(_ client: SocketAddress, _ version: String, _ cipher: String) {
        write("tls", client: client) {
            $0.field("version", version)
            $0.field("cipher", cipher)
        } plain: {
            "tls \(version) \(cipher)"
        }
    }

    func recipient(_ client: SocketAddress, _ path: Path, _ refusal: Reply?) {
        write("rcpt", client: client) {
            $0.field("address", "\(path)")
            $0.field("code", refusal?.code ?? 250)
        } plain: {
            "rcpt <\(path)> \(refusal?.code ?? 250)"
        }
    }

    func mail(_ client: SocketAddress, _ envelope: Envelope) {
        write("mail", client: client) {
            $0.field("address", "\(envelope.reversePath)")
            $0.field("size", envelope.declaredSize)
        } plain: {
            "mail <\(envelope.reversePath)>"
        }
    }

    func message(
        _ client: SocketAddress, _ identifier: String, _ envelope: Envelope, size: Int, reply: Reply,
        elapsed: Duration
    ) {
        write("message", client: client) {
            $0.field("id", identifier)
            $0.field("from", "\(envelope.reversePath)")
            $0.field("to", envelope.recipients.map(\.description))
            $0.field("size", size)
            $0.field("code", reply.code)
            $0.field("enhanced", reply.enhanced)
            $0.field("text", reply.lines.joined(separator: " "))
            $0.field("ms", Double(elapsed / .microseconds(1)) / 1_000, decimals: 1)
        } plain: {
            "message \(identifier) from <\(envelope.reversePath)>, \(envelope.recipients.count) recipients, "
                + "\(size) bytes: \(reply.code) \(reply.lines.joined(separator: " "))"
        }
    }

    func filter(_ client: SocketAddress, _ command: String, _ outcome: String) {
        write("filter", client: client) {
            $0.field("command", command)
            $0.field("outcome", outcome)
        } plain: {
            "filter \(command): \(outcome)"
        }
    }

    private func write(
        _ event: String, client: SocketAddress?, _ fields: (inout JSONWriter) -> Void, plain: () -> String
    ) {
        if json {
            var line = JSONWriter()
            line.object {
                $0.field("event", event)
                $0.field("time", SystemClock.timestamp)
                if let client { $0.field("client", "\(client)") }
                fields(&$0)
            }
            output.write(line.takeLine())
            output.flush()
        }
        if verbose { Diagnostics.say((client.map { "\($0): " } ?? "") + plain()) }
    }
}
