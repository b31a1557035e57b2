import Bytes

extension MessageHead {
    /// The value of the first field `name`, unfolded, without white space at both ends; nil when there is none.
    package func value(of name: StaticString) -> [UInt8]? {
        let span = bytes.span
        let limit = fieldsEnd ?? bytes.count
        var index = 0
        while index < limit {
            var line = span.line(at: index, limit: limit)
            if let value = HeaderLine.value(of: name, span, line.content) {
                var text = span.array(value)
                while line.next < limit, span[line.next].isSpaceOrTab {
                    line = span.line(at: line.next, limit: limit)
                    text += span.array(line.content)
                }
                return text.span.array(HeaderLine.trimmed(text.span, 0..<text.count))
            }
            index = line.next
        }
        return nil
    }

    /// The sender for a From_ line: the address of `Return-Path`, else of `From`; nil when there is none, or the
    /// Return-Path is the null one (RFC 5321 4.5.5).
    package var sender: [UInt8]? {
        if let path = value(of: "Return-Path") {
            if path.count == 2, path[0] == ASCII.less, path[1] == ASCII.greater { return nil }
            if let address = Self.address(in: path) { return address }
        }
        return value(of: "From").flatMap(Self.address)
    }

    /// The first address of `From`; nil when there is none.
    package var fromAddress: [UInt8]? { value(of: "From").flatMap(Self.address) }

    /// The recipients of an envelope that the header tells: of `Delivered-To` and its like, else of `To`, `Cc` and `Bcc`.
    package var recipients: [[UInt8]] {
        for name in ["Delivered-To", "X-Original-To", "Envelope-To"] as [StaticString] {
            if let address = value(of: name).flatMap(Self.address) { return [address] }
        }
        var found: [[UInt8]] = []
        for name in ["To", "Cc", "Bcc"] as [StaticString] {
            guard let value = value(of: name) else { continue }
            for part in Self.list(Self.withoutComments(value)) {
                if let address = Self.address(in: part), !found.contains(address) { found.append(address) }
            }
        }
        return found
    }

    /// The members of a list: what commas outside of quotes part.
    private static func list(_ text: [UInt8]) -> [[UInt8]] {
        var parts: [[UInt8]] = [[]]
        var isQuoted = false
        var isEscaped = false
        for byte in text {
            if byte == ASCII.quote, !isEscaped { isQuoted.toggle() }
            isEscaped = isQuoted && byte == ASCII.backslash && !isEscaped
            if !isQuoted, byte == ASCII.comma || byte == ASCII.semicolon {
                parts.append([])
            } else {
                parts[parts.count - 1].append(byte)
            }
        }
        return parts
    }

    /// Seconds since 1970 of the topmost `Received` field that has a date, else of `Date`; nil when neither does.
    package var date: Int? {
        if let received = value(of: "Received"), let semicolon = received.lastIndex(of: ASCII.semicolon),
            let date = FromLine.date(in: Self.withoutComments(Array(received[(semicolon + 1)...])))
        {
            return date
        }
        return value(of: "Date").flatMap { FromLine.date(in: Self.withoutComments($0)) }
    }

    /// The first address of a field: what stands between angle brackets, else the first word with an `@`. Quoted
    /// strings and comments are skipped over.
    private static func address(in value: [UInt8]) -> [UInt8]? {
        let text = value.contains(ASCII.openParenthesis) ? withoutComments(value) : value
        var start: Int?
        var isQuoted = false
        var isEscaped = false
        for (index, byte) in text.enumerated() {
            if isEscaped {
                isEscaped = false
            } else if isQuoted, byte == ASCII.backslash {
                isEscaped = true
            } else if byte == ASCII.quote {
                isQuoted.toggle()
            } else if byte == ASCII.less, !isQuoted {
                start = index + 1
            } else if byte == ASCII.greater, !isQuoted, let from = start {
                let address = text[from..<index].filter { !$0.isMailWhitespace }
                return address.isEmpty ? nil : address
            }
        }
        let words = text.split { $0.isMailWhitespace || $0 == ASCII.comma || $0 == ASCII.semicolon }
        return words.first { $0.contains(ASCII.at) }.map { $0.filter { $0 != ASCII.less && $0 != ASCII.greater } }
    }

    /// The text without comments (RFC 5322 3.2.2), which may be nested.
    private static func withoutComments(_ value: [UInt8]) -> [UInt8] {
        var kept: [UInt8] = []
        var depth = 0
        var isQuoted = false
        var isEscaped = false
        for byte in value {
            if isEscaped {
                isEscaped = false
                if depth == 0 { kept.append(byte) }
                continue
            }
            if byte == ASCII.backslash, isQuoted || depth > 0 { isEscaped = true }
            if byte == ASCII.quote, depth == 0 { isQuoted.toggle() }
            if byte == ASCII.openParenthesis, !isQuoted { depth += 1 }
            if depth == 0 { kept.append(byte) }
            if byte == ASCII.closeParenthesis, !isQuoted, depth > 0 { depth -= 1 }
        }
        return kept
    }
}

extension FromLine {
    /// Seconds since 1970 of a date alone, in one of the forms of From_ lines or of RFC 5322.
    package static func date(in text: [UInt8]) -> Int? {
        let line = Array("From ".utf8) + text
        return FromLine(line.span, 0..<line.count)?.date
    }
}

extension MessageHead {
    /// True for the first message of mailboxes of UW imapd, Alpine and their like, which holds their own data.
    package var isInternalData: Bool {
        guard value(of: "X-IMAP") != nil || value(of: "X-IMAPbase") != nil, let subject = value(of: "Subject") else {
            return false
        }
        return subject.starts(with: "DON'T DELETE THIS MESSAGE".utf8)
    }
}
