import Bytes

/// Writes header fields: encoded words where text needs them (RFC 2047), lines of at most 78 characters (RFC 5322
/// 2.1.1), 76 with encoded words, CRLF line ends.
package enum HeaderComposition {
    private static let lineLimit = 78
    /// RFC 2047 2: of a line with an encoded word.
    private static let encodedLineLimit = 76
    /// RFC 2047 2: an encoded word has at most 75 characters.
    static let wordLimit = 75

    /// Whether `name` can be a field's name (RFC 5322 3.6.8).
    package static func isFieldName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 76 && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != ASCII.colon }
    }

    /// `Name: value` with its line end. Line breaks within the value become spaces: no value makes another field.
    package static func field(_ name: String, _ value: String) -> [UInt8] {
        fold(name, encodeText(singleLine(value), after: name.utf8.count + 2))
    }

    /// A field whose value is structured already and holds no text to encode (a date, an identifier, a type). It is
    /// folded where it has white space.
    package static func structuredField(_ name: String, _ value: String) -> [UInt8] {
        fold(name, pieces(Array(singleLine(value).utf8)))
    }

    /// An address field. Names are quoted or encoded as they need it; addresses of a group stand within it when they
    /// follow each other.
    package static func addressField(_ name: String, _ addresses: [Address]) -> [UInt8] {
        var pieces: [[UInt8]] = []
        var group: String?
        for (index, address) in addresses.enumerated() {
            if address.group != group {
                if group != nil { HeaderComposition.close(&pieces, with: ";") }
                group = address.group
                if let group { pieces += phrase(group) + [[ASCII.colon]] }
                if group != nil { HeaderComposition.joinLast(&pieces) }
            }
            pieces += HeaderComposition.mailbox(address)
            let isLastOfGroup = index + 1 == addresses.count || addresses[index + 1].group != group
            if group != nil, isLastOfGroup {
                HeaderComposition.close(&pieces, with: ";")
                group = nil
            }
            if index + 1 < addresses.count { HeaderComposition.close(&pieces, with: ",") }
        }
        return fold(name, pieces.map { $0.isEmpty ? $0 : spaced($0) })
    }

    private static func mailbox(_ address: Address) -> [[UInt8]] {
        guard let spec = address.address else { return [] }
        let bytes = Array(singleLine(spec).utf8)
        guard let name = address.name, !name.isEmpty else { return [bytes] }
        return phrase(singleLine(name)) + [[ASCII.less] + bytes + [ASCII.greater]]
    }

    private static func close(_ pieces: inout [[UInt8]], with text: StaticString) {
        guard !pieces.isEmpty else { return }
        text.withUTF8Buffer { pieces[pieces.count - 1] += $0 }
    }

    private static func joinLast(_ pieces: inout [[UInt8]]) {
        guard pieces.count >= 2, let last = pieces.popLast() else { return }
        pieces[pieces.count - 1] += last
    }

    private static func spaced(_ piece: [UInt8]) -> [UInt8] { [ASCII.space] + piece }

    /// A display name: atoms, a quoted string, or encoded words; pieces that a space separates.
    static func phrase(_ name: String) -> [[UInt8]] {
        let bytes = Array(name.utf8)
        let isPlain = bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7F } && !containsEncodedWordStart(bytes)
        guard isPlain, bytes.count <= 900 else { return encodedWords(name) }
        let isAtoms =
            bytes.first != ASCII.space && bytes.last != ASCII.space
            && bytes.allSatisfy { isAtomCharacter($0) || $0 == ASCII.space }
            && !zip(bytes, bytes.dropFirst()).contains { $0 == ASCII.space && $1 == ASCII.space }
        if isAtoms, !bytes.isEmpty { return bytes.split(separator: ASCII.space).map(Array.init) }
        return [quoted(bytes)]
    }

    /// A quoted string (RFC 5322 3.2.4).
    static func quoted(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = [ASCII.quote]
        for byte in bytes {
            if byte == ASCII.quote || byte == ASCII.backslash { result.append(ASCII.backslash) }
            result.append(byte)
        }
        return result + [ASCII.quote]
    }

    private static func isAtomCharacter(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte)
    }

    private static func containsEncodedWordStart(_ bytes: [UInt8]) -> Bool {
        zip(bytes, bytes.dropFirst()).contains { $0 == ASCII.equals && $1 == ASCII.question }
    }

    /// CR and LF become spaces.
    static func singleLine(_ text: String) -> String {
        text.utf8.map { $0 == ASCII.cr || $0 == ASCII.lf ? ASCII.space : $0 }.text
    }

    // MARK: - Unstructured text

    /// Pieces of white space and the word behind it; words that need it are encoded, together with those next to them
    /// and the white space between.
    private static func encodeText(_ text: String, after column: Int) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var run: [UInt8] = []
        var runSpace: [UInt8] = []
        func endRun() {
            guard !run.isEmpty else { return }
            // Beside the field's name there is room for less; a line with an encoded word has 76 characters at most.
            let words = encodedWords(run.text, first: result.isEmpty ? encodedLineLimit - column : wordLimit)
            for (index, word) in words.enumerated() {
                result.append((index == 0 && !runSpace.isEmpty ? runSpace : [ASCII.space]) + word)
            }
            run = []
        }
        for piece in pieces(Array(text.utf8)) {
            let space = Array(piece.prefix { $0 == ASCII.space })
            let word = piece.dropFirst(space.count)
            let needsEncoding =
                piece.count > 900 || space.count > 60 || containsEncodedWordStart(Array(word))
                || word.contains { $0 < 0x20 || $0 >= 0x7F }
            if needsEncoding {
                // White space that is too long for a line is encoded with its word.
                if run.isEmpty {
                    runSpace = space.count > 60 ? [ASCII.space] : space
                    run = Array(space.dropFirst(runSpace.count)) + word
                } else {
                    run += space + word
                }
            } else {
                endRun()
                result.append(piece)
            }
        }
        endRun()
        return result
    }

    /// Splits before each run of spaces; the first piece may have none.
    private static func pieces(_ text: [UInt8]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var start = 0
        var place = 0
        while place < text.count {
            while place < text.count, text[place] == ASCII.space { place += 1 }
            while place < text.count, text[place] != ASCII.space { place += 1 }
            // White space at the end of the value belongs to its last word.
            if text[place...].allSatisfy({ $0 == ASCII.space }) { place = text.count }
            result.append(Array(text[start..<place]))
            start = place
        }
        return result
    }

    /// `Name:` and the pieces, with a line end before each piece that does not fit.
    private static func fold(_ name: String, _ pieces: [[UInt8]]) -> [UInt8] {
        var result = Array(name.utf8) + [ASCII.colon]
        var column = result.count
        let hasEncodedWord = pieces.contains(where: containsEncodedWordStart)
        let limit = hasEncodedWord ? encodedLineLimit : lineLimit
        for (index, piece) in pieces.enumerated() where !piece.isEmpty {
            let space: [UInt8] = index > 0 || piece.first == ASCII.space ? [] : [ASCII.space]
            let isBlank = piece.allSatisfy { $0 == ASCII.space }
            let isFirst = column == name.utf8.count + 1
            if column + space.count + piece.count > limit, !isBlank, !isFirst || hasEncodedWord {
                result += [ASCII.cr, ASCII.lf]
                column = 0
            }
            result += space + piece
            column += space.count + piece.count
        }
        return result + [ASCII.cr, ASCII.lf]
    }

    // MARK: - Encoded words

    /// The text as encoded words of at most 75 characters, each of whole characters, in UTF-8: Q or B, whichever is
    /// shorter. Q has only what a phrase may have (RFC 2047 5).
    static func encodedWords(_ text: String, first: Int = wordLimit) -> [[UInt8]] {
        let bytes = Array(text.utf8)
        let escaped = bytes.reduce(0) { $0 + (isPlainInQ($1) ? 1 : 3) }
        let isBase64 = escaped > (bytes.count + 2) / 3 * 4
        let prefix = Array((isBase64 ? "=?utf-8?B?" : "=?utf-8?Q?").utf8)
        let room = wordLimit - prefix.count - 2
        // A word that is too narrow for a character begins a line of its own.
        let firstRoom = first - prefix.count - 2 < 16 ? room : first - prefix.count - 2
        var words: [[UInt8]] = []
        var content: [UInt8] = []
        var width = 0
        func endWord() {
            guard !content.isEmpty else { return }
            let encoded = isBase64 ? Base64.encode(content.span) : encodeQ(content)
            words.append(prefix + encoded + [ASCII.question, ASCII.equals])
            content = []
            width = 0
        }
        for scalar in text.unicodeScalars {
            let character = Array(String(scalar).utf8)
            let added = character.reduce(0) { $0 + (isPlainInQ($1) ? 1 : 3) }
            let isTooLong =
                isBase64
                ? (content.count + character.count + 2) / 3 * 4 > (words.isEmpty ? firstRoom : room)
                : width + added > (words.isEmpty ? firstRoom : room)
            if isTooLong { endWord() }
            content += character
            width += added
        }
        endWord()
        return words
    }

    private static func isPlainInQ(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || byte == ASCII.space || "!*+-/".utf8.contains(byte)
    }

    private static func encodeQ(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        for byte in bytes {
            if byte == ASCII.space {
                result.append(ASCII.underscore)
            } else if isPlainInQ(byte) {
                result.append(byte)
            } else {
                result += [ASCII.equals, upperDigit(byte >> 4), upperDigit(byte & 15)]
            }
        }
        return result
    }

    static func upperDigit(_ value: UInt8) -> UInt8 { value < 10 ? ASCII.zero &+ value : 0x37 &+ value }

    // MARK: - Parameters

    /// `name=value` for Content-Type and Content-Disposition: a token, a quoted string, or RFC 2231 in sections of at
    /// most 78 characters.
    static func parameter(_ name: String, _ value: String) -> [[UInt8]] {
        let bytes = Array(singleLine(value).utf8)
        let isPlain = bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7F } && !containsEncodedWordStart(bytes)
        let start = Array(" \(name)".utf8)
        if isPlain, bytes.count <= 60 {
            let isToken = !bytes.isEmpty && bytes.allSatisfy(isAttributeCharacter)
            return [start + [ASCII.equals] + (isToken ? bytes : quoted(bytes))]
        }
        var sections: [[UInt8]] = [Array("utf-8''".utf8)]
        for byte in bytes {
            let unit =
                isAttributeCharacter(byte) ? [byte] : [ASCII.percent, upperDigit(byte >> 4), upperDigit(byte & 15)]
            if sections[sections.count - 1].count + unit.count > 50 { sections.append([]) }
            sections[sections.count - 1] += unit
        }
        if sections.count == 1 { return [start + Array("*=".utf8) + sections[0]] }
        return sections.enumerated().map { start + Array("*\($0.offset)*=".utf8) + $0.element }
    }

    /// RFC 2231 7: what stands as it is.
    private static func isAttributeCharacter(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || "!#$&+-.^_`{|}~".utf8.contains(byte)
    }

    /// `Name: value; parameters` folded between parameters.
    static func parameterizedField(_ name: String, _ value: String, _ parameters: [(String, String)]) -> [UInt8] {
        var pieces = [Array(singleLine(value).utf8)]
        for (name, value) in parameters {
            for piece in parameter(name, value) {
                pieces[pieces.count - 1].append(ASCII.semicolon)
                pieces.append(piece)
            }
        }
        return fold(name, pieces)
    }
}
