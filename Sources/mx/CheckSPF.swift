import CommandLineTool
import DNS
import SenderAuthentication

/// The SPF policy of a domain as it stands, with every record that it leads to (RFC 7208).
enum SPFPolicyCheck {
    private static let lookupLimit = 10
    private static let voidLimit = 2

    static func section(_ domain: String, _ resolver: Resolver) async -> CheckSection {
        let survey = await SPFSurvey(of: domain, resolver)
        return CheckSection(.spf, items(survey)) { write(survey, &$0) }
    }

    private static func items(_ survey: SPFSurvey) -> [CheckItem] {
        if let failure = survey.failure {
            return [CheckItem(Finding(.tempfail, .unknown, survey.domain, "TXT of \(survey.domain): \(failure)"))]
        }
        if survey.records.isEmpty { return [CheckItem(Finding(.spfMissing, .warning, survey.domain, "no record"))] }
        if survey.records.count > 1 {
            return [
                CheckItem(
                    Finding(
                        .spfMultiple, .error, survey.domain, "\(survey.records.count) records, one is allowed"),
                    details: survey.records)
            ]
        }
        var items: [CheckItem] = []
        if let item = syntax(survey) { items.append(item) }
        if survey.record != nil { items.append(lookups(survey)) }
        if survey.void > voidLimit {
            let names = voidTerms(survey).joined(separator: " ")
            items.append(
                CheckItem(
                    Finding(
                        .spfVoidLookups, .error, survey.domain,
                        "\(survey.void) terms find nothing, limit \(voidLimit): \(names)")))
        }
        items += crowds(survey) + terms(survey)
        if let failure = nestedFailure(survey) {
            items.append(
                CheckItem(Finding(.tempfail, .unknown, survey.domain, "not all of the policy is known: \(failure)")))
        }
        return items
    }

    /// What makes the whole policy an error.
    private static func syntax(_ survey: SPFSurvey) -> CheckItem? {
        guard let error = survey.firstError else { return nil }
        let place = error.domain == survey.domain ? "" : "\(error.domain): "
        let text = "\(place)\(error.problem)"
        if error.problem.hasSuffix("there is no SPF record") {
            return CheckItem(Finding(.spfMissing, .error, error.domain, text))
        }
        if error.problem == "more than one SPF record" {
            return CheckItem(Finding(.spfMultiple, .error, error.domain, text))
        }
        return CheckItem(
            Finding(.spfSyntax, .error, error.domain, text), details: survey.syntaxError == nil ? [] : survey.records)
    }

    /// `12 lookups, limit 10: include:_spf.a.example (4) include:b.example (7) mx (1)`
    private static func lookups(_ survey: SPFSurvey) -> CheckItem {
        let record = survey.text.map { [$0] } ?? []
        let costs = survey.terms.map { "\($0.text) (\($0.lookups))" }.joined(separator: " ")
        let noun = survey.lookups == 1 ? "lookup" : "lookups"
        let text = "\(survey.lookups) \(noun), limit \(lookupLimit)" + (costs.isEmpty ? "" : ": \(costs)")
        let details = record + survey.terms.flatMap { tree($0, depth: 1) }
        if survey.lookups > lookupLimit {
            return CheckItem(Finding(.spfLookups, .error, survey.domain, text), details: details)
        }
        return CheckItem(.ok, text, details: details)
    }

    /// The policies that a term leads to, each with its record, one level deeper than the term.
    private static func tree(_ term: SPFSurvey.Term, depth: Int) -> [String] {
        term.nested.flatMap { policy -> [String] in
            let indent = String(repeating: "  ", count: min(depth, 8))
            let record = policy.text ?? policy.failure.map { "\($0)" } ?? "no record"
            return ["\(indent)\(term.text) (\(term.lookups)): \(record)"]
                + policy.terms.flatMap { tree($0, depth: depth + 1) }
        }
    }

    /// Terms `mx` that name more hosts than a check looks at.
    private static func crowds(_ survey: SPFSurvey) -> [CheckItem] {
        survey.terms.flatMap { term -> [CheckItem] in
            let nested = term.nested.flatMap(crowds)
            guard term.hosts > lookupLimit else { return nested }
            let text = "\(term.text) of \(survey.domain) names \(term.hosts) hosts, limit \(lookupLimit)"
            return [CheckItem(Finding(.spfLookups, .error, survey.domain, text))] + nested
        }
    }

    private static func voidTerms(_ survey: SPFSurvey) -> [String] {
        survey.terms.flatMap { term in (term.isVoid ? [term.text] : []) + term.nested.flatMap(voidTerms) }
    }

    /// Terms that no policy should have, wherever they stand.
    private static func terms(_ survey: SPFSurvey) -> [CheckItem] {
        var items: [CheckItem] = []
        for directive in survey.record?.directives ?? [] {
            switch directive.mechanism {
            case .all where directive.qualifier == .pass:
                items.append(
                    CheckItem(
                        Finding(
                            .spfPassAll, .error, survey.domain,
                            "\(directive.text) of \(survey.domain) lets every host send")))
            case .ptr:
                items.append(
                    CheckItem(
                        Finding(.spfPTR, .warning, survey.domain, "\(directive.text) of \(survey.domain): ptr is slow"))
                )
            default: break
            }
        }
        return items + survey.terms.flatMap { $0.nested.flatMap(terms) }
    }

    private static func nestedFailure(_ survey: SPFSurvey) -> TemporaryFailure? { survey.firstFailure }

    // MARK: JSON

    private static func write(_ survey: SPFSurvey, _ json: inout JSONWriter) {
        json.object { json in
            json.field("domain", survey.domain)
            json.field("record", survey.text)
            json.field("records", survey.records)
            json.field("lookups", survey.lookups)
            json.field("limit", lookupLimit)
            json.field("void", survey.void)
            json.array("terms") { json in
                for term in survey.terms {
                    json.object { json in
                        json.field("term", term.text)
                        json.field("lookups", term.lookups)
                        json.field("void", term.isVoid)
                        json.field("error", term.failure.map { "\($0)" })
                        json.key("policy")
                        if let nested = term.nested.first { write(nested, &json) } else { json.null() }
                    }
                }
            }
            json.field("problem", survey.firstError.map { "\($0.domain): \($0.problem)" })
        }
    }
}
