import Bytes
import Glibc
import Unix

/// A rule that hit.
package struct RuleHit: Equatable, Sendable {
    package let name: String
    package let points: Double
    package let description: String?
    package let area: String
    /// What matched, or why the test hits; nil for metas and for what is not there.
    package let text: String?
    /// `text` is a reason in words, not a piece of the message.
    package let isReason: Bool
}

/// What a message would teach by the points of rules alone, without those that a person has set and without what was
/// learned: what learning by itself goes by.
package struct LessonPoints: Equatable, Sendable {
    package var sum = 0.0
    /// Of rules that look at the header, and of those that look at the body; metas count for both.
    package var header = 0.0
    package var body = 0.0
    package init() {}
}

/// The outcome of a message.
package struct RuleVerdict: Equatable, Sendable {
    /// Those with points, in the order of the rules.
    package let hits: [RuleHit]
    /// Rules whose expression met its limit, and what else was not looked at.
    package let cut: [String]
    /// Subrules that hit.
    package let subrules: [String]
    package let lesson: LessonPoints
    /// Who sent it, as lists of senders know them: the address of From, and the network that handed it over.
    package let correspondent: Correspondent?
    /// Rules of one's own have given the points for what was learned.
    package let tellsLearned: Bool
    /// The sum of the points.
    package var score: Double { hits.reduce(0) { $0 + $1.points } }
}

/// Scores messages by a plan. For one thread at a time; expressions are compiled when they are first needed.
package final class RuleScorer {
    package let plan: RulePlan
    private let expressions = ExpressionCache()
    private let listCalls: [EvalCall]
    private let tests: [(rule: Int, test: EvalTests.Test, call: EvalCall)]
    private var compiled: [PerlPattern?]
    private var isRefused: [Bool]
    /// The nanoseconds that each expression has taken to be interpreted; nil when it is machine code.
    private var interpreted: [Int?]
    private var scratch: PerlMatchScratch?
    private var marks: LiteralMarks
    /// By score set: which rules are in force.
    private var active: [[Bool]?] = [nil, nil, nil, nil]

    /// The nanoseconds that making machine code of an expression takes: what has been interpreted for so long, or is asked
    /// to look at a text of so many bytes, is worth it.
    private static let machineCodeTime = 400_000
    private static let longText = 8_192
    /// Seconds that a message may take, unless time_limit says otherwise.
    private static let timeLimit = 60.0

    package convenience init(_ set: RuleSet) { self.init(RulePlan(set)) }

    package init(_ plan: RulePlan) {
        self.plan = plan
        listCalls = plan.evals.map(\.call).filter {
            $0.function.hasPrefix("check_rbl") && $0.function != "check_rbl_sub"
        }
        tests = plan.evals.compactMap { rule, call in EvalTests.all[call.function].map { (rule, $0, call) } }
        compiled = Array(repeating: nil, count: plan.count)
        isRefused = Array(repeating: false, count: plan.count)
        interpreted = Array(repeating: 0, count: plan.count)
        marks = LiteralMarks(count: plan.count)
    }

    /// Compiles every expression, and tells which cannot be, by the names of their rules.
    package func compileAll() -> [String: PerlRegexError] {
        for rule in 0..<plan.count where !plan.patterns.isEmpty(rule) {
            _ = plan.expressions.pattern(of: rule, plan, isFast: false)
        }
        var errors: [String: PerlRegexError] = [:]
        for (rule, error) in plan.expressions.errors { errors[plan.names.text(rule)] = error }
        return errors
    }

    /// Scores a message.
    ///
    /// - Parameters:
    ///   - scoreSet: 0 for local tests only, 1 with the network, 2 and 3 the same with a learned classifier.
    ///   - learned: the probability that it is spam by what was learned; nil when nothing was.
    ///   - network: asks the network what the rules want to know; nil for local tests only.
    package func score(
        _ message: Span<UInt8>, scoreSet: Int = 0, learned: Double? = nil,
        network: ((NetworkSurvey) -> NetworkFacts)? = nil
    ) throws(PerlRegexError) -> RuleVerdict {
        if scratch == nil { scratch = try PerlMatchScratch() }
        let facts = MessageFacts(message, plan, expressions, listCalls: listCalls)
        facts.learned = learned
        let active = active(scoreSet)
        if let network {
            let survey = NetworkSurvey(facts, tests.lazy.filter { active[$0.rule] }.map(\.call))
            if !survey.isEmpty { facts.network = network(survey) }
            facts.network.isKnown = true
        }
        let limit = min(max(plan.settings.number("time_limit") ?? RuleScorer.timeLimit, 0), 86_400)
        var run = RuleRun(
            count: plan.count, scoreSet: scoreSet, active: active, deadline: limit == 0 ? nil : .now + .seconds(limit))
        runHeaders(facts, &run)
        runTexts(plan.body, facts.bodyLines, hasSubject: true, &run)
        runTexts(plan.rawBody, facts.rawChunks, hasSubject: false, &run)
        runTexts(plan.uri, facts.uris, hasSubject: false, &run)
        runTexts(plan.full, [facts.bytes], hasSubject: false, &run)
        for (rule, test, call) in tests where active[rule] {
            facts.reason = nil
            run.counts[rule] = Double(test(facts, call.arguments))
            if run.counts[rule] != 0, let reason = facts.reason { run.reasons[rule] = reason }
        }
        runMetas(&run)
        let ending = plan.hasEnds ? shortcircuit(&run) : nil
        return verdict(run, facts, ending)
    }

    private func active(_ set: Int) -> [Bool] {
        if let known = active[set] { return known }
        let made = (0..<plan.count).map { plan.isActive($0, set: set) }
        active[set] = made
        return made
    }

    private func runMetas(_ run: inout RuleRun) {
        var stack: [Double] = []
        var start = 0
        for (place, rule) in plan.metas.enumerated() {
            let end = Int(plan.metaEnds[place])
            if run.active[Int(rule)] {
                run.counts[Int(rule)] = plan.program.value(start..<end, &stack, hits: run.counts)
            }
            start = end
        }
    }

    /// When a rule that ends the scoring has hit: takes back what comes after the first of them, and gives what it says.
    private func shortcircuit(_ run: inout RuleRun) -> RuleHit? {
        let ends: RulePlan.Flags = [.endsAsSpam, .endsAsHam, .ends]
        let hits = (0..<plan.count).filter { run.counts[$0] != 0 && !plan.flags($0).isDisjoint(with: ends) }
        guard let first = hits.min(by: { plan.priorities[$0] < plan.priorities[$1] }) else { return nil }
        for rule in 0..<plan.count where plan.priorities[rule] > plan.priorities[first] { run.counts[rule] = 0 }
        let flags = plan.flags(first)
        let points =
            flags.contains(.endsAsSpam)
            ? plan.settings.number("shortcircuit_spam_score") ?? 100
            : flags.contains(.endsAsHam) ? plan.settings.number("shortcircuit_ham_score") ?? -100 : 0
        return RuleHit(
            name: "SHORTCIRCUIT", points: points, description: "not all rules were needed", area: "meta",
            text: plan.names.text(first), isReason: true)
    }

    private func verdict(_ run: RuleRun, _ facts: MessageFacts, _ ending: RuleHit?) -> RuleVerdict {
        var hits: [RuleHit] = []
        var subrules: [String] = []
        var lesson = LessonPoints()
        for rule in 0..<plan.count where run.counts[rule] != 0 {
            if plan.flags(rule).contains(.isSubrule) {
                subrules.append(plan.names.text(rule))
                continue
            }
            let reason = run.reasons[rule]
            hits.append(
                RuleHit(
                    name: plan.names.text(rule), points: plan.points(rule, set: run.scoreSet),
                    description: plan.description(rule), area: plan.word(rule),
                    text: reason ?? run.matched[rule].map(RuleScorer.shown), isReason: reason != nil))
            if !plan.flags(rule).contains(.teachesNothing) {
                let points = plan.points(rule, set: run.scoreSet & 1)
                let word = plan.word(rule)
                lesson.sum += points
                if word == "header" || word == "meta" { lesson.header += points }
                if word != "header" { lesson.body += points }
            }
        }
        if let ending { hits.append(ending) }
        let cut = run.cut.sorted().map { plan.names.text($0) } + facts.network.cut
        return RuleVerdict(
            hits: hits, cut: run.isOutOfTime ? cut + ["time_limit"] : cut, subrules: subrules, lesson: lesson,
            correspondent: Correspondent(facts), tellsLearned: tellsLearned(run))
    }

    /// Whether a rule with points of its own for what was learned has hit.
    private func tellsLearned(_ run: RuleRun) -> Bool {
        plan.evals.contains { rule, _ in
            run.counts[rule] != 0 && plan.flags(rule).contains(.isLearned)
                && plan.points(rule, set: run.scoreSet) != 0
        }
    }

    /// What matched, for people: its beginning, without the line end of a header field.
    private static func shown(_ matched: [UInt8]) -> String {
        (matched.last == ASCII.lf ? matched.dropLast() : matched[...]).prefix(200).text
    }

    // MARK: Headers

    private func runHeaders(_ facts: MessageFacts, _ run: inout RuleRun) {
        let values = plan.subjects.map { facts.value(of: $0) }
        for (subject, value) in values.enumerated() {
            guard let value else { continue }
            marks.clear()
            plan.headerNeeds.scan(value.span, into: &marks)
            for rule in marks.owners where Int(plan.subjectOf[rule]) == subject && run.active[rule] {
                match(rule, value, &run)
            }
        }
        for rule in plan.headers.map(Int.init) where run.active[rule] {
            let value = values[Int(plan.subjectOf[rule])]
            if plan.kind(rule) == .exists {
                run.counts[rule] = value == nil ? 0 : 1
                continue
            }
            let flags = plan.flags(rule)
            if let value = value ?? (flags.contains(.hasDefault) ? Array(plan.defaults[rule]) : nil) {
                match(rule, value, &run)
            } else if flags.contains(.negated) {
                match(rule, [], &run)
            }
            if flags.contains(.negated) { negate(rule, &run) }
        }
        for rule in plan.mimeHeaders.map(Int.init) where run.active[rule] {
            let flags = plan.flags(rule)
            var lines = facts.mimeValues(of: plan.subjects[Int(plan.subjectOf[rule])])
            if lines.isEmpty, flags.contains(.hasDefault) { lines = [Array(plan.defaults[rule])] }
            for line in lines { match(rule, line, &run) }
            if flags.contains(.negated) { negate(rule, &run) }
        }
    }

    private func negate(_ rule: Int, _ run: inout RuleRun) {
        run.counts[rule] = run.counts[rule] == 0 ? 1 : 0
        run.matched[rule] = nil
    }

    // MARK: Texts

    private func runTexts(_ group: RulePlan.Group, _ texts: [[UInt8]], hasSubject: Bool, _ run: inout RuleRun) {
        guard !group.isEmpty else { return }
        for (number, text) in texts.enumerated() {
            marks.clear()
            group.needs.scan(text.span, into: &marks)
            for rule in marks.owners where run.active[rule] {
                if number == 0, hasSubject, plan.flags(rule).contains(.skipsSubject) { continue }
                match(rule, text, &run)
            }
        }
        let joined =
            texts.count > 2 ? Array(texts.joined(separator: texts.first?.last == ASCII.lf ? [] : [ASCII.lf])) : nil
        for rule in group.always.map(Int.init) where run.active[rule] {
            // One look at all of them is enough for most.
            if let joined, plan.flags(rule).contains(.isJoinable), !isIn(joined, rule, &run) { continue }
            let first = hasSubject && plan.flags(rule).contains(.skipsSubject) ? 1 : 0
            for text in texts.dropFirst(first) { match(rule, text, &run) }
        }
    }

    /// Whether a rule matches somewhere in a text; true when nobody can say.
    private func isIn(_ text: [UInt8], _ rule: Int, _ run: inout RuleRun) -> Bool {
        guard !run.isOver() else { return false }
        if text.count > RuleScorer.longText { makeMachineCode(rule) }
        guard let outcome = firstMatch(rule, in: text, from: 0) else { return false }
        return outcome != .none
    }

    /// Counts the matches of a rule in a text, up to what its flags ask for.
    private func match(_ rule: Int, _ text: [UInt8], _ run: inout RuleRun) {
        let most = Double(plan.maximumHits[rule])
        guard run.counts[rule] < most, !run.isOver() else { return }
        var place = 0
        while run.counts[rule] < most, let outcome = firstMatch(rule, in: text, from: place) {
            if outcome == .limited { run.cut.insert(rule) }
            guard case .match(let range) = outcome else { break }
            run.counts[rule] += 1
            if run.matched[rule] == nil, !plan.flags(rule).contains(.isSubrule) {
                run.matched[rule] = Array(text[range].prefix(256))
            }
            place = range.isEmpty ? range.upperBound + 1 : range.upperBound
        }
    }

    /// Nil when the expression cannot be compiled.
    private func firstMatch(_ rule: Int, in text: [UInt8], from place: Int) -> PerlRegex.Outcome? {
        guard let pattern = pattern(rule), let scratch else { return nil }
        guard let before = interpreted[rule] else { return pattern.firstMatch(in: text.span, from: place, scratch) }
        let begin = RuleScorer.nanoseconds()
        let outcome = pattern.firstMatch(in: text.span, from: place, scratch)
        let spent = before + RuleScorer.nanoseconds() - begin
        interpreted[rule] = spent
        if spent >= RuleScorer.machineCodeTime { makeMachineCode(rule) }
        return outcome
    }

    private func pattern(_ rule: Int) -> PerlPattern? {
        if let known = compiled[rule] { return known }
        guard !isRefused[rule] else { return nil }
        compiled[rule] = plan.expressions.pattern(of: rule, plan, isFast: interpreted[rule] == nil)
        isRefused[rule] = compiled[rule] == nil
        return compiled[rule]
    }

    private func makeMachineCode(_ rule: Int) {
        guard interpreted[rule] != nil else { return }
        interpreted[rule] = .none
        compiled[rule] = nil
    }

    private static func nanoseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
