import Bytes

/// What a header field's name says about its value: which field of a message it is, and how it is decoded.
struct FieldKind: Equatable {
    /// The fields that a summary reads.
    enum Known {
        case from, sender, replyTo, to, cc, bcc, date, subject, messageID, inReplyTo, references
        case returnPath, deliveredTo, listID, listUnsubscribe, listPost, received, authenticationResults
        case mimeVersion, content, other
    }

    /// Where encoded words may stand (RFC 2047 5).
    enum Decoding {
        case anywhere
        /// In names and comments, not within angle brackets.
        case outsideBrackets
        case nowhere
    }

    var known = Known.other
    var decoding = Decoding.anywhere

    /// What reads it.
    var group: MessageSummary.Wanted {
        switch known {
        case .from, .sender, .replyTo, .to, .cc, .bcc: .addresses
        case .date: .date
        case .subject: .subject
        case .received, .authenticationResults: .trace
        default: .others
        }
    }

    /// It may stand in a header once (RFC 5322 3.6, RFC 2045 3).
    var isSingle: Bool {
        switch known {
        case .from, .sender, .replyTo, .to, .cc, .bcc, .date, .subject, .messageID, .inReplyTo, .references,
            .mimeVersion, .content:
            true
        default: false
        }
    }

    /// By the name, in any case.
    init(_ bytes: Span<UInt8>, _ name: Range<Int>) {
        func isNamed(_ text: StaticString) -> Bool { bytes.equalsIgnoringCase(name, text) }
        switch name.count {
        case 2 where isNamed("to"): (known, decoding) = (.to, .outsideBrackets)
        case 2 where isNamed("cc"): (known, decoding) = (.cc, .outsideBrackets)
        case 3 where isNamed("bcc"): (known, decoding) = (.bcc, .outsideBrackets)
        case 4 where isNamed("from"): (known, decoding) = (.from, .outsideBrackets)
        case 4 where isNamed("date"): (known, decoding) = (.date, .nowhere)
        case 6 where isNamed("sender"): (known, decoding) = (.sender, .outsideBrackets)
        case 7 where isNamed("subject"): known = .subject
        case 7 where isNamed("list-id"): known = .listID
        case 8 where isNamed("received"): (known, decoding) = (.received, .nowhere)
        case 8 where isNamed("reply-to"): (known, decoding) = (.replyTo, .outsideBrackets)
        case 9 where isNamed("list-post"): known = .listPost
        case 10 where isNamed("message-id"): (known, decoding) = (.messageID, .nowhere)
        case 10 where isNamed("references"): (known, decoding) = (.references, .nowhere)
        case 11 where isNamed("in-reply-to"): (known, decoding) = (.inReplyTo, .nowhere)
        case 11 where isNamed("return-path"): (known, decoding) = (.returnPath, .outsideBrackets)
        case 12 where isNamed("delivered-to"): (known, decoding) = (.deliveredTo, .outsideBrackets)
        case 12 where isNamed("mime-version"): known = .mimeVersion
        case 12 where isNamed("content-type"): (known, decoding) = (.content, .nowhere)
        case 10 where isNamed("content-id"): (known, decoding) = (.content, .nowhere)
        case 19 where isNamed("content-disposition"): (known, decoding) = (.content, .nowhere)
        case 16 where isNamed("list-unsubscribe"): known = .listUnsubscribe
        case 22 where isNamed("authentication-results"): known = .authenticationResults
        default: readOther(bytes, name)
        }
    }

    private mutating func readOther(_ bytes: Span<UInt8>, _ name: Range<Int>) {
        func begins(_ text: StaticString) -> Bool {
            let end = name.lowerBound + text.utf8CodeUnitCount
            return end <= name.upperBound && bytes.equalsIgnoringCase(name.lowerBound..<end, text)
        }
        func isNamed(_ text: StaticString) -> Bool { bytes.equalsIgnoringCase(name, text) }
        if begins("content-") { known = .content }
        if begins("arc-") || begins("dkim-") || isNamed("domainkey-signature") || isNamed("resent-message-id")
            || isNamed("resent-date")
        {
            decoding = .nowhere
        } else if begins("resent-") || isNamed("x-original-to") || isNamed("errors-to") || isNamed("apparently-to")
            || isNamed("disposition-notification-to") || isNamed("mail-followup-to")
        {
            decoding = .outsideBrackets
        }
    }
}

extension Span where Element == UInt8 {
    /// Whether the bytes of `range`, which must be there, are those of `text`, the case of ASCII letters aside.
    func equalsIgnoringCase(_ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { expected in
            for index in 0..<expected.count
            where self[range.lowerBound &+ index].asciiLowercased != expected[index].asciiLowercased {
                return false
            }
            return true
        }
    }
}

/// The decoding that fits a field.
enum FieldValue {
    /// Whether decoding can change the bytes of a value, or find something wrong with them.
    static func needsDecoding(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var place = range.lowerBound
        while true {
            place = bytes.firstIndexOf8BitOrEquals(in: place..<range.upperBound)
            guard place < range.upperBound else { return false }
            if bytes[place] >= 0x80 { return true }
            place += 1
            if place < range.upperBound, bytes[place] == ASCII.question { return true }
        }
    }

    /// Decodes an unfolded value.
    static func decode(_ value: [UInt8], _ kind: FieldKind) -> (text: String, defects: Set<FindingID>) {
        if !needsDecoding(value.span, 0..<value.count) { return (UTF8Text.repaired(value.span), []) }
        switch kind.decoding {
        case .anywhere: return HeaderText.decode(value)
        case .outsideBrackets: return decodeOutsideBrackets(value)
        case .nowhere:
            return (UTF8Text.repaired(value.span), UTF8Text.isValid(value.span) ? [] : [.raw8BitHeader])
        }
    }

    /// Addresses stay as they are written; names and comments are decoded. A bracket within a quoted string is none.
    private static func decodeOutsideBrackets(_ value: [UInt8]) -> (text: String, defects: Set<FindingID>) {
        let bytes = value.span
        let whole = 0..<value.count
        guard bytes.firstIndex(of: "=?", in: whole) != nil,
            value.contains(ASCII.less) || bytes.firstIndex(of: "?=@", in: whole) != nil
        else { return HeaderText.decode(value) }
        let isValid = UTF8Text.isValid(bytes)
        var text = ""
        var defects: Set<FindingID> = isValid ? [] : [.raw8BitHeader]
        var place = 0
        for range in addresses(bytes) {
            let outside = HeaderText.decode(bytes.array(place..<range.lowerBound), isUTF8: isValid)
            text += outside.text
            defects.formUnion(outside.defects)
            let inside = bytes.extracting(range)
            text += isValid ? UTF8Text.repaired(inside) : Charset.windows1252(inside)
            place = range.upperBound
        }
        let rest = HeaderText.decode(bytes.array(place..<value.count), isUTF8: isValid)
        return (text + rest.text, defects.union(rest.defects))
    }

    /// Every `<...>` outside of quoted strings, and words in which an at sign follows an encoded word.
    private static func addresses(_ bytes: Span<UInt8>) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var isQuoted = false
        var open: Int?
        var place = 0
        while place < bytes.count {
            switch bytes[place] {
            case ASCII.backslash where isQuoted: place += 1
            case ASCII.quote: isQuoted.toggle()
            case ASCII.less where !isQuoted && open == nil: open = place
            case ASCII.greater where !isQuoted:
                if let start = open { ranges.append(start..<(place + 1)) }
                open = nil
            case ASCII.at where !isQuoted && open == nil && bytes.matches("?=@", at: place - 2):
                let word = word(bytes, around: place, from: ranges.last?.upperBound ?? 0)
                ranges.append(word)
                place = word.upperBound
                continue
            default: break
            }
            place += 1
        }
        if let start = open { ranges.append(start..<bytes.count) }
        return ranges
    }

    /// What stands around a place without white space, commas, semicolons and parentheses.
    private static func word(_ bytes: Span<UInt8>, around place: Int, from limit: Int) -> Range<Int> {
        func isEdge(_ byte: UInt8) -> Bool {
            byte.isMailWhitespace || byte == ASCII.comma || byte == ASCII.semicolon
                || byte == ASCII.openParenthesis || byte == ASCII.closeParenthesis
        }
        var start = place
        while start > limit, !isEdge(bytes[start - 1]) { start -= 1 }
        var end = place + 1
        while end < bytes.count, !isEdge(bytes[end]), bytes[end] != ASCII.less { end += 1 }
        return start..<end
    }
}
