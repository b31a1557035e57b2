import Bytes
import CommandLineTool
import DNS
import OpenSSL
import TransportPolicy

/// TLSA records of the mail hosts, compared with the certificates that the hosts show (RFC 6698, RFC 7672).
struct DANECheck: Sendable {
    let resolver: Resolver
    let route: MailRoute
    let port: UInt16

    /// The records of one host.
    struct Host: Sendable {
        let name: String
        let found: TLSALookup

        var records: [TLSARecord] { found.records }
    }

    /// Asks for the records of every host.
    func lookUp() async -> [Host] {
        var hosts: [MailHost] = []
        for host in route.status == .literal ? [] : route.hosts
        where host.problem == nil && !hosts.contains(where: { $0.name == host.name }) {
            hosts.append(host)
        }
        let (resolver, ports) = (resolver, port == 25 ? [25] : [port, 25])
        return await inOrder(hosts) { host in
            Host(name: host.name, found: await TLSALookup(of: host, ports: ports, resolver))
        }
    }

    /// How a record judges what a server showed: nil when the record is of no use. The usages that SMTP does not use are
    /// taken as those that do without authorities.
    private static func verdict(_ record: TLSARecord, _ inspection: TLSInspection, _ host: String) -> TLSAVerdict? {
        var association = record.asAssociation
        if record.usage < 2 {
            association = TLSAssociation(
                usage: record.usage + 2, selector: record.selector, matchingType: record.matchingType,
                data: record.association)
        }
        return (try? inspection.judge(by: association, host: host)) ?? nil
    }

    // MARK: Judging

    func section(_ hosts: [Host], _ probes: [ProbeResult]) -> CheckSection {
        var items = hosts.flatMap { self.items($0, probes) }
        if items.isEmpty { items = [CheckItem(.notApplicable, "no mail host")] }
        if !hosts.isEmpty, hosts.allSatisfy({ $0.records.isEmpty && $0.found.answer.temporaryFailure == nil }) {
            items = [CheckItem(.notApplicable, "no TLSA records")]
        }
        return CheckSection(.dane, items) { json in
            json.array { json in for host in hosts { DANECheck.write(host, probes, &json) } }
        }
    }

    private func items(_ host: Host, _ probes: [ProbeResult]) -> [CheckItem] {
        if let failure = host.found.answer.temporaryFailure {
            return [CheckItem(Finding(.tempfail, .unknown, host.name, "TLSA of \(host.found.name): \(failure)"))]
        }
        let records = host.records
        guard !records.isEmpty else { return [CheckItem(.notApplicable, "\(host.name) has no TLSA records")] }
        var items: [CheckItem] = []
        if !host.found.answer.isAuthenticated {
            items.append(
                CheckItem(
                    Finding(
                        .daneUnsigned, .warning, host.name,
                        "TLSA of \(host.name) is not verified with DNSSEC: senders do not use it")))
        }
        for record in records where record.usage != 2 && record.usage != 3 {
            items.append(
                CheckItem(
                    Finding(
                        .daneUsage, .warning, host.name,
                        "\(DANECheck.text(record))  usage \(record.usage) is not used in SMTP")))
        }
        for record in records where record.usage == 2 || record.usage == 3 {
            if record.isUsableForMail { continue }
            items.append(
                CheckItem(
                    Finding(
                        .daneUsage, .warning, host.name,
                        "\(DANECheck.text(record))  a selector or matching type that is not known")))
        }
        let usable = host.found.usable
        if usable.isEmpty { return items }
        let shown = probes.filter { $0.host == host.name && $0.inspection != nil }
        guard !shown.isEmpty else {
            let text = usable.map(DANECheck.text).joined(separator: ", ")
            return items + [CheckItem(.notApplicable, "\(text)  not compared: no certificate of \(host.name) was seen")]
        }
        return items + shown.map { compare(usable, host, $0) }
    }

    private func compare(_ records: [TLSARecord], _ host: Host, _ probe: ProbeResult) -> CheckItem {
        guard let inspection = probe.inspection else { return CheckItem(.notApplicable, host.name) }
        let verdicts = records.map { (record: $0, verdict: DANECheck.verdict($0, inspection, host.name)) }
        if let good = verdicts.first(where: { $0.verdict == .matches }) {
            return CheckItem(
                .ok, "\(DANECheck.text(good.record))  matches the certificate of \(host.name) at \(probe.address)")
        }
        for (record, verdict) in verdicts {
            let reason: String
            switch verdict {
            case .wrongName: reason = "the certificate is not for \(host.name)"
            case .refused(let problem): reason = "the chain at \(probe.address) is not good: \(problem)"
            case .matches, .differs, nil: continue
            }
            return CheckItem(
                Finding(.daneMismatch, .error, host.name, "\(DANECheck.text(record))  is no match: \(reason)"))
        }
        return CheckItem(
            Finding(
                .daneMismatch, .error, host.name,
                "none of the TLSA records matches the certificate of \(host.name) at \(probe.address)"),
            details: records.map(DANECheck.text))
    }

    /// `3 1 1 ab12…`
    private static func text(_ record: TLSARecord) -> String {
        let data = Hexadecimal.encode(record.association)
        let short = data.utf8.count > 16 ? String(data.prefix(12)) + "…" : data
        return "\(record.usage) \(record.selector) \(record.matchingType) \(short)"
    }

    private static func write(_ host: Host, _ probes: [ProbeResult], _ json: inout JSONWriter) {
        json.object { json in
            json.field("host", host.name)
            json.field("name", host.found.name)
            json.field("secure", host.found.answer.isAuthenticated)
            json.array("records") { json in
                for record in host.records {
                    let results = probes.filter { $0.host == host.name }.compactMap(\.inspection).compactMap {
                        verdict(record, $0, host.name).map { $0 == .matches }
                    }
                    json.object { json in
                        json.field("usage", Int(record.usage))
                        json.field("selector", Int(record.selector))
                        json.field("matchingType", Int(record.matchingType))
                        json.field("data", Hexadecimal.encode(record.association))
                        json.field("matches", results.contains(true) ? true : results.contains(false) ? false : nil)
                    }
                }
            }
        }
    }
}
