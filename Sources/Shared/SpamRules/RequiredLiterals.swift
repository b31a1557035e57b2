import Bytes
import Unix

/// The words of which a text must hold one for a regular expression to match it, in lower case; what makes thousands of
/// expressions fast, since most texts hold none of an expression's words.
///
/// Only what is sure is said: nil means that nothing is required, and the expression has to be tried.
struct RequiredLiterals {
    let words: Set<[UInt8]>
    /// In so many places one of them must begin.
    let times: Int

    /// A word shorter than this stands in nearly every text.
    static let shortest = 3
    private static let mostWords = 256
    /// Of texts that are spelled out to be joined with others.
    private static let mostTexts = 96
    private static let fewWords = 24
    private static let longest = 24
    /// A class of more bytes than this spells no words.
    private static let mostMembers = 6

    /// Nil when the pattern requires no word of some length.
    init?(_ tree: PatternTree) {
        guard let words = RequiredLiterals.need(of: tree).best else { return nil }
        self.words = words
        times = RequiredLiterals.repetitions(of: words, in: tree)
    }

    /// How often a piece is repeated that needs just these words: each copy needs one of its own.
    private static func repetitions(of words: Set<[UInt8]>, in tree: PatternTree) -> Int {
        switch tree {
        case .sequence(let parts): parts.map { repetitions(of: words, in: $0) }.max() ?? 1
        case .repeated(let part, let least, _) where least > 1 && need(of: part).best == words: least
        default: 1
        }
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
        guard let exact, !exact.isEmpty, exact.count <= mostTexts, weight(exact) >= shortest else { return nil }
        return exact
    }

    private static func need(of tree: PatternTree) -> Need {
        switch tree {
        case .byte(let set):
            guard set.count <= 2 * mostMembers else { return .anything }
            let members = Set(set.members.map { [$0.asciiLowercased] })
            return members.isEmpty || members.count > mostMembers ? .anything : Need(exact: members, best: nil)
        case .sequence(let parts): return need(ofAll: parts)
        case .alternatives(let parts): return need(ofOne: parts)
        case .repeated: return need(ofAll: [tree])
        case .nothing: return .nothing
        case .anything: return .anything
        }
    }

    private static func need(ofOne parts: [PatternTree]) -> Need {
        var all: Need?
        for part in parts {
            let other = need(of: part)
            guard let result = all else {
                all = other
                continue
            }
            var exact: Set<[UInt8]>?
            if let left = result.exact, let right = other.exact, left.count + right.count <= mostTexts {
                exact = left.union(right)
            }
            let leftBest = better(result.best, usable(result.exact))
            let rightBest = better(other.best, usable(other.exact))
            var best: Set<[UInt8]>?
            if let leftBest, let rightBest {
                let union = unspaced(leftBest).union(unspaced(rightBest))
                if union.count <= mostWords { best = union }
            }
            all = Need(exact: exact, best: best)
        }
        return all ?? .nothing
    }

    /// A set of many words that differ in white space, as the longest piece of each without it.
    private static func unspaced(_ words: Set<[UInt8]>) -> Set<[UInt8]> {
        guard words.count > fewWords else { return words }
        let pieces = words.map { word in
            word.split { $0 == ASCII.space || (9...13).contains($0) }.max { $0.count < $1.count }.map(Array.init) ?? []
        }
        return weight(Set(pieces)) >= shortest ? Set(pieces) : words
    }

    private static func need(ofAll parts: [PatternTree]) -> Need {
        var run: Set<[UInt8]> = [[]]
        var best: Set<[UInt8]>?
        var isExact = true
        for part in parts {
            var (atom, least, most): (PatternTree, Int, Int?) = (part, 1, 1)
            if case .repeated(let inner, let low, let high) = part { (atom, least, most) = (inner, low, high) }
            let need = need(of: atom)
            if least == 0 || need.exact == nil || most != 1 {
                // What may be missing, repeated or anything ends the run; one copy is sure when it must be there.
                if least > 0 {
                    if let exact = need.exact, let joined = join(run, exact) { run = joined }
                    best = better(best, need.best)
                }
                best = better(best, usable(run))
                run = [[]]
                isExact = false
                // The last copy of a repeated piece also begins the next run.
                if least > 0, let exact = need.exact, most != 1 { run = exact }
            } else if let exact = need.exact, let joined = join(run, exact) {
                best = better(best, need.best)
                run = joined
            } else {
                best = better(better(best, usable(run)), need.best)
                run = need.exact ?? [[]]
                isExact = false
            }
        }
        best = better(best, usable(run))
        return Need(exact: isExact ? run : nil, best: best)
    }

    /// Every text of one set followed by every one of the other; nil when they become too many or too long.
    private static func join(_ left: Set<[UInt8]>, _ right: Set<[UInt8]>) -> Set<[UInt8]>? {
        guard left.count * right.count <= mostTexts else { return nil }
        var result: Set<[UInt8]> = []
        for first in left {
            for second in right {
                guard first.count + second.count <= longest else { return nil }
                result.insert(first + second)
            }
        }
        return result
    }
}
