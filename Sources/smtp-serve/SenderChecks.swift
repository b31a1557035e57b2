import Bytes
import CommandLineTool
import DNS
import Delivery
import Network
import OpenSSL
import SMTP
import SenderAuthentication
import ServerTool
import Unix

/// What is found out about who sent a message, and what follows from it.
struct SenderChecks: Sendable {
    let methods: AuthenticationResultsField.Methods
    /// Those whose failure refuses a message.
    let enforced: AuthenticationResultsField.Methods
    let verifier: SenderVerifier

    /// Nil when no method is asked for.
    init?(_ arguments: Arguments, _ resolver: Resolver?) {
        var methods: AuthenticationResultsField.Methods = []
        var enforced: AuthenticationResultsField.Methods = []
        for (option, method) in [
            (SmtpServe.spf, AuthenticationResultsField.Methods.spf), (SmtpServe.dkim, .dkim), (SmtpServe.dmarc, .dmarc),
            (SmtpServe.arc, .arc),
        ] {
            guard let value = arguments[option] else { continue }
            methods.insert(method)
            if !value.isEmpty { enforced.insert(method) }
        }
        guard !methods.isEmpty, let resolver else { return nil }
        self.methods = methods
        self.enforced = enforced
        verifier = SenderVerifier(resolver)
    }

    /// The sender of an envelope, before the message has come: nil lets it through.
    func judge(_ client: IPAddress, helloName: String, _ sender: Path) async -> Reply? {
        guard enforced.contains(.spf) else { return nil }
        let outcome = await verifier.checkClient(
            SPFRequest(address: client, mailFrom: "\(sender)", helo: helloName))
        switch outcome.result {
        case .fail:  // RFC 7208 8.4, RFC 7372 3.2
            let text = outcome.explanation ?? "\(client) is not allowed to send mail of \(outcome.domain)"
            return Reply(550, "5.7.23", text)
        case .temperror: return Reply(451, "4.7.24", "the policy of \(outcome.domain) cannot be read now")
        default: return nil
        }
    }

    /// Looks at a whole message: the results, or the reply that refuses it.
    func look(
        _ message: MessageContent, client: IPAddress?, helloName: String, _ sender: Path
    ) async -> (report: SenderReport?, refusal: Reply?) {
        let request = client.map { SPFRequest(address: $0, mailFrom: "\(sender)", helo: helloName) }
        let report: SenderReport
        do {
            let signed = try message.withWhole { bytes in
                Result { () throws(OpenSSLError) in try SignedMessage(bytes) }
            }.get()
            report = await verifier.verify(signed, client: request)
        } catch {
            Diagnostics.say("signatures cannot be verified: \(error)")
            return (nil, enforced.isEmpty ? nil : Reply(451, "4.7.5", "signatures cannot be verified now"))
        }
        return (report, refusal(report))
    }

    private func refusal(_ report: SenderReport) -> Reply? {
        if enforced.contains(.dkim), !report.dkim.isEmpty, !report.dkim.contains(where: { $0.verdict == .pass }) {
            if report.dkim.contains(where: { $0.verdict == .temperror }) {
                return Reply(451, "4.7.5", "the signature cannot be verified now")
            }
            return Reply(550, "5.7.20", "no signature of the message is valid")
        }
        if enforced.contains(.arc), report.arc.verdict == .fail {
            return Reply(550, "5.7.29", "the chain of signatures is broken: \(report.arc.reason ?? "")")
        }
        guard enforced.contains(.dmarc) else { return nil }
        let domain = report.dmarc.domain ?? ""
        if report.dmarc.verdict == .temperror {
            return Reply(451, "4.7.5", "the policy of \(domain) cannot be applied now")
        }
        guard report.dmarc.verdict == .fail, report.dmarc.disposition == .reject else { return nil }
        return Reply(550, "5.7.26", "the policy of \(domain) refuses messages that it has not signed or sent")
    }

    /// The message without results that another has written in this server's name (RFC 8601 5).
    static func withoutForgedResults(_ message: MessageContent, server: String) -> MessageContent {
        let header = message.header()
        let forged = AuthenticationResultsField.forged(header.span, server: server)
        guard !forged.isEmpty else { return message }
        var kept: [UInt8] = []
        var place = 0
        for range in forged.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            kept += header[place..<max(place, range.lowerBound)]
            place = max(place, range.upperBound)
        }
        return message.dropping(header.count).below(kept + header[min(place, header.count)...])
    }

    func field(_ report: SenderReport, server: String) -> [UInt8] {
        AuthenticationResultsField.field(server: server, report, methods, lineEnd: "\n")
    }
}
