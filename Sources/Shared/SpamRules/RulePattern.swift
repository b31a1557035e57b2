import Bytes
import Unix

/// A regular expression as a rule writes it: Perl's, over bytes.
package struct RulePattern: Equatable, Sendable {
    package typealias Options = PerlRegex.Options

    package internal(set) var text: [UInt8]
    package let options: PerlRegex.Options

    /// Reads `/.../flags`, `m{...}flags` or `qr!...!flags`; a phrase when it is none.
    init(_ bytes: ArraySlice<UInt8>) throws(RuleSyntaxError) {
        var rest = RuleLine.trimmed(bytes)[...]
        if rest.first != ASCII.slash {
            let prefix = rest.starts(with: Array("qr".utf8)) ? 2 : rest.first == UInt8(ascii: "m") ? 1 : 0
            guard prefix > 0 else { throw RuleSyntaxError("no regular expression: write it as /.../ or m{...}") }
            rest = rest.dropFirst(prefix)
        }
        guard let open = rest.first, !open.isASCIIAlphanumeric, open != ASCII.underscore, open != ASCII.backslash else {
            throw RuleSyntaxError("the regular expression has no delimiter")
        }
        let close = RulePattern.closer(of: open)
        guard let end = rest.dropFirst().lastIndex(of: close) else {
            throw RuleSyntaxError("the regular expression has no end")
        }
        var options: PerlRegex.Options = []
        for flag in rest[(end + 1)...] {
            switch flag {
            case UInt8(ascii: "i"): options.insert(.caseless)
            case UInt8(ascii: "m"): options.insert(.multiline)
            case UInt8(ascii: "s"): options.insert(.dotMatchesLineEnd)
            case UInt8(ascii: "x"): options.insert(.extended)
            // Of no meaning for a single look: global, once, and which characters count as letters.
            case UInt8(ascii: "g"), UInt8(ascii: "o"), UInt8(ascii: "c"), UInt8(ascii: "a"), UInt8(ascii: "u"),
                UInt8(ascii: "n"), UInt8(ascii: "p"):
                break
            default: throw RuleSyntaxError("the regular expression has an unknown flag: \([flag].text)")
            }
        }
        text = Array(rest[(rest.startIndex + 1)..<end])
        self.options = options
    }

    static func closer(of open: UInt8) -> UInt8 {
        switch open {
        case UInt8(ascii: "{"): UInt8(ascii: "}")
        case ASCII.openParenthesis: ASCII.closeParenthesis
        case ASCII.less: ASCII.greater
        case ASCII.openBracket: ASCII.closeBracket
        default: open
        }
    }
}

/// Why a line of a rule file is not understood: a phrase.
struct RuleSyntaxError: Error, Equatable {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}
