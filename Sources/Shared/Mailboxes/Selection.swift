import Bytes
import MessageFormat
import Unix

/// A question to messages: `subject~invoice and size>1M and has:attachment`.
///
/// Terms are joined by `and`, `or`, `not` and parentheses. A term is one of
///
/// - `FIELD~REGEX`, `FIELD!~REGEX`: a decoded header field and a Perl regular expression, the case of letters aside;
///   `FIELD:WORDS` contains them, `FIELD=WORDS` and `FIELD!=WORDS` are all of it
/// - `text~REGEX` and so on: the readable text; `filename~REGEX`: the file names of parts
/// - `size>1M`, with `<`, `<=`, `=`, `!=`, `>=`, `>` and `K`, `M`, `G` (powers of 1024)
/// - `date>2020-01-01`: the Date field in UTC, without one when the message was received; a year, a month, a day, or a
///   time of day `2020-01-01T12:30`
/// - `has:attachment`, `has:html`, `has:text`, `has:FIELD`
/// - `type:image/*`: a part of that type
/// - `flag:S`: a flag of a Maildir name or of Status: S, F, R, T, D, P, or a keyword letter
/// - `keyword:work`: a keyword by its name, as the mailbox or `X-Keywords` tells it
///
/// Values with spaces stand in quotes. Not for use by two threads at once.
package struct Selection {
    let root: SelectionTerm

    package init(_ text: String) throws(SelectionError) {
        var parser = SelectionParser(text)
        root = try parser.parse()
    }

    /// Some term asks for more than the header, the size and the flags.
    package var needsBody: Bool { root.needsBody }

    /// Some term asks for the size.
    package var needsSize: Bool { root.needsSize }

    /// Whether a message is one of those. `message` begins with the first header field; without `needsBody` its header
    /// is enough. `size` counts the bytes of the whole message; without `flags` and `keywords`, Status, X-Status and
    /// X-Keywords tell them. `received` is when it was received, in seconds since 1970.
    package func matches(
        _ message: Span<UInt8>, size: Int, flags: MessageFlags? = nil, keywords: [[UInt8]]? = nil, received: Int? = nil
    ) -> Bool {
        var facts = SelectionFacts(size: size, flags: flags, keywords: keywords, received: received)
        return root.holds(message, &facts)
    }
}

/// Why a selection cannot be read.
package struct SelectionError: Error, Equatable {
    /// The character that it stumbled on, from 1.
    package let place: Int
    package let problem: String

    package init(at place: Int, _ problem: String) {
        self.place = place
        self.problem = problem
    }
}

/// A selection as a tree.
indirect enum SelectionTerm {
    enum Order { case less, lessOrEqual, equal, notEqual, greaterOrEqual, greater }

    case all([SelectionTerm])
    case any([SelectionTerm])
    case not(SelectionTerm)
    case field(String, TextTest)
    case text(TextTest)
    case filename(TextTest)
    case size(Order, Int)
    /// Seconds since 1970: the first of the time that was named, and the first after it.
    case date(Order, Range<Int>)
    case hasField(String)
    case hasAttachment
    case hasType(String)
    case hasText
    case flag(UInt8)
    /// The name, in lower case.
    case keyword([UInt8])

    /// One test of a text.
    enum TextTest {
        /// The letters of `words`, which are lower case, somewhere.
        case contains([UInt8])
        case equals(String)
        case matches(PerlRegex)

        func holds(_ text: String) -> Bool {
            switch self {
            case .contains(let words): return text.asciiLowercased.utf8.contains(words)
            case .equals(let other): return text.equalsIgnoringCase(other)
            case .matches(let expression):
                let bytes = Array(text.utf8)
                if case .match = expression.firstMatch(in: bytes.span) { return true }
                return false
            }
        }
    }

    var needsBody: Bool {
        switch self {
        case .all(let terms), .any(let terms): terms.contains(where: \.needsBody)
        case .not(let term): term.needsBody
        case .text, .filename, .hasAttachment, .hasType, .hasText: true
        case .field, .size, .date, .hasField, .flag, .keyword: false
        }
    }

    var needsSize: Bool {
        switch self {
        case .all(let terms), .any(let terms): terms.contains(where: \.needsSize)
        case .not(let term): term.needsSize
        case .size: true
        default: false
        }
    }

    func holds(_ message: Span<UInt8>, _ facts: inout SelectionFacts) -> Bool {
        switch self {
        case .all(let terms):
            for term in terms where !term.holds(message, &facts) { return false }
            return true
        case .any(let terms):
            for term in terms where term.holds(message, &facts) { return true }
            return false
        case .not(let term): return !term.holds(message, &facts)
        case .field(let name, let test): return facts.values(of: name, message).contains(where: test.holds)
        case .text(let test): return facts.text(message).map(test.holds) ?? false
        case .filename(let test): return facts.filenames(message).contains(where: test.holds)
        case .size(let order, let size): return order.holds(facts.size, size..<(size + 1))
        case .date(let order, let range):
            guard let date = facts.date(message) else { return false }
            return order.holds(date, range)
        case .hasField(let name): return !facts.values(of: name, message).isEmpty
        case .hasAttachment: return facts.hasAttachment(message)
        case .hasType(let pattern): return facts.hasType(pattern, message)
        case .hasText: return !(facts.text(message)?.isEmpty ?? true)
        case .flag(let letter): return facts.flagLetters(message).contains(letter)
        case .keyword(let name): return facts.keywordNames(message).contains { $0.map(\.asciiLowercased) == name }
        }
    }
}

extension SelectionTerm.Order {
    func holds(_ number: Int, _ range: Range<Int>) -> Bool {
        switch self {
        case .less: number < range.lowerBound
        case .lessOrEqual: number < range.upperBound
        case .equal: range.contains(number)
        case .notEqual: !range.contains(number)
        case .greaterOrEqual: number >= range.lowerBound
        case .greater: number >= range.upperBound
        }
    }
}

/// What a selection has found out about a message, each thing once.
struct SelectionFacts {
    let size: Int
    private let flags: MessageFlags?
    private let keywords: [[UInt8]]?
    private let received: Int?
    private var parsed: (structure: MessageStructure, headers: [PartHeader], readable: ReadableParts)?
    private var header: MessageStructure?
    private var readableText: String??

    init(size: Int, flags: MessageFlags?, keywords: [[UInt8]]?, received: Int?) {
        self.size = size
        self.flags = flags
        self.keywords = keywords
        self.received = received
    }

    private mutating func fields(_ message: Span<UInt8>) -> MessageStructure {
        if let header = header ?? parsed?.structure { return header }
        let read = MessageStructure(fieldsOf: message)
        header = read
        return read
    }

    mutating func values(of name: String, _ message: Span<UInt8>) -> [String] {
        fields(message).values(of: name, in: message)
    }

    mutating func date(_ message: Span<UInt8>) -> Int? {
        fields(message).rawValues(of: "date", in: message).first.flatMap { DateTime($0)?.epoch } ?? received
    }

    mutating func keywordNames(_ message: Span<UInt8>) -> [[UInt8]] {
        if let keywords { return keywords }
        return fields(message).rawValues(of: "x-keywords", in: message).flatMap { Keyword.names(in: Array($0)) ?? [] }
    }

    mutating func flagLetters(_ message: Span<UInt8>) -> [UInt8] {
        if let flags { return flags.maildirLetters }
        var flags = MessageFlags()
        let structure = fields(message)
        for value in structure.rawValues(of: "status", in: message) { _ = flags.add(status: value, isExtended: false) }
        for value in structure.rawValues(of: "x-status", in: message) { _ = flags.add(status: value, isExtended: true) }
        return flags.maildirLetters
    }

    private mutating func parts(
        _ message: Span<UInt8>
    ) -> (structure: MessageStructure, headers: [PartHeader], readable: ReadableParts) {
        if let parsed { return parsed }
        let structure = MessageStructure(message)
        let headers = structure.parts.indices.map { structure.header(of: $0, in: message) }
        let all = (structure, headers, ReadableParts(structure, headers: headers))
        parsed = all
        return all
    }

    mutating func text(_ message: Span<UInt8>) -> String? {
        if let readableText { return readableText }
        let parts = parts(message)
        let text = ReadableText(parts.structure, parts.readable, in: message).text?.text
        readableText = .some(text)
        return text
    }

    mutating func filenames(_ message: Span<UInt8>) -> [String] { parts(message).headers.compactMap(\.filename) }

    mutating func hasAttachment(_ message: Span<UInt8>) -> Bool { !parts(message).readable.attachments.isEmpty }

    mutating func hasType(_ pattern: String, _ message: Span<UInt8>) -> Bool {
        let names = parts(message).structure.parts.map(\.contentType.name)
        guard pattern.hasSuffix("/*") else { return names.contains(pattern) }
        return names.contains { $0.hasPrefix(pattern.dropLast()) }
    }
}

extension Sequence where Element == UInt8, Self: Collection {
    /// Whether the bytes of `words` stand somewhere.
    fileprivate func contains(_ words: [UInt8]) -> Bool {
        guard let first = words.first else { return true }
        var rest = self[...]
        while let place = rest.firstIndex(of: first) {
            rest = rest[place...]
            if rest.starts(with: words) { return true }
            rest = rest.dropFirst()
        }
        return false
    }
}
