import Bytes
import CommandLineTool
import Delivery
import Glibc
import MessageFormat
import Unix

/// A message made from the command line: --subject, --header, --body, --attach.
struct Composition: Sendable {
    private struct Attachment: Sendable {
        let name: String
        let bytes: [UInt8]
    }

    private let subject: String?
    private let fields: [(name: String, value: String)]
    private let body: [UInt8]
    private let attachments: [Attachment]

    /// Nil when the command line asks for no message to be made.
    init?(_ arguments: Arguments) throws(ToolFailure) {
        let names = arguments[SendOptions.attach]
        let lines = arguments[SendOptions.header]
        let text = arguments[SendOptions.body]
        subject = arguments[SendOptions.subject]
        if subject == nil, lines.isEmpty, text == nil, names.isEmpty { return nil }
        if let operand = arguments.operands.first {
            throw ToolFailure(
                .usage, "\(operand): a message and --subject, --header, --body or --attach exclude each other")
        }
        if let subject { try Self.check("--subject", subject) }
        var fields: [(name: String, value: String)] = []
        for line in lines { fields.append(try Self.field(line)) }
        self.fields = fields
        body = try Self.body(text ?? "")
        var attachments: [Attachment] = []
        for name in names { attachments.append(Attachment(name: Files.name(of: name), bytes: try Self.read(name))) }
        self.attachments = attachments
    }

    // MARK: - The command line

    /// `Name: value`.
    private static func field(_ line: String) throws(ToolFailure) -> (name: String, value: String) {
        let sides = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard sides.count == 2, !sides[0].isEmpty, sides[0].utf8.allSatisfy({ $0 > ASCII.space && $0 < ASCII.delete })
        else { throw ToolFailure(.usage, "--header \(line): is not 'Name: value'") }
        try check("--header", sides[1])
        return (sides[0], sides[1].trimmingASCIIWhitespace())
    }

    /// A line end in a value would begin another field, or the body.
    private static func check(_ option: String, _ value: String) throws(ToolFailure) {
        guard value.utf8.allSatisfy({ $0 == ASCII.tab || !$0.isASCIIControl }) else {
            throw ToolFailure(.usage, "\(option) \(value): has a control character: give one line of text")
        }
    }

    /// `TEXT`, `@FILE`, or `@-` for standard input.
    private static func body(_ text: String) throws(ToolFailure) -> [UInt8] {
        guard text.hasPrefix("@") else { return Array(text.utf8) }
        return try read(String(text.dropFirst()))
    }

    private static func read(_ path: String) throws(ToolFailure) -> [UInt8] {
        do throws(SystemError) {
            if path == "-" { return try FileDescriptor(owning: dup(0), subject: "standard input").readAll() }
            return try Files.read(path)
        } catch {
            throw ToolFailure(error)
        }
    }

    // MARK: - The message

    /// The message from `sender` to `recipients`; fields of the command line take the place of its own. Bcc is for those
    /// who read recipients from it, and then is removed.
    func message(sender: String, recipients: [EnvelopeAddress], withBcc: Bool) -> MessageContent {
        var builder = MessageBuilder()
        let own: [(name: String, value: MessageBuilder.Field.Value)] = [
            ("From", .addresses(AddressList.parse(Array(sender.utf8)).addresses)),
            ("To", .addresses(recipients.map { Address(name: nil, address: $0.path) })),
            ("Subject", .text(subject ?? "")),
        ]
        for field in own where !isGiven(field.name) {
            if field.name == "Subject", subject == nil { continue }
            if field.name == "To", recipients.isEmpty { continue }
            builder.fields.append(.init(field.name, field.value))
        }
        for field in fields where withBcc || !field.name.equalsIgnoringCase("Bcc") {
            builder.fields.append(.init(field.name, Self.value(field)))
        }
        builder.body = ComposedPart(type: "text/plain", .text(body))
        if String(validating: body, as: UTF8.self) == nil { builder.body?.parameters = [("charset", "unknown-8bit")] }
        builder.attachments = attachments.map {
            .file(name: $0.name, type: AttachmentType.type(of: $0.name), $0.bytes)
        }
        return MessageContent(builder.build(date: Origin.now, host: Origin.identifierHost(sender: sender)))
    }

    private func isGiven(_ name: String) -> Bool { fields.contains { $0.name.equalsIgnoringCase(name) } }

    private static let addressFields = ["from", "to", "cc", "bcc", "sender", "reply-to"]
    private static let structuredFields = [
        "date", "message-id", "in-reply-to", "references", "mime-version", "content-type", "content-transfer-encoding",
        "content-disposition", "auto-submitted",
    ]

    private static func value(_ field: (name: String, value: String)) -> MessageBuilder.Field.Value {
        let name = field.name.asciiLowercased
        if addressFields.contains(name) {
            let parsed = AddressList.parse(Array(field.value.utf8))
            // What is no list of addresses goes out as it was given.
            let isList = parsed.defects.isEmpty && parsed.addresses.allSatisfy { $0.address != nil }
            return isList && !parsed.addresses.isEmpty ? .addresses(parsed.addresses) : .text(field.value)
        }
        return structuredFields.contains(name) ? .structured(field.value) : .text(field.value)
    }
}
