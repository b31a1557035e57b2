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
        if let plain = PlainAddressList.parse(bytes) { return (plain, []) }
        return parseGenerally(bytes)
    }

    /// Reads any list, token by token.
    static func parseGenerally(_ bytes: Span<UInt8>) -> (addresses: [Address], defects: Set<FindingID>) {
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

    /// `phrase <addr-spec>`, and what follows without a comma.
    private mutating func angle(_ member: [FieldToken], _ first: Int, _ bytes: Span<UInt8>) {
        var start = 0
        var open: Int? = first
        while let place = open {
            let close = member[place...].firstIndex { $0.isSpecial(ASCII.greater) }
            if close == nil { defects.insert(.badAddress) }
            let next = (close ?? member.count - 1) + 1
            // What follows belongs to the next address, or, without one, to this.
            open = member[next...].firstIndex { $0.isSpecial(ASCII.less) }
            let rest = member[next..<(open == nil ? member.count : next)]
            if open != nil || rest.contains(where: { $0.kind != .comment }) { defects.insert(.badAddress) }
            angle(before: member[start..<place], member[(place + 1)..<(close ?? member.count)], after: rest, bytes)
            start = next
        }
    }

    private mutating func angle(
        before: ArraySlice<FieldToken>, _ content: ArraySlice<FieldToken>, after: ArraySlice<FieldToken>,
        _ bytes: Span<UInt8>
    ) {
        var inner = content
        if let nested = inner.lastIndex(where: { $0.isSpecial(ASCII.less) }) {
            defects.insert(.badAddress)
            inner = inner[(nested + 1)...]
        }
        if inner.first(where: { $0.kind != .comment })?.isSpecial(ASCII.at) ?? false,
            let colon = inner.lastIndex(where: { $0.isSpecial(ASCII.colon) })
        {
            inner = inner[(colon + 1)...]
        }
        if let scheme = inner.first, bytes.equalsIgnoringCase(scheme.range, "mailto"),
            inner.dropFirst().first?.isSpecial(ASCII.colon) ?? false
        {
            defects.insert(.badAddress)
            inner = inner.dropFirst(2)
        }
        let end = inner.lastIndex { $0.kind != .comment }.map { $0 + 1 } ?? inner.startIndex
        let words = inner[..<end].filter { $0.kind != .comment }
        if words.indices.dropFirst().contains(where: { !AddressReader.isJoined(words, $0) || words[$0].isSeparator }) {
            defects.insert(.badAddress)
        }
        let address = spec(words[...], bytes)
        let name =
            phrase(before, bytes) ?? comment(after, bytes) ?? comment(inner[end...], bytes) ?? phrase(after, bytes)
        add(name, address)
    }

    /// `addr-spec`, perhaps with words before or after it that lack their angle brackets, or several without a comma.
    private mutating func bare(_ member: [FieldToken], _ bytes: Span<UInt8>) {
        let real = member.filter { $0.kind != .comment }
        var comments = member.filter { $0.kind == .comment }[...]
        guard let lastAt = real.lastIndex(where: { $0.isSpecial(ASCII.at) }) else { return }
        var phraseStart = 0
        var start = 0
        while start <= lastAt {
            var end = start + 1
            while end < real.count, AddressReader.isJoined(real, end) { end += 1 }
            defer { start = end }
            guard real[start..<end].contains(where: { $0.isSpecial(ASCII.at) }) else { continue }
            if start > 0 || end < real.count { defects.insert(.badAddress) }
            let place = real[end - 1].range.upperBound
            let limit = end <= lastAt ? real[end].range.lowerBound : bytes.count
            comments = comments.drop { $0.range.lowerBound < place }
            let behind = comments.prefix { $0.range.lowerBound < limit }
            let name = phrase(real[phraseStart..<start], bytes) ?? comment(behind, bytes)
            add(name, spec(real[start..<end], bytes))
            phraseStart = end
        }
    }

    /// Whether a token belongs to the same word as the one before it: white space divides words, but not around dots
    /// and the at sign (obsolete syntax, RFC 5322 4.4).
    private static func isJoined(_ tokens: [FieldToken], _ index: Int) -> Bool {
        func binds(_ token: FieldToken) -> Bool { token.isSpecial(ASCII.at) || token.isSpecial(ASCII.dot) }
        if binds(tokens[index]) || binds(tokens[index - 1]) { return true }
        // A quoted string that a word follows at once is a name that lacks its space.
        return !tokens[index].isAfterSpace && !(tokens[index - 1].kind == .quoted && tokens[index].kind == .atom)
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

    /// An addr-spec without white space and comments, and without brackets that have no partner.
    private mutating func spec(_ tokens: ArraySlice<FieldToken>, _ bytes: Span<UInt8>) -> String {
        var result: [UInt8] = []
        for token in tokens where token.kind != .comment {
            if token.isSpecial(ASCII.less) || token.isSpecial(ASCII.greater) {
                defects.insert(.badAddress)
            } else if token.kind == .literal {
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
        for token in tokens {
            if token.kind == .comment {
                // Words on both sides of a comment are not adjacent.
                flush(&text, &plain, &defects)
                continue
            }
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
                plain += AddressReader.withoutQuotedPairs(bytes, token)
            }
        }
        flush(&text, &plain, &defects)
        let name = AddressReader.collapsed(text)
        return name.isEmpty ? nil : name
    }

    /// A backslash before a special, as only quoted strings may have it, goes; any other stays.
    private static func withoutQuotedPairs(_ bytes: Span<UInt8>, _ token: FieldToken) -> [UInt8] {
        let word = bytes.array(token.range)
        guard token.kind == .atom, word.contains(ASCII.backslash) else { return word }
        var result: [UInt8] = []
        for (index, byte) in word.enumerated() {
            if byte == ASCII.backslash, index + 1 < word.count,
                FieldTokens.isSpecial(word[index + 1]) || word[index + 1] == ASCII.quote
            {
                continue
            }
            result.append(byte)
        }
        return result
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
