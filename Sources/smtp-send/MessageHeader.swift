import Bytes
import CommandLineTool
import Delivery
import MessageFormat

/// The header of a message about to be sent: what it says of sender and recipients, and the message with fields removed
/// or added. The bytes of the body are not touched.
struct MessageHeader {
    /// A header longer than this is none.
    private static let sizeLimit = 16 << 20

    private let content: MessageContent
    private let fields: [HeaderField]
    /// The bytes that the fields stand in: the start of the message.
    private let bytes: [UInt8]

    init(_ content: MessageContent, name: String) throws(ToolFailure) {
        self.content = content
        var bytes: [UInt8] = []
        var fields: [HeaderField] = []
        var isWhole = true
        if let first = content.pieces.first {
            first.read(0..<Self.sizeLimit) { start in
                let structure = MessageStructure(headerOf: start)
                fields = structure.fields
                let end = structure.parts.first?.bodyOffset ?? start.count
                isWhole = end < start.count || first.count <= Self.sizeLimit
                bytes = start.array(0..<end)
            }
        }
        guard isWhole else {
            throw ToolFailure(.dataError, "\(name): the header does not end: this is no message")
        }
        self.bytes = bytes
        self.fields = fields
    }

    private var startsWithEmptyLine: Bool { bytes.first == ASCII.lf || bytes.first == ASCII.cr }

    func has(_ name: StaticString) -> Bool { fields.contains { $0.isNamed(name, in: bytes.span) } }

    /// The addresses of all fields of these names.
    private func addresses(_ names: [StaticString]) -> [String] {
        fields.filter { field in names.contains { field.isNamed($0, in: bytes.span) } }
            .flatMap { AddressList.parse($0.value(in: bytes.span)).addresses.compactMap(\.address) }
    }

    /// The mailbox that sent the message: Sender, else the first of From (RFC 5322 3.6.2).
    var sender: EnvelopeAddress? {
        addresses(["Sender"]).lazy.compactMap { EnvelopeAddress($0) }.first
            ?? addresses(["From"]).lazy.compactMap { EnvelopeAddress($0) }.first
    }

    /// The recipients that To, Cc and Bcc name; in a message that was sent on, those of the Resent- fields.
    func recipients(name: String) throws(ToolFailure) -> [EnvelopeAddress] {
        let resent = addresses(["Resent-To", "Resent-Cc", "Resent-Bcc"])
        var recipients: [EnvelopeAddress] = []
        for text in resent.isEmpty ? addresses(["To", "Cc", "Bcc"]) : resent {
            guard let address = EnvelopeAddress(text) else {
                throw ToolFailure(.dataError, "\(name): \(text): is not an address: correct it in To, Cc or Bcc")
            }
            recipients.append(address)
        }
        return recipients
    }

    /// The message without Bcc, and with the fields at its top.
    func submission(adding added: [UInt8]) -> MessageContent {
        // Without a header, what is there is text.
        let separator: [UInt8] = fields.isEmpty && !startsWithEmptyLine ? [ASCII.cr, ASCII.lf] : []
        var pieces: [MessageContent.Piece] = added.isEmpty ? [] : [.bytes(added + separator)]
        guard let first = content.pieces.first else { return MessageContent(pieces: pieces) }
        var start = 0
        for field in fields where field.isNamed("Bcc", in: bytes.span) || field.isNamed("Resent-Bcc", in: bytes.span) {
            if start < field.offset { pieces.append(first.part(start..<field.offset)) }
            start = field.end
        }
        pieces.append(first.part(start..<first.count))
        return MessageContent(pieces: pieces + content.pieces.dropFirst())
    }
}
