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
            if hashListTests[call.function] != nil, HashList(call) == nil {
                return "the test \(call.function) needs a list, and A or TXT after a slash: the rule never hits"
            }
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
