import Bytes

/// What the header of a message says, read and decoded.
package struct MessageSummary: Sendable {
    /// Groups of fields.
    package struct Wanted: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let addresses = Wanted(rawValue: 1)
        package static let date = Wanted(rawValue: 2)
        package static let subject = Wanted(rawValue: 4)
        /// Received, Authentication-Results.
        package static let trace = Wanted(rawValue: 8)
        /// Everything else: identifiers, lists, fields of which only defects are told.
        package static let others = Wanted(rawValue: 16)
        package static let all: Wanted = [.addresses, .date, .subject, .trace, .others]
    }

    package var subject: String?
    /// The first Date field, unfolded.
    package var dateText: String?
    package var date: DateTime?
    /// The place of the first Date field.
    private(set) var dateOffset = 0
    private(set) var hasFrom = false
    package var from: [Address] = []
    package var sender: [Address] = []
    package var replyTo: [Address] = []
    package var to: [Address] = []
    package var cc: [Address] = []
    package var bcc: [Address] = []
    package var returnPath: String?
    package var deliveredTo: [String] = []
    package var messageID: String?
    package var inReplyTo: [String] = []
    package var references: [String] = []
    package var listID: String?
    package var listUnsubscribe: [String] = []
    package var listPost: String?
    /// The unfolded values of Received, in order, with the place of each field.
    package var received: [(value: [UInt8], offset: Int)] = []
    /// The unfolded values of Authentication-Results, in order.
    package var authenticationResults: [[UInt8]] = []
    /// Defects with the place of the field that has each.
    package var defects: [(id: FindingID, offset: Int)] = []

    /// The names of fields that may stand in a header once.
    private var seen: [Range<Int>] = []
    /// The same in lower case, when there are many.
    private var seenNames: Set<[UInt8]> = []
    private var hasInReplyTo = false
    private var hasReferences = false
    private let wanted: Wanted

    /// Reads header fields. `isMessage` is false for the header of a part that is no message: then only the defects of
    /// its fields are told. Of fields that are not `wanted` nothing is known, nor what is wrong with them.
    package init(
        _ headerFields: ArraySlice<HeaderField>, in bytes: Span<UInt8>, isMessage: Bool = true, wanted: Wanted = .all
    ) {
        self.wanted = wanted
        for field in headerFields { read(field, bytes, isMessage) }
    }

    private mutating func read(_ field: HeaderField, _ bytes: Span<UInt8>, _ isMessage: Bool) {
        let kind = FieldKind(bytes, field.name)
        if !wanted.contains(kind.group) { return }
        if kind.isSingle, isMessage || kind.known == .content { noteDuplicate(field, bytes) }
        let needsDecoding = FieldValue.needsDecoding(bytes, field.body)
        // Most fields are plain text that nobody asks for.
        guard needsDecoding || (isMessage && kind.known != .other) else { return }
        let value = field.value(in: bytes)
        var text = ""
        if needsDecoding {
            let decoded = FieldValue.decode(value, kind)
            text = decoded.text
            if !decoded.defects.isEmpty {
                for id in decoded.defects.sorted() { defects.append((id, field.offset)) }
            }
            if BidiControl.occurs(in: text) { defects.append((.bidiControl, field.offset)) }
        } else if kind.known == .subject {
            text = UTF8Text.repaired(value.span)
        }
        if isMessage { readKnown(kind.known, value, text, field.offset) }
    }

    private mutating func noteDuplicate(_ field: HeaderField, _ bytes: Span<UInt8>) {
        let isKnown: Bool
        if seen.count < 32 {
            let name = bytes.extracting(field.name)
            isKnown = isSeen(field, name, bytes)
            if !isKnown { seen.append(field.name) }
        } else {
            if seenNames.isEmpty { for name in seen { seenNames.insert(MessageSummary.lowercased(bytes, name)) } }
            isKnown = !seenNames.insert(MessageSummary.lowercased(bytes, field.name)).inserted
        }
        if isKnown { defects.append((.duplicateHeader, field.offset)) }
    }

    private func isSeen(_ field: HeaderField, _ name: Span<UInt8>, _ bytes: Span<UInt8>) -> Bool {
        for other in seen where other.count == name.count {
            let isSame = field.isNamed(bytes.extracting(other), in: bytes)
            if isSame { return true }
        }
        return false
    }

    private static func lowercased(_ bytes: Span<UInt8>, _ name: Range<Int>) -> [UInt8] {
        bytes.array(name).map(\.asciiLowercased)
    }

    private mutating func readKnown(_ known: FieldKind.Known, _ value: [UInt8], _ text: String, _ offset: Int) {
        switch known {
        case .subject: subject = subject ?? text
        case .date:
            guard dateText == nil else { return }
            dateText = UTF8Text.repaired(value.span)
            dateOffset = offset
            date = DateTime(value)
            if date == nil { defects.append((.badDate, offset)) }
        case .from:
            hasFrom = true
            from += addresses(value, offset)
        case .sender: sender += addresses(value, offset)
        case .replyTo: replyTo += addresses(value, offset)
        case .to: to += addresses(value, offset)
        case .cc: cc += addresses(value, offset)
        case .bcc: bcc += addresses(value, offset)
        case .returnPath: returnPath = returnPath ?? MessageSummary.withoutBrackets(value)
        case .deliveredTo: deliveredTo.append(UTF8Text.repaired(value.span))
        case .messageID: messageID = messageID ?? MessageIDs.first(value)
        case .inReplyTo:
            if !hasInReplyTo { inReplyTo = MessageIDs.list(value) }
            hasInReplyTo = true
        case .references:
            if !hasReferences { references = MessageIDs.list(value) }
            hasReferences = true
        case .listID: listID = listID ?? MessageSummary.listIdentifier(value)
        case .listUnsubscribe:
            if listUnsubscribe.isEmpty { listUnsubscribe = MessageSummary.bracketed(value) }
        case .listPost: listPost = listPost ?? MessageSummary.bracketed(value).first
        case .received: received.append((value, offset))
        case .authenticationResults: authenticationResults.append(value)
        case .mimeVersion, .content, .other: break
        }
    }

    private mutating func addresses(_ value: [UInt8], _ offset: Int) -> [Address] {
        let parsed = AddressList.parse(value)
        if !parsed.defects.isEmpty {
            for id in parsed.defects.sorted() { defects.append((id, offset)) }
        }
        return parsed.addresses
    }

    // MARK: Brackets

    /// Without white space.
    private static func compact(_ bytes: ArraySlice<UInt8>) -> String {
        let compact = bytes.filter { !$0.isMailWhitespace }
        return UTF8Text.repaired(compact.span)
    }

    private static func withoutBrackets(_ value: [UInt8]) -> String {
        MessageIDs.bracketed(value, limit: 1).first ?? UTF8Text.repaired(value.span)
    }

    private static func listIdentifier(_ value: [UInt8]) -> String {
        guard let open = value.lastIndex(of: ASCII.less),
            let close = value[open...].firstIndex(of: ASCII.greater)
        else { return UTF8Text.repaired(value.span) }
        return MessageSummary.compact(value[(open + 1)..<close])
    }

    /// The content of every `<...>`.
    private static func bracketed(_ value: [UInt8]) -> [String] {
        let bytes = value.span
        var found: [String] = []
        var place = 0
        while let open = bytes.firstIndex(of: ASCII.less, from: place),
            let close = bytes.firstIndex(of: ASCII.greater, from: open)
        {
            found.append(MessageSummary.compact(value[(open + 1)..<close]))
            place = close + 1
        }
        return found
    }
}

/// Characters that turn the direction of text, and so can make it read as what it is not.
enum BidiControl {
    static func occurs(in text: String) -> Bool {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return false }
        return text.unicodeScalars.contains {
            (0x202A...0x202E).contains($0.value) || (0x2066...0x2069).contains($0.value)
        }
    }
}
