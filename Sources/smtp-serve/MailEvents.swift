import CommandLineTool
import Network
import SMTP
import ServerTool
import Unix

// The events of a mail server.
extension EventLog {
    func connect(_ client: SocketAddress) {
        write("connect", client: client, plain: { "connect" })
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
}
