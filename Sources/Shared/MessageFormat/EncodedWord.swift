import Bytes

/// Text in header fields: encoded words (RFC 2047) and raw 8-bit text.
package enum HeaderText {
    /// Decodes an unfolded value in which encoded words may stand anywhere.
    ///
    /// Adjacent words of one charset and encoding are joined before they are decoded, so that characters may be split
    /// between them; white space between any two words vanishes. 8-bit bytes are UTF-8 when the whole value is valid
    /// UTF-8, else windows-1252. What is no encoded word stays as it is written.
    package static func decode(_ value: [UInt8]) -> (text: String, defects: Set<FindingID>) {
        decode(value, isUTF8: UTF8Text.isValid(value.span))
    }

    /// The same for a part of a value; `isUTF8` speaks of the whole.
    static func decode(_ value: [UInt8], isUTF8 isValid: Bool) -> (text: String, defects: Set<FindingID>) {
        var defects: Set<FindingID> = []
        let bytes = value.span
        if !isValid { defects.insert(.raw8BitHeader) }
        func plain(_ range: Range<Int>) -> String {
            let part = bytes.extracting(range)
            return isValid ? UTF8Text.repaired(part) : Charset.windows1252(part)
        }
        guard bytes.firstIndex(of: ASCII.equals) != nil else { return (plain(0..<bytes.count), defects) }

        var text = ""
        var textStart = 0
        var place = 0
        var run: Run?
        while let start = bytes.firstIndex(of: ASCII.equals, from: place) {
            guard let word = EncodedWord(bytes, at: start) else {
                place = start + 1
                continue
            }
            guard let content = word.decode(bytes) else {
                defects.insert(.badEncodedWord)
                place = word.end
                continue
            }
            if content.hasJunk { defects.insert(.badEncodedWord) }
            let between = bytes.extracting(textStart..<start)
            if run != nil, HeaderText.isWhite(between) {
                if run?.isContinued(by: word) ?? false {
                    run?.add(word, content.bytes)
                } else {
                    run?.append(to: &text, &defects, bytes)
                    run = Run(word, content.bytes)
                }
            } else {
                run?.append(to: &text, &defects, bytes)
                text += plain(textStart..<start)
                run = Run(word, content.bytes)
            }
            place = word.end
            textStart = word.end
        }
        run?.append(to: &text, &defects, bytes)
        text += plain(textStart..<bytes.count)
        return (text, defects)
    }

    /// Whether the value holds an encoded word that can be decoded.
    package static func hasEncodedWord(_ value: [UInt8]) -> Bool {
        let bytes = value.span
        var place = 0
        while let start = bytes.firstIndex(of: ASCII.equals, from: place) {
            if EncodedWord(bytes, at: start)?.decode(bytes) != nil { return true }
            place = start + 1
        }
        return false
    }

    /// Adjacent words of one charset and encoding.
    private struct Run {
        let charset: String
        let isBase64: Bool
        private var content: [UInt8]
        private var texts: [Range<Int>]

        init(_ word: EncodedWord, _ content: [UInt8]) {
            charset = word.charset
            isBase64 = word.isBase64
            self.content = content
            texts = [word.text]
        }

        func isContinued(by word: EncodedWord) -> Bool { charset == word.charset && isBase64 == word.isBase64 }

        mutating func add(_ word: EncodedWord, _ content: [UInt8]) {
            self.content += content
            texts.append(word.text)
        }

        func append(to text: inout String, _ defects: inout Set<FindingID>, _ bytes: Span<UInt8>) {
            var decoded = Charset.decode(content.span, label: charset)
            if decoded.problem == .badBytes, let whole = decodedAsOneText(bytes) { decoded = (whole, nil) }
            text += decoded.text
            switch decoded.problem {
            case .unknownLabel: defects.insert(.unknownCharset)
            case .badBytes: defects.insert(.badCharsetBytes)
            case nil: break
            }
        }

        /// Base64 that was cut between words at any place, not at groups of four characters: the text if it fits then.
        private func decodedAsOneText(_ bytes: Span<UInt8>) -> String? {
            guard isBase64, texts.count > 1, texts.contains(where: { $0.count % 4 != 0 }) else { return nil }
            var joined: [UInt8] = []
            for range in texts { joined += bytes.array(range) }
            let content = Base64.decode(joined.span)
            let decoded = Charset.decode(content.bytes.span, label: charset)
            return content.hasJunk || decoded.problem != nil ? nil : decoded.text
        }
    }

    private static func isWhite(_ bytes: Span<UInt8>) -> Bool {
        for index in 0..<bytes.count where !bytes[index].isMailWhitespace { return false }
        return true
    }
}

/// One `=?charset*language?encoding?text?=` where it stands.
struct EncodedWord {
    /// In lower case, without a language.
    let charset: String
    let isBase64: Bool
    /// The encoding is neither B nor Q.
    private let isUnknown: Bool
    /// Where the encoded text stands.
    let text: Range<Int>
    /// The place after the word.
    let end: Int

    /// Nil when no such thing begins at `start`.
    init?(_ bytes: Span<UInt8>, at start: Int) {
        guard start + 6 < bytes.count, bytes[start] == ASCII.equals, bytes[start + 1] == ASCII.question else {
            return nil
        }
        // A charset's name is short.
        let nameLimit = Swift.min(bytes.count, start + 80)
        guard let nameEnd = bytes.firstIndex(of: ASCII.question, in: (start + 2)..<nameLimit),
            nameEnd + 2 < bytes.count, bytes[nameEnd + 2] == ASCII.question,
            let textEnd = EncodedWord.textEnd(bytes, from: nameEnd + 3)
        else { return nil }
        // No white space belongs there; some programs write it.
        let name = bytes.array((start + 2)..<nameEnd).drop(while: \.isSpaceOrTab).prefix { !$0.isSpaceOrTab }
        guard !name.isEmpty, name.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != ASCII.equals }),
            bytes.array((name.endIndex + start + 2)..<nameEnd).allSatisfy(\.isSpaceOrTab)
        else { return nil }
        charset = name.prefix { $0 != ASCII.asterisk }.map(\.asciiLowercased).text
        let encoding = bytes[nameEnd + 1].asciiLowercased
        isBase64 = encoding == UInt8(ascii: "b")
        isUnknown = !isBase64 && encoding != UInt8(ascii: "q")
        text = (nameEnd + 3)..<textEnd
        end = textEnd + 2
    }

    /// The place of the `?=` that ends the text. A question mark within it is tolerated, the beginning of another word
    /// is not: each look ahead ends there.
    private static func textEnd(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        var place = start
        while let mark = bytes.firstIndex(of: ASCII.question, from: place), mark + 1 < bytes.count {
            if bytes[mark + 1] == ASCII.equals { return mark }
            if mark > start, bytes[mark - 1] == ASCII.equals { return nil }
            place = mark + 1
        }
        return nil
    }

    /// The bytes of the word; nil when its encoding is unknown.
    func decode(_ bytes: Span<UInt8>) -> (bytes: [UInt8], hasJunk: Bool)? {
        if isUnknown { return nil }
        let text = bytes.extracting(self.text)
        if isBase64 { return Base64.decode(text) }
        var result: [UInt8] = []
        var isBroken = false
        var place = 0
        while place < text.count {
            let byte = text[place]
            place += 1
            if byte == ASCII.underscore {
                result.append(ASCII.space)
            } else if byte == ASCII.equals, place + 1 < text.count, let high = text[place].hexadecimalValue,
                let low = text[place + 1].hexadecimalValue
            {
                result.append(high << 4 | low)
                place += 2
            } else {
                if byte == ASCII.equals { isBroken = true }
                result.append(byte)
            }
        }
        return (result, isBroken)
    }
}
