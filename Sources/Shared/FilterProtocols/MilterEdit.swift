import Bytes

/// A message in the hands of a milter: its header fields, body and envelope, and the changes made to them.
struct MilterEdit: Sendable {
    struct Field: Equatable, Sendable {
        let name: String
        /// What follows the colon, its line ends LF.
        var value: [UInt8]
    }

    private(set) var fields: [Field] = []
    private var body: [UInt8] = []
    private var newBody: [UInt8]?
    private var sender: String
    private var recipients: [String]
    private var quarantine: String?
    private var isHeaderChanged = false
    private let original: [UInt8]
    /// Values come and go with the space that follows the colon.
    var keepsLeadingSpace = false

    init(_ message: MilterMessage) {
        original = message.content
        sender = message.sender
        recipients = message.recipients
        readHeader(message.content)
    }

    private mutating func readHeader(_ content: [UInt8]) {
        let span = content.span
        var place = 0
        while place < span.count {
            let line = span.line(at: place)
            if line.content.isEmpty {
                place = line.next
                break
            }
            let first = span[line.content.lowerBound]
            if first.isSpaceOrTab, !fields.isEmpty {
                fields[fields.count - 1].value += [ASCII.lf] + span.array(line.content)
            } else if let colon = span.firstIndex(of: ASCII.colon, in: line.content), colon > place {
                let name = span.array(place..<colon)
                fields.append(Field(name: name.text, value: span.array((colon + 1)..<line.content.upperBound)))
            } else {
                // No field: the body begins without an empty line.
                break
            }
            place = line.next
        }
        body = span.array(place..<span.count)
    }

    /// The body as it is sent: with CRLF.
    var bodyWithCRLF: [UInt8] { MilterEdit.withCRLF(body) }

    static func withoutLeadingSpace(_ value: [UInt8]) -> [UInt8] {
        value.first == ASCII.space ? Array(value.dropFirst()) : value
    }

    private static func withCRLF(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + bytes.count / 32)
        for byte in bytes {
            if byte == ASCII.lf, result.last != ASCII.cr { result.append(ASCII.cr) }
            result.append(byte)
        }
        return result
    }

    private static func withLF(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        for byte in bytes {
            if byte == ASCII.lf, result.last == ASCII.cr { result.removeLast() }
            result.append(byte)
        }
        return result
    }

    var verdict: MilterVerdict {
        if let quarantine { return .quarantine(quarantine) }
        guard isHeaderChanged || newBody != nil else {
            return .accept(content: original, sender: sender, recipients: recipients)
        }
        var content: [UInt8] = []
        for field in fields { content += Array(field.name.utf8) + [ASCII.colon] + field.value + [ASCII.lf] }
        content.append(ASCII.lf)
        return .accept(content: content + (newBody ?? body), sender: sender, recipients: recipients)
    }

    /// Makes the change that a packet asks for; false when it is none.
    mutating func apply(_ packet: MilterPacket) -> Bool {
        switch packet.command {
        case UInt8(ascii: "h"), UInt8(ascii: "i"), UInt8(ascii: "m"): return changeHeader(packet)
        case UInt8(ascii: "b"): newBody = (newBody ?? []) + MilterEdit.withLF(packet.data)
        case UInt8(ascii: "+"), UInt8(ascii: "2"):
            let recipient = packet.data.prefix { $0 != 0 }.text
            if !recipients.contains(recipient) { recipients.append(recipient) }
        case UInt8(ascii: "-"):
            let recipient = packet.data.prefix { $0 != 0 }.text
            recipients.removeAll { $0.equalsIgnoringCase(recipient) }
        case UInt8(ascii: "e"): sender = packet.data.prefix { $0 != 0 }.text
        case UInt8(ascii: "q"): quarantine = packet.data.prefix { $0 != 0 }.text
        default: return false
        }
        return true
    }

    private mutating func changeHeader(_ packet: MilterPacket) -> Bool {
        var data = packet.data[...]
        var index = 0
        if packet.command != UInt8(ascii: "h") {
            guard data.count >= 4 else { return false }
            index = data.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            data = data.dropFirst(4)
        }
        let parts = data.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2 else { return false }
        let name = parts[0].text
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != ASCII.colon }) else { return false }
        var value = MilterEdit.safeValue(MilterEdit.withLF(parts[1]))
        if !keepsLeadingSpace { value.insert(ASCII.space, at: 0) }
        isHeaderChanged = true
        switch packet.command {
        case UInt8(ascii: "h"): fields.append(Field(name: name, value: value))
        case UInt8(ascii: "i"):
            fields.insert(Field(name: name, value: value), at: min(max(index, 0), fields.count))
        default:
            let places = fields.indices.filter { fields[$0].name.equalsIgnoringCase(name) }
            if parts[1].isEmpty {
                if places.indices.contains(index - 1) { fields.remove(at: places[index - 1]) }
            } else if places.indices.contains(index - 1) {
                fields[places[index - 1]].value = value
            } else {
                fields.append(Field(name: name, value: value))
            }
        }
        return true
    }

    /// A line of a value that does not begin with white space would be a field of its own.
    private static func safeValue(_ value: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        for byte in value {
            if result.last == ASCII.lf, !byte.isSpaceOrTab { result.append(ASCII.tab) }
            result.append(byte)
        }
        if result.last == ASCII.lf { result.removeLast() }
        return result
    }
}
