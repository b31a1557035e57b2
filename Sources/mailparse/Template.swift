import Bytes
import CommandLineTool
import Mailboxes
import MessageFormat

/// A line for each message, made from a template: `{date:iso}\t{from.address}\t{subject}`.
struct Template: Sendable {
    private enum Piece: Sendable {
        case text(String)
        case value(Value)
    }

    /// What stands between braces: `name`, `name.part`, `name:form`.
    private struct Value: Sendable {
        /// In lower case.
        let name: String
        let part: String?
        let form: String?
    }

    private var pieces: [Piece] = []
    /// Some value asks for more than the header.
    private(set) var needsBody = false
    /// Some value is the size of the message.
    private(set) var needsSize = false
    /// The fields that the values are about.
    private(set) var wanted: MessageSummary.Wanted = []

    private static let bodyNames: Set<String> = ["text", "attachments", "type"]
    private static let addressNames: Set<String> = ["from", "sender", "reply-to", "replyto", "to", "cc", "bcc"]

    // MARK: Reading

    /// `\t`, `\n`, `\0` and `\\` are what they are in C; `{{` is a brace.
    init(_ text: String) throws(ToolFailure) {
        var literal = ""
        var rest = Array(text.unicodeScalars)[...]
        while let scalar = rest.popFirst() {
            if scalar == "\\", let next = rest.first {
                rest.removeFirst()
                switch next {
                case "t": literal += "\t"
                case "n": literal += "\n"
                case "0": literal += "\0"
                case "\\", "{", "}": literal.unicodeScalars.append(next)
                default: throw Template.failure("\\\(next): an escape is \\t, \\n, \\0 or \\\\")
                }
            } else if scalar == "{", rest.first == "{" {
                rest.removeFirst()
                literal += "{"
            } else if scalar == "}", rest.first == "}" {
                rest.removeFirst()
                literal += "}"
            } else if scalar == "{" {
                guard let end = rest.firstIndex(of: "}") else { throw Template.failure("a { has no }") }
                if !literal.isEmpty { pieces.append(.text(literal)) }
                literal = ""
                var inner = ""
                inner.unicodeScalars.append(contentsOf: rest[..<end])
                try add(inner)
                rest = rest[(end + 1)...]
            } else {
                literal.unicodeScalars.append(scalar)
            }
        }
        if !literal.isEmpty { pieces.append(.text(literal)) }
    }

    private mutating func add(_ inner: String) throws(ToolFailure) {
        let halves = inner.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let words = halves[0].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let value = Value(
            name: words[0].asciiLowercased, part: words.count > 1 ? words[1].asciiLowercased : nil,
            form: halves.count > 1 ? halves[1] : nil)
        if value.name.isEmpty
            || !value.name.utf8.allSatisfy({ $0.isASCIIAlphanumeric || $0 == ASCII.dash || $0 == ASCII.underscore })
        {
            throw Template.failure("{\(inner)}: a name is expected: {subject}, {from.address}, {date:iso}")
        }
        if Template.addressNames.contains(value.name), ![nil, "address", "name"].contains(value.part) {
            throw Template.failure("{\(inner)}: an address has .address and .name")
        }
        if value.name == "date", ![nil, "iso", "utc", "epoch", "day", "raw"].contains(value.form) {
            throw Template.failure("{\(inner)}: a date is :iso, :utc, :day, :epoch or :raw")
        }
        wanted.insert(Template.wanted(value.name))
        needsSize = needsSize || value.name == "size"
        needsBody = needsBody || Template.bodyNames.contains(value.name)
        pieces.append(.value(value))
    }

    private static func wanted(_ name: String) -> MessageSummary.Wanted {
        if addressNames.contains(name) { return .addresses }
        switch name {
        case "date": return .date
        case "subject": return .subject
        case "message-id", "messageid", "in-reply-to", "inreplyto", "references", "return-path", "returnpath", "list":
            return .others
        default: return []
        }
    }

    private static func failure(_ problem: String) -> ToolFailure {
        ToolFailure(.usage, "--format: \(TerminalText.escape(problem))")
    }

    // MARK: Writing

    func line(_ message: ParsedMessage, _ bytes: Span<UInt8>, _ text: ViewText) -> String {
        var line = ""
        for piece in pieces {
            switch piece {
            case .text(let literal): line += literal
            case .value(let value): line += text.line(Template.text(of: value, message, bytes))
            }
        }
        return line
    }

    private static func text(of value: Value, _ message: ParsedMessage, _ bytes: Span<UInt8>) -> String {
        let summary = message.summary
        switch value.name {
        case "file": return message.input.file
        case "index": return String(message.input.index)
        case "size": return String(message.input.size)
        case "envelope": return message.input.envelope?.text ?? ""
        case "date": return date(summary, value.form)
        case "subject": return summary.subject ?? ""
        case "from": return addresses(summary.from, value.part)
        case "sender": return addresses(summary.sender, value.part)
        case "reply-to", "replyto": return addresses(summary.replyTo, value.part)
        case "to": return addresses(summary.to, value.part)
        case "cc": return addresses(summary.cc, value.part)
        case "bcc": return addresses(summary.bcc, value.part)
        case "message-id", "messageid": return summary.messageID ?? ""
        case "in-reply-to", "inreplyto": return summary.inReplyTo.joined(separator: " ")
        case "references": return summary.references.joined(separator: " ")
        case "return-path", "returnpath": return summary.returnPath ?? ""
        case "list" where value.part == "id": return summary.listID ?? ""
        case "type": return message.structure.parts.first?.contentType.name ?? ""
        case "text": return readableText(message, bytes)
        case "attachments":
            let parts = message.readable?.attachments ?? []
            return parts.map { message.headers[$0].filename ?? message.structure.path(of: $0) }.joined(separator: ", ")
        default: return message.structure.values(of: value.name, in: bytes).joined(separator: ", ")
        }
    }

    private static func date(_ summary: MessageSummary, _ form: String?) -> String {
        guard form != nil, form != "raw" else { return summary.dateText ?? "" }
        guard let date = summary.date else { return "" }
        switch form {
        case "epoch": return String(date.epoch)
        case "day": return date.local.date
        case "utc":
            let time = CalendarTime(epoch: date.epoch)
            return "\(time.date)T\(time.time)Z"
        default:
            let local = date.local
            // An unknown zone is UTC here, which ISO 8601 can say.
            let zone = date.offset == nil ? "Z" : "\(date.zone.prefix(3)):\(date.zone.suffix(2))"
            return "\(local.date)T\(local.time)\(zone)"
        }
    }

    private static func addresses(_ list: [Address], _ part: String?) -> String {
        switch part {
        case "address": list.compactMap(\.address).joined(separator: ", ")
        case "name": list.compactMap { $0.name ?? $0.address }.joined(separator: ", ")
        default:
            list.map { ViewText.address($0.name, $0.address ?? $0.group.map { "\($0):;" }) }.joined(separator: ", ")
        }
    }

    private static func readableText(_ message: ParsedMessage, _ bytes: Span<UInt8>) -> String {
        guard let readable = message.readable else { return "" }
        return ReadableText(message.structure, readable, in: bytes).text?.text ?? ""
    }
}
