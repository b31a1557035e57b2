import Bytes
import Mailboxes

/// The names of files in a directory of `.eml` files: a number, the letters of flags as in a Maildir, and keywords, of which
/// what a name should not hold is written `%2F`: `000001.eml`, `000001.FS.eml`, `000001.S,work,$Forwarded.eml`.
enum EMLName {
    /// Most file systems take no longer names, in bytes.
    private static let limit = 255

    /// Keywords for which there is no room are left out.
    static func make(_ number: Int, _ flags: MessageFlags, _ keywords: [[UInt8]]) -> [UInt8] {
        var name: [UInt8] = []
        name.append(decimal: number, width: 6)
        var marks = flags.maildirLetters
        for keyword in keywords {
            let word = [ASCII.comma] + keyword.flatMap(escaped)
            if name.count + marks.count + word.count + 5 <= limit { marks += word }
        }
        // A message that was noticed, and no more.
        if marks.isEmpty, flags.belongsInCur { marks = [ASCII.dash] }
        if !marks.isEmpty { name += [ASCII.dot] + marks }
        return name + Array(".eml".utf8)
    }

    private static func escaped(_ byte: UInt8) -> [UInt8] {
        let isPlain = byte.isASCIIAlphanumeric || [ASCII.dash, ASCII.underscore, UInt8(ascii: "$")].contains(byte)
        return isPlain ? [byte] : Array("%\(byte < 16 ? "0" : "")\(String(byte, radix: 16, uppercase: true))".utf8)
    }

    /// The flags and keywords that a name of ours tells.
    static func marks(_ name: [UInt8]) -> (flags: MessageFlags, keywords: [[UInt8]]) {
        let base = name.dropLast(4)
        guard let dot = base.firstIndex(of: ASCII.dot), dot > 0, base[..<dot].allSatisfy(\.isASCIIDigit) else {
            return (MessageFlags(), [])
        }
        let words = base[(dot + 1)...].split(separator: ASCII.comma, omittingEmptySubsequences: false)
        var keywords: [[UInt8]] = []
        for word in words.dropFirst() {
            guard let keyword = unescaped(word), Keyword.isName(keyword) else { return (MessageFlags(), []) }
            keywords.append(keyword)
        }
        guard let letters = words.first, !letters.isEmpty || !keywords.isEmpty else { return (MessageFlags(), []) }
        if letters.elementsEqual([ASCII.dash]) { return (MessageFlags(maildirLetters: []), keywords) }
        guard letters.allSatisfy(\.isASCIILetter) else { return (MessageFlags(), []) }
        return (MessageFlags(maildirLetters: letters), keywords)
    }

    private static func unescaped(_ word: ArraySlice<UInt8>) -> [UInt8]? {
        var output: [UInt8] = []
        var rest = word
        while let byte = rest.popFirst() {
            guard byte == ASCII.percent else {
                output.append(byte)
                continue
            }
            guard rest.count >= 2, let code = UInt8(Array(rest.prefix(2)).text, radix: 16) else { return nil }
            output.append(code)
            rest = rest.dropFirst(2)
        }
        return output
    }
}
