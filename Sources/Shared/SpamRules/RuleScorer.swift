import Bytes
import Unix

/// A rule that hit.
package struct RuleHit: Equatable, Sendable {
    package let name: String
    package let points: Double
    package let description: String?
    package let area: String
    /// What matched; nil for metas and for what is not there.
    package let text: String?
}

/// The outcome of a message.
package struct RuleVerdict: Equatable, Sendable {
    /// Those with points, in the order of the rules.
    package let hits: [RuleHit]
    /// Rules whose expression met its limit.
    package let cut: [String]
    /// The sum of the points.
    package var score: Double { hits.reduce(0) { $0 + $1.points } }
}

/// Scores messages by a set of rules. Expressions are compiled when they are first needed.
package final class RuleScorer {
    private let set: RuleSet
    private var compiled: [String: PerlRegex] = [:]
    /// Rules whose expression cannot be compiled, found at first use.
    package private(set) var problems: [String: PerlRegexError] = [:]

    package init(_ set: RuleSet) { self.set = set }

    /// Compiles every expression, for `problems`.
    package func compileAll() {
        for name in set.names { if let rule = set.rules[name] { _ = regex(rule) } }
    }

    package func score(_ message: Span<UInt8>) throws(PerlRegexError) -> RuleVerdict {
        let texts = RuleTexts(message)
        var counts: [String: Int] = [:]
        var matched: [String: [UInt8]] = [:]
        var cut: [String] = []
        for name in set.names {
            guard let rule = set.rules[name] else { continue }
            if case .meta = rule.area { continue }
            if case .exists(let field) = rule.area {
                counts[name] = texts.headers(field, .raw).isEmpty ? 0 : 1
                continue
            }
            guard let pattern = rule.pattern, let regex = regex(rule) else {
                if problems[name] == .missingLibrary { throw .missingLibrary }
                continue
            }
            let result = count(rule, pattern, regex, texts)
            counts[name] = result.count
            matched[name] = result.text
            if result.isCut { cut.append(name) }
        }
        evaluateMetas(&counts)
        let hits = set.names.compactMap { name -> RuleHit? in
            guard let rule = set.rules[name], counts[name] ?? 0 > 0, rule.points != 0 else { return nil }
            return RuleHit(
                name: name, points: rule.points, description: rule.description, area: rule.area.word,
                text: matched[name].map { String(decoding: $0.prefix(200), as: UTF8.self) })
        }
        return RuleVerdict(hits: hits, cut: cut)
    }

    private func regex(_ rule: Rule) -> PerlRegex? {
        if let known = compiled[rule.name] { return known }
        guard let pattern = rule.pattern, problems[rule.name] == nil else { return nil }
        do throws(PerlRegexError) {
            let regex = try PerlRegex(pattern.text, PerlRegex.Options(rawValue: pattern.options))
            compiled[rule.name] = regex
            return regex
        } catch {
            problems[rule.name] = error
            return nil
        }
    }

    private func count(
        _ rule: Rule, _ pattern: RulePattern, _ regex: PerlRegex, _ texts: RuleTexts
    ) -> (count: Int, text: [UInt8]?, isCut: Bool) {
        var subjects: [[UInt8]]
        switch rule.area {
        case .header(let name, let form):
            subjects = texts.headers(name, form)
            if subjects.isEmpty { subjects = [Array((pattern.ifUnset ?? "").utf8)] }
        case .body: subjects = texts.paragraphs
        case .rawBody: subjects = texts.rawLines
        case .uri: subjects = texts.uris
        case .full: subjects = [texts.full]
        case .meta, .exists: subjects = []
        }
        let limit = rule.isMultiple ? max(1, rule.maximumHits) : 1
        var count = 0
        var text: [UInt8]?
        var isCut = false
        for subject in subjects where count < limit {
            var place = 0
            while count < limit {
                let outcome = RuleScorer.find(regex, subject, place)
                if outcome == .limited { isCut = true }
                guard case .match(let range) = outcome else { break }
                count += 1
                if text == nil { text = Array(subject[range]) }
                place = max(range.upperBound, range.lowerBound + 1)
            }
        }
        return pattern.isNegated ? (count == 0 ? 1 : 0, nil, isCut) : (count, text, isCut)
    }

    private static func find(_ regex: PerlRegex, _ subject: [UInt8], _ place: Int) -> PerlRegex.Outcome {
        regex.firstMatch(in: subject.span, from: place)
    }

    /// A meta may speak of others: each pass settles those whose parts are settled; what circles stays 0.
    private func evaluateMetas(_ counts: inout [String: Int]) {
        var open = set.names.filter { name in
            if case .meta = set.rules[name]?.area { true } else { false }
        }
        while !open.isEmpty {
            let unsettled = Set(open)
            var left: [String] = []
            for name in open {
                guard case .meta(let expression) = set.rules[name]?.area else { continue }
                if expression.names.contains(where: { unsettled.contains($0) && $0 != name && counts[$0] == nil }) {
                    left.append(name)
                } else {
                    let value = expression.value { Double(counts[expression.names[$0]] ?? 0) }
                    counts[name] = value > 0 ? Int(min(value.rounded(.up), 1e6)) : 0
                }
            }
            if left.count == open.count { return }
            open = left
        }
    }
}
