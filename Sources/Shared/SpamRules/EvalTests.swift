import Bytes
import Unix

/// Tests that are written as code, by the names that `eval:` calls them by. Those of one subject stand in one file.
enum EvalTests {
    /// What a test sees: the message, and the arguments of its rule. It tells how often it hits.
    typealias Test = @Sendable (MessageFacts, [String]) -> Int

    /// All tests; a rule that calls another is told as not supported and never hits.
    static let all: [String: Test] = [
        addressTests, dateTests, relayTests, senderTests, freemailTests, mimeTests, textTests, htmlTests, networkTests,
    ].reduce(into: [:]) { all, tests in all.merge(tests) { first, _ in first } }

    /// What needs the network or another program, of which nothing is known here: they do not hit, and are no fault of
    /// the rules that call them.
    static let networkTests: [String: Test] = {
        let never: Test = { _, _ in 0 }
        return Dictionary(uniqueKeysWithValues: unknownNames.map { ($0, never) })
    }()

    private static let unknownNames: Set<String> = [
        "check_rbl", "check_rbl_txt", "check_rbl_sub", "check_uridnsbl", "check_dns_sender", "check_razor2",
        "check_razor2_range", "check_pyzor", "check_bayes", "check_for_spf_pass", "check_for_spf_neutral",
        "check_for_spf_none", "check_for_spf_fail", "check_for_spf_softfail", "check_for_spf_permerror",
        "check_for_spf_temperror", "check_for_spf_helo_pass", "check_for_spf_helo_neutral",
        "check_for_spf_helo_none", "check_for_spf_helo_fail", "check_for_spf_helo_softfail",
        "check_for_spf_helo_permerror", "check_for_spf_helo_temperror", "check_dkim_valid",
        "check_dkim_valid_author_sig", "check_dkim_valid_envelopefrom", "check_dkim_signed",
        "check_dkim_dependable", "check_dkim_adsp", "check_dkim_testing", "check_for_dkim_welcomelist_from",
        "check_for_def_dkim_welcomelist_from", "check_for_dkim_whitelist_from",
        "check_for_def_dkim_whitelist_from", "check_arc_signed", "check_arc_valid", "check_dmarc_pass",
        "check_dmarc_reject", "check_dmarc_quarantine", "check_dmarc_none", "check_dmarc_missing",
        "check_for_spf_welcomelist_from", "check_for_def_spf_welcomelist_from", "check_for_spf_whitelist_from",
        "check_for_def_spf_whitelist_from", "check_hashbl_emails", "check_from_in_auto_welcomelist",
        "check_from_in_auto_whitelist",
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

    private var compiled: [Key: PerlRegex?] = [:]

    func matches(_ pattern: String, _ text: [UInt8], _ options: PerlRegex.Options) -> Bool {
        let key = Key(pattern: pattern, options: options.rawValue)
        let regex: PerlRegex?
        if let known = compiled[key] {
            regex = known
        } else {
            regex = try? PerlRegex(Array(pattern.utf8), options)
            compiled[key] = .some(regex)
        }
        guard let regex, case .match = regex.firstMatch(in: text.span) else { return false }
        return true
    }
}
