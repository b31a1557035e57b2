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
    /// Subrules that hit.
    package let subrules: [String]
    /// The sum of the points.
    package var score: Double { hits.reduce(0) { $0 + $1.points } }
}

/// Scores messages by a set of rules. For one thread at a time; expressions are compiled when they are first needed.
package final class RuleScorer {
    private let set: RuleSet
    private let scoreSet: Int
    private let plan: RulePlan
    private let freemail: FreemailDomains
    private let expressions = ExpressionCache()
    private var compiled: [PerlRegex?]
    private var isRefused: [Bool]
    /// Rules whose expression cannot be compiled, or whose test is not there, found at first use.
    package private(set) var problems: [String: PerlRegexError] = [:]

    /// - Parameter scoreSet: 0 for local tests only, 1 with the network, 2 and 3 the same with a learned classifier.
    package init(_ set: RuleSet, scoreSet: Int = 0) {
        self.set = set
        self.scoreSet = scoreSet
        plan = RulePlan(set, scoreSet: scoreSet)
        freemail = FreemailDomains(set.settings)
        compiled = Array(repeating: nil, count: plan.rules.count)
        isRefused = Array(repeating: false, count: plan.rules.count)
    }

    /// Compiles every expression, for `problems`.
    package func compileAll() {
        for index in plan.rules.indices { _ = regex(index) }
    }

    package func score(_ message: Span<UInt8>) throws(PerlRegexError) -> RuleVerdict {
        let facts = MessageFacts(message, settings: set.settings, freemail: freemail, expressions: expressions)
        var run = RuleRun(count: plan.rules.count)
        runHeaders(facts, &run)
        runTexts(plan.body, facts.bodyLines, skipping: plan.bodySkipsSubject, &run)
        runTexts(plan.rawBody, facts.rawChunks, skipping: [], &run)
        runTexts(plan.uri, facts.uris, skipping: [], &run)
        runTexts(plan.full, [facts.bytes], skipping: [], &run)
        for index in plan.evals {
            guard case .eval(let call) = plan.rules[index].area, let test = EvalTests.all[call.function] else {
                continue
            }
            run.counts[index] = Double(test(facts, call.arguments))
        }
        if problems.values.contains(.missingLibrary) { throw .missingLibrary }
        for (index, expression, operands) in plan.metas {
            run.counts[index] = expression.value { place in operands[place].map { run.counts[$0] } ?? 0 }
        }
        return verdict(run)
    }

    private func verdict(_ run: RuleRun) -> RuleVerdict {
        var hits: [RuleHit] = []
        var subrules: [String] = []
        for (index, rule) in plan.rules.enumerated() where run.counts[index] != 0 {
            if rule.isSubrule {
                subrules.append(rule.name)
            } else {
                hits.append(
                    RuleHit(
                        name: rule.name, points: rule.points(set: scoreSet), description: rule.description,
                        area: rule.area.word,
                        text: run.matched[index].map(RuleScorer.shown)))
            }
        }
        return RuleVerdict(hits: hits, cut: run.cut.sorted().map { plan.rules[$0].name }, subrules: subrules)
    }

    /// What matched, for people: its beginning, without the line end of a header field.
    private static func shown(_ matched: [UInt8]) -> String {
        (matched.last == ASCII.lf ? matched.dropLast() : matched[...]).prefix(200).text
    }

    // MARK: Headers

    private func runHeaders(_ facts: MessageFacts, _ run: inout RuleRun) {
        var found = Array(repeating: false, count: plan.rules.count)
        let values = plan.headerSubjects.map { facts.value(of: $0) }
        for value in values { if let value { plan.headerWords.scan(value, into: &found) } }
        for (subject, index) in plan.headers {
            switch plan.rules[index].area {
            case .exists: run.counts[index] = values[subject] == nil ? 0 : 1
            case .header(_, _, let isNegated, let ifUnset):
                if plan.hasWords[index], !found[index], !isNegated, ifUnset == nil { continue }
                let value = values[subject] ?? Array((ifUnset ?? "").utf8)
                runRegex(index, [value], 0, &run)
                if isNegated { negate(index, &run) }
            default: break
            }
        }
        for index in plan.mimeHeaders {
            guard case .mimeHeader(let subject, _, let isNegated, let ifUnset) = plan.rules[index].area else {
                continue
            }
            var lines = facts.mimeValues(of: subject)
            if lines.isEmpty, let ifUnset { lines = [Array(ifUnset.utf8)] }
            runRegex(index, lines, 0, &run)
            if isNegated { negate(index, &run) }
        }
    }

    private func negate(_ index: Int, _ run: inout RuleRun) {
        run.counts[index] = run.counts[index] == 0 ? 1 : 0
        run.matched[index] = nil
    }

    // MARK: Texts

    private func runTexts(_ group: RulePlan.Group, _ texts: [[UInt8]], skipping: Set<Int>, _ run: inout RuleRun) {
        guard !group.isEmpty else { return }
        var found = Array(repeating: false, count: plan.rules.count)
        for text in texts { group.words.scan(text, into: &found) }
        for index in group.always { runRegex(index, texts, skipping.contains(index) ? 1 : 0, &run) }
        for index in group.gated where found[index] { runRegex(index, texts, skipping.contains(index) ? 1 : 0, &run) }
    }

    /// Counts the matches of a rule in texts, up to what its flags ask for.
    private func runRegex(_ index: Int, _ texts: [[UInt8]], _ first: Int, _ run: inout RuleRun) {
        guard let regex = regex(index) else { return }
        let rule = plan.rules[index]
        let limit = rule.isMultiple ? rule.maximumHits : 1
        var count = 0
        var number = first
        while number < texts.count, count < limit {
            count += RuleScorer.matches(regex, texts[number], limit - count, index, &run)
            number += 1
        }
        run.counts[index] = Double(count)
    }

    private static func matches(
        _ regex: PerlRegex, _ text: [UInt8], _ limit: Int, _ index: Int, _ run: inout RuleRun
    ) -> Int {
        var count = 0
        var place = 0
        while count < limit {
            let outcome = regex.firstMatch(in: text.span, from: place)
            if outcome == .limited { run.cut.insert(index) }
            guard case .match(let range) = outcome else { break }
            count += 1
            if run.matched[index] == nil { run.matched[index] = Array(text[range]) }
            place = range.isEmpty ? range.upperBound + 1 : range.upperBound
        }
        return count
    }

    private func regex(_ index: Int) -> PerlRegex? {
        if let known = compiled[index] { return known }
        guard !isRefused[index], let pattern = plan.patterns[index] else { return nil }
        do throws(PerlRegexError) {
            compiled[index] = try compile(pattern, plan.rules[index])
        } catch {
            isRefused[index] = true
            problems[plan.rules[index].name] = error
        }
        return compiled[index]
    }

    /// What is too large with its tags written out is compiled with tags as subroutines.
    private func compile(_ pattern: RulePattern, _ rule: Rule) throws(PerlRegexError) -> PerlRegex {
        do throws(PerlRegexError) {
            return try PerlRegex(pattern.text, pattern.options)
        } catch {
            guard let compact = set.pattern(of: rule, isCompact: true), compact != pattern else { throw error }
            return try PerlRegex(compact.text, compact.options)
        }
    }
}

/// What is known of a message while its rules run, by the place of each rule.
private struct RuleRun {
    /// How often each hit; the value of a meta.
    var counts: [Double]
    var matched: [Int: [UInt8]] = [:]
    var cut: Set<Int> = []

    init(count: Int) { counts = Array(repeating: 0, count: count) }
}
