import Bytes

/// What the header of a message says, read and decoded.
package struct MessageSummary: Sendable {
    /// A field for people: the value unfolded as it stands, and decoded.
    package struct Field: Sendable {
        package let name: String
        package let raw: String
        package let value: String
        package let offset: Int
        package let length: Int
    }

    package var fields: [Field] = []
    package var subject: String?
    /// The first Date field, unfolded.
    package var dateText: String?
    package var date: DateTime?
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

    private var seen: Set<String> = []

    /// Reads header fields. `isMessage` is false for the header of a part that is no message: then only the defects of
    /// its fields are told.
    package init(_ headerFields: ArraySlice<HeaderField>, in bytes: Span<UInt8>, isMessage: Bool = true) {
        for field in headerFields { read(field, bytes, isMessage) }
    }

    private mutating func read(_ field: HeaderField, _ bytes: Span<UInt8>, _ isMessage: Bool) {
        let name = bytes.array(field.name)
        let key = name.map(\.asciiLowercased).text
        let value = field.value(in: bytes)
        noteDuplicate(key, field.offset, isMessage)
        let decoded = FieldValue.decode(value, key)
        for id in decoded.defects.sorted() { defects.append((id, field.offset)) }
        if BidiControl.occurs(in: decoded.text) { defects.append((.bidiControl, field.offset)) }
        guard isMessage else { return }
        fields.append(
            Field(
                name: name.text, raw: UTF8Text.repaired(value.span), value: decoded.text, offset: field.offset,
                length: field.length))
        readKnown(key, value, decoded.text, field.offset)
    }

    private mutating func noteDuplicate(_ key: String, _ offset: Int, _ isMessage: Bool) {
        switch key {
        case "from", "sender", "reply-to", "to", "cc", "bcc", "date", "subject", "message-id", "in-reply-to",
            "references", "mime-version":
            guard isMessage else { return }
        default: guard key.hasPrefix("content-") else { return }
        }
        if !seen.insert(key).inserted { defects.append((.duplicateHeader, offset)) }
    }

    private mutating func readKnown(_ key: String, _ value: [UInt8], _ text: String, _ offset: Int) {
        switch key {
        case "subject": subject = subject ?? text
        case "date":
            guard dateText == nil else { return }
            dateText = UTF8Text.repaired(value.span)
            date = DateTime(value)
            if date == nil { defects.append((.badDate, offset)) }
        case "from": readAddresses(\.from, value, offset)
        case "sender": readAddresses(\.sender, value, offset)
        case "reply-to": readAddresses(\.replyTo, value, offset)
        case "to": readAddresses(\.to, value, offset)
        case "cc": readAddresses(\.cc, value, offset)
        case "bcc": readAddresses(\.bcc, value, offset)
        case "return-path": returnPath = returnPath ?? MessageSummary.withoutBrackets(value)
        case "delivered-to": deliveredTo.append(UTF8Text.repaired(value.span))
        case "message-id": messageID = messageID ?? MessageIDs.first(value)
        case "in-reply-to": if inReplyTo.isEmpty { inReplyTo = MessageIDs.list(value) }
        case "references": if references.isEmpty { references = MessageIDs.list(value) }
        case "list-id": listID = listID ?? MessageSummary.listIdentifier(value)
        case "list-unsubscribe":
            if listUnsubscribe.isEmpty { listUnsubscribe = MessageSummary.bracketed(value) }
        case "list-post": listPost = listPost ?? MessageSummary.bracketed(value).first
        case "received": received.append((value, offset))
        case "authentication-results": authenticationResults.append(value)
        default: break
        }
    }

    private mutating func readAddresses(
        _ list: WritableKeyPath<MessageSummary, [Address]>, _ value: [UInt8], _ offset: Int
    ) {
        let parsed = AddressList.parse(value)
        self[keyPath: list] += parsed.addresses
        for id in parsed.defects.sorted() { defects.append((id, offset)) }
    }

    // MARK: Brackets

    /// Without white space.
    private static func compact(_ bytes: ArraySlice<UInt8>) -> String {
        let compact = bytes.filter { !$0.isMailWhitespace }
        return UTF8Text.repaired(compact.span)
    }

    private static func withoutBrackets(_ value: [UInt8]) -> String {
        guard let open = value.firstIndex(of: ASCII.less),
            let close = value[open...].firstIndex(of: ASCII.greater)
        else { return UTF8Text.repaired(value.span) }
        return MessageSummary.compact(value[(open + 1)..<close])
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

/// The decoding that fits a field.
enum FieldValue {
    static func decode(_ value: [UInt8], _ key: String) -> (text: String, defects: Set<FindingID>) {
        switch key {
        case "from", "sender", "reply-to", "to", "cc", "bcc", "resent-from", "resent-sender", "resent-to", "resent-cc",
            "resent-bcc", "resent-reply-to", "return-path", "delivered-to", "x-original-to", "errors-to",
            "disposition-notification-to", "mail-followup-to", "apparently-to":
            return decodeOutsideBrackets(value)
        case "message-id", "in-reply-to", "references", "resent-message-id", "content-id", "received", "date",
            "resent-date", "content-type", "content-disposition", "dkim-signature", "domainkey-signature":
            return plain(value)
        default:
            if key.hasPrefix("arc-") || key.hasPrefix("dkim-") { return plain(value) }
            return HeaderText.decode(value)
        }
    }

    private static func plain(_ value: [UInt8]) -> (text: String, defects: Set<FindingID>) {
        (UTF8Text.repaired(value.span), UTF8Text.isValid(value.span) ? [] : [.raw8BitHeader])
    }

    /// Addresses stay as they are written; names and comments are decoded.
    private static func decodeOutsideBrackets(_ value: [UInt8]) -> (text: String, defects: Set<FindingID>) {
        let bytes = value.span
        guard bytes.firstIndex(of: "=?", in: 0..<value.count) != nil, value.contains(ASCII.less) else {
            return HeaderText.decode(value)
        }
        var text = ""
        var defects: Set<FindingID> = []
        var place = 0
        while place < value.count {
            let open = bytes.firstIndex(of: ASCII.less, from: place) ?? value.count
            let outside = HeaderText.decode(bytes.array(place..<open))
            text += outside.text
            defects.formUnion(outside.defects)
            let close = bytes.firstIndex(of: ASCII.greater, from: open).map { $0 + 1 } ?? value.count
            text += open < close ? Charset.guess(bytes.extracting(open..<close)) : ""
            place = max(close, open)
        }
        return (text, defects)
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
