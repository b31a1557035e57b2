import Bytes

/// An address of a header field (RFC 5322 3.4).
package struct Address: Equatable, Sendable {
    /// The display name, decoded; nil when there is none.
    package var name: String?
    /// `local-part@domain` as written, without white space and comments; a local-part alone stays as it is. Nil for the
    /// entry of an empty group and for words that hold no address.
    package var address: String?
    /// The name of the group that it stands in.
    package var group: String?

    package init(name: String?, address: String?, group: String? = nil) {
        self.name = name
        self.address = address
        self.group = group
    }
}

/// Reads address lists with everything that RFC 5322 allows, its obsolete forms included, and what mail has besides.
package enum AddressList {
    /// The addresses of an unfolded field value. Encoded words are decoded after the structure is read, so that what
    /// they hold never makes an address.
    package static func parse(_ value: [UInt8]) -> (addresses: [Address], defects: Set<FindingID>) {
        let bytes = value.span
        let (tokens, isBroken) = FieldTokens.split(bytes)
        var reader = AddressReader(isBroken: isBroken)
        var member: [FieldToken] = []
        var isInAngle = false
        /// After `<@`: commas are no separators until the colon that ends the route.
        var isInRoute = false
        for token in tokens {
            switch token.kind {
            case .special(ASCII.less):
                isInAngle = true
                member.append(token)
            case .special(ASCII.greater):
                isInAngle = false
                isInRoute = false
                member.append(token)
            case .special(ASCII.at) where isInAngle && member.last?.isSpecial(ASCII.less) ?? false:
                isInRoute = true
                member.append(token)
            case .special(ASCII.colon) where isInRoute:
                isInRoute = false
                member.append(token)
            case .special(ASCII.comma) where !isInRoute:
                reader.finish(&member, bytes)
                isInAngle = false
            case .special(ASCII.semicolon) where !isInAngle:
                reader.finish(&member, bytes)
                reader.endGroup()
            case .special(ASCII.colon) where !isInAngle && reader.canBeginGroup(member):
                reader.beginGroup(&member, bytes)
            default: member.append(token)
            }
        }
        reader.finish(&member, bytes)
        reader.endInput()
        return (reader.addresses, reader.defects)
    }
}

private struct AddressReader {
    private(set) var addresses: [Address] = []
    private(set) var defects: Set<FindingID> = []
    private var group: String?
    private var groupIsEmpty = false

    init(isBroken: Bool) {
        if isBroken { defects.insert(.badAddress) }
    }

    func canBeginGroup(_ member: [FieldToken]) -> Bool {
        group == nil && !member.contains { $0.isSpecial(ASCII.at) || $0.isSpecial(ASCII.less) }
    }

    mutating func beginGroup(_ member: inout [FieldToken], _ bytes: Span<UInt8>) {
        group = phrase(member[...], bytes) ?? ""
        groupIsEmpty = true
        member = []
    }

    mutating func endGroup() {
        // A semicolon as a separator, as some programs write lists.
        if group == nil { defects.insert(.badAddress) }
        if let group, groupIsEmpty { addresses.append(Address(name: nil, address: nil, group: group)) }
        group = nil
    }

    mutating func endInput() {
        guard group != nil else { return }
        defects.insert(.badAddress)
        endGroup()
    }

    mutating func finish(_ member: inout [FieldToken], _ bytes: Span<UInt8>) {
        defer { member = [] }
        guard member.contains(where: { $0.kind != .comment }) else { return }
        groupIsEmpty = false
        if let open = member.firstIndex(where: { $0.isSpecial(ASCII.less) }) {
            angle(member, open, bytes)
        } else if member.contains(where: { $0.isSpecial(ASCII.at) }) {
            bare(member, bytes)
        } else {
            words(member, bytes)
        }
    }

    /// `phrase <addr-spec>`
    private mutating func angle(_ member: [FieldToken], _ open: Int, _ bytes: Span<UInt8>) {
        let close = member[open...].firstIndex { $0.isSpecial(ASCII.greater) }
        if close == nil { defects.insert(.badAddress) }
        var inner = member[(open + 1)..<(close ?? member.count)]
        let rest = member[((close ?? member.count - 1) + 1)...]
        if rest.contains(where: { $0.kind != .comment }) { defects.insert(.badAddress) }
        if inner.first(where: { $0.kind != .comment })?.isSpecial(ASCII.at) ?? false,
            let colon = inner.lastIndex(where: { $0.isSpecial(ASCII.colon) })
        {
            inner = inner[(colon + 1)...]
        }
        let address = spec(inner, bytes)
        let name =
            phrase(member[..<open], bytes) ?? comment(rest, bytes) ?? comment(inner, bytes)
            ?? comment(member[..<open], bytes)
        add(name, address)
    }

    /// `addr-spec`, perhaps with words before or after it that lack their angle brackets.
    private mutating func bare(_ member: [FieldToken], _ bytes: Span<UInt8>) {
        let real = member.filter { $0.kind != .comment }
        guard let at = real.lastIndex(where: { $0.isSpecial(ASCII.at) }) else { return }
        var start = at
        while start > 0, AddressReader.isJoined(real, start) { start -= 1 }
        var end = at + 1
        while end < real.count, AddressReader.isJoined(real, end) { end += 1 }
        if start > 0 || end < real.count { defects.insert(.badAddress) }
        let address = spec(real[start..<end], bytes)
        let place = real[end - 1].range.upperBound
        let comments = member.filter { $0.kind == .comment }
        let name =
            phrase(real[..<start], bytes) ?? comment(comments.filter { $0.range.lowerBound >= place }[...], bytes)
            ?? comment(comments[...], bytes)
        add(name, address)
    }

    /// Whether a token belongs to the same word as the one before it: white space divides words, but not around dots
    /// and the at sign (obsolete syntax, RFC 5322 4.4).
    private static func isJoined(_ tokens: [FieldToken], _ index: Int) -> Bool {
        func binds(_ token: FieldToken) -> Bool { token.isSpecial(ASCII.at) || token.isSpecial(ASCII.dot) }
        return !tokens[index].isAfterSpace || binds(tokens[index]) || binds(tokens[index - 1])
    }

    /// Words without an at sign: one is a local-part, several are a name without an address.
    private mutating func words(_ member: [FieldToken], _ bytes: Span<UInt8>) {
        let real = member.filter { $0.kind != .comment }
        let isOneWord = real.indices.dropFirst().allSatisfy { AddressReader.isJoined(real, $0) }
        if isOneWord {
            add(comment(member[...], bytes), spec(member[...], bytes))
        } else {
            defects.insert(.badAddress)
            addresses.append(Address(name: phrase(member[...], bytes), address: nil, group: group))
        }
    }

    private mutating func add(_ name: String?, _ address: String) {
        let atSigns = address.utf8.reduce(0) { $0 + ($1 == ASCII.at ? 1 : 0) }
        if address.isEmpty || address.hasPrefix("@") || address.hasSuffix("@")
            || (atSigns > 1 && !address.contains("\""))
        {
            defects.insert(.badAddress)
        }
        addresses.append(Address(name: name, address: address, group: group))
    }

    /// An addr-spec without white space and comments.
    private func spec(_ tokens: ArraySlice<FieldToken>, _ bytes: Span<UInt8>) -> String {
        var result: [UInt8] = []
        for token in tokens where token.kind != .comment {
            if token.kind == .literal {
                result += bytes.array(token.range).filter { !$0.isMailWhitespace }
            } else {
                result += bytes.array(token.range)
            }
        }
        return UTF8Text.isValid(result.span) ? result.text : Charset.windows1252(result.span)
    }

    /// A display name: quotes, backslashes and comments removed, encoded words decoded; nil when nothing is left.
    private mutating func phrase(_ tokens: ArraySlice<FieldToken>, _ bytes: Span<UInt8>) -> String? {
        var text = ""
        var plain: [UInt8] = []
        func flush(_ text: inout String, _ plain: inout [UInt8], _ defects: inout Set<FindingID>) {
            guard !plain.isEmpty else { return }
            let decoded = HeaderText.decode(plain)
            defects.formUnion(decoded.defects)
            text += decoded.text
            plain = []
        }
        for token in tokens where token.kind != .comment {
            let isFirst = text.isEmpty && plain.isEmpty
            if token.isAfterSpace, !isFirst { plain.append(ASCII.space) }
            if token.kind == .quoted {
                flush(&text, &plain, &defects)
                let content = FieldTokens.content(bytes, token, ASCII.quote)
                if HeaderText.hasEncodedWord(content) { defects.insert(.encodedWordInQuotes) }
                let decoded = HeaderText.decode(content)
                defects.formUnion(decoded.defects)
                text += decoded.text
            } else {
                plain += bytes.array(token.range)
            }
        }
        flush(&text, &plain, &defects)
        let name = AddressReader.collapsed(text)
        return name.isEmpty ? nil : name
    }

    /// The text of the last comment.
    private mutating func comment(_ tokens: ArraySlice<FieldToken>, _ bytes: Span<UInt8>) -> String? {
        guard let token = tokens.last(where: { $0.kind == .comment }) else { return nil }
        let decoded = HeaderText.decode(FieldTokens.content(bytes, token, ASCII.closeParenthesis))
        defects.formUnion(decoded.defects)
        let text = AddressReader.collapsed(decoded.text)
        return text.isEmpty ? nil : text
    }

    /// Inner runs of white space become one space, those at the ends vanish.
    private static func collapsed(_ text: String) -> String {
        text.utf8.split(whereSeparator: \.isMailWhitespace).map { Array($0).text }.joined(separator: " ")
    }
}
