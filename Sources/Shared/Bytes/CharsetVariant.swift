/// Where the C library's charsets differ from those of the WHATWG standard.
enum CharsetVariant {
    static func convert(_ bytes: Span<UInt8>, from name: String) -> (text: String, problem: Charset.Problem?)? {
        switch name {
        case "CP1258": return vietnamese(bytes)
        case "CP874", "CP1250", "CP1251", "CP1253", "CP1254", "CP1255", "CP1256", "CP1257":
            // Bytes without a character are C1 controls.
            return Charset.convert(bytes, from: name) { 0x80...0x9F ~= $0 ? Unicode.Scalar($0) : nil }
        case "GB18030": return Charset.convert(bytes, from: name) { $0 == 0x80 ? "\u{20AC}" : nil }
        case "MACINTOSH": return replacing(bytes, name, ["\u{394}": "\u{2206}", "\u{E01E}": "\u{F8FF}"])
        case "MAC-CYRILLIC": return replacing(bytes, name, ["\u{A4}": "\u{20AC}"])
        case "ISO-2022-JP":
            let result = Charset.convert(bytes, from: name)
            guard let text = result?.text, result?.problem != nil || text.utf8.contains(0x1B) else { return result }
            // With the characters that vendors added.
            let extended = Charset.convert(ISO2022JP.toEUC(bytes).span, from: "EUC-JP-MS")
            return extended?.problem == nil ? extended ?? result : result
        default: return Charset.convert(bytes, from: name)
        }
    }

    private static func replacing(
        _ bytes: Span<UInt8>, _ name: String, _ characters: [Unicode.Scalar: Unicode.Scalar]
    ) -> (text: String, problem: Charset.Problem?)? {
        guard let result = Charset.convert(bytes, from: name) else { return nil }
        var text = ""
        text.unicodeScalars.append(contentsOf: result.text.unicodeScalars.map { characters[$0] ?? $0 })
        return (text, result.problem)
    }

    /// Letters and their tone marks stay apart, where the C library joins them.
    private static func vietnamese(_ bytes: Span<UInt8>) -> (text: String, problem: Charset.Problem?)? {
        var text: [UInt8] = []
        var problem: Charset.Problem?
        for index in 0..<bytes.count {
            let byte = bytes[index]
            if byte < 0x80 {
                text.append(byte)
                continue
            }
            let character = vietnameseTable[Int(byte) - 0x80]
            text += character ?? [0xEF, 0xBF, 0xBD]
            if character == nil { problem = .badBytes }
        }
        return (UTF8Text.repaired(text.span), problem)
    }

    private static let vietnameseTable: [[UInt8]?] = (UInt8(0x80)...0xFF).map { byte in
        let result = Charset.convert([byte].span, from: "CP1258") { 0x80...0x9F ~= $0 ? Unicode.Scalar($0) : nil }
        return result.flatMap { $0.problem == nil ? Array($0.text.utf8) : nil }
    }
}
