import Bytes

/// Text with macros (RFC 7208 7.1): a domain-spec, the value of a modifier, or an explanation.
package struct SPFMacroString: Equatable, Sendable {
    enum Piece: Equatable, Sendable {
        case literal([UInt8])
        case macro(SPFMacro)
    }

    let pieces: [Piece]

    /// Where the text stands, which decides on what it may hold.
    enum Place {
        /// A domain: ends with a top label or a macro, and has no macros of explanations.
        case domain
        /// The value of a modifier that is not known.
        case modifier
        /// The text behind `exp`: with spaces and all macros.
        case explanation
    }

    init(_ text: ArraySlice<UInt8>, _ place: Place) throws(SPFSyntaxError) {
        var pieces: [Piece] = []
        var literal: [UInt8] = []
        var endsWithMacro = false
        var index = text.startIndex
        while index < text.endIndex {
            let byte = text[index]
            index += 1
            guard byte == ASCII.percent else {
                let isVisible = byte > ASCII.space && byte < ASCII.delete
                guard isVisible || (place == .explanation && byte == ASCII.space) else {
                    throw SPFSyntaxError(text, "holds a character outside of ASCII, or a control character")
                }
                literal.append(byte)
                endsWithMacro = false
                continue
            }
            guard index < text.endIndex else { throw SPFSyntaxError(text, "ends with %") }
            let kind = text[index]
            index += 1
            endsWithMacro = true
            switch kind {
            case ASCII.percent: literal.append(ASCII.percent)
            case ASCII.underscore: literal.append(ASCII.space)
            case ASCII.dash: literal += Array("%20".utf8)
            case UInt8(ascii: "{"):
                if !literal.isEmpty { pieces.append(.literal(literal)) }
                literal = []
                pieces.append(.macro(try SPFMacro(text, &index, allowsExplanationLetters: place != .domain)))
            default: throw SPFSyntaxError(text, "% is followed by none of { % _ -")
            }
        }
        if !literal.isEmpty { pieces.append(.literal(literal)) }
        if place == .domain, !endsWithMacro {
            guard case .literal(let end)? = pieces.last, SPFMacroString.endsWithTopLabel(end) else {
                throw SPFSyntaxError(text, "is not a domain")
            }
        }
        self.pieces = pieces
    }

    /// `"." toplabel [ "." ]` (RFC 7208 7.1): a top label is not all digits and has no dash at its ends.
    private static func endsWithTopLabel(_ text: [UInt8]) -> Bool {
        let text = text.last == ASCII.dot ? text.dropLast() : text[...]
        guard let dot = text.lastIndex(of: ASCII.dot) else { return false }
        let label = text[(dot + 1)...]
        guard let first = label.first, let last = label.last, first != ASCII.dash, last != ASCII.dash else {
            return false
        }
        return label.allSatisfy { $0.isASCIIAlphanumeric || $0 == ASCII.dash } && !label.allSatisfy(\.isASCIIDigit)
    }

    /// Whether expanding it needs the validated name of the client, which costs queries.
    var usesValidatedName: Bool {
        pieces.contains { if case .macro(let macro) = $0 { macro.letter == UInt8(ascii: "p") } else { false } }
    }

    /// Whether its text depends on the message: it has macros other than `%{d}`, `%{o}` of the policy's own domain.
    var hasMacros: Bool {
        pieces.contains { if case .macro = $0 { true } else { false } }
    }

    func expanded(_ values: SPFMacroValues) -> [UInt8] {
        var result: [UInt8] = []
        for piece in pieces {
            switch piece {
            case .literal(let bytes): result += bytes
            case .macro(let macro): macro.expand(values, into: &result)
            }
        }
        return result
    }
}

/// One `%{...}`.
struct SPFMacro: Equatable, Sendable {
    /// In lower case.
    let letter: UInt8
    /// Written in upper case: the value is escaped as in a URL.
    let isEscaped: Bool
    /// How many parts of the right are kept; nil for all.
    let count: Int?
    let isReversed: Bool
    /// Where the value is divided; a dot when none are given.
    let delimiters: [UInt8]

    /// Reads what follows `%{`; `index` is left after the closing brace.
    init(_ text: ArraySlice<UInt8>, _ index: inout Int, allowsExplanationLetters: Bool) throws(SPFSyntaxError) {
        func next() -> UInt8? { index < text.endIndex ? text[index] : nil }
        guard let first = next() else { throw SPFSyntaxError(text, "a macro has no end") }
        letter = first.asciiLowercased
        isEscaped = first != letter
        let letters = allowsExplanationLetters ? Array("slodiphvcrt".utf8) : Array("slodiphv".utf8)
        guard letters.contains(letter) else { throw SPFSyntaxError(text, "there is no such macro") }
        index += 1
        var count: Int?
        while let digit = next(), digit.isASCIIDigit {
            // No value has more than 127 parts of use.
            count = min(1_000, (count ?? 0) * 10 + Int(digit &- ASCII.zero))
            index += 1
        }
        guard count != 0 else { throw SPFSyntaxError(text, "a macro keeps no part") }
        self.count = count
        isReversed = next()?.asciiLowercased == UInt8(ascii: "r")
        if isReversed { index += 1 }
        var delimiters: [UInt8] = []
        while let byte = next(), SPFMacro.allDelimiters.contains(byte) {
            delimiters.append(byte)
            index += 1
        }
        self.delimiters = delimiters.isEmpty ? [ASCII.dot] : delimiters
        guard next() == UInt8(ascii: "}") else { throw SPFSyntaxError(text, "a macro is not understood") }
        index += 1
    }

    private static let allDelimiters = Array(".-+,/_=".utf8)

    func expand(_ values: SPFMacroValues, into result: inout [UInt8]) {
        let value = values.value(of: letter)
        var parts = value.split(omittingEmptySubsequences: false) { delimiters.contains($0) }[...]
        if count != nil || isReversed || delimiters != [ASCII.dot] {
            if isReversed { parts = Array(parts.reversed())[...] }
            if let count { parts = parts.suffix(count) }
            append(Array(parts.joined(separator: [ASCII.dot])), to: &result)
        } else {
            append(value, to: &result)
        }
    }

    private func append(_ value: [UInt8], to result: inout [UInt8]) {
        guard isEscaped else {
            result += value
            return
        }
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in value {
            if byte.isASCIIAlphanumeric || [ASCII.dash, ASCII.dot, ASCII.underscore, UInt8(ascii: "~")].contains(byte) {
                result.append(byte)
            } else {
                result += [ASCII.percent, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
    }
}

/// What the letters of macros stand for (RFC 7208 7.2).
struct SPFMacroValues: Sendable {
    var localPart: [UInt8]
    /// The domain of the sender.
    var senderDomain: [UInt8]
    /// The domain whose record is read.
    var domain: [UInt8]
    /// The client's address in dotted form: for IPv6 a digit a part.
    var dottedAddress: [UInt8]
    /// The client's address as people read it.
    var address: [UInt8]
    var isIPv6: Bool
    var helo: [UInt8]
    /// The client's name, validated; `unknown` when there is none.
    var validatedName: [UInt8] = Array("unknown".utf8)
    /// The name of the host that checks.
    var receiver: [UInt8]
    /// Seconds since 1970.
    var time: Int

    func value(of letter: UInt8) -> [UInt8] {
        switch letter {
        case UInt8(ascii: "s"): localPart + [ASCII.at] + senderDomain
        case UInt8(ascii: "l"): localPart
        case UInt8(ascii: "o"): senderDomain
        case UInt8(ascii: "d"): domain
        case UInt8(ascii: "i"): dottedAddress
        case UInt8(ascii: "p"): validatedName
        case UInt8(ascii: "v"): Array((isIPv6 ? "ip6" : "in-addr").utf8)
        case UInt8(ascii: "h"): helo
        case UInt8(ascii: "c"): address
        case UInt8(ascii: "r"): receiver
        default: Array(String(time).utf8)
        }
    }
}
