import Bytes
import Unix

/// Makes the tables of a `RulePlan` from rules as they were read.
struct RulePlanner {
    private(set) var names = TextTable()
    private(set) var descriptions = TextTable()
    private(set) var patterns = TextTable()
    private(set) var defaults = TextTable()
    private(set) var evalAreas = TextTable()
    private(set) var kinds: [Int32] = []
    private(set) var flags: [Int32] = []
    private(set) var options: [Int32] = []
    private(set) var maximumHits: [Int32] = []
    private(set) var priorities: [Int32] = []
    private(set) var subjectOf: [Int32] = []
    private(set) var points: [Double] = []

    private(set) var subjects: [HeaderSubject] = []
    private(set) var headers: [Int32] = []
    private(set) var headerNeeds = RequirementIndex()
    private(set) var mimeHeaders: [Int32] = []
    private(set) var body = RulePlan.Group()
    private(set) var rawBody = RulePlan.Group()
    private(set) var uri = RulePlan.Group()
    private(set) var full = RulePlan.Group()
    private(set) var evals: [(rule: Int, call: EvalCall)] = []
    private(set) var metas: [Int32] = []
    private(set) var metaEnds: [Int32] = []
    private(set) var program = MetaProgram()
    let settings: RuleSettings
    let problems: [RuleProblem]

    private var subjectNumbers: [HeaderSubject: Int32] = [:]

    init(_ set: RuleSet) {
        settings = set.settings
        problems = set.problems
        // Rules that have no points in any set are out of force.
        let rules = set.names.compactMap { set.rules[$0] }.filter { rule in
            rule.isSubrule || rule.allPoints.contains { $0 != 0 }
        }
        for rule in rules { add(rule, RulePlanner.pattern(of: rule, set)) }
        headerNeeds.build()
        body.needs.build()
        rawBody.needs.build()
        uri.needs.build()
        full.needs.build()
        orderMetas(rules)
        raisePriorities(rules)
    }

    /// What a meta speaks of comes no later than the meta itself.
    private mutating func raisePriorities(_ rules: [Rule]) {
        let places = Dictionary(rules.enumerated().map { ($1.name, $0) }) { first, _ in first }
        for meta in metas.reversed() {
            guard case .meta(let expression) = rules[Int(meta)].area else { continue }
            for place in expression.names.compactMap({ places[$0] }) where priorities[place] > priorities[Int(meta)] {
                priorities[place] = priorities[Int(meta)]
            }
        }
    }

    /// The expression with its tags written out, or, where that is too large, with tags as subroutines.
    private static func pattern(of rule: Rule, _ set: RuleSet) -> RulePattern? {
        guard let pattern = set.pattern(of: rule) else { return nil }
        if let compact = set.pattern(of: rule, isCompact: true), compact != pattern {
            do throws(PerlRegexError) {
                _ = try PerlPattern(pattern.text, pattern.options, isFast: false)
            } catch {
                return compact
            }
        }
        return pattern
    }

    private mutating func add(_ rule: Rule, _ pattern: RulePattern?) {
        let index = names.count
        names.append(rule.name.utf8)
        descriptions.append((rule.description ?? "").utf8)
        patterns.append(pattern?.text ?? [])
        options.append(Int32(bitPattern: pattern?.options.rawValue ?? 0))
        maximumHits.append(rule.isMultiple ? Int32(clamping: rule.maximumHits) : 1)
        priorities.append(Int32(clamping: rule.priority))
        let isLearned = RulePlanner.tellsLearned(rule)
        // The points of the reference rules for what was learned are those of LEARNED_xx.
        points += isLearned && !rule.isOwn ? [0, 0, 0, 0] : rule.allPoints
        let required = pattern.flatMap { Requirement($0) }
        var flag: RulePlan.Flags = []
        if let pattern, RequiredLiterals.isJoinable(pattern.text) { flag.insert(.isJoinable) }
        if rule.isSubrule { flag.insert(.isSubrule) }
        if isLearned { flag.insert(.isLearned) }
        switch rule.shortcircuit {
        case .spam: flag.insert(.endsAsSpam)
        case .ham: flag.insert(.endsAsHam)
        case .on: flag.insert(.ends)
        case nil: break
        }
        if rule.skipsSubject { flag.insert(.skipsSubject) }
        if rule.teachesNothing { flag.insert(.teachesNothing) }
        if rule.description != nil { flag.insert(.hasDescription) }
        var subject: HeaderSubject?
        var unset: String?
        switch rule.area {
        case .header(let field, _, let isNegated, let ifUnset):
            subject = field
            unset = ifUnset
            if isNegated { flag.insert(.negated) }
            if let required, !isNegated, ifUnset == nil {
                headerNeeds.add(required, owner: index)
            } else {
                headers.append(Int32(index))
            }
        case .exists(let field):
            subject = field
            headers.append(Int32(index))
        case .mimeHeader(let field, _, let isNegated, let ifUnset):
            subject = field
            unset = ifUnset
            if isNegated { flag.insert(.negated) }
            mimeHeaders.append(Int32(index))
        case .body:
            RulePlanner.add(index, required, to: &body)
        case .rawBody:
            RulePlanner.add(index, required, to: &rawBody)
        case .uri:
            RulePlanner.add(index, required, to: &uri)
        case .full:
            RulePlanner.add(index, required, to: &full)
        case .eval(let call):
            let arguments = call.arguments + (call.function == "check_uridnsbl" ? rule.scopeFlags : [])
            evals.append((index, EvalCall(area: call.area, function: call.function, arguments: arguments)))
        case .meta: break
        }
        if unset != nil { flag.insert(.hasDefault) }
        defaults.append((unset ?? "").utf8)
        if case .eval(let call) = rule.area { evalAreas.append(call.area.utf8) } else { evalAreas.append([]) }
        kinds.append(rule.area.kind.rawValue)
        flags.append(flag.rawValue)
        subjectOf.append(subject.map { number(of: $0) } ?? 0)
    }

    private static func tellsLearned(_ rule: Rule) -> Bool {
        if case .eval(let call) = rule.area { call.function == "check_bayes" } else { false }
    }

    private mutating func number(of subject: HeaderSubject) -> Int32 {
        if let known = subjectNumbers[subject] { return known }
        let number = Int32(subjects.count)
        subjectNumbers[subject] = number
        subjects.append(subject)
        return number
    }

    private static func add(_ rule: Int, _ required: Requirement?, to group: inout RulePlan.Group) {
        group.isEmpty = false
        if let required { group.needs.add(required, owner: rule) } else { group.always.append(Int32(rule)) }
    }

    /// Metas after their operands, without recursion. Those that speak of each other in a circle never hit.
    private mutating func orderMetas(_ rules: [Rule]) {
        let places = Dictionary(rules.enumerated().map { ($1.name, $0) }) { first, _ in first }
        var waiting: [Int: Int] = [:]
        var dependents: [Int: [Int]] = [:]
        var ready: [Int] = []
        func isMeta(_ index: Int) -> Bool { if case .meta = rules[index].area { true } else { false } }
        for index in rules.indices {
            guard case .meta(let expression) = rules[index].area else { continue }
            let needed = Set(expression.names.compactMap { places[$0] }.filter { isMeta($0) })
            waiting[index] = needed.count
            for other in needed { dependents[other, default: []].append(index) }
            if needed.isEmpty { ready.append(index) }
        }
        var next = 0
        while next < ready.count {
            let index = ready[next]
            next += 1
            if case .meta(let expression) = rules[index].area {
                program.append(expression.program, rules: expression.names.map { places[$0] })
                metas.append(Int32(index))
                metaEnds.append(Int32(program.count))
            }
            for dependent in dependents[index] ?? [] {
                waiting[dependent, default: 0] -= 1
                if waiting[dependent] == 0 { ready.append(dependent) }
            }
        }
    }
}
