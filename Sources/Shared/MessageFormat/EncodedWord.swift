import Bytes

/// Text in header fields: encoded words (RFC 2047) and raw 8-bit text.
package enum HeaderText {
    /// Decodes an unfolded value in which encoded words may stand anywhere.
    ///
    /// Adjacent words of one charset and encoding are joined before they are decoded, so that characters may be split
    /// between them; white space between any two words vanishes. 8-bit bytes are UTF-8 when the whole value is valid
    /// UTF-8, else windows-1252. What is no encoded word stays as it is written.
    package static func decode(_ value: [UInt8]) -> (text: String, defects: Set<FindingID>) {
        var defects: Set<FindingID> = []
        let bytes = value.span
        let isValid = UTF8Text.isValid(bytes)
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
            if var joined = run, HeaderText.isWhite(between) {
                if joined.charset == word.charset, joined.isBase64 == word.isBase64 {
                    joined.bytes += content.bytes
                    run = joined
                } else {
                    joined.append(to: &text, &defects)
                    run = Run(charset: word.charset, isBase64: word.isBase64, bytes: content.bytes)
                }
            } else {
                run?.append(to: &text, &defects)
                text += plain(textStart..<start)
                run = Run(charset: word.charset, isBase64: word.isBase64, bytes: content.bytes)
            }
            place = word.end
            textStart = word.end
        }
        run?.append(to: &text, &defects)
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

    private struct Run {
        let charset: String
        let isBase64: Bool
        var bytes: [UInt8]

        func append(to text: inout String, _ defects: inout Set<FindingID>) {
            let decoded = Charset.decode(bytes.span, label: charset)
            text += decoded.text
            switch decoded.problem {
            case .unknownLabel: defects.insert(.unknownCharset)
            case .badBytes: defects.insert(.badCharsetBytes)
            case nil: break
            }
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
    private let content: Range<Int>
    /// The place after the word.
    let end: Int

    /// Nil when no such thing begins at `start`.
    init?(_ bytes: Span<UInt8>, at start: Int) {
        guard start + 6 < bytes.count, bytes[start] == ASCII.equals, bytes[start + 1] == ASCII.question else {
            return nil
        }
        // A charset's name is short, and the text holds no question mark: each look ahead ends at the next one.
        let nameLimit = Swift.min(bytes.count, start + 80)
        guard let nameEnd = bytes.firstIndex(of: ASCII.question, in: (start + 2)..<nameLimit), nameEnd > start + 2,
            nameEnd + 2 < bytes.count, bytes[nameEnd + 2] == ASCII.question,
            let textEnd = bytes.firstIndex(of: ASCII.question, from: nameEnd + 3), textEnd + 1 < bytes.count,
            bytes[textEnd + 1] == ASCII.equals
        else { return nil }
        let name = bytes.array((start + 2)..<nameEnd)
        guard name.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != ASCII.equals }) else { return nil }
        charset = name.prefix { $0 != ASCII.asterisk }.map(\.asciiLowercased).text
        let encoding = bytes[nameEnd + 1].asciiLowercased
        isBase64 = encoding == UInt8(ascii: "b")
        isUnknown = !isBase64 && encoding != UInt8(ascii: "q")
        content = (nameEnd + 3)..<textEnd
        end = textEnd + 2
    }

    /// The bytes of the word; nil when its encoding is unknown.
    func decode(_ bytes: Span<UInt8>) -> (bytes: [UInt8], hasJunk: Bool)? {
        if isUnknown { return nil }
        let text = bytes.extracting(content)
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
