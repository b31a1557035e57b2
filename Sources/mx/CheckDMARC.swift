import Bytes
import CommandLineTool
import DNS
import SenderAuthentication

/// The DMARC policy of a domain, its own or that of its organizational domain (RFC 9989 4.10).
struct DMARCPolicyCheck: Sendable {
    let resolver: Resolver
    let domain: String

    /// What stands at one name of the walk.
    private struct Step: Sendable {
        let domain: DomainName
        /// The TXT records that are DMARC records.
        var records: [[UInt8]] = []
        /// Texts that look like one and are none.
        var lookalikes: [[UInt8]] = []
        var failure: TemporaryFailure?

        /// Several records at one name are discarded.
        var record: DMARCRecord? { records.count == 1 ? DMARCRecord(parsing: records[0]) : nil }
    }

    func section() async -> CheckSection {
        let steps = await walk()
        let organizational = Self.organizational(steps)
        let found = steps.first.flatMap { $0.record != nil ? $0 : nil } ?? organizational
        let isInherited = found != nil && found?.domain != steps.first?.domain
        let items = items(steps, found, isInherited: isInherited)
        let record = found?.record
        let place = found.map { "\($0.domain)" }
        return CheckSection(.dmarc, items) { json in
            json.object { json in
                json.field("domain", place)
                json.field("record", record?.text)
                json.field("policy", record.flatMap { Self.policy($0, isInherited: isInherited)?.rawValue })
                json.field("p", record?.policy?.rawValue)
                json.field("sp", record?.subdomainPolicy?.rawValue)
                json.field("np", record?.nonexistentPolicy?.rawValue)
                json.field("testing", record?.isTesting)
                json.field("rua", record?.aggregateReports ?? [])
                json.field("ruf", record?.failureReports ?? [])
                json.field("problems", record?.problems ?? [])
            }
        }
    }

    // MARK: The walk

    /// What stands at each of the names, up to the one that ends the walk.
    private func walk() async -> [Step] {
        let names = DMARCDiscovery.names(domain).compactMap { try? DomainName($0) }
        let resolver = resolver
        let steps = await inOrder(names) { await Self.step($0, resolver) }
        // psd=n and psd=y end the walk.
        let end = steps.firstIndex { $0.record.map { $0.publicSuffix != .unknown } ?? false }
        return Array(steps.prefix(end.map { $0 + 1 } ?? steps.count))
    }

    private static func step(_ domain: DomainName, _ resolver: Resolver) async -> Step {
        let answer = await resolver.lookup("_dmarc.\(domain)", .txt)
        var step = Step(domain: domain)
        step.failure = answer.temporaryFailure
        for text in answer.records.compactMap(\.data.joinedText) {
            if DMARCRecord.isRecord(text) {
                step.records.append(text)
            } else if text.filter({ !$0.isSpaceOrTab }).prefix(7).equalsIgnoringCase("v=DMARC") {
                step.lookalikes.append(text)
            }
        }
        return step
    }

    /// Where the organizational domain's policy stands.
    private static func organizational(_ steps: [Step]) -> Step? {
        if let last = steps.last, let record = last.record {
            if record.publicSuffix == .no { return last }
            // One label below a public suffix is the organizational domain; without a record of its own the suffix's counts.
            if record.publicSuffix == .yes, steps.count > 1 {
                let below = steps[steps.count - 2]
                return below.record == nil ? last : below
            }
        }
        return steps.last { $0.record != nil }
    }

    /// The policy that holds for the domain.
    private static func policy(_ record: DMARCRecord, isInherited: Bool) -> DMARCPolicy? {
        isInherited ? record.subdomainPolicy ?? record.policy : record.policy
    }

    // MARK: Judging

    private func items(_ steps: [Step], _ found: Step?, isInherited: Bool) -> [CheckItem] {
        guard let own = steps.first else { return [CheckItem(.notApplicable, "no domain to ask for")] }
        let name = "_dmarc.\(domain)"
        var items: [CheckItem] = []
        if own.records.count > 1 {
            items.append(
                CheckItem(
                    Finding(.dmarcMultiple, .error, name, "\(own.records.count) records: all are discarded"),
                    details: own.records.map { PolicyTag.text($0) }))
        }
        for text in own.lookalikes {
            items.append(
                CheckItem(
                    Finding(.dmarcSyntax, .error, name, "does not begin with v=DMARC1: it is no record"),
                    details: [PolicyTag.text(text)]))
        }
        guard let found, let record = found.record else {
            if let step = steps.first(where: { $0.failure != nil }), let failure = step.failure {
                items.append(
                    CheckItem(
                        Finding(.tempfail, .unknown, name, "TXT of _dmarc.\(step.domain): \(failure)")))
            } else if items.isEmpty {
                items.append(CheckItem(Finding(.dmarcMissing, .warning, name, "no record")))
            }
            return items
        }
        if let failure = own.failure {
            items.append(CheckItem(Finding(.tempfail, .unknown, name, "TXT of \(name): \(failure)")))
        }
        return items + [judge(record, "_dmarc.\(found.domain)", isInherited: isInherited)]
    }

    private func judge(_ record: DMARCRecord, _ name: String, isInherited: Bool) -> CheckItem {
        var findings: [Finding] = []
        var details: [String] = []
        if !record.problems.isEmpty {
            let isGrave = record.policy == nil || record.problems.contains { $0.hasPrefix("p") && !$0.hasPrefix("psd") }
            findings.append(
                Finding(.dmarcSyntax, isGrave ? .error : .warning, name, record.problems.joined(separator: "; ")))
            details += record.problems
            details.append(record.text)
        }
        let policy = Self.policy(record, isInherited: isInherited)
        if policy == DMARCPolicy.none {
            findings.append(Finding(.dmarcNone, .warning, name, "p=none: mail that fails is delivered"))
        }
        if !record.removedTags.isEmpty {
            let tags = record.removedTags.joined(separator: " ")
            findings.append(Finding(.dmarcRemovedTag, .warning, name, "\(tags): removed by RFC 9989"))
        }
        return CheckItem(summary(record, name, isInherited: isInherited), findings, details: details)
    }

    /// `p=quarantine sp=none pct=100  rua=mailto:d@example.org`
    private func summary(_ record: DMARCRecord, _ name: String, isInherited: Bool) -> String {
        var words = [record.policy.map { "p=\($0.rawValue)" } ?? "no policy"]
        if let policy = record.subdomainPolicy { words.append("sp=\(policy.rawValue)") }
        if let policy = record.nonexistentPolicy { words.append("np=\(policy.rawValue)") }
        if record.isTesting { words.append("t=y") }
        if let percentage = record.percentage { words.append("pct=\(percentage)") }
        if record.hasStrictDKIM { words.append("adkim=s") }
        if record.hasStrictSPF { words.append("aspf=s") }
        var text = words.joined(separator: " ")
        if !record.aggregateReports.isEmpty { text += "  rua=\(record.aggregateReports.joined(separator: ","))" }
        if isInherited { text += "  of \(name.dropFirst(7))" }
        return text
    }
}
