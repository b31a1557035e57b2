import Bytes

/// What the lines `if`, `ifplugin` and `else` of rule files depend on: which plugins are named, and how new we are.
///
/// Rule files ask this of SpamAssassin; the answers are those of version 4.0.1 with the plugins that `loadplugin`
/// lines name, and its stock ones, when no .pre file names any.
package struct RuleCondition: Sendable {
    /// The version of SpamAssassin whose rule language this is, as `version` compares it.
    package static let version = 4.000001

    /// The last part of the names of the plugins that are in force.
    private(set) var plugins = stockPlugins
    private var hasNamedPlugins = false
    /// What `enable_compat` lines name.
    private(set) var compatible: Set<String> = ["welcomelist_blocklist"]

    /// Those of the .pre files of version 4.0.1 as delivered.
    static let stockPlugins: Set<String> = [
        "URIDNSBL", "SPF", "Pyzor", "Razor2", "SpamCop", "AutoLearnThreshold", "WelcomeListSubject", "MIMEHeader",
        "ReplaceTags", "DKIM", "Check", "HTTPSMismatch", "URIDetail", "Bayes", "BodyEval", "DNSEval", "HTMLEval",
        "HeaderEval", "MIMEEval", "RelayEval", "URIEval", "WLBLEval", "VBounce", "ImageInfo", "FreeMail", "AskDNS",
        "HashBL", "DMARC",
    ]

    /// `loadplugin Mail::SpamAssassin::Plugin::X`: the first such line of a .pre file takes the place of the stock list.
    mutating func load(plugin name: String, isPreliminary: Bool) {
        if isPreliminary, !hasNamedPlugins {
            plugins = []
            compatible = []
            hasNamedPlugins = true
        }
        plugins.insert(RuleCondition.lastPart(name))
    }

    mutating func enable(compatibility name: String) { compatible.insert(name) }

    func isLoaded(_ plugin: String) -> Bool { plugins.contains(RuleCondition.lastPart(plugin)) }

    private static func lastPart(_ name: String) -> String {
        name.split(separator: ":").last.map(String.init) ?? ""
    }

    /// What version 4.0.1 answers to `can(Mail::SpamAssassin::Conf::NAME)` besides names that begin with `feature_`.
    private static let abilities: Set<String> = [
        "has_tflags_nosubject", "has_tflags_nolog", "perl_min_version_5010000",
    ]
    private static let missingFeatures: Set<String> = ["feature_local_state_dir"]

    private func can(_ method: String) -> Bool {
        let parts = method.split(separator: ":")
        guard parts.count >= 2, let name = parts.last, let module = parts.dropLast().last else { return false }
        if module == "Conf" {
            if name.hasPrefix("compat_") { return compatible.contains(String(name.dropFirst(7))) }
            if name.hasPrefix("feature_") { return !RuleCondition.missingFeatures.contains(String(name)) }
            return RuleCondition.abilities.contains(String(name))
        }
        return plugins.contains(String(module))
    }

    /// The truth of what stands behind `if`; nil when it is not understood.
    func holds(_ text: [UInt8]) -> Bool? {
        var reader = Reader(tokens: RuleCondition.tokens(text), condition: self)
        guard let value = reader.alternatives(0), reader.isAtEnd else { return nil }
        return value
    }

    private static func tokens(_ text: [UInt8]) -> [String] {
        var tokens: [String] = []
        var place = 0
        func isWord(_ byte: UInt8) -> Bool {
            byte.isASCIIAlphanumeric || byte == ASCII.underscore || byte == ASCII.colon || byte == ASCII.dot
        }
        while place < text.count {
            let start = place
            let byte = text[place]
            place += 1
            if byte.isMailWhitespace { continue }
            if isWord(byte) {
                while place < text.count, isWord(text[place]) { place += 1 }
            } else if place < text.count {
                let pair = [byte, text[place]].text
                if ["&&", "||", ">=", "<=", "==", "!="].contains(pair) { place += 1 }
            }
            tokens.append(text[start..<place].text)
        }
        return tokens
    }

    /// Recursive descent with a bound on its depth.
    private struct Reader {
        let tokens: [String]
        let condition: RuleCondition
        var place = 0

        var isAtEnd: Bool { place == tokens.count }

        private mutating func take(_ token: String) -> Bool {
            guard place < tokens.count, tokens[place] == token else { return false }
            place += 1
            return true
        }

        mutating func alternatives(_ depth: Int) -> Bool? {
            guard var value = conjunction(depth) else { return nil }
            while take("||") {
                guard let next = conjunction(depth) else { return nil }
                value = value || next
            }
            return value
        }

        private mutating func conjunction(_ depth: Int) -> Bool? {
            guard var value = term(depth) else { return nil }
            while take("&&") {
                guard let next = term(depth) else { return nil }
                value = value && next
            }
            return value
        }

        private mutating func term(_ depth: Int) -> Bool? {
            guard depth < 50, place < tokens.count else { return nil }
            if take("!") { return term(depth + 1).map { !$0 } }
            if take("(") {
                let value = alternatives(depth + 1)
                return take(")") ? value : nil
            }
            let word = tokens[place]
            place += 1
            switch word {
            case "plugin", "can", "has":
                guard take("("), place < tokens.count else { return nil }
                let name = tokens[place]
                place += 1
                guard take(")") else { return nil }
                return word == "plugin" ? condition.isLoaded(name) : condition.can(name)
            case "local_tests_only": return false
            case "version", "perl_version": return comparison(word == "version" ? RuleCondition.version : 5.036000)
            default: return nil
            }
        }

        private mutating func comparison(_ left: Double) -> Bool? {
            guard place + 1 < tokens.count, let right = Double(tokens[place + 1]) else { return nil }
            let sign = tokens[place]
            place += 2
            switch sign {
            case ">=": return left >= right
            case ">": return left > right
            case "<=": return left <= right
            case "<": return left < right
            case "==": return left == right
            case "!=": return left != right
            default: return nil
            }
        }
    }
}
