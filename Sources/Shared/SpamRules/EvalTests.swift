import Bytes
import Unix

/// Tests that are written as code, by the names that `eval:` calls them by. Those of one subject stand in one file.
enum EvalTests {
    /// What a test sees: the message, and the arguments of its rule. It tells how often it hits.
    typealias Test = @Sendable (MessageFacts, [String]) -> Int

    /// All tests; a rule that calls another is told as not supported and never hits.
    static let all: [String: Test] = [
        addressTests, dateTests, relayTests, senderTests, freemailTests, mimeTests, textTests, htmlTests, listTests,
        networkTests, authenticationTests, imageTests,
    ].reduce(into: [:]) { all, tests in all.merge(tests) { first, _ in first } }

    /// Tests that are known and never hit, with the reason why.
    static let replaced: [String: String] = [
        "check_bayes": "LEARNED_00 to LEARNED_99 tell what was learned",
        "check_from_in_auto_welcomelist": "use_auto_welcomelist adds AWL by itself",
        "check_from_in_auto_whitelist": "use_auto_welcomelist adds AWL by itself",
        "check_senders_reputation": "use_txrep adds TXREP by itself",
    ]
}

extension MessageFacts {
    /// A header subject as text, without its last line end; empty when there is none.
    func text(_ subject: String) -> String {
        guard var value = value(of: HeaderSubject(subject)) else { return "" }
        if value.last == ASCII.lf { value.removeLast() }
        return value.text
    }

    /// The first address of a field; empty when there is none.
    func address(_ name: String) -> String {
        text(name + ":addr").split(separator: "\n").first.map(String.init) ?? ""
    }

    /// Whether an expression matches; one that cannot be compiled does not.
    func matches(_ pattern: String, _ text: String, caseless: Bool = false) -> Bool {
        expressions.matches(pattern, Array(text.utf8), caseless ? [.caseless] : [])
    }

    /// `Received` fields as one text with single spaces.
    var receivedText: String {
        text("Received").split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\n" }).joined(separator: " ")
    }
}

/// Expressions that tests use, compiled once for a scorer. For one thread.
final class ExpressionCache {
    private struct Key: Hashable {
        let pattern: String
        let options: UInt32
    }

    private struct Entry {
        var pattern: PerlPattern?
        var uses = 0
    }

    private var compiled: [Key: Entry] = [:]
    private var scratch: PerlMatchScratch?

    /// What is run more often than this is worth machine code.
    private static let fastAfter = 20

    func matches(_ pattern: String, _ text: [UInt8], _ options: PerlRegex.Options) -> Bool {
        let key = Key(pattern: pattern, options: options.rawValue)
        var entry = compiled[key] ?? Entry(pattern: try? PerlPattern(Array(pattern.utf8), options, isFast: false))
        entry.uses += 1
        if entry.uses == ExpressionCache.fastAfter { entry.pattern = entry.pattern?.fast }
        compiled[key] = entry
        if scratch == nil { scratch = try? PerlMatchScratch() }
        guard let pattern = entry.pattern, let scratch, case .match = pattern.firstMatch(in: text.span, scratch) else {
            return false
        }
        return true
    }
}
