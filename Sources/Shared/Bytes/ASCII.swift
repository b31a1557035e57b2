/// The ASCII characters that mail formats and protocols are made of, as bytes.
package enum ASCII {
    package static let nul: UInt8 = 0x00
    package static let tab: UInt8 = 0x09
    package static let lf: UInt8 = 0x0A
    package static let cr: UInt8 = 0x0D
    package static let escape: UInt8 = 0x1B
    package static let space: UInt8 = 0x20
    package static let quote: UInt8 = 0x22
    package static let percent: UInt8 = 0x25
    package static let apostrophe: UInt8 = 0x27
    package static let openParenthesis: UInt8 = 0x28
    package static let closeParenthesis: UInt8 = 0x29
    package static let asterisk: UInt8 = 0x2A
    package static let plus: UInt8 = 0x2B
    package static let comma: UInt8 = 0x2C
    package static let dash: UInt8 = 0x2D
    package static let dot: UInt8 = 0x2E
    package static let slash: UInt8 = 0x2F
    package static let zero: UInt8 = 0x30
    package static let nine: UInt8 = 0x39
    package static let colon: UInt8 = 0x3A
    package static let semicolon: UInt8 = 0x3B
    package static let less: UInt8 = 0x3C
    package static let equals: UInt8 = 0x3D
    package static let greater: UInt8 = 0x3E
    package static let question: UInt8 = 0x3F
    package static let at: UInt8 = 0x40
    package static let openBracket: UInt8 = 0x5B
    package static let backslash: UInt8 = 0x5C
    package static let closeBracket: UInt8 = 0x5D
    package static let underscore: UInt8 = 0x5F
    package static let delete: UInt8 = 0x7F
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
    /// The text with `A`–`Z` turned to `a`–`z`; other scripts stay as they are (protocol keywords, domains).
    package var asciiLowercased: String {
        String(decoding: utf8.map(\.asciiLowercased), as: UTF8.self)
    }

    /// True when both are equal, the case of ASCII letters aside.
    package func equalsIgnoringCase(_ other: some StringProtocol) -> Bool {
        utf8.elementsEqual(other.utf8) { $0.asciiLowercased == $1.asciiLowercased }
    }
}
