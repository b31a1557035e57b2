import Bytes

/// The tags that stand for a letter's look-alikes in rules that `replace_rules` names: `<A>`, `<inter W2>`, `<post P3>`.
struct ReplaceTags: Sendable {
    var tags: [String: [UInt8]] = [:]
    var before: [String: [UInt8]] = [:]
    var after: [String: [UInt8]] = [:]
    var between: [String: [UInt8]] = [:]
    var rules: Set<String> = []

    /// More than this is refused.
    private static let largest = 1 << 17

    /// The pattern with its tags replaced. Tags may hold tags, five levels deep.
    ///
    /// - Parameter asSubroutines: tags are called as subroutines in place of being written out: slower, but the compiled
    ///   code stays small.
    func expanded(_ pattern: [UInt8], asSubroutines: Bool) -> [UInt8] {
        var text = pattern
        var definitions: [String: [UInt8]] = [:]
        for _ in 0..<6 {
            let pieces = ReplaceTags.pieces(&text, of: self)
            var result: [UInt8] = []
            var isNested = false
            for piece in pieces {
                // A class without an end: never a piece in place of the whole.
                if result.count > ReplaceTags.largest { return result + [ASCII.openBracket, ASCII.openBracket] }
                guard let name = tag(piece), let replacement = tags[name] else {
                    result += piece
                    continue
                }
                if hasInner(replacement) { isNested = true }
                if !asSubroutines || replacement.count < 40 || hasInner(replacement) || !ReplaceTags.isGroupName(name) {
                    result += replacement
                } else {
                    definitions[name] = replacement
                    result += Array("(?&T_\(name))".utf8)
                }
            }
            text = result
            guard isNested else { break }
        }
        var prefix: [UInt8] = []
        for (name, body) in definitions.sorted(by: { $0.key < $1.key }) {
            prefix += Array("(?<T_\(name)>".utf8) + body + Array(")".utf8)
        }
        return prefix.isEmpty ? text : Array("(?(DEFINE)".utf8) + prefix + Array(")".utf8) + text
    }

    private func hasInner(_ replacement: [UInt8]) -> Bool {
        guard let open = replacement.firstIndex(of: ASCII.less) else { return false }
        return replacement[open...].contains(ASCII.greater)
    }

    private static func isGroupName(_ name: String) -> Bool {
        name.utf8.count < 30 && name.utf8.allSatisfy { $0.isASCIIAlphanumeric || $0 == ASCII.underscore }
    }

    private func tag(_ piece: [UInt8]) -> String? {
        guard piece.first == ASCII.less, piece.last == ASCII.greater, piece.count > 2 else { return nil }
        return piece[1..<(piece.count - 1)].text
    }

    /// The pattern cut at its tags, with what comes before, after and between tags put in. Between two tags that
    /// follow each other lies an empty piece, which `inter` fills.
    private static func pieces(_ text: inout [UInt8], of tags: ReplaceTags) -> [[UInt8]] {
        let pre = takeModifier("pre", &text).flatMap { tags.before[$0] } ?? []
        let post = takeModifier("post", &text).flatMap { tags.after[$0] } ?? []
        let inter = takeModifier("inter", &text).flatMap { tags.between[$0] } ?? []
        var pieces: [[UInt8]] = []
        var literal: [UInt8] = []
        var place = 0
        while place < text.count {
            if text[place] == ASCII.less, let end = closing(text, place), tags.tags[text[(place + 1)..<end].text] != nil
            {
                pieces.append(literal.isEmpty ? inter : literal)
                if !pre.isEmpty { pieces.append(pre) }
                pieces.append(Array(text[place...end]))
                if !post.isEmpty { pieces.append(post) }
                literal = []
                place = end + 1
            } else {
                literal.append(text[place])
                place += 1
            }
        }
        if !literal.isEmpty { pieces.append(literal) }
        return pieces
    }

    /// The `>` of a tag that begins at `start`; nil when a `<` comes before it.
    private static func closing(_ text: [UInt8], _ start: Int) -> Int? {
        var place = start + 1
        while place < text.count {
            if text[place] == ASCII.greater { return place > start + 1 ? place : nil }
            if text[place] == ASCII.less { return nil }
            place += 1
        }
        return nil
    }

    /// Takes the first `<kind NAME>` out of the pattern.
    private static func takeModifier(_ kind: String, _ text: inout [UInt8]) -> String? {
        let opening = "<\(kind) "
        guard let start = text.place(of: opening), let end = text[start...].firstIndex(of: ASCII.greater) else {
            return nil
        }
        let name = text[(start + opening.utf8.count)..<end].text
        text.removeSubrange(start...end)
        return name
    }
}
