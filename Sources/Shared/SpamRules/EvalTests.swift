import Bytes

/// Tests that are written as code, by the names that `eval:` calls them by.
enum EvalTests {
    /// What a test sees: the message, and the arguments of its rule. It tells how often it hits.
    typealias Test = @Sendable (MessageFacts, [String]) -> Int

    /// All tests; a rule that calls another is told as not supported and never hits.
    static let all: [String: Test] = headerTests.merging(bodyTests) { first, _ in first }

    static let headerTests: [String: Test] = [
        "check_for_missing_to_header": { facts, _ in facts.firstValue("to") == nil ? 1 : 0 },
        "check_no_relays": { facts, _ in facts.relays.all.isEmpty ? 1 : 0 },
    ]

    static let bodyTests: [String: Test] = [
        "check_body_length": { facts, arguments in
            let length = facts.bodyLines.dropFirst().reduce(0) { $0 + $1.count }
            return arguments.first.flatMap { Int($0) }.map { length <= $0 ? 1 : 0 } ?? 0
        }
    ]
}
