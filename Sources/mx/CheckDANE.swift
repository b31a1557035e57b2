import Bytes
import CommandLineTool
import DNS
import OpenSSL
import Unix

/// TLSA records of the mail hosts, compared with the certificates that the hosts show (RFC 6698, RFC 7672).
struct DANECheck: Sendable {
    let resolver: Resolver
    let route: MailRoute
    let port: UInt16

    /// The records of one host.
    struct Host: Sendable {
        let name: String
        /// Where the records stand.
        let base: String
        let answer: Answer

        var records: [TLSARecord] {
            answer.records.compactMap { if case .certificate(let record) = $0.data { record } else { nil } }
        }
    }

    /// Asks for the records of every host.
    func lookUp() async -> [Host] {
        let hosts = route.status == .literal ? [] : route.hosts.filter { $0.problem == nil }
        var names: [(host: String, bases: [String])] = []
        for host in hosts where !names.contains(where: { $0.host == host.name }) {
            // RFC 7672 2.2.2: the name at the end of the aliases first, then the host's own.
            let bases = [host.canonicalName, host.name].compactMap { $0 }
            let ports = port == 25 ? [25] : [port, 25]
            names.append((host.name, bases.flatMap { base in ports.map { "_\($0)._tcp.\(base)" } }))
        }
        let resolver = resolver
        return await inOrder(names) { name in
            var last: Host?
            for base in name.bases {
                let answer = await resolver.lookup(base, .tlsa)
                let host = Host(name: name.host, base: base, answer: answer)
                if !answer.records.isEmpty || answer.temporaryFailure != nil { return host }
                last = last ?? host
            }
            return last ?? Host(name: name.host, base: "", answer: Answer(.noSuchDomain, canonicalName: .root))
        }
    }

    /// Whether a record matches what a server showed: nil when it showed nothing, or the record is of no use.
    static func matches(_ record: TLSARecord, _ inspection: TLSInspection) -> Bool? {
        let certificates: [CertificateFacts]
        switch record.usage {
        case 1, 3: certificates = [inspection.leaf]
        // The chain as the server sent it; its own certificate may be the anchor too (RFC 7671 5.2).
        case 0, 2: certificates = inspection.chain.isEmpty ? [inspection.leaf] : inspection.chain
        default: return nil
        }
        guard record.selector <= 1 else { return nil }
        for certificate in certificates {
            let bytes = record.selector == 0 ? certificate.bytes : certificate.publicKeyInfo
            let digest: [UInt8]?
            switch record.matchingType {
            case 0: digest = bytes
            case 1: digest = try? Digest.hash(.sha256, bytes)
            case 2: digest = try? Digest.hash(.sha512, bytes)
            default: return nil
            }
            if digest == record.association { return true }
        }
        return false
    }

    // MARK: Judging

    func section(_ hosts: [Host], _ probes: [ProbeResult]) -> CheckSection {
        var items = hosts.flatMap { self.items($0, probes) }
        if items.isEmpty { items = [CheckItem(.notApplicable, "no mail host")] }
        if !hosts.isEmpty, hosts.allSatisfy({ $0.records.isEmpty && $0.answer.temporaryFailure == nil }) {
            items = [CheckItem(.notApplicable, "no TLSA records")]
        }
        return CheckSection(.dane, items) { json in
            json.array { json in for host in hosts { DANECheck.write(host, probes, &json) } }
        }
    }

    private func items(_ host: Host, _ probes: [ProbeResult]) -> [CheckItem] {
        if let failure = host.answer.temporaryFailure {
            return [CheckItem(Finding(.tempfail, .unknown, host.name, "TLSA of \(host.base): \(failure)"))]
        }
        let records = host.records
        guard !records.isEmpty else { return [CheckItem(.notApplicable, "\(host.name) has no TLSA records")] }
        var items: [CheckItem] = []
        if !host.answer.isAuthenticated {
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
        let usable = records.filter { $0.usage == 2 || $0.usage == 3 }
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
        if let record = records.first(where: { DANECheck.matches($0, inspection) == true }) {
            // DANE-TA wants the name in the certificate as well (RFC 7672 3.1.2).
            if record.usage == 2, !inspection.matchesName {
                return CheckItem(
                    Finding(
                        .daneMismatch, .error, host.name,
                        "\(DANECheck.text(record))  matches, but the certificate is not for \(host.name)"))
            }
            return CheckItem(
                .ok, "\(DANECheck.text(record))  matches the certificate of \(host.name) at \(probe.address)")
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
            json.field("name", host.base)
            json.field("secure", host.answer.isAuthenticated)
            json.array("records") { json in
                for record in host.records {
                    let results = probes.filter { $0.host == host.name }.compactMap(\.inspection).map {
                        matches(record, $0)
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
