import Bytes
import CommandLineTool
import DNS
import OpenSSL
import Unix

/// What speaking with every address of every mail host has shown.
struct SMTPCheck: Sendable {
    let resolver: Resolver
    let route: MailRoute
    let settings: ProbeSettings

    /// More addresses than this are not spoken with.
    private static let probeLimit = 32

    /// Speaks with all hosts at the same time.
    func probe() async -> [ProbeResult] {
        var targets: [(host: String, address: IPAddress)] = []
        for host in route.hosts {
            let name = route.status == .literal ? host.addresses.first?.description ?? host.name : host.name
            for address in host.addresses where !targets.contains(where: { $0.host == name && $0.address == address }) {
                targets.append((name, address))
            }
        }
        guard !targets.isEmpty else { return [] }
        // Not verifying: what is wrong with a certificate is told as facts.
        let context = try? TLSContext(verifying: false)
        let settings = settings
        return await inOrder(Array(targets.prefix(SMTPCheck.probeLimit))) {
            await SMTPProbe.run($0.host, $0.address, settings, context)
        }
    }

    func section(_ results: [ProbeResult]) async -> CheckSection {
        let isBlocked = isBlocked(results)
        var items = isBlocked ? [blocked(results)] : []
        for result in results { items += await self.items(result, isBlocked: isBlocked) }
        if items.isEmpty { items = [CheckItem(.notApplicable, "no address to speak with")] }
        let now = SystemClock.now.seconds
        return CheckSection(.smtp, items) { json in
            json.array { json in for result in results { ProbeJSON.write(result, now, &json) } }
        }
    }

    /// When nobody answers on port 25 the fault is most likely on this side: many networks let no mail out.
    private func isBlocked(_ results: [ProbeResult]) -> Bool {
        guard settings.port == 25, !results.isEmpty else { return false }
        var silent = 0
        for result in results {
            switch result.failure {
            case .timedOut: silent += 1
            case .noRoute: break
            default: return false
            }
        }
        return silent > 0
    }

    private func blocked(_ results: [ProbeResult]) -> CheckItem {
        CheckItem(
            Finding(
                .smtpConnect, .unknown, route.ascii ?? route.domain,
                "outgoing port 25 seems to be blocked here: no mail host answers"))
    }

    // MARK: One address

    private func items(_ result: ProbeResult, isBlocked: Bool) async -> [CheckItem] {
        let start = "\(result.host) \(result.place)"
        switch result.failure {
        case .timedOut:
            if isBlocked { return [CheckItem(.unknown, "\(start)  no answer in time")] }
            return [finding(.smtpConnect, .error, result, "\(start)  no answer in time")]
        case .noRoute(let reason):
            return [CheckItem(.notApplicable, "\(start)  \(reason) (not a fault of the domain)")]
        case .failed(let reason): return [finding(.smtpConnect, .error, result, "\(start)  \(reason)")]
        case .noGreeting(let reason):
            return [finding(.smtpBanner, .error, result, "\(start)  no greeting: \(reason)")]
        case nil: break
        }
        guard let greeting = result.greeting else { return [] }
        var text = "\(start)  \(greeting.text)   \(Self.rounded(greeting.milliseconds)) ms banner"
        var findings: [Finding] = []
        if !greeting.isPositive {
            let severity: Finding.Severity = greeting.code / 100 == 4 ? .unknown : .error
            findings.append(
                Finding(.smtpBanner, severity, result.host, "\(result.place) greets with \(greeting.text)"))
            return [CheckItem(text, findings)]
        }
        if let hello = result.hello {
            text += ", \(Self.rounded(hello.milliseconds)) ms EHLO"
            let extensions = ProbeResult.extensions(hello)
            if hello.isPositive {
                text += "   " + extensions.joined(separator: " ")
            } else {
                text += "   \(hello.text)"
                findings.append(
                    Finding(
                        .smtpBanner, hello.code / 100 == 4 ? .unknown : .error, result.host,
                        "\(result.place) answers EHLO with \(hello.text)"))
            }
        }
        if let finding = await nameFinding(result, greeting) { findings.append(finding) }
        var items = [CheckItem(text, findings)]
        if let item = encryption(result) { items.append(item) }
        items += transaction(result)
        if let problem = result.problem, !Self.isToldElsewhere(result) {
            items.append(CheckItem(.unknown, "\(start)  \(problem)"))
        }
        return items
    }

    private static func isToldElsewhere(_ result: ProbeResult) -> Bool {
        if case .failed = result.encryption { true } else { false }
    }

    private func finding(
        _ id: Finding.ID, _ severity: Finding.Severity, _ result: ProbeResult, _ text: String
    ) -> CheckItem {
        CheckItem(Finding(id, severity, result.host, text))
    }

    private static func rounded(_ milliseconds: Double) -> String {
        DecimalText.format(milliseconds, decimals: milliseconds < 10 ? 1 : 0)
    }

    // MARK: Names

    /// The server's name for itself is that of the MX record, or one that leads to its address.
    private func nameFinding(_ result: ProbeResult, _ greeting: ProbeResult.Answer) async -> Finding? {
        var names: [String] = []
        for answer in [greeting, result.hello].compactMap({ $0 }) where answer.isPositive {
            let word = answer.lines.first?.split(separator: " ").first.map(String.init) ?? ""
            if !names.contains(word) { names.append(word) }
        }
        let host = route.hosts.first { $0.name.equalsIgnoringCase(result.host) }
        for name in names {
            let isKnown = [result.host, host?.canonicalName].contains { $0?.equalsIgnoringCase(name) == true }
            if isKnown || MailDomain.isLiteral(name, of: result.address) { continue }
            guard name.utf8.contains(ASCII.dot), let domain = try? DomainName(name) else {
                return Finding(
                    .smtpName, .warning, result.host,
                    name.isEmpty ? "the server gives no name" : "the server calls itself \(name), which is no host name"
                )
            }
            let found = await resolver.addresses(of: domain)
            if found.addresses.contains(where: { $0.unmapped == result.address.unmapped }) { continue }
            if found.temporaryFailure != nil { continue }
            return Finding(
                .smtpName, .warning, result.host, "the server calls itself \(name), which is not \(result.address)")
        }
        return nil
    }

    // MARK: Encryption

    private func encryption(_ result: ProbeResult) -> CheckItem? {
        switch result.encryption {
        case .untried: return nil
        case .notOffered:
            return finding(.smtpStartTLSMissing, .warning, result, "STARTTLS is not offered: mail goes in clear")
        case .refused(let answer):
            return finding(.tlsHandshake, .error, result, "STARTTLS is offered and then refused: \(answer.text)")
        case .failed(let reason):
            return finding(.tlsHandshake, .error, result, "STARTTLS is offered, but the handshake fails: \(reason)")
        case .done(let description, let inspection, _):
            guard let inspection else {
                return finding(.tlsUntrusted, .warning, result, "\(description.version): the server has no certificate")
            }
            return certificate(result, description, inspection)
        }
    }

    private func certificate(
        _ result: ProbeResult, _ description: TLSDescription, _ inspection: TLSInspection
    ) -> CheckItem {
        let leaf = inspection.leaf
        var findings: [Finding] = []
        var facts = [
            [description.version, inspection.group, description.cipher].compactMap { $0 }.joined(separator: " ")
        ]
        facts.append("CN=\(leaf.commonName)")
        if inspection.matchesName {
            facts.append("name ok")
        } else {
            let names = (leaf.names.isEmpty ? [leaf.commonName] : leaf.names).prefix(5).joined(separator: " ")
            facts.append("not for \(result.host)")
            findings.append(
                Finding(.tlsName, .warning, result.host, "the certificate is for \(names), not for \(result.host)"))
        }
        if let problem = inspection.chainProblem {
            facts.append("not trusted: \(problem)")
            findings.append(Finding(.tlsUntrusted, .warning, result.host, "not trusted: \(problem)"))
        } else {
            facts.append("trusted")
        }
        let now = SystemClock.now.seconds
        if let notBefore = leaf.notBefore, notBefore > now {
            facts.append("not valid yet")
            findings.append(Finding(.tlsExpired, .error, result.host, "the certificate is not valid yet"))
        } else if let notAfter = leaf.notAfter {
            let days = (notAfter - now) / 86_400
            if notAfter < now {
                facts.append("expired \(-days) days ago")
                findings.append(
                    Finding(.tlsExpired, .error, result.host, "the certificate expired \(-days) days ago"))
            } else {
                facts.append("\(days) days left")
            }
        }
        var text = facts.joined(separator: ", ")
        let before = ProbeResult.extensions(result.hello).map(\.asciiLowercased)
        let added = ProbeResult.extensions(result.helloAfterTLS).filter { !before.contains($0.asciiLowercased) }
        if !added.isEmpty { text += "; EHLO after TLS adds \(added.joined(separator: " "))" }
        return CheckItem(text, findings)
    }

    // MARK: Sender and recipient

    private func transaction(_ result: ProbeResult) -> [CheckItem] {
        guard let mail = result.mail, let sender = settings.sender else { return [] }
        var text = "MAIL FROM:<\(sender)>  \(mail.text)"
        var last = mail
        if let recipient = result.recipient {
            text += "; RCPT TO:<\(settings.recipient ?? "")>  \(recipient.text)"
            last = recipient
        }
        // A refusal may be about the sender or about this host: it is no fault of the domain.
        return [CheckItem(last.isPositive ? .ok : last.code / 100 == 4 ? .unknown : .warning, text)]
    }
}

extension MailDomain {
    /// Whether a server that calls itself `text` gives the literal of its address (RFC 5321 4.1.3).
    fileprivate static func isLiteral(_ text: String, of address: IPAddress) -> Bool {
        guard text.hasPrefix("["), let domain = try? MailDomain(text), case .literal(let literal) = domain else {
            return false
        }
        return literal.unmapped == address.unmapped
    }
}
