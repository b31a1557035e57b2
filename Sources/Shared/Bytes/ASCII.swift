/// The ASCII characters that mail formats and protocols are made of, as bytes.
///
/// `@usableFromInline` is what lets other modules see that these are constants.
@usableFromInline package enum ASCII {
    @inlinable package static var nul: UInt8 { 0x00 }
    @inlinable package static var tab: UInt8 { 0x09 }
    @inlinable package static var lf: UInt8 { 0x0A }
    @inlinable package static var cr: UInt8 { 0x0D }
    @inlinable package static var escape: UInt8 { 0x1B }
    @inlinable package static var space: UInt8 { 0x20 }
    @inlinable package static var quote: UInt8 { 0x22 }
    @inlinable package static var percent: UInt8 { 0x25 }
    @inlinable package static var apostrophe: UInt8 { 0x27 }
    @inlinable package static var openParenthesis: UInt8 { 0x28 }
    @inlinable package static var closeParenthesis: UInt8 { 0x29 }
    @inlinable package static var asterisk: UInt8 { 0x2A }
    @inlinable package static var plus: UInt8 { 0x2B }
    @inlinable package static var comma: UInt8 { 0x2C }
    @inlinable package static var dash: UInt8 { 0x2D }
    @inlinable package static var dot: UInt8 { 0x2E }
    @inlinable package static var slash: UInt8 { 0x2F }
    @inlinable package static var zero: UInt8 { 0x30 }
    @inlinable package static var nine: UInt8 { 0x39 }
    @inlinable package static var colon: UInt8 { 0x3A }
    @inlinable package static var semicolon: UInt8 { 0x3B }
    @inlinable package static var less: UInt8 { 0x3C }
    @inlinable package static var equals: UInt8 { 0x3D }
    @inlinable package static var greater: UInt8 { 0x3E }
    @inlinable package static var question: UInt8 { 0x3F }
    @inlinable package static var at: UInt8 { 0x40 }
    @inlinable package static var openBracket: UInt8 { 0x5B }
    @inlinable package static var backslash: UInt8 { 0x5C }
    @inlinable package static var closeBracket: UInt8 { 0x5D }
    @inlinable package static var underscore: UInt8 { 0x5F }
    @inlinable package static var delete: UInt8 { 0x7F }
}

extension UInt8 {
    /// `0`–`9`.
    @inlinable package var isASCIIDigit: Bool { self &- 0x30 < 10 }
    /// `A`–`Z`, `a`–`z`.
    @inlinable package var isASCIILetter: Bool { (self | 0x20) &- 0x61 < 26 }
    /// A letter or a digit.
    @inlinable package var isASCIIAlphanumeric: Bool { isASCIILetter || isASCIIDigit }
    /// The white space of RFC 5322 `WSP`: space or tab.
    @inlinable package var isSpaceOrTab: Bool { self == 0x20 || self == 0x09 }
    /// Space, tab, CR or LF.
    @inlinable package var isMailWhitespace: Bool { self == 0x20 || self == 0x09 || self == 0x0A || self == 0x0D }
    /// A control character of C0, or DEL.
    @inlinable package var isASCIIControl: Bool { self < 0x20 || self == 0x7F }
    /// `A`–`Z` become `a`–`z`; everything else stays.
    @inlinable package var asciiLowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
    /// `a`–`z` become `A`–`Z`; everything else stays.
    @inlinable package var asciiUppercased: UInt8 { self &- 0x61 < 26 ? self & 0xDF : self }
    /// The value of a hexadecimal digit of either case, or nil.
    @inlinable package var hexadecimalValue: UInt8? {
        if isASCIIDigit { return self &- 0x30 }
        let lower = self | 0x20
        return lower &- 0x61 < 6 ? lower &- 0x57 : nil
    }
}

extension Sequence where Element == UInt8 {
    /// True when the bytes equal `text`, the case of ASCII letters aside.
    @inlinable package func equalsIgnoringCase(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { expected in
            elementsEqual(expected) { $0.asciiLowercased == $1.asciiLowercased }
        }
    }

    /// The bytes as text: what is not UTF-8 becomes U+FFFD.
    @inlinable package var text: String { String(decoding: Array(self), as: UTF8.self) }
}

extension String {
    /// No octet beyond ASCII.
    package var isASCII: Bool { utf8.allSatisfy { $0 < 0x80 } }

    /// The text with `A`–`Z` turned to `a`–`z`; other scripts stay as they are (protocol keywords, domains).
    package var asciiLowercased: String {
        String(decoding: utf8.map(\.asciiLowercased), as: UTF8.self)
    }

    /// True when both are equal, the case of ASCII letters aside.
    package func equalsIgnoringCase(_ other: some StringProtocol) -> Bool {
        utf8.elementsEqual(other.utf8) { $0.asciiLowercased == $1.asciiLowercased }
    }
}
