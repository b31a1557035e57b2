import Bytes
import Unix

/// What a regular expression can match, as far as it can be told without matching: a tree that allows more than the
/// expression does, never less. What looks around or asserts a place stands for nothing, lower and upper case are one
/// from the first `i` flag on.
indirect enum PatternTree {
    /// One byte of a set.
    case byte(ByteSet)
    case sequence([PatternTree])
    case alternatives([PatternTree])
    /// `most` is nil without a bound.
    case repeated(PatternTree, least: Int, most: Int?)
    case nothing
    /// Any text, the empty one too.
    case anything

    /// Nil when the pattern is not understood.
    init?(_ pattern: [UInt8], _ options: PerlRegex.Options) {
        var parser = Parser(
            bytes: pattern, isExtended: options.contains(.extended), isCaseless: options.contains(.caseless))
        guard let tree = parser.alternatives(0), parser.place == pattern.count else { return nil }
        self = tree
    }

    /// Every byte that may stand in what it matches.
    var allBytes: ByteSet {
        switch self {
        case .byte(let set): set
        case .sequence(let parts), .alternatives(let parts): parts.reduce(.none) { $0.union($1.allBytes) }
        case .repeated(let part, _, let most): most == 0 ? .none : part.allBytes
        case .nothing: .none
        case .anything: .all
        }
    }

    /// Reads a pattern; each function gives nil when something is not understood.
    private struct Parser {
        let bytes: [UInt8]
        var isExtended: Bool
        var isCaseless: Bool
        var place = 0
        /// What subroutines of `(?(DEFINE)...)` match.
        var subroutines: [[UInt8]: (tree: PatternTree, size: Int)] = [:]
        /// How many atoms were read, those of subroutines with each call.
        private var size = 0

        private static let deepest = 60
        /// What is larger, as by subroutines that call each other, is not understood.
        private static let largest = 131_072

        init(bytes: [UInt8], isExtended: Bool, isCaseless: Bool) {
            self.bytes = bytes
            self.isExtended = isExtended
            self.isCaseless = isCaseless
        }

        private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

        private func one(_ set: ByteSet) -> PatternTree { .byte(isCaseless ? set.caseless : set) }

        mutating func alternatives(_ depth: Int) -> PatternTree? {
            guard depth < Parser.deepest, let first = sequence(depth) else { return nil }
            var all = [first]
            while next == UInt8(ascii: "|") {
                place += 1
                guard let other = sequence(depth) else { return nil }
                all.append(other)
            }
            return all.count == 1 ? first : .alternatives(all)
        }

        private mutating func sequence(_ depth: Int) -> PatternTree? {
            var parts: [PatternTree] = []
            while let byte = next, byte != UInt8(ascii: "|"), byte != ASCII.closeParenthesis {
                if isExtended, skipsExtended() { continue }
                guard let atom = atom(depth) else { return nil }
                if isExtended { while skipsExtended() {} }
                guard let (least, most) = quantifier() else { return nil }
                if case .nothing = atom { continue }
                parts.append(least == 1 && most == 1 ? atom : .repeated(atom, least: least, most: most))
            }
            return parts.count == 1 ? parts[0] : parts.isEmpty ? .nothing : .sequence(parts)
        }

        private mutating func skipsExtended() -> Bool {
            guard let byte = next else { return false }
            if byte.isMailWhitespace {
                place += 1
                return true
            }
            guard byte == UInt8(ascii: "#") else { return false }
            while let byte = next, byte != ASCII.lf { place += 1 }
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
                guard let (least, most, end) = bounds() else { return isDoubtfulBound ? nil : (1, 1) }
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
            func number(_ digits: ArraySlice<UInt8>) -> Int? {
                digits.allSatisfy(\.isASCIIDigit) ? Int(digits.text) : nil
            }
            guard let first = parts.first, parts.count <= 2, let least = number(first) else { return nil }
            if parts.count == 1 { return (least, least, close + 1) }
            if parts[1].isEmpty { return (least, nil, close + 1) }
            guard let most = number(parts[1]) else { return nil }
            return (least, most, close + 1)
        }

        /// `{,3}` and `{1, 3}`: text for some versions of PCRE2, a bound for others.
        private var isDoubtfulBound: Bool {
            guard let close = bytes[place...].firstIndex(of: UInt8(ascii: "}")) else { return false }
            let inner = bytes[(place + 1)..<close]
            return inner.contains(where: \.isASCIIDigit)
                && inner.allSatisfy { $0.isASCIIDigit || $0 == ASCII.comma || $0.isMailWhitespace }
        }

        private mutating func atom(_ depth: Int) -> PatternTree? {
            size += 1
            guard size <= Parser.largest, let byte = next else { return nil }
            place += 1
            switch byte {
            case ASCII.asterisk, ASCII.plus, ASCII.question: return nil
            case ASCII.openParenthesis: return group(depth)
            case ASCII.openBracket: return BracketClass.read(bytes, &place).map(one)
            case ASCII.backslash: return escape()
            case UInt8(ascii: "^"), UInt8(ascii: "$"): return .nothing
            case ASCII.dot: return .byte(.all)
            default: return one(ByteSet([byte]))
            }
        }

        private mutating func group(_ depth: Int) -> PatternTree? {
            let wasExtended = isExtended
            let before = size
            var isZeroWidth = false
            var name: [UInt8]?
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
                        name = Array(bytes[place..<end])
                        place = end + 1
                    }
                case UInt8(ascii: "#"):
                    guard let end = bytes[place...].firstIndex(of: ASCII.closeParenthesis) else { return nil }
                    place = end + 1
                    return .nothing
                case ASCII.openParenthesis:
                    let opening = Array("DEFINE)".utf8)
                    guard bytes[place...].starts(with: opening) else { return nil }
                    place += opening.count
                    // What is defined matches nothing by itself.
                    isZeroWidth = true
                case UInt8(ascii: "&"):
                    guard let end = bytes[place...].firstIndex(of: ASCII.closeParenthesis) else { return nil }
                    let called = Array(bytes[place..<end])
                    place = end + 1
                    guard let subroutine = subroutines[called] else { return .anything }
                    size += subroutine.size
                    return subroutine.tree
                default:
                    place -= 1
                    guard readFlags() else { return nil }
                    if next == ASCII.closeParenthesis {
                        place += 1
                        return .nothing
                    }
                    guard next == ASCII.colon else { return nil }
                    place += 1
                }
            }
            guard let inner = alternatives(depth + 1), next == ASCII.closeParenthesis else { return nil }
            isExtended = wasExtended
            place += 1
            if let name { subroutines[name] = (inner, size - before) }
            return isZeroWidth ? .nothing : inner
        }

        private mutating func readFlags() -> Bool {
            var isOff = false
            while let byte = next, byte.isASCIILetter || byte == ASCII.dash || byte == UInt8(ascii: "^") {
                switch byte {
                case ASCII.dash: isOff = true
                case UInt8(ascii: "^"): isExtended = false
                case UInt8(ascii: "x"): isExtended = !isOff
                case UInt8(ascii: "i"): if !isOff { isCaseless = true }
                case UInt8(ascii: "m"), UInt8(ascii: "s"), UInt8(ascii: "n"): break
                // `(?R)` and others that are no flags.
                default: return false
                }
                place += 1
            }
            return true
        }

        private mutating func escape() -> PatternTree? {
            guard let byte = next else { return nil }
            if let set = BracketClass.named(byte) {
                place += 1
                return .byte(set)
            }
            switch byte {
            case UInt8(ascii: "b"), UInt8(ascii: "B"), UInt8(ascii: "A"), UInt8(ascii: "z"), UInt8(ascii: "Z"),
                UInt8(ascii: "G"):
                place += 1
                return .nothing
            case UInt8(ascii: "R"), UInt8(ascii: "X"):
                place += 1
                return .anything
            case UInt8(ascii: "1")...UInt8(ascii: "9"):
                while let digit = next, digit.isASCIIDigit { place += 1 }
                return .anything
            default: return BracketClass.escaped(bytes, &place).map { one(ByteSet([$0])) }
            }
        }
    }
}
