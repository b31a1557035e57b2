/// Tests of what was learned.
extension EvalTests {
    static let learnedTests: [String: Test] = [
        "check_bayes": { facts, arguments in
            guard arguments.count == 2, let learned = facts.learned, facts.settings.isOn("use_bayes", default: true),
                facts.settings.isOn("use_bayes_rules", default: true), let least = Double(arguments[0])
            else { return 0 }
            guard least == 0 || learned > least, Double(arguments[1]).map({ learned <= $0 }) ?? true else { return 0 }
            facts.reason = "learned probability \((learned * 1_000).rounded() / 1_000)"
            return 1
        }
    ]
}
