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
        charsetTests, bounceTests, linkTests, queryTests, hashListTests, attachmentTests, learnedTests,
    ].reduce(into: [:]) { all, tests in all.merge(tests) { first, _ in first } }

    /// Tests of a sender's earlier messages: a rule that calls one gives the reputation its name and description.
    static let reputationTests: Set<String> = [
        "check_from_in_auto_welcomelist", "check_from_in_auto_whitelist", "check_senders_reputation",
    ]

    /// Why tests that SpamAssassin has are not here, by how their names begin.
    private static let absent: [(prefix: String, reason: String)] = [
        ("check_razor2", "Razor is not asked"), ("check_pyzor", "Pyzor is not asked"),
        ("check_dcc", "DCC is not asked"),
        ("check_shortcircuit", "a rule that ends the scoring gives SHORTCIRCUIT by itself"),
        ("check_rbl_accreditor", "accreditors are not asked"), ("check_access_database", "access maps are not read"),
        ("check_asn", "networks' numbers are not looked up"),
        ("check_authres_result", "another host's results do not count"),
        ("check_language", "languages are not told apart"), ("check_body_8bits", "languages are not told apart"),
        ("check_phishing", "its feeds are not fetched"),
        ("check_uri_local_bl", "countries of addresses are not looked up"),
        ("check_ole", "macros are not read"), ("check_fromname_", "FromNameSpoof is not here"),
        ("pdf_", "PDF files are not read"), ("short_url", "short links are not followed"),
        ("check_test_plugin", "it tests SpamAssassin itself"),
    ]

    /// The words that tests know as their first argument.
    private static let words: [String: Set<String>] = [
        "check_for_mime": [
            "mime_base64_count", "mime_base64_encoded_text", "mime_qp_count", "mime_qp_long_line",
            "mime_missing_boundary", "mime_multipart_alternative", "mime_ascii_text_illegal", "mime_attachment",
            "mime_body_html_count", "mime_body_text_count", "mime_bad_iso_charset", "mime_faraway_charset",
        ],
        "check_msg_parse_flags": [
            "missing_head_body_separator", "mime_epilogue_exists", "missing_mime_headers",
            "missing_mime_head_body_separator",
        ],
        "html_test": [
            "html", "font_low_contrast", "font_invalid_color", "font_face_bad", "form_action_mailto", "embeds",
        ],
        "html_eval": figures, "html_range": figures, "html_text_match": ["title", "comment", "anchor"],
        "html_text_not_match": ["title", "comment", "anchor"],
    ]

    private static let figures: Set<String> = [
        "length", "max_size", "closed_extra_ratio", "bad_tag_ratio", "non_element_ratio", "obfuscation_ratio",
        "image_area",
    ]

    /// What is wrong with a call of a test; nil when it can hit.
    static func problem(of call: EvalCall) -> String? {
        if all[call.function] != nil || reputationTests.contains(call.function) {
            guard let known = words[call.function], let word = call.arguments.first, !known.contains(word) else {
                return nil
            }
            return "\(word) of the test \(call.function) is not supported: the rule never hits"
        }
        let reason = absent.first { call.function.hasPrefix($0.prefix) }?.reason ?? "no such test"
        return "the test \(call.function) is not supported (\(reason)): the rule never hits"
    }
}

extension MessageFacts {
    /// A header subject as text, without its last line end; empty when there is none.
    func text(_ subject: String) -> String {
        guard var value = value(of: expressions.subject(subject)) else { return "" }
        if value.last == ASCII.lf { value.removeLast() }
        return value.text
    }

    /// The first address of a field; empty when there is none.
    func address(_ name: String) -> String {
        text(name + ":addr").split(separator: "\n").first.map(String.init) ?? ""
    }

    /// A text of the message as an expression that matches just that.
    func quoted(_ text: String) -> String {
        String(
            decoding: text.utf8.flatMap { byte in
                byte.isASCIIAlphanumeric || byte >= 0x80 ? [byte] : [ASCII.backslash, byte]
            }, as: UTF8.self)
    }

    /// Whether an expression matches; one that cannot be compiled does not.
    func matches(_ pattern: String, _ text: String, caseless: Bool = false) -> Bool {
        expressions.matches(pattern, Array(text.utf8), caseless ? [.caseless] : [])
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

    /// The first group of each match of an expression in a text.
    func groups(of pattern: String, in text: [UInt8]) -> [[UInt8]] {
        if groupScratch == nil { groupScratch = try? PerlMatchScratch(groups: 1) }
        guard let pattern = compiledPattern(pattern, [.dotMatchesLineEnd]), let scratch = groupScratch else {
            return []
        }
        var groups: [[UInt8]] = []
        var place = 0
        while groups.count < ExpressionCache.mostGroups,
            case .match(let range) = pattern.firstMatch(in: text.span, from: place, scratch)
        {
            if let group = scratch.range(ofGroup: 1), !group.isEmpty { groups.append(Array(text[group])) }
            place = range.isEmpty ? range.upperBound + 1 : range.upperBound
        }
        return groups
    }

    private static let mostGroups = 1_000
    private static let mostPatterns = 2_000

    /// A header subject by how tests write it.
    func subject(_ text: String) -> HeaderSubject {
        if let known = subjects[text] { return known }
        let subject = HeaderSubject(text)
        subjects[text] = subject
        return subject
    }

    private var subjects: [String: HeaderSubject] = [:]

    private var compiled: [Key: Entry] = [:]
    private var scratch: PerlMatchScratch?
    private var groupScratch: PerlMatchScratch?

    /// What is run more often than this is worth machine code.
    private static let fastAfter = 20

    private func compiledPattern(_ pattern: String, _ options: PerlRegex.Options) -> PerlPattern? {
        let key = Key(pattern: pattern, options: options.rawValue)
        // Some are made of words of the message.
        if compiled.count >= ExpressionCache.mostPatterns { compiled.removeAll(keepingCapacity: true) }
        var entry = compiled[key] ?? Entry(pattern: try? PerlPattern(Array(pattern.utf8), options, isFast: false))
        entry.uses += 1
        if entry.uses == ExpressionCache.fastAfter { entry.pattern = entry.pattern?.fast }
        compiled[key] = entry
        return entry.pattern
    }

    func matches(_ pattern: String, _ text: [UInt8], _ options: PerlRegex.Options) -> Bool {
        if scratch == nil { scratch = try? PerlMatchScratch() }
        guard let pattern = compiledPattern(pattern, options), let scratch,
            case .match = pattern.firstMatch(in: text.span, scratch)
        else {
            return false
        }
        return true
    }
}
