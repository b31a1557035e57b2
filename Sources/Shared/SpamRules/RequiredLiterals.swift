import Bytes
import Unix

/// The words of which a text must hold one for a regular expression to match it, in lower case; what makes thousands of
/// expressions fast, since most texts hold none of an expression's words.
///
/// Only what is sure is said: nil means that nothing is required, and the expression has to be tried.
struct RequiredLiterals {
    let words: Set<[UInt8]>

    /// A word shorter than this stands in nearly every text.
    static let shortest = 3
    private static let mostWords = 96
    private static let longest = 24
    /// A longer pattern spells out look-alikes of letters: it has no words, and is dear to read.
    private static let longestPattern = 2_000

    /// Nil when the pattern requires no word of some length, or is not understood.
    init?(_ pattern: [UInt8], _ options: PerlRegex.Options) {
        guard pattern.count <= RequiredLiterals.longestPattern else { return nil }
        var parser = Parser(bytes: pattern, isExtended: options.contains(.extended))
        guard let need = parser.alternatives(0), parser.place == pattern.count else { return nil }
        guard let words = need.best else { return nil }
        self.words = words
    }

    /// Whether what a pattern matches in a line it also matches where other lines stand before and after it: no anchors,
    /// no looking around, nothing that does not give back what it has taken. One look at all lines then tells that none
    /// of them matches.
    static func isJoinable(_ pattern: [UInt8]) -> Bool {
        var isClass = false
        var place = 0
        func byte(_ offset: Int) -> UInt8 { place + offset < pattern.count ? pattern[place + offset] : 0 }
        while place < pattern.count {
            switch pattern[place] {
            case ASCII.backslash:
                if !isClass, "AZzGKRX".utf8.contains(byte(1)) { return false }
                place += 1
            case ASCII.openBracket where !isClass:
                isClass = true
                if byte(1) == UInt8(ascii: "^") { place += 1 }
                if byte(1) == ASCII.closeBracket { place += 1 }
            case ASCII.closeBracket where isClass: isClass = false
            case UInt8(ascii: "^") where !isClass, UInt8(ascii: "$") where !isClass: return false
            case ASCII.openParenthesis where !isClass:
                if byte(1) == ASCII.asterisk { return false }
                if byte(1) == ASCII.question, !isPlainGroup(byte(2), byte(3)) { return false }
            case ASCII.plus where !isClass && place > 0:
                // Possessive: *+ ++ ?+ }+
                if [ASCII.asterisk, ASCII.plus, ASCII.question, UInt8(ascii: "}")].contains(pattern[place - 1]),
                    place < 2 || pattern[place - 2] != ASCII.backslash
                {
                    return false
                }
            default: break
            }
            place += 1
        }
        return true
    }

    /// `(?:`, `(?i`, `(?<name>`, `(?&name)`, `(?(DEFINE)`
    private static func isPlainGroup(_ first: UInt8, _ second: UInt8) -> Bool {
        switch first {
        case ASCII.colon, UInt8(ascii: "i"), UInt8(ascii: "s"), UInt8(ascii: "&"): true
        case ASCII.less: second.isASCIILetter
        case ASCII.openParenthesis: second == UInt8(ascii: "D")
        default: false
        }
    }

    /// What a piece of a pattern needs.
    private struct Need {
        /// All texts that the piece matches, as long as they are few; nil: too many.
        var exact: Set<[UInt8]>?
        /// Words of which one must be there; nil: none is known.
        var best: Set<[UInt8]>?

        static let nothing = Need(exact: [[]], best: nil)
        static let anything = Need(exact: nil, best: nil)
    }

    /// The better of two sets of words: the one whose shortest word is longer; of equals, the smaller one.
    private static func better(_ left: Set<[UInt8]>?, _ right: Set<[UInt8]>?) -> Set<[UInt8]>? {
        guard let left else { return right }
        guard let right else { return left }
        let (leftLength, rightLength) = (min(weight(left), 6), min(weight(right), 6))
        if leftLength != rightLength { return leftLength > rightLength ? left : right }
        return left.count <= right.count ? left : right
    }

    private static func weight(_ words: Set<[UInt8]>) -> Int {
        var least = Int.max
        for word in words where word.count < least { least = word.count }
        return words.isEmpty ? 0 : least
    }

    /// A set of texts as required words, when each of them is long enough.
    private static func usable(_ exact: Set<[UInt8]>?) -> Set<[UInt8]>? {
        guard let exact, !exact.isEmpty, exact.count <= mostWords, weight(exact) >= shortest else { return nil }
        return exact
    }

    /// Reads a pattern; each function gives nil when something is not understood.
    private struct Parser {
        let bytes: [UInt8]
        var isExtended: Bool
        var place = 0

        private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

        mutating func alternatives(_ depth: Int) -> Need? {
            guard depth < 40, var result = sequence(depth) else { return nil }
            while next == UInt8(ascii: "|") {
                place += 1
                guard let other = sequence(depth) else { return nil }
                var exact: Set<[UInt8]>?
                if let left = result.exact, let right = other.exact, left.count + right.count <= mostWords {
                    exact = left.union(right)
                }
                let leftBest = better(result.best, usable(result.exact))
                let rightBest = better(other.best, usable(other.exact))
                var best: Set<[UInt8]>?
                if let leftBest, let rightBest, leftBest.count + rightBest.count <= mostWords {
                    best = leftBest.union(rightBest)
                }
                result = Need(exact: exact, best: best)
            }
            return result
        }

        private mutating func sequence(_ depth: Int) -> Need? {
            var run: Set<[UInt8]> = [[]]
            var best: Set<[UInt8]>?
            var isExact = true
            while let byte = next, byte != UInt8(ascii: "|"), byte != ASCII.closeParenthesis {
                if isExtended, skipsExtended() { continue }
                guard let atom = atom(depth), let (least, most) = quantifier() else { return nil }
                if least == 0 || atom.exact == nil || most != 1 {
                    // What may be missing, repeated or anything ends the run; one copy is sure when it must be there.
                    if least > 0 {
                        if let exact = atom.exact, let joined = join(run, exact) { run = joined }
                        best = better(best, atom.best)
                    }
                    best = better(best, usable(run))
                    run = [[]]
                    isExact = false
                    // The last copy of a repeated piece also begins the next run.
                    if least > 0, let exact = atom.exact, most != 1 { run = exact }
                } else if let exact = atom.exact, let joined = join(run, exact) {
                    best = better(best, atom.best)
                    run = joined
                } else {
                    best = better(better(best, usable(run)), atom.best)
                    run = atom.exact ?? [[]]
                    isExact = false
                }
            }
            best = better(best, usable(run))
            return Need(exact: isExact ? run : nil, best: best)
        }

        /// Every text of one set followed by every one of the other; nil when they become too many or too long.
        private func join(_ left: Set<[UInt8]>, _ right: Set<[UInt8]>) -> Set<[UInt8]>? {
            guard left.count * right.count <= mostWords else { return nil }
            var result: Set<[UInt8]> = []
            for first in left {
                for second in right {
                    guard first.count + second.count <= longest else { return nil }
                    result.insert(first + second)
                }
            }
            return result
        }

        private mutating func skipsExtended() -> Bool {
            guard let byte = next else { return false }
            if byte.isMailWhitespace {
                place += 1
                return true
            }
            guard byte == UInt8(ascii: "#") else { return false }
            while let byte = next, byte != ASCII.lf { place += 1; _ = byte }
            return true
        }

        /// How often the piece before it must and may stand there.
        private mutating func quantifier() -> (least: Int, most: Int?)? {
            var result: (Int, Int?) = (1, 1)
            switch next {
            case UInt8(ascii: "?"): result = (0, 1)
            case ASCII.asterisk: result = (0, nil)
            case ASCII.plus: result = (1, nil)
            case UInt8(ascii: "{"):
                guard let (least, most, end) = bounds() else { return (1, 1) }
                place = end - 1
                result = (least, most)
            default: return (1, 1)
            }
            place += 1
            // Lazy and possessive forms match no other texts.
            if next == UInt8(ascii: "?") || next == ASCII.plus { place += 1 }
            return result
        }

        /// `{2}`, `{2,}`, `{2,5}` at the current place.
        private func bounds() -> (least: Int, most: Int?, end: Int)? {
            guard let close = bytes[place...].firstIndex(of: UInt8(ascii: "}")) else { return nil }
            let parts = bytes[(place + 1)..<close].split(separator: ASCII.comma, omittingEmptySubsequences: false)
            guard let first = parts.first, parts.count <= 2, let least = Int(first.text) else { return nil }
            if parts.count == 1 { return (least, least, close + 1) }
            if parts[1].isEmpty { return (least, nil, close + 1) }
            guard let most = Int(parts[1].text) else { return nil }
            return (least, most, close + 1)
        }

        private mutating func atom(_ depth: Int) -> Need? {
            guard let byte = next else { return nil }
            place += 1
            switch byte {
            case ASCII.openParenthesis: return group(depth)
            case ASCII.openBracket: return bracket()
            case ASCII.backslash: return escape()
            case UInt8(ascii: "^"), UInt8(ascii: "$"): return .nothing
            case ASCII.dot: return .anything
            default: return Need(exact: [[byte.asciiLowercased]], best: nil)
            }
        }

        private mutating func group(_ depth: Int) -> Need? {
            var isZeroWidth = false
            if next == ASCII.asterisk { return nil }
            if next == ASCII.question {
                place += 1
                guard let kind = next else { return nil }
                place += 1
                switch kind {
                case ASCII.colon, ASCII.greater: break
                case ASCII.equals, UInt8(ascii: "!"): isZeroWidth = true
                case ASCII.less, UInt8(ascii: "P"):
                    if kind == UInt8(ascii: "P") {
                        guard next == ASCII.less else { return nil }
                        place += 1
                    }
                    if kind == ASCII.less, next == ASCII.equals || next == UInt8(ascii: "!") {
                        place += 1
                        isZeroWidth = true
                    } else {
                        guard let end = bytes[place...].firstIndex(of: ASCII.greater) else { return nil }
                        place = end + 1
                    }
                case UInt8(ascii: "#"):
                    guard let end = bytes[place...].firstIndex(of: ASCII.closeParenthesis) else { return nil }
                    place = end + 1
                    return .nothing
                case ASCII.openParenthesis: return definitions()
                case UInt8(ascii: "&"):
                    guard let end = bytes[place...].firstIndex(of: ASCII.closeParenthesis) else { return nil }
                    place = end + 1
                    return .anything
                default:
                    place -= 1
                    guard flags() else { return nil }
                    if next == ASCII.closeParenthesis {
                        place += 1
                        return .nothing
                    }
                    guard next == ASCII.colon else { return nil }
                    place += 1
                }
            }
            let wasExtended = isExtended
            guard let inner = alternatives(depth + 1), next == ASCII.closeParenthesis else { return nil }
            isExtended = wasExtended
            place += 1
            return isZeroWidth ? .nothing : inner
        }

        /// `(?(DEFINE)...)`, which matches nothing by itself.
        private mutating func definitions() -> Need? {
            let opening = Array("DEFINE)".utf8)
            guard bytes[place...].starts(with: opening) else { return nil }
            place += opening.count
            var depth = 1
            var isClass = false
            while let byte = next {
                place += 1
                switch byte {
                case ASCII.backslash: place += 1
                case ASCII.openBracket where !isClass:
                    isClass = true
                    if next == ASCII.closeBracket { place += 1 }
                case ASCII.closeBracket where isClass: isClass = false
                case ASCII.openParenthesis where !isClass: depth += 1
                case ASCII.closeParenthesis where !isClass:
                    depth -= 1
                    if depth == 0 { return .nothing }
                default: break
                }
            }
            return nil
        }

        private mutating func flags() -> Bool {
            var isOff = false
            while let byte = next, byte.isASCIILetter || byte == ASCII.dash || byte == UInt8(ascii: "^") {
                if byte == ASCII.dash { isOff = true }
                if byte == UInt8(ascii: "x") { isExtended = !isOff }
                place += 1
            }
            return true
        }

        private mutating func bracket() -> Need? {
            guard let members = Class.read(bytes, &place) else { return nil }
            guard let members = members.few else { return .anything }
            return Need(exact: Set(members.map { [$0] }), best: nil)
        }

        private mutating func escape() -> Need? {
            guard let byte = next else { return nil }
            place += 1
            switch byte {
            case UInt8(ascii: "b"), UInt8(ascii: "B"), UInt8(ascii: "A"), UInt8(ascii: "z"), UInt8(ascii: "Z"),
                UInt8(ascii: "G"):
                return .nothing
            case UInt8(ascii: "d"), UInt8(ascii: "D"), UInt8(ascii: "w"), UInt8(ascii: "W"), UInt8(ascii: "s"),
                UInt8(ascii: "S"), UInt8(ascii: "h"), UInt8(ascii: "H"), UInt8(ascii: "v"), UInt8(ascii: "V"),
                UInt8(ascii: "N"), UInt8(ascii: "R"), UInt8(ascii: "X"), UInt8(ascii: "1")...UInt8(ascii: "9"):
                while let digit = next, byte.isASCIIDigit, digit.isASCIIDigit { place += 1 }
                return .anything
            default:
                place -= 1
                guard let literal = Class.escaped(bytes, &place) else { return nil }
                return Need(exact: [[literal.asciiLowercased]], best: nil)
            }
        }
    }

    /// The bytes of a class in brackets, lower-cased.
    private struct Class {
        /// The members, when they are few.
        let few: Set<UInt8>?

        /// Reads what follows `[`, with the closing bracket; nil when it is not understood.
        static func read(_ bytes: [UInt8], _ place: inout Int) -> Class? {
            var members: Set<UInt8> = []
            var isOpen = false
            var isNegated = false
            if place < bytes.count, bytes[place] == UInt8(ascii: "^") {
                isNegated = true
                place += 1
            }
            var isFirst = true
            while place < bytes.count {
                let byte = bytes[place]
                if byte == ASCII.closeBracket, !isFirst {
                    place += 1
                    return Class(few: isNegated || isOpen || members.count > 6 || members.isEmpty ? nil : members)
                }
                isFirst = false
                place += 1
                var low: UInt8? = byte
                if byte == ASCII.openBracket, place < bytes.count, bytes[place] == ASCII.colon {
                    guard let end = bytes[place...].firstIndex(of: ASCII.closeBracket) else { return nil }
                    place = end + 1
                    isOpen = true
                    continue
                }
                if byte == ASCII.backslash { low = member(bytes, &place, &isOpen) }
                guard place + 1 < bytes.count, bytes[place] == ASCII.dash, bytes[place + 1] != ASCII.closeBracket else {
                    if let low { members.insert(low.asciiLowercased) }
                    continue
                }
                place += 1
                var high: UInt8? = bytes[place]
                place += 1
                if high == ASCII.backslash { high = member(bytes, &place, &isOpen) }
                guard let low, let high, low <= high else {
                    isOpen = true
                    continue
                }
                for value in low...high { members.insert(value.asciiLowercased) }
            }
            return nil
        }

        /// A member after its backslash; one that stands for many opens the class.
        private static func member(_ bytes: [UInt8], _ place: inout Int, _ isOpen: inout Bool) -> UInt8? {
            guard place < bytes.count else { return nil }
            if bytes[place] == UInt8(ascii: "b") {
                place += 1
                return 8
            }
            if bytes[place].isASCIILetter, !"abcefnrtx".utf8.contains(bytes[place]) {
                place += 1
                isOpen = true
                return nil
            }
            let value = escaped(bytes, &place)
            if value == nil { isOpen = true }
            return value
        }

        /// The byte that an escape stands for; the place is behind the backslash. Nil when it is none.
        static func escaped(_ bytes: [UInt8], _ place: inout Int) -> UInt8? {
            guard place < bytes.count else { return nil }
            let byte = bytes[place]
            place += 1
            switch byte {
            case UInt8(ascii: "n"): return ASCII.lf
            case UInt8(ascii: "r"): return ASCII.cr
            case UInt8(ascii: "t"): return ASCII.tab
            case UInt8(ascii: "f"): return 12
            case UInt8(ascii: "a"): return 7
            case UInt8(ascii: "e"): return ASCII.escape
            case UInt8(ascii: "x"):
                var value: UInt8 = 0
                var digits = 0
                while digits < 2, place < bytes.count, let digit = bytes[place].hexadecimalValue {
                    value = value << 4 | digit
                    place += 1
                    digits += 1
                }
                return place < bytes.count && digits == 0 && bytes[place] == UInt8(ascii: "{") ? nil : value
            case ASCII.zero:
                var value = 0
                var digits = 0
                while digits < 2, place < bytes.count, (ASCII.zero...UInt8(ascii: "7")).contains(bytes[place]) {
                    value = value << 3 | Int(bytes[place] - ASCII.zero)
                    place += 1
                    digits += 1
                }
                return UInt8(value)
            default: return byte.isASCIIAlphanumeric ? nil : byte
            }
        }
    }
}
