import Bytes
import Unix

/// Tests that ask the DNS for a name which they make of tags: `askdns NAME _AUTHORDOMAIN_.list.example A 127.0.0.2`.
extension EvalTests {
    static let queryTests: [String: Test] = [
        "askdns": { facts, arguments in
            guard facts.network.isKnown, let query = DNSTagQuery(arguments) else { return 0 }
            for question in query.questions(facts, signers: facts.signers) {
                for answer in facts.network.answers[question] ?? [] where query.accepts(answer, facts) {
                    facts.reason = "\(question.name): \(answer)"
                    return 1
                }
            }
            return 0
        }
    ]

    /// `TEMPLATE [TYPE [FILTER]]` of an askdns line as arguments.
    static func queryArguments(_ text: [UInt8]) throws(RuleSyntaxError) -> [String] {
        let words = text.split(maxSplits: 2, whereSeparator: \.isMailWhitespace)
        guard let template = words.first?.text else {
            throw RuleSyntaxError("must be askdns NAME TEMPLATE TYPE FILTER")
        }
        let tags = TagValues.tags(of: template)
        if let unknown = tags.first(where: { !TagValues.isKnown($0) }) {
            throw RuleSyntaxError("the tag _\(unknown)_ is not known: the rule never hits")
        }
        let type = words.count > 1 ? words[1].text.uppercased() : "A"
        guard DNSTagQuery.kinds[type] != nil else {
            throw RuleSyntaxError("a question for \(type) is not supported: ask for A, TXT, MX or NS")
        }
        let filter = words.count > 2 ? RuleLine.trimmed(words[2]).text : nil
        if let filter, DNSTagQuery.Filter(filter) == nil {
            throw RuleSyntaxError(
                "the filter \(filter) is not supported: use \"text\", /expression/, a number or a range")
        }
        return [template, type] + (filter.map { [$0] } ?? [])
    }
}

/// What an askdns line asks, and which answers count.
struct DNSTagQuery {
    static let kinds: [String: NetworkQuestion.Kind] = [
        "A": .address, "TXT": .text, "SPF": .text, "MX": .exchange, "NS": .nameServer,
    ]

    enum Filter {
        case text(String)
        case expression(String)
        /// Bits of an address in 127.0.0.0/8.
        case bits(UInt32)
        case range(ClosedRange<UInt32>)
        case masked(UInt32, UInt32)

        init?(_ text: String) {
            if let first = text.first, first == "\"" || first == "'", text.count > 1, text.last == first {
                self = .text(String(text.dropFirst().dropLast()))
            } else if text.hasPrefix("/") || text.hasPrefix("m") {
                guard let pattern = try? RulePattern(Array(text.utf8)[...]) else { return nil }
                let flag = pattern.options.contains(.caseless) ? "(?i)" : ""
                self = .expression(flag + pattern.text.text)
            } else if let dash = text.firstIndex(of: "-") {
                guard let low = Filter.number(text[..<dash]),
                    let high = Filter.number(text[text.index(after: dash)...]),
                    low <= high
                else { return nil }
                self = .range(low...high)
            } else if let slash = text.firstIndex(of: "/") {
                guard let value = Filter.number(text[..<slash]),
                    let mask = Filter.number(text[text.index(after: slash)...])
                else { return nil }
                self = .masked(value, mask)
            } else {
                guard let number = Filter.number(text[...]) else { return nil }
                self = text.contains(".") ? .range(number...number) : .bits(number)
            }
        }

        /// Decimal, hexadecimal with 0x, or four numbers with dots.
        static func number(_ text: Substring) -> UInt32? {
            if text.contains(".") { return address(String(text)) }
            if text.hasPrefix("0x") { return UInt32(text.dropFirst(2), radix: 16) }
            return UInt32(text)
        }

        static func address(_ text: String) -> UInt32? {
            guard let bytes = IPAddress(text)?.bytes, bytes.count == 4 else { return nil }
            return bytes.reduce(0) { $0 << 8 | UInt32($1) }
        }
    }

    private let template: String
    private let kind: NetworkQuestion.Kind
    private let filter: Filter?
    private let isForRefusals: Bool

    /// Nil for arguments that are none of `queryArguments`.
    init?(_ arguments: [String]) {
        guard arguments.count > 1, let kind = DNSTagQuery.kinds[arguments[1]] else { return nil }
        template = arguments[0]
        self.kind = kind
        filter = arguments.count > 2 ? Filter(arguments[2]) : nil
        if arguments.count > 2, filter == nil { return nil }
        isForRefusals = arguments.count > 2 && arguments[2].contains("255")
    }

    var needsSignatures: Bool { TagValues.needsSignatures(template) }

    func questions(_ facts: MessageFacts, signers: [String]) -> [NetworkQuestion] {
        TagValues.expand(template, facts, signers: signers).compactMap { name in
            let name = EvalTests.zone(name)
            let labels = name.split(separator: ".", omittingEmptySubsequences: false)
            let isName =
                name.utf8.count < 254 && labels.count > 1 && labels.allSatisfy { (1...63).contains($0.utf8.count) }
            return isName ? NetworkQuestion(name.asciiLowercased, kind) : nil
        }
    }

    func accepts(_ answer: String, _ facts: MessageFacts) -> Bool {
        // A list that refuses to answer says nothing, unless the rule asks for that.
        if kind == .address, answer.hasPrefix("127.255.255."), !isForRefusals { return false }
        switch filter {
        case nil: return true
        case .text(let text): return answer == text
        case .expression(let pattern): return facts.matches(pattern, answer)
        case .bits(let bits): return Filter.address(answer).map { $0 >> 24 == 127 && $0 & bits != 0 } ?? false
        case .range(let range): return Filter.address(answer).map(range.contains) ?? false
        case .masked(let value, let mask): return Filter.address(answer).map { $0 & mask == value & mask } ?? false
        }
    }
}
