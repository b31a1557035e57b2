import Bytes

/// One line of a rule file: a keyword and the rest, without comment and outer white space.
struct RuleLine {
    /// In lower case, dashes as underscores.
    let keyword: String
    let value: [UInt8]
    /// From 1.
    let number: Int

    /// The words of the value.
    var words: [String] { value.split(whereSeparator: \.isMailWhitespace).map(\.text) }

    /// The first word of the value, and what follows it.
    var nameAndRest: (name: String, rest: [UInt8]) {
        let parts = value.split(maxSplits: 1, whereSeparator: \.isMailWhitespace)
        return (parts.first?.text ?? "", parts.count > 1 ? RuleLine.trimmed(parts[1]) : [])
    }

    /// Calls `body` with each line of a file that says something.
    ///
    /// A comment begins with `#`, which `\#` is not.
    static func forEach(in bytes: Span<UInt8>, _ body: (RuleLine) -> Void) {
        var place = 0
        var number = 0
        while place < bytes.count {
            let line = bytes.line(at: place)
            place = line.next
            number += 1
            var range = line.content
            while let first = range.first, bytes[first].isMailWhitespace { range.removeFirst() }
            guard let first = range.first, bytes[first] != UInt8(ascii: "#") else { continue }
            if let line = RuleLine(bytes, range, number) { body(line) }
        }
    }

    private init?(_ bytes: Span<UInt8>, _ range: Range<Int>, _ number: Int) {
        var text: [UInt8] = []
        text.reserveCapacity(range.count)
        for index in range {
            let byte = bytes[index]
            if byte == UInt8(ascii: "#") {
                guard text.last == ASCII.backslash else { break }
                text.removeLast()
            }
            text.append(byte)
        }
        let trimmed = RuleLine.trimmed(text[...])
        guard let end = trimmed.firstIndex(where: \.isMailWhitespace) ?? Optional(trimmed.count), end > 0 else {
            return nil
        }
        keyword = trimmed[..<end].map { $0 == ASCII.dash ? ASCII.underscore : $0.asciiLowercased }.text
        value = RuleLine.trimmed(trimmed[end...])
        self.number = number
    }

    static func trimmed(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        guard let first = bytes.firstIndex(where: { !$0.isMailWhitespace }),
            let last = bytes.lastIndex(where: { !$0.isMailWhitespace })
        else { return [] }
        return Array(bytes[first...last])
    }
}
