import Bytes
import MessageFormat
import Unix

/// Reads a selection, by recursive descent: or, and, not, terms.
struct SelectionParser {
    private static let deepest = 100

    private let text: [UInt8]
    private var place = 0
    private var depth = 0

    init(_ text: String) { self.text = Array(text.utf8) }

    mutating func parse() throws(SelectionError) -> SelectionTerm {
        let term = try parseAny()
        skipSpace()
        guard place == text.count else {
            throw error(
                text[place] == ASCII.closeParenthesis ? "nothing is open here" : "and, or, or the end is missing")
        }
        return term
    }

    private mutating func parseAny() throws(SelectionError) -> SelectionTerm {
        var terms = [try parseAll()]
        while takeWord("or") || takeSymbol("||") { terms.append(try parseAll()) }
        return terms.count == 1 ? terms[0] : .any(terms)
    }

    private mutating func parseAll() throws(SelectionError) -> SelectionTerm {
        var terms = [try parseNot()]
        while takeWord("and") || takeSymbol("&&") { terms.append(try parseNot()) }
        return terms.count == 1 ? terms[0] : .all(terms)
    }

    private mutating func parseNot() throws(SelectionError) -> SelectionTerm {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.deepest else { throw error("too deeply nested") }
        if takeWord("not") || takeSymbol("!") { return .not(try parseNot()) }
        guard takeSymbol("(") else { return try parseTerm() }
        let start = place
        let term = try parseAny()
        guard takeSymbol(")") else { throw SelectionError(at: start, "the parenthesis is not closed") }
        return term
    }

    // MARK: Terms

    private mutating func parseTerm() throws(SelectionError) -> SelectionTerm {
        skipSpace()
        let start = place
        while place < text.count,
            text[place].isASCIIAlphanumeric || text[place] == ASCII.dash || text[place] == ASCII.underscore
        {
            place += 1
        }
        let name = text[start..<place].map(\.asciiLowercased).text
        guard !name.isEmpty else { throw error(place == text.count ? "a term is missing" : "a name is expected") }
        guard let symbol = takeOperator() else {
            throw error("an operator is expected after \"\(name)\": one of ~ !~ : = != < <= > >=")
        }
        let valuePlace = place
        let value = try takeValue()
        switch name {
        case "size": return .size(try order(symbol, name, start), try size(value, valuePlace))
        case "date": return .date(try order(symbol, name, start), try date(value, valuePlace))
        case "has", "type", "flag", "keyword":
            guard symbol == ":" || symbol == "=" else { throw SelectionError(at: start + 1, "\(name) takes a colon") }
            return try property(name, value, valuePlace)
        default: return try textTerm(name, symbol, value, start, valuePlace)
        }
    }

    private func property(_ name: String, _ value: String, _ place: Int) throws(SelectionError) -> SelectionTerm {
        let word = value.asciiLowercased
        switch (name, word) {
        case ("has", "attachment"), ("has", "attachments"): return .hasAttachment
        case ("has", "html"): return .hasType("text/html")
        case ("has", "text"): return .hasText
        case ("has", _): return .hasField(word)
        case ("type", _): return .hasType(word)
        case ("flag", _):
            let known = ["seen": "S", "flagged": "F", "replied": "R", "trashed": "T", "draft": "D", "passed": "P"]
            guard let letter = (known[word] ?? value).utf8.first, known[word] != nil || value.utf8.count == 1,
                letter.isASCIILetter
            else {
                throw SelectionError(
                    at: place + 1,
                    "a flag is one letter: S, F, R, T, D, P or a keyword's; keyword:NAME asks for its name")
            }
            return .flag(letter)
        default:
            guard Keyword.isName(word.utf8) else { throw SelectionError(at: place + 1, "no keyword has such a name") }
            return .keyword(Array(word.utf8))
        }
    }

    private func textTerm(
        _ name: String, _ symbol: String, _ value: String, _ start: Int, _ valuePlace: Int
    ) throws(SelectionError) -> SelectionTerm {
        let test: SelectionTerm.TextTest
        switch symbol {
        case ":": test = .contains(value.utf8.map(\.asciiLowercased))
        case "=", "!=": test = .equals(value)
        case "~", "!~": test = try pattern(value, valuePlace)
        default: throw SelectionError(at: start + 1, "\(name) is text: only size and date take \(symbol)")
        }
        let term: SelectionTerm
        switch name {
        case "text", "body": term = .text(test)
        case "filename": term = .filename(test)
        default: term = .field(name, test)
        }
        return symbol.hasPrefix("!") ? .not(term) : term
    }

    /// Words without a special character need no regular expressions.
    private func pattern(_ value: String, _ place: Int) throws(SelectionError) -> SelectionTerm.TextTest {
        let isPlain = value.utf8.allSatisfy {
            $0.isASCIIAlphanumeric || $0 == ASCII.space || $0 == ASCII.at || $0 == ASCII.dash || $0 == ASCII.underscore
        }
        if isPlain { return .contains(value.utf8.map(\.asciiLowercased)) }
        do throws(PerlRegexError) {
            return .matches(try PerlRegex(Array(value.utf8), [.caseless, .unicode]))
        } catch {
            throw SelectionError(at: place + 1, error.description)
        }
    }

    private func order(_ symbol: String, _ name: String, _ place: Int) throws(SelectionError) -> SelectionTerm.Order {
        switch symbol {
        case "<": return .less
        case "<=": return .lessOrEqual
        case "=", ":": return .equal
        case "!=": return .notEqual
        case ">=": return .greaterOrEqual
        case ">": return .greater
        default: throw SelectionError(at: place + 1, "\(name) is a number: it takes < <= = != >= >")
        }
    }

    private func size(_ value: String, _ place: Int) throws(SelectionError) -> Int {
        let digits = value.utf8.prefix { $0.isASCIIDigit }
        let unit = value.utf8.dropFirst(digits.count).map(\.asciiLowercased)
        let shifts: [[UInt8]: Int] = [[]: 0, [0x62]: 0, [0x6B]: 10, [0x6D]: 20, [0x67]: 30]
        let short = unit.count == 2 && unit.last == 0x62 ? [unit[0]] : unit
        guard let number = Int(Array(digits).text), number < 1 << 32, let shift = shifts[short] else {
            throw SelectionError(at: place + 1, "a size is a number of bytes: 1000, 64K, 10M, 2G")
        }
        return number << shift
    }

    /// The seconds that a year, month, day, minute or second spans.
    private func date(_ value: String, _ place: Int) throws(SelectionError) -> Range<Int> {
        if let range = SelectionParser.span(Array(value.utf8)) { return range }
        throw SelectionError(at: place + 1, "a date is 2020, 2020-01, 2020-01-31 or 2020-01-31T12:30 (UTC)")
    }

    private static func span(_ value: [UInt8]) -> Range<Int>? {
        let numbers = value.split(omittingEmptySubsequences: false) { !$0.isASCIIDigit }
        let marks = value.filter { !$0.isASCIIDigit }.map(\.asciiLowercased)
        guard Array("--t::".utf8).starts(with: marks), numbers.count != 4,
            numbers.enumerated().allSatisfy({ $1.count == ($0 == 0 ? 4 : 2) })
        else { return nil }
        let parts = numbers.compactMap { Int($0.text) }
        func part(_ index: Int, _ fallback: Int) -> Int { parts.indices.contains(index) ? parts[index] : fallback }
        let time = CalendarTime(
            year: part(0, 1970), month: part(1, 1), day: part(2, 1), hour: part(3, 0), minute: part(4, 0),
            second: part(5, 0))
        guard 1...12 ~= time.month, 1...time.daysInMonth ~= time.day, time.hour < 24, time.minute < 60,
            time.second <= 60
        else { return nil }
        var end = time
        switch parts.count {
        case 1: end.year += 1
        case 2: (end.year, end.month) = time.month == 12 ? (time.year + 1, 1) : (time.year, time.month + 1)
        case 3: return time.epoch..<(time.epoch + 86_400)
        case 5: return time.epoch..<(time.epoch + 60)
        default: return time.epoch..<(time.epoch + 1)
        }
        return time.epoch..<end.epoch
    }

    // MARK: Tokens

    private func error(_ problem: String) -> SelectionError { SelectionError(at: place + 1, problem) }

    private mutating func skipSpace() {
        while place < text.count, text[place].isMailWhitespace { place += 1 }
    }

    private mutating func takeSymbol(_ symbol: StaticString) -> Bool {
        skipSpace()
        guard text.span.matches(symbol, at: place) else { return false }
        place += symbol.utf8CodeUnitCount
        return true
    }

    /// A word of its own, in any case: what follows is space, a parenthesis or the end.
    private mutating func takeWord(_ word: StaticString) -> Bool {
        skipSpace()
        let end = place + word.utf8CodeUnitCount
        guard end <= text.count, text[place..<end].equalsIgnoringCase(word) else { return false }
        if end < text.count, !text[end].isMailWhitespace, text[end] != ASCII.openParenthesis { return false }
        place = end
        return true
    }

    private mutating func takeOperator() -> String? {
        for symbol in ["!~", "!=", "<=", ">=", "~", ":", "=", "<", ">"] where text[place...].starts(with: symbol.utf8) {
            place += symbol.utf8.count
            return symbol
        }
        return nil
    }

    /// A quoted value, or one up to white space or a parenthesis that it has not opened.
    private mutating func takeValue() throws(SelectionError) -> String {
        if place < text.count, text[place] == ASCII.quote || text[place] == ASCII.apostrophe {
            return try takeQuoted(text[place])
        }
        let start = place
        var open = 0
        while place < text.count, !text[place].isMailWhitespace {
            if text[place] == ASCII.openParenthesis { open += 1 }
            if text[place] == ASCII.closeParenthesis {
                if open == 0 { break }
                open -= 1
            }
            place += text[place] == ASCII.backslash && place + 1 < text.count ? 2 : 1
        }
        guard place > start else { throw error("a value is missing") }
        return text[start..<place].text
    }

    /// Within quotes a backslash takes the quote or another backslash; before anything else it stays, as regular
    /// expressions need it.
    private mutating func takeQuoted(_ quote: UInt8) throws(SelectionError) -> String {
        let start = place
        var value: [UInt8] = []
        place += 1
        while place < text.count {
            let byte = text[place]
            place += 1
            if byte == quote { return value.text }
            if byte == ASCII.backslash, place < text.count, text[place] == quote {
                value.append(text[place])
                place += 1
            } else {
                value.append(byte)
            }
        }
        throw SelectionError(at: start + 1, "the quotes are not closed")
    }
}
