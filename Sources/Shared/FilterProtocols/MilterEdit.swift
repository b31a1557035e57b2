import Bytes

/// The header and the envelope of a message in the hands of a milter, and the changes made to them. The body is not here:
/// it is shown as it passes, and what takes its place is handed out as it comes.
package struct MilterEdit: Sendable {
    struct Field: Equatable, Sendable {
        let name: String
        /// What follows the colon, its line ends LF.
        var value: [UInt8]
        /// The server's own trace field, which the milter is not shown and does not count.
        var isOwn = false
    }

    private(set) var fields: [Field] = []
    /// The reverse-path and the recipients, with angle brackets.
    package private(set) var sender: String
    package private(set) var recipients: [String]
    /// Why the message is to be kept out of the mailboxes; nil when it is not.
    package private(set) var quarantine: String?
    /// The header is another than before.
    package private(set) var isHeaderChanged = false
    /// A body has come that takes the place of the message's own.
    package private(set) var replacesBody = false
    /// A CR at the end of a piece of that body: whether it is part of a line end is not known yet.
    private var hasPendingCR = false
    /// Values come and go with the space that follows the colon.
    var keepsLeadingSpace = false
    /// Octets of the header in the message, with the empty line that ends it when there is one.
    package let headerSize: Int

    /// - Parameters:
    ///   - own: the server's own fields, which stand above the message and are not shown; LF line ends.
    ///   - start: the start of the message, with the whole of its header; LF line ends.
    package init(own: [UInt8], start: [UInt8], sender: String, recipients: [String]) {
        self.sender = sender
        self.recipients = recipients
        (fields, _) = MilterEdit.fields(of: own, areOwn: true)
        let (shown, size) = MilterEdit.fields(of: start, areOwn: false)
        fields += shown
        headerSize = size
    }

    private static func fields(of start: [UInt8], areOwn: Bool) -> (fields: [Field], size: Int) {
        var fields: [Field] = []
        let span = start.span
        var place = 0
        while place < span.count {
            let line = span.line(at: place)
            if line.content.isEmpty { return (fields, line.next) }
            let first = span[line.content.lowerBound]
            if first.isSpaceOrTab, !fields.isEmpty {
                fields[fields.count - 1].value += [ASCII.lf] + span.array(line.content)
            } else if let colon = span.firstIndex(of: ASCII.colon, in: line.content), colon > place {
                let name = span.array(place..<colon)
                let value = span.array((colon + 1)..<line.content.upperBound)
                fields.append(Field(name: name.text, value: value, isOwn: areOwn))
            } else {
                // No field: the body begins without an empty line.
                break
            }
            place = line.next
        }
        return (fields, place)
    }

    /// What the milter is shown of the header.
    var shown: [Field] { fields.filter { !$0.isOwn } }

    static func withoutLeadingSpace(_ value: [UInt8]) -> [UInt8] {
        value.first == ASCII.space ? Array(value.dropFirst()) : value
    }

    private static func withLF(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        for byte in bytes {
            if byte == ASCII.lf, result.last == ASCII.cr { result.removeLast() }
            result.append(byte)
        }
        return result
    }

    /// The header as it is now, with the server's own fields and the empty line that ends it; LF line ends.
    package var header: [UInt8] {
        var header: [UInt8] = []
        for field in fields { header += Array(field.name.utf8) + [ASCII.colon] + field.value + [ASCII.lf] }
        return header + [ASCII.lf]
    }

    /// What a packet does.
    enum Change: Equatable {
        case made
        /// More of another body, with LF line ends.
        case body([UInt8])
        /// It asks for no change.
        case none
    }

    /// Makes the change that a packet asks for.
    mutating func apply(_ packet: MilterPacket) -> Change {
        switch packet.command {
        case UInt8(ascii: "h"), UInt8(ascii: "i"), UInt8(ascii: "m"): return changeHeader(packet) ? .made : .none
        case UInt8(ascii: "b"): return .body(replace(packet.data))
        case UInt8(ascii: "+"), UInt8(ascii: "2"):
            let recipient = packet.data.prefix { $0 != 0 }.text
            if !recipients.contains(recipient) { recipients.append(recipient) }
        case UInt8(ascii: "-"):
            let recipient = packet.data.prefix { $0 != 0 }.text
            recipients.removeAll { $0.equalsIgnoringCase(recipient) }
        case UInt8(ascii: "e"): sender = packet.data.prefix { $0 != 0 }.text
        case UInt8(ascii: "q"): quarantine = packet.data.prefix { $0 != 0 }.text
        default: return .none
        }
        return .made
    }

    private mutating func replace(_ piece: [UInt8]) -> [UInt8] {
        replacesBody = true
        var piece = hasPendingCR ? [ASCII.cr] + piece : piece
        hasPendingCR = piece.last == ASCII.cr
        if hasPendingCR { piece.removeLast() }
        return MilterEdit.withLF(piece)
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
            // 0 is above everything, the server's own fields too.
            fields.insert(Field(name: name, value: value), at: min(max(index, 0), fields.count))
        default:
            let places = fields.indices.filter { !fields[$0].isOwn && fields[$0].name.equalsIgnoringCase(name) }
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
