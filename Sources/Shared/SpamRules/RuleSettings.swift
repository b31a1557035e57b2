import Bytes

/// What rule files and a user's configuration say besides rules: lists and options, by the keyword that says it.
package struct RuleSettings: Sendable {
    /// The values of each keyword in their order, each with a line end.
    private var lines: [String: [UInt8]] = [:]

    init() {}

    /// True when the line was understood; `value` is all that follows the keyword.
    mutating func take(_ keyword: String, _ value: [UInt8]) -> Bool {
        let keyword = RuleSettings.current(keyword)
        if let cleared = RuleSettings.clearing[keyword] {
            for name in cleared { lines[name] = nil }
            if keyword == "clear_headers" { add("header_fields", Array(keyword.utf8)) }
            return true
        }
        if keyword.hasPrefix("un"), RuleSettings.lists.contains(String(keyword.dropFirst(2))) {
            remove(RuleSettings.words(value), from: String(keyword.dropFirst(2)))
            return true
        }
        if keyword.hasPrefix("hashbl_acl_") || keyword == "hashbl_email_domain_alias" {
            add(keyword, value)
        } else if keyword == "add_header" || keyword == "remove_header" {
            // One list, because the later line of the two has the last word.
            add("header_fields", Array("\(keyword) ".utf8) + value)
        } else if RuleSettings.lists.contains(keyword) {
            add(keyword, value)
        } else if RuleSettings.values.contains(keyword) {
            lines[keyword] = value + [ASCII.lf]
        } else {
            return RuleSettings.idleness(of: keyword) != nil
        }
        return true
    }

    private mutating func add(_ keyword: String, _ value: [UInt8]) {
        lines[keyword, default: []] += value
        lines[keyword, default: []].append(ASCII.lf)
    }

    /// Takes words out of a list; of a list of pairs, the pairs that begin with them.
    private mutating func remove(_ unwanted: [String], from name: String) {
        let kept = lines(name).compactMap { words -> String? in
            if RuleSettings.pairs.contains(name) {
                return words.first.map(unwanted.contains) == true ? nil : words.joined(separator: " ")
            }
            let rest = words.filter { !unwanted.contains($0) }
            return rest.isEmpty ? nil : rest.joined(separator: " ")
        }
        lines[name] = kept.isEmpty ? nil : Array(kept.map { "\($0)\n" }.joined().utf8)
    }

    /// The lines of a list as they stand, for templates and expressions.
    package func texts(_ name: String) -> [[UInt8]] {
        guard let bytes = lines[name] else { return [] }
        return bytes.dropLast().split(separator: ASCII.lf, omittingEmptySubsequences: false).map(Array.init)
    }

    /// The lines of a list, each as its words.
    package func lines(_ name: String) -> [[String]] { texts(name).map(RuleSettings.words) }

    /// All words of a list.
    package func words(_ name: String) -> [String] { lines[name].map(RuleSettings.words) ?? [] }

    /// The value of an option; nil when no line gives one.
    package func value(_ name: String) -> String? { texts(name).last?.text }

    /// The value of an option that is a number.
    package func number(_ name: String) -> Double? {
        value(name).flatMap { Double($0) }.flatMap { $0.isFinite ? $0 : nil }
    }

    /// The truth of an option: `1`, `yes`, `true` and `on`.
    package func isOn(_ name: String, default fallback: Bool) -> Bool {
        guard let value = value(name)?.asciiLowercased else { return fallback }
        return ["1", "yes", "true", "on"].contains(value)
    }

    private static func words(_ value: [UInt8]) -> [String] {
        value.split(whereSeparator: \.isMailWhitespace).map(\.text)
    }

    func write(to image: inout RuleImageWriter) {
        image.put(lines.count)
        for (name, value) in lines.sorted(by: { $0.key < $1.key }) {
            image.put(name)
            image.put(value)
        }
    }

    init(from image: inout RuleImageReader) throws(RuleImageError) {
        for _ in 0..<(try image.int()) {
            let name = try image.string()
            lines[name] = try image.text()
        }
    }

    /// Keywords of before version 4 under their names of today.
    private static func current(_ keyword: String) -> String {
        guard keyword.contains("list") else { return keyword }
        for (old, new) in [("whitelist", "welcomelist"), ("blacklist", "blocklist")] {
            if let range = keyword.utf8.firstRange(of: Array(old.utf8)) {
                let bytes = Array(keyword.utf8)
                let start = keyword.utf8.distance(from: keyword.utf8.startIndex, to: range.lowerBound)
                return (bytes[..<start] + Array(new.utf8) + bytes[(start + old.utf8.count)...]).text
            }
        }
        return keyword
    }

    /// Keywords whose lines add up.
    private static let lists: Set<String> = [
        "freemail_domains", "freemail_welcomelist", "util_rb_tld", "util_rb_2tld", "util_rb_3tld", "enlist_uri_host",
        "delist_uri_host", "enlist_addrlist", "welcomelist_from", "welcomelist_to", "more_spam_to", "all_spam_to",
        "welcomelist_from_rcvd", "def_welcomelist_from_rcvd", "welcomelist_allows_relays", "welcomelist_auth",
        "def_welcomelist_auth", "welcomelist_from_spf", "def_welcomelist_from_spf", "welcomelist_from_dkim",
        "def_welcomelist_from_dkim", "welcomelist_subject", "blocklist_from", "blocklist_to", "blocklist_subject",
        "welcomelist_uri_host", "blocklist_uri_host", "trusted_networks", "internal_networks", "msa_networks",
        "originating_ip_headers", "uridnsbl", "uridnssub", "urirhsbl", "urirhssub", "urifullnsrhsbl",
        "uridnsbl_skip_domain", "adsp_override", "redirector_pattern", "report", "rewrite_header", "urinsrhsbl",
        "urinsrhssub",
        "urifullnsrhssub",

        "welcomelist_bounce_relays", "hashbl_ignore",
    ]

    /// Lists whose lines are pairs of an address and what has to stand with it.
    private static let pairs: Set<String> = [
        "welcomelist_from_rcvd", "def_welcomelist_from_rcvd", "welcomelist_from_dkim", "def_welcomelist_from_dkim",
    ]

    /// Keywords of which the last line counts.
    private static let values: Set<String> = [
        "required_score", "required_hits", "report_safe", "ok_locales",
        "envelope_sender_header", "report_contact", "report_hostname", "use_bayes", "use_bayes_rules",
        "use_auto_welcomelist", "auto_welcomelist_factor", "use_txrep", "bayes_auto_learn",
        "bayes_auto_learn_threshold_nonspam", "bayes_auto_learn_threshold_spam", "skip_rbl_checks",
        "skip_uribl_checks", "freemail_max_body_emails", "freemail_max_body_freemails", "freemail_skip_when_over_max",
        "freemail_skip_bulk_envfrom",
        "rbl_headers",
        "shortcircuit_spam_score", "shortcircuit_ham_score", "freemail_import_welcomelist_auth",
        "freemail_import_def_welcomelist_auth",
        "time_limit", "body_part_scan_size",
        "rawbody_part_scan_size", "clamd",
        "dns_available", "num_check_received", "uridnsbl_max_domains",
        "txrep_factor",

    ]

    /// What is wrong with the value of an option or a list; nil when nothing is.
    static func problem(of keyword: String, _ value: [UInt8]) -> String? {
        let keyword = current(keyword)
        if numbers.contains(keyword) {
            guard let number = Double(value.text), number.isFinite else { return "\(keyword) needs a number" }
        }
        guard ["trusted_networks", "internal_networks", "msa_networks"].contains(keyword) else { return nil }
        return words(value).first { AddressBlock($0) == nil }.map { "\($0) is no block of addresses" }
    }

    private static let numbers: Set<String> = [
        "required_score", "required_hits", "auto_welcomelist_factor", "txrep_factor",
        "bayes_auto_learn_threshold_nonspam", "bayes_auto_learn_threshold_spam", "freemail_max_body_emails",
        "freemail_max_body_freemails", "time_limit", "body_part_scan_size", "rawbody_part_scan_size",
        "num_check_received", "uridnsbl_max_domains", "shortcircuit_spam_score", "shortcircuit_ham_score",
        "report_safe",
    ]

    private static let clearing: [String: [String]] = [
        "clear_report_template": ["report"],
        "clear_headers": ["header_fields"],
        "clear_trusted_networks": ["trusted_networks"], "clear_internal_networks": ["internal_networks"],
        "clear_msa_networks": ["msa_networks"], "clear_originating_ip_headers": ["originating_ip_headers"],
        "clear_uridnsbl_skip_domain": ["uridnsbl_skip_domain"],
        "clear_util_rb": ["util_rb_tld", "util_rb_2tld", "util_rb_3tld"],
    ]

    /// Why lines with a keyword say nothing here; nil when they do, or when the keyword is not known.
    static func idleness(of keyword: String) -> String? {
        let keyword = current(keyword)
        guard !lists.contains(keyword), !values.contains(keyword), clearing[keyword] == nil else { return nil }
        for (words, reason) in idle where words.contains(keyword) { return reason }
        return idleBeginnings.first { keyword.hasPrefix($0.beginning) }?.reason
    }

    /// Keywords of which nothing here depends, with the reason.
    private static let idle: [(words: Set<String>, reason: String)] = [
        (["lang"], "descriptions are shown as they are written"),
        (["test", "reuse", "run_reuse_tests_only"], "it is for SpamAssassin's own tests"),
        (["require_version", "version_tag"], "it tells which SpamAssassin the rules were written for"),
        (["util_rb_2tld_file", "ignore_always_matching_regexps", "run_sa_compile"], "rules are always compiled"),
        (["lock_method", "mbox_format_from_regex", "allow_user_rules"], "files are read and locked in one way"),
        (
            ["use_razor2", "use_pyzor", "use_dcc", "use_dcc_rep", "use_hashcash", "use_asn"],
            "that service is not asked"
        ),
        (["inactive_languages", "ok_languages"], "languages are not told apart"),
        (["normalize_charset"], "text is always converted to UTF-8"),
        (["use_learner"], "use_bayes 0 leaves out what was learned"),
        (["parse_dkim_uris", "uridnsbl_skip_mailto"], "links of signatures and mail addresses are not looked up"),
        (["rbl_timeout", "uridnsbl_timeout"], "--deadline is the time for all questions"),
        (
            ["clear_dns_query_restriction", "clear_dns_query_restrictions", "clear_dns_servers"],
            "--server says whom to ask"
        ),
        (["do_not_use_mail_spf", "do_not_use_mail_spf_query"], "SPF is checked in one way"),
        (["ignore_received_spf_header", "use_newest_received_spf_header"], "the results of others do not count"),
        (["dmarc_save_reports"], "no reports are kept"),
        (["fold_headers", "report_wrap_width", "report_charset"], "fields and reports are written in one way"),
        (
            [
                "report_safe_copy_headers", "spamtrap", "clear_spamtrap_template", "unsafe_report",
                "clear_unsafe_report_template",
            ],
            "nothing is made of it"
        ),
        (["subjprefix"], "rewrite_header Subject marks subjects"),
        (["always_trust_envelope_sender"], "the sender of the envelope is taken as the relays tell it"),
        (["exclude_from_reports", "freemail_add_describe_email"], "reports show what matched"),
        (["freemail_body_limit"], "all of the text is looked at"),
        (["shortcircuit_min_ham_score", "shortcircuit_max_spam_score"], "only rules end the scoring"),
        (
            ["country_db_path", "country_db_type", "uri_country_db_path", "uri_country_db_isp_path"],
            "countries are not looked up"
        ),
        (["bayes_auto_learn_on_error"], "every message that the rules are sure of is learned"),
        (
            ["uridnsbl_skip_mx", "dns_block_rule"],
            "lists that refuse to answer do not count"
        ),
        (["headers_only", "mimeheader_limit", "max_urls"], "it has one value here"),
    ]

    /// The same, by how keywords begin.
    private static let idleBeginnings: [(beginning: String, reason: String)] = [
        ("bayes_", "what was learned lies in --weights or --user-dir"),
        ("dns_", "--server and --deadline say how to ask"),
        ("txrep_", "reputations lie in --user-dir"), ("auto_welcomelist_", "reputations lie in --user-dir"),
        ("user_", "users' files lie in --user-dir"), ("razor", "Razor is not asked"), ("pyzor", "Pyzor is not asked"),
        ("dcc", "DCC is not asked"), ("spamcop_", "nothing is reported"),
        ("dkim_", "signatures are checked in one way"),
        ("spf_", "SPF is checked in one way"), ("asn_", "networks' numbers are not looked up"),
        ("clear_asn", "networks' numbers are not looked up"), ("geodb", "countries are not looked up"),
        ("pdfinfo", "PDF files are not read"), ("textcat_", "languages are not told apart"),
        ("fns_", "FromNameSpoof is not here"), ("url_shortener", "short links are not followed"),
        ("clear_url_shortener", "short links are not followed"), ("max_short_url", "short links are not followed"),
        ("authres_", "another host's results do not count"), ("extracttext_", "text of pictures is not read"),
        ("olemacro_", "macros are not read"), ("phishing_", "its feeds are not fetched"),
        ("resource_limit_", "limits are those of the system and of --workers"),
        ("trigger_", "messages are marked, not changed"),
        ("uri_block_", "countries of addresses are not looked up"),
    ]
}
