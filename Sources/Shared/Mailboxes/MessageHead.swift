import Bytes

/// The start of a message as mailboxes see it: its header, and the fields in it that belong to the store and not to the
/// message: `Status`, `X-Status`, `X-Keywords`, `X-UID`, `X-IMAP`, `X-IMAPbase`, `Content-Length`.
package struct MessageHead: Sendable {
    /// A header longer than this, in bytes, is not looked through to its end.
    package static let limit = 256 << 10

    /// The header with the empty line that closes it; the whole message, or as much as was looked at, when none does.
    package let bytes: [UInt8]
    /// The place before the empty line; nil when there is none.
    package let fieldsEnd: Int?
    /// What `Status` and `X-Status` say; without them, what `X-Mozilla-Status` says.
    package private(set) var flags = MessageFlags()
    /// What `X-Keywords` says; without it, what `X-Mozilla-Keys` says.
    package private(set) var keywords: [[UInt8]] = []
    /// The keywords of the whole mailbox in the order of their numbers, which `X-IMAP` or `X-IMAPbase` lists.
    package private(set) var mailboxKeywords: [[UInt8]] = []
    /// The lines that belong to the store, but for `Content-Length`.
    package private(set) var statusLines: [Range<Int>] = []
    /// The lines of `Content-Length`.
    package private(set) var lengthLines: [Range<Int>] = []

    /// Reads the header that `message` begins with. Nil when the header may go on behind it: then more of the message
    /// is needed; `isComplete` says that there is no more.
    package init?(start message: [UInt8], isComplete: Bool) {
        if let end = Self.fieldsEnd(message.span) {
            let line = message.span.line(at: end)
            self.init(bytes: Array(message[..<line.next]), fieldsEnd: end)
            return
        }
        guard isComplete || message.count > Self.limit else { return nil }
        self.init(bytes: message, fieldsEnd: nil)
    }

    /// The place of the first empty line.
    private static func fieldsEnd(_ message: Span<UInt8>) -> Int? {
        if message.lineEnd(at: 0) != nil { return 0 }
        let bare = message.firstIndex(of: "\n\n", in: 0..<message.count)
        let crlf = message.firstIndex(of: "\n\r\n", in: 0..<(bare.map { $0 + 1 } ?? message.count))
        return (crlf ?? bare).map { $0 + 1 }
    }

    private init(bytes: [UInt8], fieldsEnd: Int?) {
        self.bytes = bytes
        self.fieldsEnd = fieldsEnd
        findStorageFields()
    }

    /// CRLF when the first line ends so, else LF.
    package var lineEnd: [UInt8] {
        guard let lf = bytes.firstIndex(of: ASCII.lf), lf > 0, bytes[lf - 1] == ASCII.cr else { return [ASCII.lf] }
        return [ASCII.cr, ASCII.lf]
    }

    private mutating func findStorageFields() {
        let header = bytes
        let span = header.span
        var others = OtherFields()
        var index = 0
        let limit = fieldsEnd ?? bytes.count
        while index < limit {
            let line = span.line(at: index, limit: limit)
            let isFolded = line.next < limit && span[line.next].isSpaceOrTab
            let first = span[index].asciiLowercased
            if line.isTerminated, !isFolded, first == 0x73 || first == 0x78 || first == 0x63 {
                read(line, of: span, &others)
            }
            index = line.next
        }
        // Beside its X-UID Dovecot writes these fields empty, too.
        if others.isDovecots { statusLines = (statusLines + others.empty).sorted { $0.lowerBound < $1.lowerBound } }
        if statusLines.isEmpty, let mozilla = others.mozilla { flags = mozilla }
        if keywords.isEmpty { keywords = others.mozillaKeys }
    }

    /// Fields that mean something only beside others, or without them.
    private struct OtherFields {
        var mozilla: MessageFlags?
        var mozillaKeys: [[UInt8]] = []
        var empty: [Range<Int>] = []
        var isDovecots = false
    }

    private mutating func read(
        _ line: LineRange, of span: Span<UInt8>, _ others: inout OtherFields
    ) {
        // Most fields are told apart from these by the length of their names.
        switch HeaderLine.nameLength(span, at: line.content.lowerBound, limit: line.content.upperBound) {
        case 5, 6, 8, 10, 14, 16: break
        default: return
        }
        let whole = line.content.lowerBound..<line.next
        if let value = HeaderLine.value(of: "Status", span, line.content) {
            let letters = HeaderLine.trimmed(span, value).map { span[$0] }
            if letters.isEmpty { others.empty.append(whole) }
            if flags.add(status: letters, isExtended: false) { statusLines.append(whole) }
        } else if let value = HeaderLine.value(of: "X-Status", span, line.content) {
            let letters = HeaderLine.trimmed(span, value).map { span[$0] }
            if letters.isEmpty { others.empty.append(whole) }
            if flags.add(status: letters, isExtended: true) { statusLines.append(whole) }
        } else if let value = HeaderLine.value(of: "X-Mozilla-Status", span, line.content) {
            let digits = HeaderLine.trimmed(span, value).map { span[$0] }
            if let bits = Int(digits.text, radix: 16) { others.mozilla = MessageFlags(mozillaStatus: bits) }
        } else if let value = HeaderLine.value(of: "X-Mozilla-Keys", span, line.content) {
            others.mozillaKeys = Keyword.names(in: span.array(value)) ?? []
        } else if let value = HeaderLine.value(of: "X-Keywords", span, line.content) {
            if HeaderLine.trimmed(span, value).isEmpty { others.empty.append(whole) }
            if let names = Keyword.names(in: span.array(value)) {
                keywords += names.filter { !keywords.contains($0) }
                statusLines.append(whole)
            }
        } else if let value = HeaderLine.value(of: "X-UID", span, line.content) {
            let digits = HeaderLine.trimmed(span, value)
            if 1...10 ~= digits.count, digits.allSatisfy({ span[$0].isASCIIDigit }) {
                statusLines.append(whole)
                others.isDovecots = true
            }
        } else if let value = HeaderLine.value(of: "X-IMAP", span, line.content)
            ?? HeaderLine.value(of: "X-IMAPbase", span, line.content)
        {
            let words = span.array(value).split { $0.isMailWhitespace }
            if words.count >= 2, words.prefix(2).allSatisfy({ $0.allSatisfy(\.isASCIIDigit) }) {
                mailboxKeywords = words.dropFirst(2).map(Array.init).filter { Keyword.isName($0) }
                statusLines.append(whole)
            }
        } else if HeaderLine.contentLength(span, line.content) != nil {
            lengthLines.append(whole)
        }
    }

    /// The header without the store's fields, or without `Content-Length` alone, and with the fields for `flags` at its
    /// end (at its start, when no empty line closes it). `fieldsEnd` is the place before the empty line.
    package func stored(
        removingStatus: Bool, adding flags: MessageFlags? = nil, keywords: [[UInt8]] = [],
        lineEnd: [UInt8] = [ASCII.lf]
    ) -> (bytes: [UInt8], fieldsEnd: Int?) {
        let removed = (lengthLines + (removingStatus ? statusLines : [])).sorted { $0.lowerBound < $1.lowerBound }
        var fields: [UInt8] = []
        if let flags {
            let status = flags.status
            if !status.isEmpty { fields += Array("Status: ".utf8) + status + lineEnd }
            let extended = flags.extendedStatus
            if !extended.isEmpty { fields += Array("X-Status: ".utf8) + extended + lineEnd }
            if !keywords.isEmpty {
                fields += Array("X-Keywords: ".utf8) + Array(keywords.joined(separator: [ASCII.space])) + lineEnd
            }
        }
        if removed.isEmpty, fields.isEmpty { return (bytes, fieldsEnd) }
        var kept: [UInt8] = []
        kept.reserveCapacity(bytes.count + fields.count)
        var place = 0
        var fieldsAtEnd: [UInt8] = []
        if fieldsEnd == nil {
            // The From_ line of another mailbox may be the first line of the message.
            if bytes.starts(with: "From ".utf8) || bytes.starts(with: ">From ".utf8) {
                let line = bytes.span.line(at: 0)
                if line.isTerminated {
                    kept += bytes[..<line.next]
                    place = line.next
                }
            }
            // What begins like a folded line would make the fields part of it: then they go to the end.
            if place < bytes.count, bytes[place].isSpaceOrTab {
                fieldsAtEnd = bytes.last == ASCII.lf ? fields : []
            } else {
                kept += fields
            }
        }
        for range in removed where range.lowerBound >= place {
            kept += bytes[place..<range.lowerBound]
            place = range.upperBound
        }
        guard let fieldsEnd else {
            kept += bytes[place...] + fieldsAtEnd
            return (kept, nil)
        }
        kept += bytes[place..<fieldsEnd] + fields
        let end = kept.count
        kept += bytes[fieldsEnd...]
        return (kept, end)
    }
}

extension MessageFlags {
    /// Reads the bits of Mozilla's `X-Mozilla-Status`: 1 read, 2 replied, 4 marked, 8 expunged, 0x1000 forwarded.
    fileprivate init(mozillaStatus bits: Int) {
        self.init()
        isSeen = bits & 0x1 != 0
        isReplied = bits & 0x2 != 0
        isFlagged = bits & 0x4 != 0
        isTrashed = bits & 0x8 != 0
        isPassed = bits & 0x1000 != 0
        isOld = isSeen
    }
}
