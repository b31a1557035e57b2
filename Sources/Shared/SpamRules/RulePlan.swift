import Bytes

/// A set of rules made ready to run: by place, by what they look at, with the words that say which of them can hit.
struct RulePlan: Sendable {
    /// Rules over the same texts.
    struct Group: Sendable {
        /// Run on every message.
        var always: [Int] = []
        /// Run where one of their words occurs.
        var gated: [Int] = []
        var words = LiteralIndex()
        var isEmpty: Bool { always.isEmpty && gated.isEmpty }

        mutating func add(_ index: Int, _ required: RequiredLiterals?) {
            guard let required else {
                always.append(index)
                return
            }
            gated.append(index)
            words.add(required.words, owner: index)
        }
    }

    /// The rules that are in force, in their order.
    private(set) var rules: [Rule] = []
    /// By the place of the rule.
    private(set) var patterns: [RulePattern?] = []
    private(set) var hasWords: [Bool] = []

    private(set) var headerSubjects: [HeaderSubject] = []
    private(set) var headers: [(subject: Int, rule: Int)] = []
    private(set) var headerWords = LiteralIndex()
    private(set) var mimeHeaders: [Int] = []
    private(set) var body = Group()
    private(set) var bodySkipsSubject: Set<Int> = []
    private(set) var rawBody = Group()
    private(set) var uri = Group()
    private(set) var full = Group()
    private(set) var evals: [Int] = []
    /// Each after those that it speaks of; the places of its operands, nil for rules that are not there.
    private(set) var metas: [(rule: Int, expression: MetaExpression, operands: [Int?])] = []

    init(_ set: RuleSet, scoreSet: Int) {
        for name in set.names {
            guard let rule = set.rules[name], rule.isActive(set: scoreSet) else { continue }
            rules.append(rule)
            patterns.append(set.pattern(of: rule))
        }
        hasWords = Array(repeating: false, count: rules.count)
        var subjects: [HeaderSubject: Int] = [:]
        for index in rules.indices { place(index, &subjects) }
        headerWords.build()
        body.words.build()
        rawBody.words.build()
        uri.words.build()
        full.words.build()
        orderMetas()
    }

    private mutating func place(_ index: Int, _ subjects: inout [HeaderSubject: Int]) {
        let required = patterns[index].flatMap { RequiredLiterals($0.text, $0.options) }
        hasWords[index] = required != nil
        switch rules[index].area {
        case .header(let subject, _, _, _), .exists(let subject):
            let number = subjects[subject] ?? headerSubjects.count
            if number == headerSubjects.count {
                subjects[subject] = number
                headerSubjects.append(subject)
            }
            headers.append((number, index))
            if let required { headerWords.add(required.words, owner: index) }
        case .mimeHeader: mimeHeaders.append(index)
        case .body:
            body.add(index, required)
            if rules[index].skipsSubject { bodySkipsSubject.insert(index) }
        case .rawBody: rawBody.add(index, required)
        case .uri: uri.add(index, required)
        case .full: full.add(index, required)
        case .eval: evals.append(index)
        case .meta: break
        }
    }

    /// Metas after their operands, without recursion. Those that speak of each other in a circle never hit.
    private mutating func orderMetas() {
        let places = Dictionary(uniqueKeysWithValues: rules.enumerated().map { ($1.name, $0) })
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
                metas.append((index, expression, expression.names.map { places[$0] }))
            }
            for dependent in dependents[index] ?? [] {
                waiting[dependent, default: 0] -= 1
                if waiting[dependent] == 0 { ready.append(dependent) }
            }
        }
    }
}
