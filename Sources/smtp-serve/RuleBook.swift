import Bytes
import CommandLineTool
import SMTP
import Synchronization
import Unix

/// Scripted behaviour: which commands are answered otherwise than by the rules of the protocol, and when.
///
///     rcpt~^slow@ delay=5s
///     mail#3 451 4.3.0 try later
///     data%10 drop
struct Rule: Sendable {
    enum Subject: String, Sendable {
        case connect, ehlo, mail, rcpt, data, message, quit, auth, starttls, any
    }

    /// Which of the commands that fit are meant.
    enum Occurrence: Equatable, Sendable { case every, only(Int), from(Int), oneIn(Int) }

    enum Action: Equatable, Sendable {
        /// As without the rule (after its delay).
        case proceed
        case reply(Reply)
        /// The connection ends, without a word.
        case drop
        /// The reply is cut after so many bytes, and the connection ends.
        case truncate(Int)
        /// Nothing more is said.
        case stall
    }

    let subject: Subject
    let pattern: String?
    var occurrence = Occurrence.every
    var delay: Duration?
    var action = Action.proceed

    /// What is wrong with a rule's text: a phrase that follows `--rule TEXT:`.
    struct Problem: Error, Equatable {
        let text: String
        init(_ text: String) { self.text = text }
    }

    init(_ text: String) throws(Problem) {
        let text = text.trimmingASCIIWhitespace()
        guard let space = text.firstIndex(where: { $0 == " " || $0 == "\t" }) else {
            throw Problem("must be COMMAND[~REGEX][#COUNT] ACTION")
        }
        var head = String(text[..<space])
        if let (occurrence, length) = try Rule.occurrence(head) {
            self.occurrence = occurrence
            head.removeLast(length)
        }
        let parts = head.split(separator: "~", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let subject = Subject(rawValue: parts[0].asciiLowercased) else {
            throw Problem("\(parts[0]) is none of connect ehlo mail rcpt data message quit auth starttls any")
        }
        self.subject = subject
        pattern = parts.count == 2 ? parts[1] : nil
        try readActions(String(text[space...]).trimmingASCIIWhitespace())
    }

    /// `#3`, `#3+` or `%10` at the end of the head, and how long it is.
    private static func occurrence(_ head: String) throws(Problem) -> (Occurrence, Int)? {
        guard let mark = head.lastIndex(where: { $0 == "#" || $0 == "%" }) else { return nil }
        var digits = head[head.index(after: mark)...]
        let isOpen = digits.hasSuffix("+")
        if isOpen { digits = digits.dropLast() }
        guard !digits.isEmpty, digits.utf8.allSatisfy(\.isASCIIDigit) else { return nil }
        guard let number = Int(digits), number > 0, !(isOpen && head[mark] == "%") else {
            throw Problem("\(head[mark...]) must count from 1")
        }
        let length = head.distance(from: mark, to: head.endIndex)
        if head[mark] == "%" { return (.oneIn(number), length) }
        return (isOpen ? .from(number) : .only(number), length)
    }

    private mutating func readActions(_ text: String) throws(Problem) {
        var rest = text
        if rest.hasPrefix("delay=") {
            let word = String(rest.dropFirst(6).prefix { $0 != " " && $0 != "\t" })
            guard let delay = OptionValue.duration(word) else {
                throw Problem("delay=\(word) must be a time such as 5s")
            }
            self.delay = delay
            rest = String(rest.dropFirst(6 + word.count)).trimmingASCIIWhitespace()
            if rest.isEmpty { return }
        }
        switch rest {
        case "drop": action = .drop
        case "stall": action = .stall
        case _ where rest.hasPrefix("truncate="):
            guard let count = Int(rest.dropFirst(9)), count >= 0 else {
                throw Problem("\(rest) must be a number of bytes")
            }
            action = .truncate(count)
        default:
            guard let reply = Reply(rest) else {
                throw Problem("\(rest) must be a reply such as 451 4.3.0 later, or delay=5s, drop, truncate=N, stall")
            }
            action = .reply(reply)
        }
    }
}

/// All rules, with their counts, which run over all sessions.
final class RuleBook: Sendable {
    private struct Entry {
        let rule: Rule
        let regex: PerlRegex?
        var count = 0
        var random: UInt64
    }

    private let entries: Mutex<[Entry]>
    let isEmpty: Bool
    /// Whether a rule looks into messages.
    let readsMessages: Bool

    init(_ texts: [String], seed: Int) throws(ToolFailure) {
        var entries: [Entry] = []
        for (index, text) in texts.enumerated() {
            do throws(Rule.Problem) {
                let rule = try Rule(text)
                let random = UInt64(bitPattern: Int64(seed)) &+ UInt64(index) &* 0x9E37_79B9_7F4A_7C15
                entries.append(Entry(rule: rule, regex: try RuleBook.compile(rule), random: random))
            } catch {
                throw ToolFailure(.usage, "--rule '\(text)': \(error.text)")
            }
        }
        isEmpty = entries.isEmpty
        readsMessages = entries.contains { $0.rule.subject == .message && $0.regex != nil }
        self.entries = Mutex(entries)
    }

    private static func compile(_ rule: Rule) throws(Rule.Problem) -> PerlRegex? {
        guard let pattern = rule.pattern else { return nil }
        do throws(PerlRegexError) {
            return try PerlRegex(Array(pattern.utf8), rule.subject == .message ? .multiline : [])
        } catch {
            throw Rule.Problem("\(error)")
        }
    }

    /// The rule that answers a command with this argument, if one does. Every rule that the command fits counts it.
    func match(_ subject: Rule.Subject, _ argument: Span<UInt8>) -> Rule? {
        entries.withLock { entries in
            var found: Rule?
            for index in entries.indices {
                let rule = entries[index].rule
                let isAny = rule.subject == .any && subject != .connect && subject != .message
                guard rule.subject == subject || isAny, RuleBook.fits(entries[index].regex, argument) else { continue }
                entries[index].count += 1
                if RuleBook.isMeant(&entries[index]), found == nil { found = rule }
            }
            return found
        }
    }

    private static func fits(_ regex: PerlRegex?, _ argument: Span<UInt8>) -> Bool {
        guard let regex else { return true }
        if case .match = regex.firstMatch(in: argument) { return true }
        return false
    }

    private static func isMeant(_ entry: inout Entry) -> Bool {
        switch entry.rule.occurrence {
        case .every: return true
        case .only(let number): return entry.count == number
        case .from(let number): return entry.count >= number
        case .oneIn(let number):
            // SplitMix64.
            entry.random &+= 0x9E37_79B9_7F4A_7C15
            var mixed = entry.random
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return (mixed ^ (mixed >> 31)) % UInt64(number) == 0
        }
    }
}
