import Bytes
import CommandLineTool
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
            throw ToolFailure(error.exitCode, "\(path): \(error)")
        }
    }

    // MARK: - The message

    /// The message from `sender` to `recipients`; fields of the command line take the place of its own. Bcc is for those
    /// who read recipients from it, and then is removed.
    func message(sender: String, recipients: [EnvelopeAddress], withBcc: Bool) -> MessageContent {
        var header: [String] = []
        let own: [(name: String, value: String)] = [
            ("Date", Origin.date),
            ("From", sender),
            ("To", recipients.map(\.path).joined(separator: ", ")),
            ("Subject", subject ?? ""),
            ("Message-ID", Origin.messageID(sender: sender)),
        ]
        for field in own where !field.value.isEmpty && !isGiven(field.name) { header.append(Self.line(field)) }
        for field in fields where withBcc || !field.name.equalsIgnoringCase("Bcc") { header.append(Self.line(field)) }
        if !isGiven("MIME-Version") { header.append("MIME-Version: 1.0") }
        if attachments.isEmpty { return MessageContent(Self.lines(header + textFields) + [ASCII.lf] + encodedText) }
        return MessageContent(pieces: [.bytes(Self.lines(header))] + parts)
    }

    private func isGiven(_ name: String) -> Bool { fields.contains { $0.name.equalsIgnoringCase(name) } }

    private static let addressFields = ["from", "to", "cc", "bcc", "sender", "reply-to"]

    private static func line(_ field: (name: String, value: String)) -> String {
        addressFields.contains(field.name.asciiLowercased)
            ? HeaderEncoding.addresses(field.name, field.value) : HeaderEncoding.unstructured(field.name, field.value)
    }

    private static func lines(_ lines: [String]) -> [UInt8] { lines.flatMap { Array($0.utf8) + [ASCII.lf] } }

    // MARK: - Text

    /// Text that any server takes as it is: ASCII in lines of at most 998 octets, and no bare CR or NUL.
    private var isPlain: Bool {
        body.split(separator: ASCII.lf).allSatisfy { line in
            let content = line.last == ASCII.cr ? line.dropLast() : line
            return content.count <= 998 && content.allSatisfy { $0 < 0x80 && $0 != ASCII.cr && $0 != ASCII.nul }
        }
    }

    private var textFields: [String] {
        let charset = String(validating: body, as: UTF8.self) == nil ? "unknown-8bit" : "utf-8"
        var lines: [String] = []
        if !isGiven("Content-Type") || !attachments.isEmpty {
            lines.append("Content-Type: text/plain; charset=\(charset)")
        }
        if !isPlain { lines.append("Content-Transfer-Encoding: quoted-printable") }
        return lines
    }

    private var encodedText: [UInt8] {
        let text = isPlain ? body : QuotedPrintable.encode(body.span)
        return text.isEmpty || text.last == ASCII.lf ? text : text + [ASCII.lf]
    }

    // MARK: - Attachments (RFC 2046 5.1.3, RFC 2183)

    private var parts: [MessageContent.Piece] {
        // Random, so that no content can hold it.
        let boundary = Origin.token
        var pieces: [MessageContent.Piece] = [
            .bytes(Array("Content-Type: multipart/mixed; boundary=\"\(boundary)\"\n\n--\(boundary)\n".utf8)),
            .bytes(Self.lines(textFields) + [ASCII.lf] + encodedText),
        ]
        for attachment in attachments {
            let fields = [
                "", "--\(boundary)", "Content-Type: \(Self.type(of: attachment.name))",
                "Content-Disposition: attachment;\n \(Self.fileName(attachment.name))",
                "Content-Transfer-Encoding: base64", "",
            ]
            pieces.append(.bytes(Self.lines(fields)))
            pieces.append(.bytes(Base64.encode(attachment.bytes.span, lineLength: 76)))
        }
        pieces.append(.bytes(Array("\n--\(boundary)--\n".utf8)))
        return pieces
    }

    /// The `filename` parameter: quoted when it is plain, else in the encoded form of RFC 2231 4.
    private static func fileName(_ name: String) -> String {
        let isPlain = name.utf8.allSatisfy {
            $0 >= ASCII.space && $0 < ASCII.delete && $0 != ASCII.quote && $0 != ASCII.backslash
        }
        if isPlain { return "filename=\"\(name)\"" }
        let encoded = name.utf8.map { byte in
            byte.isASCIIAlphanumeric || byte == ASCII.dot || byte == ASCII.dash || byte == ASCII.underscore
                ? [byte].text : "%" + Hexadecimal.encode([byte]).uppercased()
        }
        return "filename*=utf-8''" + encoded.joined()
    }

    private static let types = [
        "txt": "text/plain", "csv": "text/csv", "html": "text/html", "htm": "text/html", "pdf": "application/pdf",
        "json": "application/json", "xml": "application/xml", "zip": "application/zip", "gz": "application/gzip",
        "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "svg": "image/svg+xml",
        "mp3": "audio/mpeg", "mp4": "video/mp4", "ics": "text/calendar",
    ]

    private static func type(of name: String) -> String {
        let suffix = name.split(separator: ".").dropFirst().last.map { String($0).asciiLowercased }
        return suffix.flatMap { types[$0] } ?? "application/octet-stream"
    }
}
