import Bytes
import CommandLineTool
import DNS

/// The records that say how mail to a domain is encrypted and shown: TLS reporting, BIMI; MTA-STS has a file of its own.
struct PolicyCheck: Sendable {
    let resolver: Resolver
    let domain: String

    /// A TXT record that is looked for, and what came of it.
    struct Found {
        var record: String?
        var tags: [PolicyTag] = []
        /// Why the record is not valid.
        var problem: String?
        var failure: TemporaryFailure?
    }

    /// Picks the one record with a version out of the TXT records of a name; other texts are no concern.
    func find(_ name: String, version: String) async -> Found {
        let answer = await resolver.lookup(name, .txt)
        var found = Found()
        found.failure = answer.temporaryFailure
        let all = answer.records.compactMap(\.data.joinedText)
        let texts = all.filter { PolicyTag.begins($0, version) }
        guard let first = texts.first else {
            // What looks like the record and is none was most likely meant as one.
            let word = String(version.dropFirst(2).dropLast()).asciiLowercased
            if let text = all.map({ PolicyTag.text($0) }).first(where: { $0.asciiLowercased.contains(word) }) {
                found.record = text
                found.problem = "does not begin with \(version): it is no record"
            }
            return found
        }
        found.record = PolicyTag.text(first)
        guard texts.count == 1 else {
            found.problem = "\(texts.count) records, one is allowed: all of them mean nothing"
            return found
        }
        switch PolicyTag.parse(first) {
        case .success(let tags): found.tags = tags
        case .failure(let error): found.problem = error.problem
        }
        return found
    }

    func item(
        _ found: Found, _ id: Finding.ID, _ name: String, missing: String, good: String
    ) -> CheckItem {
        if let failure = found.failure {
            return CheckItem(Finding(.tempfail, .unknown, name, "TXT of \(name): \(failure)"))
        }
        guard let record = found.record else { return CheckItem(.notApplicable, missing) }
        guard let problem = found.problem else { return CheckItem(.ok, good) }
        return CheckItem(Finding(id, .error, name, problem), details: [record])
    }

    // MARK: TLS reporting

    /// RFC 8460 3: `v=TLSRPTv1; rua=mailto:reports@example.org`
    func tlsReporting() async -> CheckSection {
        let name = "_smtp._tls.\(domain)"
        var found = await find(name, version: "v=TLSRPTv1")
        var places: [String] = []
        if found.record != nil, found.problem == nil {
            let value = found.tags.first { $0.name == "rua" }?.value
            places = value.map { $0.split(separator: ",").map { PolicyTag.trimmed(String($0)) } } ?? []
            if places.isEmpty {
                found.problem = "there is no rua"
            } else if let bad = places.first(where: { !PolicyCheck.isReportPlace($0) }) {
                found.problem = "rua: \(bad) is neither mailto: nor https:"
            }
        }
        let (record, problem) = (found.record, found.problem)
        let item = item(
            found, .tlsRPTSyntax, name, missing: "no record", good: "rua=\(places.joined(separator: ","))")
        let reported = problem == nil ? places : []
        return CheckSection(.tlsRPT, [item]) { json in
            json.object { json in
                json.field("record", record)
                json.field("rua", reported)
                json.field("problem", problem)
            }
        }
    }

    private static func isReportPlace(_ text: String) -> Bool {
        let lower = text.asciiLowercased
        if lower.hasPrefix("mailto:") {
            let address = text.dropFirst(7).prefix { $0 != "?" }
            let sides = address.split(separator: "@", omittingEmptySubsequences: false)
            return sides.count == 2 && sides.allSatisfy { !$0.isEmpty }
        }
        return lower.hasPrefix("https://") && text.utf8.count > 8
    }

    // MARK: BIMI

    /// `v=BIMI1; l=https://…; a=https://…` at SELECTOR._bimi; an empty `l` says that there is no indicator.
    func indicator(selector: String) async -> CheckSection {
        let name = "\(selector)._bimi.\(domain)"
        var found = await find(name, version: "v=BIMI1")
        let values = ["l", "a"].map { key in found.tags.first { $0.name == key }?.value }
        if found.record != nil, found.problem == nil {
            if values[0] == nil {
                found.problem = "there is no l"
            } else if let bad = values.compactMap({ $0 }).first(where: { !PolicyCheck.isIndicatorPlace($0) }) {
                found.problem = "\(bad) is not https:"
            }
        }
        let (record, problem) = (found.record, found.problem)
        var item = item(found, .bimiSyntax, name, missing: "", good: "\(selector) \(record ?? "")")
        if record == nil, found.failure == nil {
            item = CheckItem(Finding(.bimiMissing, .warning, name, "\(selector) has no record"))
        }
        return CheckSection(.bimi, [item]) { json in
            json.object { json in
                json.field("selector", selector)
                json.field("record", record)
                json.field("location", values[0])
                json.field("evidence", values[1])
                json.field("problem", problem)
            }
        }
    }

    private static func isIndicatorPlace(_ text: String) -> Bool {
        text.isEmpty || text.asciiLowercased.hasPrefix("https://") && text.utf8.count > 8
    }
}

/// One `name=value` of a policy record, whose tags are divided by semicolons.
struct PolicyTag: Equatable, Sendable {
    let name: String
    let value: String

    struct Problem: Error, Equatable {
        let problem: String
    }

    /// Whether a text is a record of this version: the version stands first, exact, and ends there.
    static func begins(_ text: [UInt8], _ version: String) -> Bool {
        guard text.starts(with: version.utf8) else { return false }
        let rest = text.dropFirst(version.utf8.count).drop(while: \.isSpaceOrTab)
        return rest.isEmpty || rest.first == ASCII.semicolon
    }

    /// Reads a record whose version was recognized; the version is not among the tags.
    static func parse(_ bytes: [UInt8]) -> Result<[PolicyTag], Problem> {
        guard bytes.allSatisfy({ $0 == ASCII.tab || ASCII.space..<ASCII.delete ~= $0 }) else {
            return .failure(Problem(problem: "the record holds what is not printable ASCII"))
        }
        var tags: [PolicyTag] = []
        let parts = bytes.split(separator: ASCII.semicolon, omittingEmptySubsequences: false).map {
            trimmed($0.text)
        }
        for (index, part) in parts.enumerated().dropFirst() {
            if part.isEmpty {
                if index == parts.count - 1 { continue }
                return .failure(Problem(problem: "an empty field"))
            }
            guard let equals = part.firstIndex(of: "="), equals > part.startIndex else {
                return .failure(Problem(problem: "\(part.prefix(40)) is not name=value"))
            }
            let name = trimmed(String(part[..<equals]))
            guard
                name.utf8.allSatisfy({
                    $0.isASCIIAlphanumeric || $0 == ASCII.underscore || $0 == ASCII.dash || $0 == ASCII.dot
                })
            else { return .failure(Problem(problem: "\(name.prefix(40)) is not a name")) }
            if tags.contains(where: { $0.name == name }) {
                return .failure(Problem(problem: "\(name) stands more than once"))
            }
            tags.append(PolicyTag(name: name, value: trimmed(String(part[part.index(after: equals)...]))))
        }
        return .success(tags)
    }

    static func trimmed(_ text: String) -> String {
        var text = text[...]
        while let first = text.first, first == " " || first == "\t" { text = text.dropFirst() }
        while let last = text.last, last == " " || last == "\t" { text = text.dropLast() }
        return String(text)
    }

    /// A record for people: what is not printable ASCII becomes `?`.
    static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.map { ASCII.space..<ASCII.delete ~= $0 ? $0 : ASCII.question }, as: UTF8.self)
    }
}
