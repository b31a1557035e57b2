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
        if keyword == "add_header" || keyword == "remove_header" {
            // One list, because the later line of the two has the last word.
            add("header_fields", Array("\(keyword) ".utf8) + value)
        } else if RuleSettings.lists.contains(keyword) {
            add(keyword, value)
        } else if RuleSettings.values.contains(keyword) {
            lines[keyword] = value + [ASCII.lf]
        } else {
            return RuleSettings.isWithoutEffect(keyword)
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
        "freemail_domains", "freemail_welcomelist", "freemail_import_def_welcomelist_auth",
        "freemail_import_welcomelist_auth", "util_rb_tld", "util_rb_2tld", "util_rb_3tld", "enlist_uri_host",
        "delist_uri_host", "enlist_addrlist", "welcomelist_from", "welcomelist_to", "more_spam_to", "all_spam_to",
        "welcomelist_from_rcvd", "def_welcomelist_from_rcvd", "welcomelist_allow_relays", "welcomelist_auth",
        "def_welcomelist_auth", "welcomelist_from_spf", "def_welcomelist_from_spf", "welcomelist_from_dkim",
        "def_welcomelist_from_dkim", "welcomelist_subject", "blocklist_from", "blocklist_to", "blocklist_subject",
        "welcomelist_uri_host", "blocklist_uri_host", "trusted_networks", "internal_networks", "msa_networks",
        "originating_ip_headers", "uridnsbl", "uridnssub", "urirhsbl", "urirhssub", "urifullnsrhsbl",
        "uridnsbl_skip_domain", "uridnsbl_skip_mx", "adsp_override", "redirector_pattern", "url_shortener",
        "url_shortener_get", "report", "unsafe_report", "spamtrap", "rewrite_header", "urinsrhsbl", "urinsrhssub",
        "urifullnsrhssub",
        "askdns", "dns_block_rule", "fns_ignore_header", "fns_ignore_headers", "bounce_relays",
        "welcomelist_bounce_relays",
        "subjprefix",
    ]

    /// Lists whose lines are pairs of an address and what has to stand with it.
    private static let pairs: Set<String> = [
        "welcomelist_from_rcvd", "def_welcomelist_from_rcvd", "welcomelist_from_dkim", "def_welcomelist_from_dkim",
    ]

    /// Keywords of which the last line counts.
    private static let values: Set<String> = [
        "required_score", "required_hits", "report_safe", "ok_locales", "ok_languages", "normalize_charset",
        "envelope_sender_header", "report_contact", "report_hostname", "use_bayes", "use_bayes_rules",
        "use_auto_welcomelist", "auto_welcomelist_factor", "use_txrep", "bayes_auto_learn",
        "bayes_auto_learn_threshold_nonspam", "bayes_auto_learn_threshold_spam", "skip_rbl_checks",
        "skip_uribl_checks", "freemail_max_body_emails", "freemail_max_body_freemails", "freemail_skip_when_over_max",
        "freemail_body_limit", "fns_check", "rbl_timeout", "time_limit", "body_part_scan_size",
        "rawbody_part_scan_size", "always_trust_envelope_sender", "fold_headers", "report_wrap_width", "clamd",
        "allow_user_rules", "shortcircuit", "dns_available", "num_check_received", "uridnsbl_max_domains",
        "auto_welcomelist_ipv4_mask_len", "auto_welcomelist_ipv6_mask_len", "txrep_factor",
        "bayes_auto_learn_on_error",
    ]

    private static let clearing: [String: [String]] = [
        "clear_report_template": ["report"], "clear_unsafe_report_template": ["unsafe_report"],
        "clear_spamtrap_template": ["spamtrap"], "clear_headers": ["header_fields"],
        "clear_trusted_networks": ["trusted_networks"], "clear_internal_networks": ["internal_networks"],
        "clear_msa_networks": ["msa_networks"], "clear_originating_ip_headers": ["originating_ip_headers"],
        "clear_uridnsbl_skip_domain": ["uridnsbl_skip_domain"], "clear_url_shortener": ["url_shortener"],
        "clear_util_rb": ["util_rb_tld", "util_rb_2tld", "util_rb_3tld"],
    ]

    /// Keywords that say how SpamAssassin itself works, of which nothing here depends.
    private static func isWithoutEffect(_ keyword: String) -> Bool {
        if withoutEffect.contains(keyword) { return true }
        return [
            "bayes_", "dns_", "txrep_", "auto_welcomelist_", "razor", "pyzor", "dcc", "dkim_", "spf_", "user_", "asn_",
            "geodb", "hashbl_", "uridnsbl_timeout", "pdfinfo", "textcat_", "spamcop_",
        ].contains { keyword.hasPrefix($0) }
    }

    private static let withoutEffect: Set<String> = [
        "lang", "test", "reuse", "require_version", "version_tag", "lock_method", "util_rb_2tld_file", "ifplugin",
        "tryplugin", "use_razor2", "use_pyzor", "use_dcc", "use_hashcash", "use_asn", "inactive_languages",
        "headers_only",
        "run_sa_compile", "score_on", "bayes_path", "cbl", "max_urls", "parse_dkim_uris", "acl", "loadplugin_path",
        "default_whitelist", "mimeheader_limit", "enable_compat", "welcomelist_provider", "describe_on",
        "shortcircuit_ham_score", "shortcircuit_spam_score", "exclude_from_reports", "def_whitelist",
    ]
}
