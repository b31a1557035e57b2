import CommandLineTool
import Delivery
import Network
import SMTP
import SenderAuthentication
import ServerTool
import Unix

// The events of a mail server.
extension EventLog {
    func connect(_ client: SocketAddress) { write("connect", client: client, plain: { "connect" }) }

    func disconnect(_ client: SocketAddress, _ reason: String?) {
        write("disconnect", client: client) {
            $0.field("reason", reason)
        } plain: {
            "disconnect" + (reason.map { ": \($0)" } ?? "")
        }
    }

    func earlyTalker(_ client: SocketAddress) {
        write("early-talker", client: client, plain: { "spoke before the greeting" })
    }

    func tls(_ client: SocketAddress, _ version: String, _ cipher: String) {
        write("tls", client: client) {
            $0.field("version", version)
            $0.field("cipher", cipher)
        } plain: {
            "tls \(version) \(cipher)"
        }
    }

    func authentication(_ client: SocketAddress, _ mechanism: String, _ user: String?, _ problem: String?) {
        write("auth", client: client) {
            $0.field("mechanism", mechanism)
            $0.field("user", user)
            $0.field("success", problem == nil)
            $0.field("reason", problem)
        } plain: {
            "auth \(mechanism) \(user ?? "?"): \(problem ?? "logged in")"
        }
    }

    func authentication(_ client: SocketAddress, _ identifier: String, _ report: SenderReport) {
        write("authentication", client: client) {
            $0.field("id", identifier)
            $0.field("spf", report.spf?.result.rawValue)
            $0.field("dkim", report.dkim.map { "\($0.verdict.rawValue) \($0.domain)" })
            $0.field("arc", report.arc.verdict.rawValue)
            $0.field("dmarc", report.dmarc.verdict.rawValue)
        } plain: {
            "spf \(report.spf?.result.rawValue ?? "-"), dkim \(report.dkim.count { $0.verdict == .pass }) of "
                + "\(report.dkim.count) valid, dmarc \(report.dmarc.verdict.rawValue)"
        }
    }

    func reputation(_ client: SocketAddress, _ reputation: ClientReputation) {
        write("reputation", client: client) {
            $0.field("name", reputation.name)
            $0.field("score", reputation.score, decimals: 2)
            $0.field("reasons", reputation.reasons)
        } plain: {
            "score \(DecimalText.format(reputation.score, decimals: 2)): \(reputation.reasons.joined(separator: ", "))"
        }
    }

    func rule(_ client: SocketAddress, _ verb: String, _ rule: Rule) {
        write("rule", client: client) {
            $0.field("command", verb.lowercased())
            $0.field("action", rule.description)
        } plain: {
            "rule for \(verb.lowercased()): \(rule.description)"
        }
    }

    func mail(_ client: SocketAddress, _ envelope: Envelope, _ refusal: Reply?) {
        write("mail", client: client) {
            $0.field("address", "\(envelope.reversePath)")
            $0.field("size", envelope.declaredSize)
            $0.field("parameters", String(envelope.parameters.text.dropFirst()))
            $0.field("code", refusal?.code ?? 250)
        } plain: {
            "mail <\(envelope.reversePath)> \(refusal?.code ?? 250)"
        }
    }

    func recipient(_ client: SocketAddress, _ path: Path, _ refusal: Reply?) {
        write("rcpt", client: client) {
            $0.field("address", "\(path)")
            $0.field("code", refusal?.code ?? 250)
            $0.field("text", refusal?.lines.joined(separator: " "))
        } plain: {
            "rcpt <\(path)> \(refusal?.code ?? 250)"
        }
    }

    func message(
        _ client: SocketAddress, _ identifier: String, _ envelope: Envelope, size: Int, replies: [Reply],
        elapsed: Duration
    ) {
        let reply = replies.first { !$0.isPositive } ?? replies.first ?? Reply(250, "2.0.0", "ok")
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

    func filter(_ client: SocketAddress, _ identifier: String, _ filter: String, _ outcome: FilterOutcome) {
        write("filter", client: client) {
            $0.field("id", identifier)
            $0.field("filter", filter)
            $0.field("outcome", outcome.description)
        } plain: {
            "filter \(filter): \(outcome.description)"
        }
    }

    func milter(_ client: SocketAddress, _ filter: String, _ step: String, _ outcome: FilterOutcome) {
        write("filter", client: client) {
            $0.field("filter", filter)
            $0.field("step", step)
            $0.field("outcome", outcome.description)
        } plain: {
            "filter \(filter) at \(step): \(outcome.description)"
        }
    }

    func delivery(
        _ client: SocketAddress, _ identifier: String, _ delivery: LocalDelivery, _ outcome: String
    ) {
        write("delivery", client: client) {
            $0.field("id", identifier)
            $0.field("recipient", "\(delivery.recipient)")
            $0.field("target", delivery.target.description)
            $0.field("outcome", outcome)
        } plain: {
            "delivery to \(delivery.recipient), \(delivery.target.description): \(outcome)"
        }
    }
}

extension DeliveryTarget {
    /// As events name it.
    var description: String {
        switch self {
        case .maildir(let path): "\(path)/"
        case .mbox(let path): path
        case .program(let command): "|\(command)"
        case .forward(let path): "\(path)"
        }
    }
}

extension FilterOutcome {
    var description: String {
        switch self {
        case .passes: "passes"
        case .refused(let reply): "refused: \(reply.code) \(reply.lines.joined(separator: " "))"
        case .discarded: "discarded"
        case .quarantined(let reason): "quarantined: \(reason)"
        case .failed(let reason): "failed: \(reason)"
        }
    }
}

extension MessageProgram.Outcome {
    var description: String {
        switch self {
        case .exited(let code, _): "ended with \(code)"
        case .failed(let reason): "failed: \(reason)"
        }
    }
}

extension Rule {
    var description: String {
        let wait = delay.map { "delay \(DecimalText.format($0 / .seconds(1), decimals: 2)) s" }
        let what: String? =
            switch action {
            case .proceed: nil
            case .reply(let reply): "\(reply.code)"
            case .drop: "drop"
            case .truncate(let count): "truncate \(count)"
            case .stall: "stall"
            }
        return [wait, what].compactMap { $0 }.joined(separator: ", ")
    }
}
