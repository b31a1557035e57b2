import Bytes
import Unix

/// Why bytes are no DNS message.
package enum MessageError: Error, Equatable, CustomStringConvertible {
    case tooShort
    case badName
    case badRecord(RecordType)
    case twoOptions

    package var description: String {
        switch self {
        case .tooShort: "the message ends too early"
        case .badName: "a name is malformed"
        case .badRecord(let type): "a record of type \(type) is malformed"
        case .twoOptions: "there are two OPT records"
        }
    }
}

/// The header of a DNS message (RFC 1035 4.1.1).
package struct MessageHeader: Equatable, Sendable {
    package static let size = 12

    package let id: UInt16
    let flags: UInt16
    package let questionCount: Int
    package let answerCount: Int
    package let authorityCount: Int
    package let additionalCount: Int

    package init(_ message: Span<UInt8>) throws(MessageError) {
        guard message.count >= MessageHeader.size else { throw .tooShort }
        id = message.integer16(at: 0)
        flags = message.integer16(at: 2)
        questionCount = Int(message.integer16(at: 4))
        answerCount = Int(message.integer16(at: 6))
        authorityCount = Int(message.integer16(at: 8))
        additionalCount = Int(message.integer16(at: 10))
    }

    package var isResponse: Bool { flags & 0x8000 != 0 }
    package var operation: UInt16 { flags >> 11 & 15 }
    package var isAuthoritative: Bool { flags & 0x0400 != 0 }
    package var isTruncated: Bool { flags & 0x0200 != 0 }
    package var isRecursionAvailable: Bool { flags & 0x0080 != 0 }
    package var isAuthenticated: Bool { flags & 0x0020 != 0 }
    /// The lower four bits; `Message.responseCode` has all.
    package var responseCode: UInt16 { flags & 15 }

    /// `aa tc ra ad`, those that are set.
    package var flagNames: String {
        let names = [(0x0400, "aa"), (0x0200, "tc"), (0x0080, "ra"), (0x0020, "ad")] as [(UInt16, String)]
        return names.filter { flags & $0.0 != 0 }.map(\.1).joined(separator: " ")
    }
}

/// A DNS answer taken apart (RFC 1035 4.1): every record whole, or an error. What follows the last record is ignored.
package struct Message: Equatable, Sendable {
    package let header: MessageHeader
    package let responseCode: ResponseCode
    package private(set) var answers: [Record] = []
    package private(set) var authority: [Record] = []
    /// Whether the sender speaks EDNS.
    package let hasOptions: Bool

    /// Reads a message. Records of other classes than IN are checked and left out.
    package init(parsing message: Span<UInt8>) throws(MessageError) {
        header = try MessageHeader(message)
        var reader = RecordReader(offset: MessageHeader.size)
        for _ in 0..<header.questionCount { try reader.skipQuestion(message) }
        for _ in 0..<header.answerCount {
            if let record = try reader.record(message) { answers.append(record) }
        }
        for _ in 0..<header.authorityCount {
            if let record = try reader.record(message) { authority.append(record) }
        }
        // What the last section offers unasked is of no use to a stub (RFC 2181 5.4.1), but it has to be there and whole.
        for _ in 0..<header.additionalCount { try reader.skipRecord(message) }
        hasOptions = reader.extendedCode != nil
        responseCode = ResponseCode((reader.extendedCode ?? 0) << 4 | header.responseCode)
    }
}

/// Reads names and records out of a message, front to back.
struct RecordReader {
    private(set) var offset: Int
    /// The upper bits of the response code, from the OPT record; nil when there is none.
    private(set) var extendedCode: UInt16?

    /// The name of the first question, which nearly every record points to.
    private var firstName: DomainName?

    init(offset: Int) { self.offset = offset }

    mutating func skipQuestion(_ message: Span<UInt8>) throws(MessageError) {
        let start = offset
        let question = try name(message)
        if start == MessageHeader.size { firstName = question }
        guard message.count - offset >= 4 else { throw .tooShort }
        offset += 4
    }

    /// What stands before the data of a record.
    private struct Head {
        let type: RecordType
        let lifetime: UInt32
        /// Where the data ends.
        let end: Int
    }

    /// Reads what follows a record's owner; nil when the data was passed over: of OPT, and of classes other than IN.
    private mutating func head(_ message: Span<UInt8>) throws(MessageError) -> Head? {
        guard message.count - offset >= 10 else { throw .tooShort }
        let type = RecordType(message.integer16(at: offset))
        let recordClass = message.integer16(at: offset + 2)
        let lifetime = message.integer32(at: offset + 4)
        let length = Int(message.integer16(at: offset + 8))
        offset += 10
        guard message.count - offset >= length else { throw .tooShort }
        let end = offset + length
        if type == .opt {
            if extendedCode != nil { throw .twoOptions }
            extendedCode = UInt16(lifetime >> 24)
            offset = end
            return nil
        }
        guard recordClass == 1 else {
            offset = end
            return nil
        }
        return Head(type: type, lifetime: lifetime >> 31 == 0 ? lifetime : 0, end: end)
    }

    /// The next record; nil for OPT and for classes other than IN.
    mutating func record(_ message: Span<UInt8>) throws(MessageError) -> Record? {
        let owner = try name(message)
        guard let head = try head(message) else { return nil }
        let data = try data(message, head.type, head.end)
        guard offset == head.end else { throw .badRecord(head.type) }
        return Record(owner: owner, type: head.type, ttl: head.lifetime, data: data)
    }

    /// Passes over a record, which is checked like any other.
    mutating func skipRecord(_ message: Span<UInt8>) throws(MessageError) {
        try skipName(message)
        guard let head = try head(message) else { return }
        if head.type == .a || head.type == .aaaa {
            guard head.end - offset == (head.type == .a ? 4 : 16) else { throw .badRecord(head.type) }
            offset = head.end
            return
        }
        _ = try data(message, head.type, head.end)
        guard offset == head.end else { throw .badRecord(head.type) }
    }

    /// The data of a record; `offset` is left where it ends, which must be `end`.
    private mutating func data(
        _ message: Span<UInt8>, _ type: RecordType, _ end: Int
    ) throws(MessageError) -> RecordData {
        // Names may not reach over the end of their record.
        let part = message.extracting(0..<end)
        let length = end - offset
        switch type {
        case .a, .aaaa:
            guard length == (type == .a ? 4 : 16), let address = IPAddress(bytes: take(part, end)) else {
                throw .badRecord(type)
            }
            return .address(address)
        case .mx:
            guard length >= 3 else { throw .badRecord(type) }
            let preference = message.integer16(at: offset)
            offset += 2
            return .exchange(preference: preference, host: try name(part))
        case .cname, .ns, .ptr:
            return .name(try name(part))
        case .txt:
            return .text(try strings(part, end))
        case .soa:
            let primary = try name(part)
            let mailbox = try name(part)
            guard end - offset == 20 else { throw .badRecord(type) }
            let numbers = (0..<5).map { part.integer32(at: offset + 4 * $0) }
            offset = end
            return .startOfAuthority(
                StartOfAuthority(
                    primary: primary, mailbox: mailbox, serial: numbers[0], refresh: numbers[1], retry: numbers[2],
                    expire: numbers[3], minimum: numbers[4]))
        case .tlsa:
            guard length >= 3 else { throw .badRecord(type) }
            let bytes = take(part, end)
            return .certificate(
                TLSARecord(
                    usage: bytes[0], selector: bytes[1], matchingType: bytes[2], association: Array(bytes[3...])))
        default:
            return .other(take(part, end))
        }
    }

    private mutating func take(_ message: Span<UInt8>, _ end: Int) -> [UInt8] {
        defer { offset = end }
        return message.array(offset..<end)
    }

    /// The character strings of TXT data: at least one.
    private mutating func strings(_ message: Span<UInt8>, _ end: Int) throws(MessageError) -> [[UInt8]] {
        var strings: [[UInt8]] = []
        repeat {
            guard offset < end else { throw .badRecord(.txt) }
            let next = offset + 1 + Int(message[offset])
            guard next <= end else { throw .badRecord(.txt) }
            strings.append(message.array((offset + 1)..<next))
            offset = next
        } while offset < end
        return strings
    }

    /// Passes over a name: as `name`, but nothing is kept of it.
    private mutating func skipName(_ message: Span<UInt8>) throws(MessageError) {
        var position = offset
        var segmentStart = offset
        var size = 0
        var end: Int?
        while true {
            guard position < message.count else { throw .badName }
            let length = Int(message[position])
            switch length >> 6 {
            case 0:
                position += 1 + length
                size += 1 + length
                guard position <= message.count, size <= 255 else { throw .badName }
                if length == 0 {
                    offset = end ?? position
                    return
                }
            case 3:
                guard position + 1 < message.count else { throw .badName }
                let target = (length & 0x3F) << 8 | Int(message[position + 1])
                guard target < segmentStart, target >= MessageHeader.size else { throw .badName }
                end = end ?? position + 2
                segmentStart = target
                position = target
            default: throw .badName
            }
        }
    }

    /// A name, its compression pointers followed. Pointers must lead strictly backwards, so that none can loop.
    private mutating func name(_ message: Span<UInt8>) throws(MessageError) -> DomainName {
        if let firstName, message.count - offset >= 2, message[offset] == 0xC0, message[offset + 1] == 12 {
            offset += 2
            return firstName
        }
        var wire: [UInt8] = []
        wire.reserveCapacity(32)
        var position = offset
        var segmentStart = offset
        var hasJumped = false
        while true {
            guard position < message.count else { throw .badName }
            let length = Int(message[position])
            switch length >> 6 {
            case 0:
                let end = position + 1 + length
                guard end <= message.count, wire.count + 1 + length <= 255 else { throw .badName }
                wire.append(UInt8(truncatingIfNeeded: length))
                for index in (position + 1)..<end { wire.append(message[index].asciiLowercased) }
                position = end
                if length == 0 {
                    if !hasJumped { offset = end }
                    return DomainName(lowercasedWire: wire)
                }
            case 3:
                guard position + 1 < message.count else { throw .badName }
                let target = (length & 0x3F) << 8 | Int(message[position + 1])
                guard target < segmentStart, target >= MessageHeader.size else { throw .badName }
                if !hasJumped { offset = position + 2 }
                hasJumped = true
                segmentStart = target
                position = target
            default:
                throw .badName
            }
        }
    }
}

extension Span where Element == UInt8 {
    /// Two bytes in network order; the place must be within the span.
    func integer16(at offset: Int) -> UInt16 {
        UInt16(self[offset]) << 8 | UInt16(self[offset + 1])
    }

    /// Four bytes in network order; the place must be within the span.
    func integer32(at offset: Int) -> UInt32 {
        UInt32(integer16(at: offset)) << 16 | UInt32(integer16(at: offset + 2))
    }
}
