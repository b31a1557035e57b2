import Bytes

/// A Received field: one station of a message's way (RFC 5321 4.4, and what mail has besides).
package struct ReceivedHop: Equatable, Sendable {
    /// The encryption of the connection, as the receiver names it.
    package struct TLS: Equatable, Sendable {
        package var version: String?
        package var cipher: String?
    }

    /// The word after `from`, as it is written.
    package var from: String?
    /// The name that the client gave: what `helo=`, `HELO` or `EHLO` says, else the word after `from`.
    package var helo: String?
    /// The client's IP address, without brackets and `IPv6:`.
    package var address: String?
    package var by: String?
    package var via: String?
    /// The protocol, as it is written.
    package var with: String?
    package var id: String?
    /// The recipient, without angle brackets.
    package var `for`: String?
    /// The date after the last semicolon; nil when there is none, or none that can be read.
    package var date: DateTime?
    package var tls: TLS?

    /// Reads an unfolded value; never fails. Words inside comments are never taken for clauses.
    package init(_ value: [UInt8]) {
        let bytes = value.span
        let (items, dateStart) = ReceivedItem.split(bytes)
        if let dateStart { date = DateTime(bytes.array(dateStart..<bytes.count)) }
        var clause = Clause.none
        var client = ReceivedClient()
        for (index, item) in items.enumerated() {
            if item.isAfterSemicolon { clause = .none }
            guard !item.isComment else {
                let mayTellTLS = ReceivedItem.mayTellTLS(bytes, item.range)
                if clause == .from || mayTellTLS {
                    let words = ReceivedItem.words(bytes, item.range)
                    if clause == .from { client.read(bytes, words) }
                    if mayTellTLS { readTLS(ReceivedItem.texts(bytes, words)) }
                }
                if clause.takesSeveralWords { clause = .none }
                continue
            }
            let keyword = Clause(keyword: bytes, item.range)
            if clause.wantsWord, keyword == nil || clause.mayBeKeyword(index, items) {
                take(Charset.guess(bytes.extracting(item.range)), for: clause)
                clause = clause.afterWord
            } else if let keyword {
                // `from host from [192.0.2.1] by`
                let isStillFrom = clause == .from && keyword == .fromWord
                clause = isStillFrom ? .from : isTaken(keyword) ? .none : keyword
            } else if clause.takesSeveralWords {
                append(Charset.guess(bytes.extracting(item.range)), to: clause)
            } else if clause == .from {
                // `from host [192.0.2.1] by`
                client.read(bytes, [item.range])
            }
            if bytes.firstIndex(of: ASCII.slash, in: item.range) != nil {
                readSlashedTLS(Charset.guess(bytes.extracting(item.range)))
            }
        }
        if let from {
            helo = client.helo ?? from
            address = client.address ?? ReceivedClient.address(from)
        }
    }

    private enum Clause: Equatable {
        case none
        case from, fromWord, by, via, viaWords, with, withWords, id, `for`, tls, other

        init?(keyword bytes: Span<UInt8>, _ word: Range<Int>) {
            func isWord(_ text: StaticString) -> Bool { bytes.equalsIgnoringCase(word, text) }
            switch word.count {
            case 2 where isWord("by"): self = .by
            case 2 where isWord("id"): self = .id
            case 3 where isWord("for"): self = .for
            case 3 where isWord("via"): self = .via
            case 3 where isWord("tls"): self = .tls
            case 4 where isWord("from"): self = .fromWord
            case 4 where isWord("with"): self = .with
            case 13 where isWord("envelope-from"): self = .other
            default: return nil
            }
        }

        var wantsWord: Bool {
            switch self {
            case .none, .from, .viaWords, .withWords: false
            default: true
            }
        }

        var takesSeveralWords: Bool { self == .viaWords || self == .withWords }

        var afterWord: Clause {
            switch self {
            case .fromWord: .from
            case .via: .viaWords
            case .with: .withWords
            default: .none
            }
        }

        /// Whether a host may bear the name of a keyword: only when the keyword follows once more, as in
        /// `from by by mx.example.org`.
        func mayBeKeyword(_ index: Int, _ items: [ReceivedItem]) -> Bool {
            guard self == .fromWord, index > 0, index + 2 < items.count else { return false }
            return !items[index - 1].isComment && !items[index + 1].isComment && items[index + 1].isKeyword
        }
    }

    private func isTaken(_ clause: Clause) -> Bool {
        switch clause {
        case .fromWord: from != nil
        case .by: by != nil
        case .via: via != nil
        case .with: with != nil
        case .id: id != nil
        case .for: self.for != nil
        default: false
        }
    }

    private mutating func take(_ word: String, for clause: Clause) {
        switch clause {
        case .fromWord: from = ReceivedHop.withoutComma(word)
        case .by: by = ReceivedHop.withoutComma(word)
        case .via: via = word
        case .with: with = word
        case .id: id = ReceivedHop.withoutBrackets(word)
        case .for: self.for = ReceivedHop.withoutBrackets(word)
        case .tls: setTLS(cipher: word)
        case .none, .from, .viaWords, .withWords, .other: break
        }
    }

    private mutating func append(_ word: String, to clause: Clause) {
        if clause == .viaWords, let via { self.via = via + " " + word }
        if clause == .withWords, let with { self.with = with + " " + word }
    }

    private static func withoutComma(_ word: String) -> String {
        word.utf8.last == ASCII.comma ? String(word.dropLast()) : word
    }

    private static func withoutBrackets(_ word: String) -> String {
        guard word.utf8.first == ASCII.less || word.utf8.last == ASCII.comma else { return word }
        var bytes = Array(word.utf8)[...]
        while bytes.last == ASCII.comma { bytes.removeLast() }
        if bytes.first == ASCII.less, bytes.last == ASCII.greater, bytes.count >= 2 {
            bytes = bytes.dropFirst().dropLast()
        }
        return bytes.text
    }
}

// MARK: - TLS

extension ReceivedHop {
    /// `using TLSv1.3 with cipher X`, `version=TLS1_3, cipher=X`, `TLS1.3:X:256`, `TLS1.3`.
    private mutating func readTLS(_ words: [String]) {
        for (index, word) in words.enumerated() {
            let lower = word.asciiLowercased
            let next = index + 1 < words.count ? words[index + 1] : nil
            if lower == "using", let next, ReceivedHop.isVersion(next) {
                setTLS(version: next)
                // `(using TLSv1.3 X)` names the cipher right behind.
                if words.count == 3 { setTLS(cipher: words[index + 2]) }
            } else if lower == "cipher", let next, tls?.version != nil {
                setTLS(cipher: next)
            } else if lower.hasPrefix("version="), ReceivedHop.isVersion(String(word.dropFirst(8))) {
                setTLS(version: String(word.dropFirst(8)))
            } else if lower.hasPrefix("cipher="), word.utf8.count > 7 {
                setTLS(cipher: String(word.dropFirst(7)))
            } else if lower == "tls:", let next, ReceivedHop.isVersion(next), let last = words.last {
                // `(TLS: TLSv1.3,256bits,TLS_AES_256_GCM_SHA384)`
                setTLS(version: next, cipher: index + 3 < words.count ? last : nil)
            } else if words.count == 1, ReceivedHop.isVersion(word) {
                let parts = word.split(separator: ":", omittingEmptySubsequences: false)
                if let version = parts.first { setTLS(version: String(version)) }
                if parts.count > 1, !parts[1].isEmpty { setTLS(cipher: String(parts[1])) }
            }
        }
    }

    /// `ESMTP/TLS/X`.
    private mutating func readSlashedTLS(_ word: String) {
        let parts = word.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[0].utf8.count <= 12, parts[0].asciiText.hasSuffix("smtp"),
            parts[1].asciiText.hasPrefix("tls") || parts[1].asciiText.hasPrefix("ssl"), !parts[2].isEmpty
        else { return }
        setTLS(version: String(parts[1]), cipher: String(parts[2]))
    }

    private mutating func setTLS(version: String? = nil, cipher: String? = nil) {
        var known = tls ?? TLS()
        known.version = known.version ?? version
        known.cipher = known.cipher ?? cipher
        tls = known
    }

    /// `TLS` or `SSL` with a number behind it.
    private static func isVersion(_ word: String) -> Bool {
        let lower = word.asciiLowercased
        return (lower.hasPrefix("tls") || lower.hasPrefix("ssl"))
            && (lower.utf8.dropFirst(3).first.map { $0.isASCIIDigit || $0 == UInt8(ascii: "v") } ?? false)
    }
}

extension Substring {
    fileprivate var asciiText: String { String(self).asciiLowercased }
}

// MARK: - Delays

extension ReceivedHop {
    /// The seconds between each hop and the one before it on the way, which stands below it: nil for the last, and where
    /// a date is missing. Negative when the clocks disagree.
    package static func delays(_ hops: [ReceivedHop]) -> [Int?] {
        hops.indices.map { index in
            guard index + 1 < hops.count, let later = hops[index].date, let earlier = hops[index + 1].date else {
                return nil
            }
            return later.epoch - earlier.epoch
        }
    }
}
