import Bytes
import Unix

/// One line of a zone file, understood.
struct ZoneEntry {
    enum Content {
        case record(Record)
        case failure(Zone.Failure, [RecordType])
        /// A type that is not known: the name exists.
        case nothing
    }

    let owner: DomainName
    let content: Content
}

/// Reads a zone file line by line (RFC 1035 5.1).
struct ZoneParser {
    private struct Token {
        /// The text, escapes as they stand.
        var text: [UInt8]
        var isQuoted = false
    }

    private let text: [UInt8]
    private let file: String
    private var offset = 0
    private var line = 1
    private var origin = DomainName.root
    private var defaultTTL: UInt32 = 300
    private var lastOwner: DomainName?

    /// The most words that one entry may have.
    private static let tokenLimit = 4_096

    init(_ text: [UInt8], name: String) {
        self.text = text
        file = name
    }

    /// The next entry that is a record or a failure; nil at the end.
    mutating func nextEntry() throws(ZoneError) -> ZoneEntry? {
        while offset < text.count {
            let number = line
            let repeatsOwner = text[offset].isSpaceOrTab
            var tokens = try tokens()[...]
            guard let first = tokens.first else { continue }
            do throws(EntryError) {
                if first.text.first == UInt8(ascii: "$"), !first.isQuoted, !repeatsOwner {
                    try direct(tokens)
                    continue
                }
                if !repeatsOwner {
                    lastOwner = try name(first)
                    tokens = tokens.dropFirst()
                }
                guard let lastOwner else { throw EntryError("the first line has no name") }
                return ZoneEntry(owner: lastOwner, content: try content(tokens, lastOwner))
            } catch {
                throw ZoneError(file: file, line: number, problem: error.problem)
            }
        }
        return nil
    }

    private struct EntryError: Error {
        let problem: String
        init(_ problem: String) { self.problem = problem }
    }

    // MARK: Words

    /// The words up to the end of the line, or of the lines that parentheses join.
    private mutating func tokens() throws(ZoneError) -> [Token] {
        var tokens: [Token] = []
        var depth = 0
        let start = line
        while offset < text.count {
            let byte = text[offset]
            offset += 1
            switch byte {
            case ASCII.lf:
                line += 1
                if depth == 0 { return tokens }
            case ASCII.space, ASCII.tab, ASCII.cr: break
            case ASCII.semicolon: skipComment()
            case ASCII.openParenthesis: depth += 1
            case ASCII.closeParenthesis: depth = max(0, depth - 1)
            case ASCII.quote: tokens.append(try quoted())
            default: tokens.append(bare(from: offset - 1))
            }
            if tokens.count > ZoneParser.tokenLimit {
                throw ZoneError(file: file, line: start, problem: "the entry is too long")
            }
        }
        if depth > 0 { throw ZoneError(file: file, line: start, problem: "a parenthesis is not closed") }
        return tokens
    }

    private mutating func skipComment() {
        offset = text.span.firstIndex(of: ASCII.lf, from: offset) ?? text.count
    }

    private mutating func quoted() throws(ZoneError) -> Token {
        let start = offset
        while offset < text.count, text[offset] != ASCII.lf {
            if text[offset] == ASCII.quote {
                defer { offset += 1 }
                return Token(text: Array(text[start..<offset]), isQuoted: true)
            }
            offset += text[offset] == ASCII.backslash ? 2 : 1
        }
        throw ZoneError(file: file, line: line, problem: "a quoted string is not closed")
    }

    private mutating func bare(from start: Int) -> Token {
        offset = start
        scan: while offset < text.count {
            switch text[offset] {
            case ASCII.space, ASCII.tab, ASCII.cr, ASCII.lf, ASCII.semicolon, ASCII.quote, ASCII.openParenthesis,
                ASCII.closeParenthesis:
                break scan
            case ASCII.backslash where offset + 1 < text.count && text[offset + 1] != ASCII.lf: offset += 2
            default: offset += 1
            }
        }
        return Token(text: Array(text[start..<offset]))
    }

    // MARK: Entries

    private mutating func direct(_ tokens: ArraySlice<Token>) throws(EntryError) {
        let words = Array(tokens)
        guard words.count >= 2 else { throw EntryError("\(words[0].text.text) needs a value") }
        switch words[0].text.text.asciiLowercased {
        case "$origin": origin = try name(words[1])
        case "$ttl":
            guard let ttl = ZoneParser.lifetime(words[1].text) else { throw EntryError("the TTL is not a number") }
            defaultTTL = ttl
        default: throw EntryError("\(words[0].text.text) is not known: use $ORIGIN or $TTL")
        }
    }

    private func name(_ token: Token) throws(EntryError) -> DomainName {
        if token.text == [ASCII.at] { return origin }
        do throws(DomainNameError) {
            return try DomainName(token.text, relativeTo: origin)
        } catch {
            throw EntryError("\(token.text.text) is not a name: \(error)")
        }
    }

    /// What follows the name: `[ttl] [class] type data`, TTL and class in either order.
    private func content(
        _ tokens: ArraySlice<Token>, _ owner: DomainName
    ) throws(EntryError) -> ZoneEntry.Content {
        var rest = tokens
        var ttl = defaultTTL
        while let token = rest.first {
            if let number = ZoneParser.lifetime(token.text) {
                ttl = number
            } else if !["in", "ch", "hs", "cs"].contains(token.text.text.asciiLowercased) {
                break
            }
            rest = rest.dropFirst()
        }
        guard let word = rest.popFirst()?.text.text else { throw EntryError("there is no type") }
        if let failure = Zone.Failure.allCases.first(where: { $0.rawValue.equalsIgnoringCase(word) }) {
            return .failure(failure, try types(rest))
        }
        guard let type = RecordType(name: word) else {
            guard word.utf8.allSatisfy({ $0.isASCIIAlphanumeric || $0 == ASCII.dash }) else {
                throw EntryError("\(word) is not a type")
            }
            return .nothing
        }
        guard let data = try data(type, Array(rest)) else { return .nothing }
        return .record(Record(owner: owner, type: type, ttl: ttl, data: data))
    }

    private func types(_ tokens: ArraySlice<Token>) throws(EntryError) -> [RecordType] {
        var types: [RecordType] = []
        for token in tokens {
            guard let type = RecordType(name: token.text.text) else {
                throw EntryError("\(token.text.text) is not a type")
            }
            types.append(type)
        }
        return types
    }

    private func data(_ type: RecordType, _ words: [Token]) throws(EntryError) -> RecordData? {
        func count(_ number: Int) throws(EntryError) {
            guard words.count == number else {
                throw EntryError("\(type) needs \(number) \(number == 1 ? "value" : "values"), not \(words.count)")
            }
        }
        switch type {
        case .a, .aaaa:
            try count(1)
            guard let address = IPAddress(words[0].text.text), address.isIPv6 == (type == .aaaa) else {
                throw EntryError("\(words[0].text.text) is not an address of type \(type)")
            }
            return .address(address)
        case .mx:
            try count(2)
            return .exchange(preference: try number(words[0]), host: try name(words[1]))
        case .cname, .ns, .ptr:
            try count(1)
            return .name(try name(words[0]))
        case .txt:
            guard !words.isEmpty else { throw EntryError("TXT needs a string") }
            return .text(try strings(words))
        case .soa:
            try count(7)
            var times: [UInt32] = []
            for word in words[2...] {
                guard let value = ZoneParser.lifetime(word.text) else {
                    throw EntryError("\(word.text.text) is not a number")
                }
                times.append(value)
            }
            return .startOfAuthority(
                StartOfAuthority(
                    primary: try name(words[0]), mailbox: try name(words[1]), serial: times[0], refresh: times[1],
                    retry: times[2], expire: times[3], minimum: times[4]))
        case .tlsa:
            guard words.count >= 4 else { throw EntryError("TLSA needs 4 values") }
            let digits = words[3...].flatMap(\.text)
            guard let association = Hexadecimal.decode(digits.span) else {
                throw EntryError("the data of TLSA is not hexadecimal")
            }
            return .certificate(
                TLSARecord(
                    usage: try number(words[0]), selector: try number(words[1]), matchingType: try number(words[2]),
                    association: association))
        default: return nil
        }
    }

    private func number<Number: FixedWidthInteger>(_ token: Token) throws(EntryError) -> Number {
        guard let number = Number(token.text.text), token.text.first?.isASCIIDigit == true else {
            throw EntryError("\(token.text.text) is not a number from 0 to \(Number.max)")
        }
        return number
    }

    /// Strings of TXT data: escapes resolved, long ones cut into pieces of 255 bytes.
    private func strings(_ tokens: [Token]) throws(EntryError) -> [[UInt8]] {
        var strings: [[UInt8]] = []
        for token in tokens {
            var string: [UInt8] = []
            var index = 0
            while index < token.text.count {
                let byte = token.text[index]
                index += 1
                guard byte == ASCII.backslash, index < token.text.count else {
                    string.append(byte)
                    continue
                }
                let digits = token.text[index...].prefix(3)
                if digits.count == 3, digits.allSatisfy(\.isASCIIDigit) {
                    guard let value = UInt8(digits.text) else { throw EntryError("an escape is above \\255") }
                    string.append(value)
                    index += 3
                } else {
                    string.append(token.text[index])
                    index += 1
                }
            }
            var start = 0
            repeat {
                let end = min(start + 255, string.count)
                strings.append(Array(string[start..<end]))
                start = end
            } while start < string.count
        }
        return strings
    }

    // MARK: Numbers

    /// Seconds: `300`, or with the units of BIND, `1h30m`; nil for anything else.
    static func lifetime(_ text: [UInt8]) -> UInt32? {
        guard let first = text.first, first.isASCIIDigit else { return nil }
        var total: UInt64 = 0
        var number: UInt64 = 0
        for byte in text {
            if byte.isASCIIDigit {
                number = number * 10 + UInt64(byte &- ASCII.zero)
            } else {
                guard let unit = unit(byte) else { return nil }
                total += number * unit
                number = 0
            }
            if number > UInt64(UInt32.max) || total > UInt64(UInt32.max) { return nil }
        }
        return UInt32(exactly: total + number)
    }

    private static func unit(_ byte: UInt8) -> UInt64? {
        switch byte.asciiLowercased {
        case UInt8(ascii: "s"): 1
        case UInt8(ascii: "m"): 60
        case UInt8(ascii: "h"): 3_600
        case UInt8(ascii: "d"): 86_400
        case UInt8(ascii: "w"): 604_800
        default: nil
        }
    }
}
