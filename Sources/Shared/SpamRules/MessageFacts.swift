import Bytes
import MessageFormat
import Unix

/// A message as rules and tests look at it; each view is made when it is first asked for. For one thread.
final class MessageFacts {
    /// The message as it came, without an mbox line before it.
    let bytes: [UInt8]
    let structure: MessageStructure
    /// What the rule files list.
    let tables: ListTables
    let settings: RuleSettings
    /// Expressions that tests use.
    let expressions: ExpressionCache
    /// The calls of all rules that ask lists of addresses.
    let listCalls: [EvalCall]
    /// The probability that it is spam by what was learned; nil when nothing was.
    var learned: Double?
    /// What the network says; nothing before it was asked.
    var network = NetworkFacts()
    /// Why the test that runs hits, when it says so.
    var reason: String?

    /// So many bytes of a message are looked at.
    private static let longest = 16 << 20

    init(_ message: Span<UInt8>, _ plan: RulePlan, _ expressions: ExpressionCache, listCalls: [EvalCall] = []) {
        tables = plan.tables
        self.listCalls = listCalls
        settings = plan.settings
        self.expressions = expressions
        let start = MboxLine(message)?.next ?? 0
        // Rules look at the head of a message and of each part; what lies further back can cost time only.
        let content = message.array(start..<min(message.count, start + MessageFacts.longest))
        structure = MessageStructure(content.span)
        bytes = content
    }

    /// The header fields of the message, in order, without X-Spam ones: what others have concluded is no evidence.
    private(set) lazy var fields: [MessageField] = readFields(of: 0).filter { !$0.key.hasPrefix("x-spam-") }

    /// The text parts and what they hold, in order.
    private(set) lazy var textParts: [TextPart] = {
        func limit(_ name: String, _ usual: Int) -> Int {
            settings.number(name).map { $0 == 0 ? .max : Int(min(max($0, 1), 1e9)) } ?? usual
        }
        let limits = TextPart.Limits(
            body: limit("body_part_scan_size", TextPart.Limits.usual.body),
            raw: limit("rawbody_part_scan_size", TextPart.Limits.usual.raw))
        return structure.walk().compactMap { TextPart($0, structure, bytes, limits) }
    }()

    /// The HTML parts, read.
    private(set) lazy var htmlParts: [RenderedHTML] = textParts.compactMap(\.html)

    /// The body as `body` rules see it: the subject, then the rendered text in lines without folds, each with its line
    /// end.
    private(set) lazy var bodyLines: [[UInt8]] = BodyText.lines(
        subject: fields.last { $0.key == "subject" }?.decodedLine ?? [ASCII.lf], textParts)

    /// The decoded text parts as `rawbody` rules see them, in chunks of some 2,048 to 4,096 bytes.
    private(set) lazy var rawChunks: [[UInt8]] = textParts.filter { $0.isRaw }.flatMap { BodyText.chunks($0.content) }

    /// Addresses of pages and mailboxes in the text and the HTML, as written and in canonical form.
    private(set) lazy var uris: [[UInt8]] = MessageURIs.find(in: self)

    /// Expressions whose first group is where a link leads on to.
    private(set) lazy var redirectors: [String] = settings.texts("redirector_pattern").compactMap { text in
        guard let pattern = try? RulePattern(text[...]) else { return nil }
        return (pattern.options.contains(.caseless) ? "(?i)" : "") + pattern.text.text
    }

    /// A link is longer than what is looked at.
    var hasLongLink: Bool {
        htmlParts.contains { $0.links.contains { $0.target.utf8.count > MessageURIs.longest } }
    }

    /// What mail programs make links of in the text.
    private(set) lazy var textLinks: [[UInt8]] = MessageURIs.textLinks(in: self)

    /// `Received` fields as one text with single spaces.
    private(set) lazy var receivedText: String =
        text("Received").split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\n" }).joined(separator: " ")

    /// The links with all that is known of each.
    private(set) lazy var links = MessageURIs.details(in: self)

    /// The hosts of the URIs in lower case, each once, in order: names and IPv4 addresses.
    private(set) lazy var uriHosts: [String] = MessageURIs.hosts(of: uris, tables.domains)

    /// The servers that it came through.
    private(set) lazy var relays = Relays(self)

    /// When it was sent and relayed.
    private(set) lazy var dates = MessageDates(self)

    /// Its parts, counted.
    private(set) lazy var parts = PartCounts(self)

    /// The images that are attached to it.
    private(set) lazy var images = AttachedImage.find(in: self)

    /// Mail addresses that the text names, in lower case.
    private(set) lazy var bodyAddresses: Set<String> = MessageURIs.addresses(in: bodyLines).union(
        MessageURIs.addresses(linkedBy: htmlParts)
    ).filter { address in
        address.utf8.lastIndex(of: ASCII.at).map { at in
            tables.domains.isDomain(Array(address.utf8[at...].dropFirst())[...])
        } ?? false
    }

    private var values: [HeaderSubject: [UInt8]?] = [:]

    /// What a header subject stands for: the values, each with its line end; nil when there is none.
    func value(of subject: HeaderSubject) -> [UInt8]? {
        if let known = values[subject] { return known }
        let value = HeaderValues.value(of: subject, in: self)
        values[subject] = .some(value)
        return value
    }

    /// The values of a field in the headers of all parts, the message's own among them.
    func mimeValues(of subject: HeaderSubject) -> [[UInt8]] {
        let isRaw = subject.forms.contains("raw")
        return mimeFields.filter { $0.key == subject.name }.map { isRaw ? $0.raw : $0.decodedLine }
    }

    private lazy var mimeFields: [MessageField] = structure.walk().flatMap { readFields(of: $0) }

    private func readFields(of part: Int) -> [MessageField] {
        let bytes = bytes
        return structure.withSource(of: part, in: bytes.span) { source in
            var fields: [MessageField] = []
            for field in structure.fields(of: part) { fields.append(MessageField(field, in: source)) }
            return fields
        }
    }

    /// The first value of a field, decoded, without its line end; nil when there is none.
    func firstValue(_ name: String) -> [UInt8]? {
        fields.first { $0.key == name }.map { Array($0.decodedLine.dropLast()) }
    }
}

/// A header field: its name, and its body raw and decoded.
struct MessageField {
    /// So many bytes of a field are looked at.
    private static let longest = 65_536

    let name: [UInt8]
    /// The name in lower case.
    let key: String
    /// After the colon and white space, folds kept, with its line end.
    let raw: [UInt8]

    init(_ field: HeaderField, in bytes: Span<UInt8>) {
        name = bytes.array(field.name)
        key = name.map(\.asciiLowercased).text
        let start = field.body.lowerBound
        var body = bytes.array(start..<min(field.body.upperBound, start + MessageField.longest)).filter {
            $0 != ASCII.cr
        }
        body.removeFirst(body.prefix { $0.isMailWhitespace }.count)
        while let last = body.last, last == ASCII.lf { body.removeLast() }
        raw = body + [ASCII.lf]
    }

    /// Unfolded, and decoded unless the field holds no text, with a line end.
    var decodedLine: [UInt8] {
        let unfolded = MessageField.unfolded(raw)
        guard !MessageField.isUndecoded(key), unfolded.contains(where: { $0 == ASCII.equals || $0 >= 0x80 }) else {
            return unfolded + [ASCII.lf]
        }
        return Array(HeaderText.decode(unfolded).text.utf8) + [ASCII.lf]
    }

    /// Folds taken out, of which the first character of white space becomes a space, without the last line end.
    static func unfolded(_ raw: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(raw.count)
        var isAfterLineEnd = false
        for byte in raw {
            if byte == ASCII.lf {
                isAfterLineEnd = true
            } else {
                result.append(isAfterLineEnd && byte == ASCII.tab ? ASCII.space : byte)
                isAfterLineEnd = false
            }
        }
        return result
    }

    private static func isUndecoded(_ key: String) -> Bool {
        if key.hasPrefix("list-") { return true }
        return [
            "received", "message-id", "resent-message-id", "date", "resent-date", "mime-version", "references",
            "in-reply-to",
        ].contains(key)
    }
}
