import Glibc

/// Text in any charset turned to Unicode, by labels as mail uses and misuses them.
package enum Charset {
    /// What was wrong with a text.
    package enum Problem: Equatable, Sendable {
        /// A label that nobody knows: read as UTF-8 or windows-1252.
        case unknownLabel
        /// Bytes that the charset does not have.
        case badBytes
    }

    /// Decodes `bytes` by `label`.
    ///
    /// Known labels follow the WHATWG standard (iso-8859-1 and us-ascii read as windows-1252, gb2312 as gb18030 and so
    /// on). us-ascii with 8-bit bytes, an unknown label, and UTF-8 that is none: UTF-8 if valid, else windows-1252 for
    /// the whole. In other charsets invalid bytes become U+FFFD. A byte order mark is removed.
    package static func decode(_ bytes: Span<UInt8>, label: String) -> (text: String, problem: Problem?) {
        guard let decoder = CharsetLabels.decoder(for: label) else { return (guess(bytes), .unknownLabel) }
        switch decoder {
        case .utf8:
            if UTF8Text.isValid(bytes) { return (withoutMark(UTF8Text.repaired(bytes)), nil) }
            return (windows1252(bytes), .badBytes)
        case .ascii: return (guess(bytes), nil)
        case .windows1252: return (windows1252(bytes), nil)
        case .hz: return convert(HZ.toGB(bytes).span, from: "GB18030") ?? (guess(bytes), .unknownLabel)
        case .ordered(let fallback): return ordered(bytes, fallback)
        case .iconv(let name):
            if let table = SingleByteCharset.named(name) {
                let (text, isBroken) = table.decode(bytes)
                return (UTF8Text.repaired(text.span), isBroken ? .badBytes : nil)
            }
            guard let result = CharsetVariant.convert(bytes, from: name) else { return (guess(bytes), .unknownLabel) }
            return (withoutMark(result.text), result.problem)
        }
    }

    /// The same from and to bytes: the text in UTF-8, which is `bytes` itself when there is nothing to convert.
    package static func decode(_ bytes: [UInt8], label: String) -> (text: [UInt8], problem: Problem?) {
        let span = bytes.span
        let decoder = CharsetLabels.decoder(for: label)
        let isPlain = span.endOfASCII(from: 0) == bytes.count
        switch decoder {
        case .utf8, .ascii, nil:
            let isValid = isPlain || UTF8Text.isValid(span)
            if isValid, span.matches("\u{FEFF}", at: 0) { break }
            if decoder == nil { return (isValid ? bytes : windows1252Bytes(span), .unknownLabel) }
            return isValid ? (bytes, nil) : (windows1252Bytes(span), decoder == .utf8 ? .badBytes : nil)
        case .windows1252: return (isPlain ? bytes : windows1252Bytes(span), nil)
        default: break
        }
        let decoded = decode(span, label: label)
        return (Array(decoded.text.utf8), decoded.problem)
    }

    /// Whether a label is known for one of the charsets of which ASCII is a part as it stands: UTF-8, ASCII, windows-1252.
    package static func isASCIICompatible(_ label: String) -> Bool {
        switch CharsetLabels.decoder(for: label) {
        case .utf8, .ascii, .windows1252: true
        default: false
        }
    }

    /// Whether the octets of ASCII, line ends among them, mean in this charset what they mean in ASCII; so they are taken
    /// when the label is not known.
    package static func hasASCIILines(_ label: String) -> Bool {
        let sample = Array("\r\nA".utf8)
        return decode(sample, label: label).text == sample
    }

    /// Whether a label is known.
    package static func isKnown(_ label: String) -> Bool {
        guard let decoder = CharsetLabels.decoder(for: label) else { return false }
        guard case .iconv(let name) = decoder else { return true }
        return convert([UInt8]().span, from: name) != nil
    }

    /// UTF-8 when the bytes are valid, else windows-1252: for 8-bit text that says nothing of its charset.
    package static func guess(_ bytes: Span<UInt8>) -> String {
        UTF8Text.isValid(bytes) ? withoutMark(UTF8Text.repaired(bytes)) : windows1252(bytes)
    }

    /// windows-1252 as WHATWG has it: the five bytes without a character are C1 controls.
    package static func windows1252(_ bytes: Span<UInt8>) -> String {
        if UTF8Text.isASCII(bytes) { return UTF8Text.repaired(bytes) }
        return UTF8Text.repaired(windows1252Bytes(bytes).span)
    }

    /// The same in UTF-8.
    private static func windows1252Bytes(_ bytes: Span<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count + bytes.count / 8)
        var place = 0
        while true {
            let end = bytes.endOfASCII(from: place)
            text.append(span: bytes.extracting(place..<end))
            guard end < bytes.count else { return text }
            let byte = bytes[end]
            let value = byte < 0xA0 ? c1[Int(byte & 0x1F)] : UInt32(byte)
            if value < 0x800 {
                text.append(0xC0 | UInt8(truncatingIfNeeded: value >> 6))
            } else {
                text.append(0xE0 | UInt8(truncatingIfNeeded: value >> 12))
                text.append(0x80 | UInt8(truncatingIfNeeded: value >> 6 & 0x3F))
            }
            text.append(0x80 | UInt8(truncatingIfNeeded: value & 0x3F))
            place = end + 1
        }
    }

    private static let c1: [UInt32] = [
        0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D,
        0x017D, 0x8F, 0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A,
        0x0153, 0x9D, 0x017E, 0x0178,
    ]

    private static func withoutMark(_ text: String) -> String {
        text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
    }

    private static func ordered(_ bytes: Span<UInt8>, _ fallback: String) -> (text: String, problem: Problem?) {
        let is32 = fallback.hasPrefix("UTF-32")
        var name = fallback
        if bytes.matches("\u{FEFF}", at: 0) {
            name = "UTF-8"
        } else if bytes.count >= 2, !is32 {
            if bytes[0] == 0xFF, bytes[1] == 0xFE { name = "UTF-16LE" }
            if bytes[0] == 0xFE, bytes[1] == 0xFF { name = "UTF-16BE" }
        } else if bytes.count >= 4, is32 {
            if bytes[0] == 0xFF, bytes[1] == 0xFE { name = "UTF-32LE" }
            if bytes[2] == 0xFE, bytes[3] == 0xFF { name = "UTF-32BE" }
        }
        guard let result = convert(bytes, from: name) else { return (guess(bytes), .unknownLabel) }
        return (withoutMark(result.text), result.problem)
    }

    /// Converts by the C library; nil when it does not know the charset. `extra` gives a character for a byte that has none
    /// there.
    static func convert(
        _ bytes: Span<UInt8>, from name: String, extra: (UInt8) -> Unicode.Scalar? = { _ in nil }
    ) -> (text: String, problem: Problem?)? {
        guard let handle = Iconv.take(name) else { return nil }
        defer { Iconv.put(handle) }
        handle.reset()
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count * 2)
        var problem: Problem?
        bytes.withUnsafeBufferPointer { input in
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 8_192) { output in
                var place = input.baseAddress.map {
                    UnsafeMutableRawPointer(mutating: $0).assumingMemoryBound(to: CChar.self)
                }
                var left = input.count
                /// Some converters keep a character back, which another might join.
                var isFlushing = left == 0
                while true {
                    let (written, code) = handle.step(&place, &left, output, isFlushing: isFlushing)
                    result.append(contentsOf: UnsafeRawBufferPointer(output)[..<written])
                    switch code {
                    case 0:
                        if isFlushing { return }
                    case E2BIG: continue
                    case EILSEQ where left > 0:
                        // Safe: so many bytes are left from this place on.
                        let known = place.flatMap { extra(UInt8(bitPattern: $0.pointee)) }
                        if known == nil { problem = .badBytes }
                        result.append(contentsOf: String(known ?? "\u{FFFD}").utf8)
                        place = place.map { $0 + 1 }
                        left -= 1
                    default:
                        // An incomplete character at the end.
                        problem = .badBytes
                        result += [0xEF, 0xBF, 0xBD]
                        return
                    }
                    isFlushing = left == 0
                }
            }
        }
        return (UTF8Text.repaired(result.span), problem)
    }
}
