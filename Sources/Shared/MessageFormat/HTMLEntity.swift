import Bytes

/// Character references of HTML.
package enum HTMLEntity {
    /// The reference at the `&` at `place`, as UTF-8, and where it ends; an `&` that begins none stands for itself. A name
    /// without its semicolon counts; in an attribute only when nothing follows that makes it part of an address.
    package static func read(
        _ html: Span<UInt8>, at place: Int, inAttribute: Bool = false
    ) -> (text: [UInt8], end: Int) {
        let literal = ([UInt8(ascii: "&")], place + 1)
        guard place + 1 < html.count else { return literal }
        if html[place + 1] == UInt8(ascii: "#") { return number(html, at: place) ?? literal }
        var end = place + 1
        while end < html.count, end - place <= longestName, html[end].isASCIIAlphanumeric { end += 1 }
        let isTerminated = end < html.count && html[end] == ASCII.semicolon
        if let text = named[html.array((place + 1)..<end).text] {
            if inAttribute, !isTerminated, end < html.count, html[end] == ASCII.equals { return literal }
            return (Array(text.utf8), isTerminated ? end + 1 : end)
        }
        if inAttribute { return literal }
        // The oldest names need no end at all: `&copy2004`.
        for length in stride(from: min(6, end - place - 2), through: 2, by: -1) {
            let name = html.array((place + 1)..<(place + 1 + length)).text
            if oldest.contains(name), let text = named[name] { return (Array(text.utf8), place + 1 + length) }
        }
        return literal
    }

    private static let longestName = 10

    static func resolve(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.contains(UInt8(ascii: "&")) else { return bytes }
        let span = bytes.span
        var result: [UInt8] = []
        var place = 0
        while place < bytes.count {
            if bytes[place] == UInt8(ascii: "&") {
                let entity = read(span, at: place, inAttribute: true)
                result += entity.text
                place = entity.end
            } else {
                result.append(bytes[place])
                place += 1
            }
        }
        return result
    }

    private static func number(_ html: Span<UInt8>, at place: Int) -> (text: [UInt8], end: Int)? {
        var end = place + 2
        var value: UInt32 = 0
        let isHexadecimal = end < html.count && html[end] | 0x20 == UInt8(ascii: "x")
        if isHexadecimal { end += 1 }
        let first = end
        while end < html.count {
            let digit: UInt32
            if isHexadecimal, let value = html[end].hexadecimalValue {
                digit = UInt32(value)
            } else if !isHexadecimal, html[end].isASCIIDigit {
                digit = UInt32(html[end] - ASCII.zero)
            } else {
                break
            }
            value = min(value &* (isHexadecimal ? 16 : 10) &+ digit, 0x110000)
            end += 1
        }
        guard end > first else { return nil }
        if end < html.count, html[end] == ASCII.semicolon { end += 1 }
        return (Array(character(value).utf8), end)
    }

    private static func character(_ value: UInt32) -> String {
        if value == 0xA0 { return " " }
        if 0x80...0x9F ~= value, let scalar = windows1252[Int(value) - 0x80] { return String(scalar) }
        guard value != 0, let scalar = Unicode.Scalar(value) else { return "\u{FFFD}" }
        return String(scalar)
    }

    /// What 0x80 to 0x9F stand for, as browsers read them.
    private static let windows1252: [Unicode.Scalar?] = [
        "\u{20AC}", nil, "\u{201A}", "\u{192}", "\u{201E}", "\u{2026}", "\u{2020}", "\u{2021}", "\u{2C6}", "\u{2030}",
        "\u{160}", "\u{2039}", "\u{152}", nil, "\u{17D}", nil, nil, "\u{2018}", "\u{2019}", "\u{201C}", "\u{201D}",
        "\u{2022}", "\u{2013}", "\u{2014}", "\u{2DC}", "\u{2122}", "\u{161}", "\u{203A}", "\u{153}", nil, "\u{17E}",
        "\u{178}",
    ]

    /// The names of the characters from 0xA1 on.
    private static let latin = """
        iexcl cent pound curren yen brvbar sect uml copy ordf laquo not - reg macr deg plusmn sup2 sup3 acute micro \
        para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig \
        Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times \
        Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave \
        eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave \
        uacute ucirc uuml yacute thorn yuml
        """

    private static let oldest: Set<String> = {
        var names: Set<String> = ["amp", "AMP", "lt", "LT", "gt", "GT", "quot", "QUOT", "nbsp", "shy", "COPY", "REG"]
        for name in latin.split(separator: " ") { names.insert(String(name)) }
        return names
    }()

    /// The names of HTML 4 and those that mail uses.
    private static let named: [String: String] = {
        var table = [
            "amp": "&", "AMP": "&", "lt": "<", "LT": "<", "gt": ">", "GT": ">", "quot": "\"", "QUOT": "\"", "apos": "'",
            "nbsp": " ", "shy": "", "zwnj": "", "zwj": "", "ensp": " ", "emsp": " ", "thinsp": " ", "euro": "€",
            "hellip": "…", "mdash": "—", "ndash": "–", "lsquo": "‘", "rsquo": "’", "ldquo": "“", "rdquo": "”",
            "sbquo": "‚", "bdquo": "„", "lsaquo": "‹", "rsaquo": "›", "bull": "•", "trade": "™", "dagger": "†",
            "Dagger": "‡", "permil": "‰", "fnof": "ƒ", "OElig": "Œ", "oelig": "œ", "Scaron": "Š", "scaron": "š",
            "Yuml": "Ÿ", "circ": "ˆ", "tilde": "˜", "larr": "←", "uarr": "↑", "rarr": "→", "darr": "↓", "harr": "↔",
            "infin": "∞", "ne": "≠", "le": "≤", "ge": "≥", "minus": "−", "asymp": "≈", "radic": "√", "sum": "∑",
            "hearts": "♥", "spades": "♠", "clubs": "♣", "diams": "♦", "check": "✓", "alpha": "α", "beta": "β",
            "gamma": "γ", "delta": "δ", "epsilon": "ε", "lambda": "λ", "mu": "μ", "pi": "π", "sigma": "σ", "omega": "ω",
            "Delta": "Δ", "Sigma": "Σ", "Omega": "Ω", "NewLine": "\n", "Tab": "\t", "commat": "@", "num": "#",
            "lrm": "", "rlm": "", "COPY": "©", "REG": "®",
        ]
        // The rest of HTML 4.
        let others = """
            Alpha Α Beta Β Gamma Γ Epsilon Ε Zeta Ζ Eta Η Theta Θ Iota Ι Kappa Κ Lambda Λ Mu Μ Nu Ν Xi Ξ \
            Omicron Ο Pi Π Rho Ρ Tau Τ Upsilon Υ Phi Φ Chi Χ Psi Ψ zeta ζ eta η theta θ iota ι kappa κ nu ν \
            xi ξ omicron ο rho ρ sigmaf ς tau τ upsilon υ phi φ chi χ psi ψ thetasym ϑ upsih ϒ piv ϖ prime ′ \
            Prime ″ oline ‾ frasl ⁄ image ℑ weierp ℘ real ℜ alefsym ℵ crarr ↵ lArr ⇐ uArr ⇑ rArr ⇒ dArr ⇓ \
            hArr ⇔ forall ∀ part ∂ exist ∃ empty ∅ nabla ∇ isin ∈ notin ∉ ni ∋ prod ∏ lowast ∗ prop ∝ ang ∠ \
            and ∧ or ∨ cap ∩ cup ∪ int ∫ there4 ∴ sim ∼ cong ≅ equiv ≡ sub ⊂ sup ⊃ nsub ⊄ sube ⊆ supe ⊇ oplus ⊕ \
            otimes ⊗ perp ⊥ sdot ⋅ lceil ⌈ rceil ⌉ lfloor ⌊ rfloor ⌋ lang 〈 rang 〉 loz ◊
            """
        let words = others.split(separator: " ")
        for index in stride(from: 0, to: words.count - 1, by: 2) {
            table[String(words[index])] = String(words[index + 1])
        }
        for (index, name) in latin.split(separator: " ").enumerated() where name != "-" {
            guard let scalar = Unicode.Scalar(UInt32(0xA1 + index)) else { continue }
            table[String(name)] = String(scalar)
        }
        return table
    }()
}

/// Text cut without breaking a character.
package enum UTF8Cut {
    /// The longest beginning of `bytes` with at most `limit` bytes that ends between two characters.
    package static func prefix(_ bytes: [UInt8], _ limit: Int) -> [UInt8] {
        guard bytes.count > limit else { return bytes }
        var end = max(0, limit)
        while end > 0, bytes[end] & 0xC0 == 0x80 { end -= 1 }
        return Array(bytes[..<end])
    }
}
