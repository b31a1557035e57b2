import Bytes
import MessageFormat

/// Tests of senders and recipients in the header.
extension EvalTests {
    static let addressTests: [String: Test] = [
        "check_equal_from_domains": { facts, _ in
            let from = secondLevel(domain(facts.address("From")))
            let envelope = secondLevel(domain(facts.relays.envelopeFrom ?? ""))
            return !from.isEmpty && !envelope.isEmpty && from != envelope ? 1 : 0
        },
        "check_for_matching_env_and_hdr_from": { facts, _ in
            (facts.relays.envelopeFrom ?? "").equalsIgnoringCase(facts.address("From")) ? 1 : 0
        },
        "check_for_missing_to_header": { facts, _ in
            facts.firstValue("to") == nil && facts.firstValue("apparently-to") == nil ? 1 : 0
        },
        "similar_recipients": { facts, arguments in inRange(similarity(facts).similar, arguments, isUpperOpen: true) },
        "sorted_recipients": { facts, _ in similarity(facts).isSorted ? 1 : 0 },
        "check_header_count_range": { facts, arguments in
            guard arguments.count == 3, let least = Int(arguments[1]), let most = Int(arguments[2]) else { return 0 }
            let name = arguments[0].asciiLowercased
            let count = Set(facts.fields.filter { $0.key == name }.map(\.decodedLine)).count
            return (least...max(least, most)).contains(count) ? 1 : 0
        },
        "check_illegal_chars": { facts, arguments in
            guard arguments.count == 3, let ratio = Double(arguments[1]), let count = Double(arguments[2]) else {
                return 0
            }
            let subject = arguments[0].hasSuffix(":raw") ? arguments[0] : arguments[0] + ":raw"
            let value = facts.value(of: HeaderSubject(subject)) ?? []
            let illegal = Double(illegalCharacters(value, isSubject: arguments[0].asciiLowercased.hasPrefix("subject")))
            return !value.isEmpty && illegal >= count && illegal / Double(value.count) >= ratio ? 1 : 0
        },
        "subject_is_all_caps": { facts, _ in
            var subject = facts.text("Subject")[...]
            while let first = subject.first, first == " " || first == "\t" { subject.removeFirst() }
            for prefix in ["re:", "fwd:", "fw:", "aw:", "antwort:", "wg:", "sv:", "vb:", "vs:", "vl:"] {
                while String(subject).asciiLowercased.hasPrefix(prefix) {
                    subject = subject.dropFirst(prefix.count).drop { $0 == " " }
                }
            }
            guard subject.contains(" "), subject.utf8.count >= 10 else { return 0 }
            let letters = subject.utf8.filter(\.isASCIILetter)
            if facts.matches(
                "=\\?(?:koi-?8|iso-2022-|euc-|gb2312|gb18030|big5|shift_jis|windows-1251)", facts.text("Subject:raw"),
                caseless: true)
            {
                return 0
            }
            return !letters.isEmpty && letters.allSatisfy { $0 < 0x61 } ? 1 : 0
        },
        "check_unresolved_template": { facts, _ in
            let exempt: Set<String> = [
                "x-vms-to", "x-uidl", "x-face", "to", "cc", "from", "subject", "references", "in-reply-to",
                "message-id", "x-message-id", "resent-message-id", "x-original-message-id",
            ]
            return facts.fields.contains { field in
                !exempt.contains(field.key) && facts.matches("%[A-Z][A-Z_-]", field.decodedLine.text)
            } ? 1 : 0
        },
        "check_ratware_name_id": { facts, _ in
            guard let id = value(between: "<", ">", in: facts.text("MESSAGEID")), id.utf8.count > 29 else { return 0 }
            let letters = id.utf8.prefix(28)
            guard letters.allSatisfy({ $0.isASCIILetter && $0 < 0x61 }), Array(id.utf8)[28] == ASCII.dot else {
                return 0
            }
            let address = String(id.dropFirst(29))
            return facts.matches("\"[^\"]+\"\\s*<\(facts.quoted(address))>", facts.text("From")) ? 1 : 0
        },
        "check_ratware_envelope_from": { facts, _ in
            let to = facts.address("To")
            let from = facts.relays.envelopeFrom ?? ""
            guard let at = to.lastIndex(of: "@"), !from.isEmpty else { return 0 }
            let (user, domain) = (to[..<at], to[to.index(after: at)...])
            return facts.matches(
                "\\b\(facts.quoted(String(domain))).\(facts.quoted(String(user)))@", from, caseless: true) ? 1 : 0
        },
        "check_for_to_in_subject": { facts, arguments in
            let to = facts.address("To")
            let subject = facts.text("Subject")
            guard !to.isEmpty else { return 0 }
            if arguments.first == "address" {
                return facts.matches("\\b\(facts.quoted(to))\\b", subject, caseless: true) ? 1 : 0
            }
            guard arguments.first == "user", let user = to.split(separator: "@", omittingEmptySubsequences: false).first
            else { return 0 }
            let name = facts.quoted(String(user))
            let forms = [
                "(?:re|fw):\\s*(?:\\w+\\s+)?\(name)$", "(?-i:\(name))\\s*[,:;!?-](?:$|\\s)", "\(name)$",
                ",\\s*\(name)[,:;!?-]$",
            ]
            return facts.matches("^(?:\(forms.joined(separator: "|")))", subject, caseless: true) ? 1 : 0
        },
    ]

    static func domain(_ address: String) -> String {
        address.lastIndex(of: "@").map { String(address[address.index(after: $0)...]).asciiLowercased } ?? ""
    }

    private static func secondLevel(_ domain: String) -> String {
        domain.split(separator: ".", omittingEmptySubsequences: false).suffix(2).joined(separator: ".")
    }

    static func value(between open: Character, _ close: Character, in text: String) -> String? {
        guard let start = text.firstIndex(of: open), let end = text[start...].firstIndex(of: close) else { return nil }
        return String(text[text.index(after: start)..<end])
    }

    /// Whether a number lies in the range of two arguments, of which `undef` sets no bound.
    static func inRange(_ value: Double, _ arguments: [String], isUpperOpen: Bool) -> Int {
        let least = arguments.first.flatMap { Double($0) }
        let most = arguments.count > 1 ? Double(arguments[1]) : nil
        if let least, value < least { return 0 }
        if let most, isUpperOpen ? value >= most : value > most { return 0 }
        return 1
    }

    private static func illegalCharacters(_ value: [UInt8], isSubject: Bool) -> Int {
        guard value.contains(where: { !$0.isMailWhitespace }) else { return 0 }
        func isControl(_ byte: UInt8) -> Bool { byte < 0x20 && ![9, 10, 13].contains(byte) }
        let isText = value.contains { $0 >= 0x80 } && UTF8Text.isValid(value.span)
        if isText, !value.contains(where: isControl) { return 0 }
        var illegal = value.reduce(0) { $0 + (isControl($1) || $1 >= 0x7F ? 1 : 0) }
        if isSubject, value.filter({ [0xA2, 0xA3, 0xAE].contains($0) }).count == 1 { illegal -= 1 }
        return max(0, illegal)
    }

    /// How alike recipients are, from five of them on, and whether they are sorted, from seven.
    private static func similarity(_ facts: MessageFacts) -> (similar: Double, isSorted: Bool) {
        var addresses: [String] = []
        for subject in ["ToCc:addr", "Bcc:addr"] {
            addresses += facts.text(subject).split(separator: "\n").map(String.init)
            if addresses.count >= 5 { break }
        }
        var distinct: [String] = []
        for address in addresses.prefix(256) where distinct.last?.equalsIgnoringCase(address) != true {
            distinct.append(address)
        }
        guard distinct.count >= 5 else { return (0, false) }
        let users = distinct.map { String($0.prefix(2)) }
        let hosts = distinct.map(domain)
        var hits = 0
        for left in distinct.indices {
            for right in (left + 1)..<max(distinct.count, left + 1) {
                if users[left] == users[right] { hits += 1 }
                if hosts[left].prefix(2) == hosts[right].prefix(2), hosts[left] != hosts[right] { hits += 1 }
            }
        }
        let pairs = distinct.count * (distinct.count - 1) / 2
        return (Double(hits) / Double(max(1, pairs)), distinct.count >= 7 && distinct == distinct.sorted())
    }
}
