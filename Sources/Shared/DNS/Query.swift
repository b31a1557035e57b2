import Bytes

/// One question in a message of its own, ready to send, and the judge of what comes back.
package struct Query: Sendable {
    /// Chosen anew for each socket that the query goes to.
    package var id: UInt16
    package let type: RecordType
    /// The message without its id.
    private let rest: [UInt8]
    /// Whether an OPT record was sent.
    package let hasOptions: Bool
    /// Whether letters were sent in mixed case, which the answer must repeat.
    package let isMixedCase: Bool
    /// The length of the question: name, type and class.
    private let questionSize: Int

    /// The size of answer that is asked for: no fragments on any usual path.
    package static let payloadSize: UInt16 = 1_232

    /// Encodes a recursive query for `name`, class IN. `letterCase` supplies random bits for a mixed-case name.
    package init(
        id: UInt16, name: DomainName, type: RecordType, hasOptions: Bool, asksAuthentication: Bool = false,
        letterCase: (() -> UInt64)? = nil
    ) {
        self.id = id
        self.type = type
        self.hasOptions = hasOptions
        isMixedCase = letterCase != nil
        questionSize = name.wire.count + 4
        var message: [UInt8] = []
        message.reserveCapacity(MessageHeader.size + questionSize + 11)
        message.append(high: asksAuthentication ? 0x0120 : 0x0100)
        message.append(high: 1)
        message.append(high: 0)
        message.append(high: 0)
        message.append(high: hasOptions ? 1 : 0)
        if let letterCase {
            message += Query.mixed(name.wire, letterCase)
        } else {
            message += name.wire
        }
        message.append(high: type.number)
        message.append(high: 1)
        if hasOptions {
            message.append(0)
            message.append(high: RecordType.opt.number)
            message.append(high: Query.payloadSize)
            // DO: DANE needs to know that the answer was verified, which some resolvers tell only to who asks so.
            message += [0, 0, type == .tlsa ? 0x80 : 0, 0, 0, 0]
        }
        rest = message
    }

    /// The message as it is sent over UDP; TCP puts its length before it.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    /// Appends the message.
    func append(to buffer: inout [UInt8]) {
        buffer.append(high: id)
        buffer += rest
    }

    private static func mixed(_ wire: [UInt8], _ letterCase: () -> UInt64) -> [UInt8] {
        var bits: UInt64 = 0
        return wire.enumerated().map { index, byte in
            if index % 64 == 0 { bits = letterCase() }
            // A length is below 64, so it is never taken for a letter.
            return byte.isASCIILetter && bits >> UInt64(index % 64) & 1 == 1 ? byte.asciiUppercased : byte
        }
    }

    /// What a message that came in is to this query.
    package enum Match: Equatable, Sendable {
        /// Not the answer to it: forged, late or garbage. Ignored.
        case foreign
        /// The answer, but for the case of letters, which a mixed-case query wants repeated.
        case otherCase
        /// The answer, cut short: ask again over TCP.
        case truncated
        case answer(Message)
        /// The answer, but malformed.
        case malformed(MessageError)
    }

    /// Judges a message (RFC 5452 9): id, kind, question. Over TCP the mark of truncation means nothing.
    package func match(_ message: Span<UInt8>, overStream: Bool = false) -> Match {
        guard let header = try? MessageHeader(message), header.id == id, header.isResponse, header.operation == 0 else {
            return .foreign
        }
        if header.questionCount == 0 {
            guard [1, 2, 4].contains(header.responseCode) else { return .foreign }
        } else {
            guard header.questionCount == 1, let sameCase = matchQuestion(message) else { return .foreign }
            if isMixedCase && !sameCase { return .otherCase }
        }
        if header.isTruncated && !overStream { return .truncated }
        do throws(MessageError) {
            return .answer(try Message(parsing: message))
        } catch {
            return .malformed(error)
        }
    }

    /// Whether the first question is the one that was asked (nil when not), and in the same case.
    ///
    /// A first question has nothing before it that a pointer could lead to, so its bytes are those that were sent.
    private func matchQuestion(_ message: Span<UInt8>) -> Bool? {
        let start = MessageHeader.size
        guard message.count >= start + questionSize else { return nil }
        var sameCase = true
        for index in start..<(start + questionSize) where message[index] != rest[index - 2] {
            let isInName = index < start + questionSize - 4
            guard isInName, message[index].asciiLowercased == rest[index - 2].asciiLowercased else { return nil }
            sameCase = false
        }
        return sameCase
    }
}

extension [UInt8] {
    /// Appends two bytes in network order.
    mutating func append(high number: UInt16) {
        append(UInt8(truncatingIfNeeded: number >> 8))
        append(UInt8(truncatingIfNeeded: number))
    }
}
