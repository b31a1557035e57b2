import Bytes
import MessageFormat

/// The beginning of a message as the classifier looks at it, so that the same message has the same features however it
/// came: LF line ends, no mbox `From ` line, no X-Spam fields.
struct MessageExcerpt {
    /// The header through its empty line, and what follows.
    private(set) var text: [UInt8] = []
    /// The end of the header in `text`, its empty line not counted.
    private(set) var headerEnd = 0
    /// Where the body begins in the message itself, at the empty line.
    private(set) var bodyStart = 0

    /// So much of a message is looked at for its decoded text: what is encoded is longer than what it says.
    private static let limit = 40_000

    init(_ message: Span<UInt8>) {
        var place = MboxLine(message)?.next ?? 0
        let end = min(message.count, place + MessageExcerpt.limit)
        text.reserveCapacity(end - place)
        place = takeHeader(message, from: place, to: end)
        headerEnd = text.count
        bodyStart = place
        let body = message.extracting(place..<end)
        if body.firstIndex(of: ASCII.cr) == nil {
            text.append(span: body)
            return
        }
        while place < end {
            let line = message.line(at: place, limit: end)
            append(message, line)
            place = line.next
        }
    }

    /// Takes the header; returns where it ends. Lines that stay as they are go over in one piece.
    private mutating func takeHeader(_ message: Span<UInt8>, from start: Int, to end: Int) -> Int {
        var place = start
        var pieceStart = start
        var isDropping = false
        while place < end {
            let line = message.line(at: place, limit: end)
            if line.content.isEmpty, line.isTerminated { break }
            if !line.content.isEmpty, !message[place].isSpaceOrTab {
                isDropping = MessageExcerpt.isMark(message, line.content)
            }
            if isDropping || (line.isTerminated && line.next - line.content.upperBound == 2) {
                text.append(span: message.extracting(pieceStart..<place))
                if !isDropping { append(message, line) }
                pieceStart = line.next
            }
            place = line.next
        }
        text.append(span: message.extracting(pieceStart..<place))
        return place
    }

    private mutating func append(_ message: Span<UInt8>, _ line: LineRange) {
        text.append(span: message.extracting(line.content))
        if line.isTerminated { text.append(ASCII.lf) }
    }

    /// A field that a filter like this one has added: what is learned must not be what was concluded.
    private static func isMark(_ message: Span<UInt8>, _ line: Range<Int>) -> Bool {
        guard line.count > 7, message[line.lowerBound + 6] == ASCII.dash else { return false }
        return message.array(line.lowerBound..<line.lowerBound + 7).equalsIgnoringCase("x-spam-")
    }

    /// The header fields with their encoded words decoded, one a line.
    func decodedHeader() -> [UInt8] {
        let bytes = text.span
        let head = bytes.extracting(0..<headerEnd)
        guard MessageExcerpt.hasEncodedWord(head) else { return head.array }
        var decoded: [UInt8] = []
        let structure = MessageStructure(headerOf: bytes)
        for field in structure.fields {
            let value = field.value(in: bytes)
            decoded.append(span: bytes.extracting(field.name))
            decoded += [ASCII.colon, ASCII.space]
            decoded += MessageExcerpt.hasEncodedWord(value.span) ? Array(HeaderText.decode(value).text.utf8) : value
            decoded.append(ASCII.lf)
        }
        return decoded
    }

    private static func hasEncodedWord(_ bytes: Span<UInt8>) -> Bool {
        var place = 0
        while let start = bytes.firstIndex(of: ASCII.question, from: place) {
            if start > 0, bytes[start - 1] == ASCII.equals { return true }
            place = start + 1
        }
        return false
    }

    /// The text of the parts, transfer-decoded and in their own charsets; a part that is no text gives its type and name.
    func decodedText(limit: Int) -> [UInt8] {
        let bytes = text.span
        if MessageExcerpt.isPlain(bytes.extracting(0..<headerEnd)) {
            return bytes.array(min(headerEnd + 1, bytes.count)..<min(headerEnd + 1 + limit, bytes.count))
        }
        let structure = MessageStructure(bytes)
        var result: [UInt8] = []
        for part in structure.walk() where structure.parts[part].isLeaf {
            if result.count >= limit { break }
            let type = structure.parts[part].contentType
            if type.isText {
                result += structure.content(of: part, in: bytes).bytes.prefix(limit - result.count)
            } else {
                let name = structure.header(of: part, in: bytes).filename ?? ""
                result += Array("\n[\(type.name) \(name)]\n".utf8).prefix(limit - result.count)
            }
        }
        return result
    }

    /// Whether the header has neither a type nor an encoding: the body is the text.
    private static func isPlain(_ header: Span<UInt8>) -> Bool {
        var place = 0
        while place < header.count {
            if header[place].asciiLowercased == UInt8(ascii: "c"), place + 9 < header.count,
                header[place + 7] == ASCII.dash, header[place + 8].asciiLowercased == UInt8(ascii: "t")
            {
                return false
            }
            place = header.line(at: place).next
        }
        return true
    }
}
