import Bytes
import MessageFormat

/// Writes header fields: encoded words for what is not ASCII (RFC 2047), folded lines (RFC 5322 2.2.3).
enum HeaderEncoding {
    private static let lineLength = 76
    /// With `=?utf-8?B?` and `?=` around it in base64, so much fits on a line beside the name of a field.
    private static let octetsOfWord = 39

    /// A field with a free text as its value.
    static func unstructured(_ name: String, _ value: String) -> String {
        fold(
            name,
            value.isASCIIText
                ? value.split(separator: " ", omittingEmptySubsequences: false).map(String.init) : words(value))
    }

    /// A field with addresses as its value; display names that are not ASCII become encoded words.
    static func addresses(_ name: String, _ value: String) -> String {
        if value.isASCIIText { return unstructured(name, value) }
        let list = AddressList.parse(Array(value.utf8)).addresses
        let items = list.enumerated().map { index, item in
            let address = item.address ?? ""
            let comma = index + 1 < list.count ? "," : ""
            guard let display = item.name else { return address + comma }
            return phrase(display) + " <\(address)>" + comma
        }
        return fold(name, items)
    }

    private static func phrase(_ name: String) -> String {
        if !name.isASCIIText { return words(name).joined(separator: " ") }
        let escaped = name.utf8.flatMap { $0 == ASCII.quote || $0 == ASCII.backslash ? [ASCII.backslash, $0] : [$0] }
        return "\"\(escaped.text)\""
    }

    /// The text as encoded words, none of which ends within a character.
    private static func words(_ text: String) -> [String] {
        var words: [String] = []
        var octets: [UInt8] = []
        for scalar in text.unicodeScalars {
            let next = Array(String(scalar).utf8)
            if octets.count + next.count > octetsOfWord {
                words.append("=?utf-8?B?\(Base64.encode(octets))?=")
                octets = []
            }
            octets += next
        }
        words.append("=?utf-8?B?\(Base64.encode(octets))?=")
        return words
    }

    /// Puts words on lines; a line break goes where a space would.
    private static func fold(_ name: String, _ words: [String]) -> String {
        var result = name + ":"
        var column = result.utf8.count
        for (index, word) in words.enumerated() {
            // A line must not consist of white space alone.
            if index > 0, !word.isEmpty, column + 1 + word.utf8.count > lineLength {
                result += "\n"
                column = 0
            }
            result += " " + word
            column += 1 + word.utf8.count
        }
        return result
    }
}

extension String {
    fileprivate var isASCIIText: Bool { utf8.allSatisfy { $0 < 0x80 } }
}
