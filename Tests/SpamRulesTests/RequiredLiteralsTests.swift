import TestSupport
import Testing
import Unix

@testable import SpamRules

@Suite("What a text must hold for an expression to match it")
struct RequirementTests {
    private func tree(_ pattern: String) -> PatternTree? { PatternTree(Array(pattern.utf8), []) }

    @Test(
        "words of which one must occur; none where nothing is sure",
        arguments: [
            ("viagra", ["viagra"]), ("Viagra|CIALIS", ["viagra", "cialis"]), ("v[i1]agra", ["viagra", "v1agra"]),
            ("click (?:here|now)", ["click here", "click now"]), ("colou?r chart", ["r chart"]),
            ("\\bfree\\b.{1,20}money", ["money"]), ("(?:abc)+def", ["abcdef"]), ("(?:abc){2}x", ["abcx"]),
            ("(?i)FREE", ["free"]), ("foo(?!bar)baz", ["foobaz"]), ("(?<=x)hello", ["hello"]), ("a.b", []),
            ("ab|cdef", []), ("(?:abc)?", []), ("[^a]bcd", ["bcd"]), ("\\x41bc\\.", ["abc."]), ("(abc)\\1xy", ["abc"]),
            ("x*yyy", ["yyy"]), ("a{0,3}bcd", ["bcd"]),
            ("(?(DEFINE)(?<T_A>[xyz)]))(?&T_A)hello", ["xhello", "yhello", "zhello", ")hello"]), ("(", []),
            ("(?(DEFINE)(?<T_A>[xy]))(?&T_A)ab", ["xab", "yab"]), ("(?x: a b c )d e", ["abcd e"]), ("a{,3}bcd", []),
            ("(?R)abc", []), ("[\\101b]cd", ["acd", "bcd"]),
        ])
    func words(_ pattern: String, _ expected: [String]) {
        let found = tree(pattern).flatMap { RequiredLiterals($0) }.map { Set($0.words) } ?? []
        #expect(found == Set(expected.map { Array($0.utf8) }))
    }

    @Test("repetitions within repetitions take no time and no room")
    func nested() {
        var pattern = "[abc]"
        for _ in 0..<50 { pattern = "(?:\(pattern)[def]){12}" }
        guard let tree = tree(pattern) else {
            Issue.record("not understood")
            return
        }
        #expect((RequiredChain.chains(of: tree) ?? []).allSatisfy { $0.links.count <= 64 })
    }

    @Test("subroutines that call each other twice and twice again are not written out")
    func subroutines() {
        var pattern = "(?(DEFINE)(?<A0>[ab]{0})"
        for number in 1..<60 { pattern += "(?<A\(number)>(?&A\(number - 1))(?&A\(number - 1)))" }
        #expect(tree(pattern + ")(?&A59)xyz") == nil)
    }

    @Test("a repeated piece needs a word for each copy", arguments: [("(?:(?:name|age):){3}", 3), ("(?:name|age)", 1)])
    func repetitions(_ pattern: String, _ times: Int) {
        #expect(tree(pattern).flatMap { RequiredLiterals($0) }?.times == times)
    }

    @Test(
        "one look at all lines is enough where nothing depends on where a line begins, ends or goes on",
        arguments: [
            ("foo", true), ("f[o^$]{2}\\s+bar\\b", true), ("(?:a|b)c", true), ("(?i)x", true), ("\\$5", true),
            ("(?(DEFINE)(?<T_A>x))(?&T_A)y", true), ("a\\++b", true),
            ("^a", false), ("a$", false), ("a(?!b)", false), ("(?<=a)b", false), ("(?<!a)b", false), ("a++b", false),
            ("(?>a)b", false), ("\\Aa", false), ("a\\z", false), ("x{2}+", false),
        ])
    func joinable(_ pattern: String, _ isJoinable: Bool) {
        #expect(RequiredLiterals.isJoinable(Array(pattern.utf8)) == isJoinable)
    }

    /// A random expression: words, classes, alternatives, repetitions, groups, what looks around.
    private static func pattern(_ generator: inout SeededGenerator, _ depth: Int = 0) -> String {
        let atoms = [
            "a", "b", "c", "ab", "abc", "[ab]", "[^a]", ".", "\\s", "\\w", "\\d", "x", "[a-c]", "\\x61", "bca", "cab ",
            "A",
        ]
        var text = ""
        for _ in 0..<Int.random(in: 1...5, using: &generator) {
            let kind = Int.random(in: 0..<12, using: &generator)
            if kind < 7 || depth > 3 {
                text += atoms.randomElement(using: &generator) ?? "a"
            } else {
                let inner = pattern(&generator, depth + 1)
                switch kind {
                case 7: text += "(?:\(inner)|\(pattern(&generator, depth + 1)))"
                case 8: text += "(?:\(inner)|\(pattern(&generator, depth + 1))|\(pattern(&generator, depth + 1)))"
                case 9: text += "(\(inner))"
                case 10: text += "(?!\(inner))"
                default: text += "(?i:\(inner))"
                }
            }
            text +=
                ["", "", "", "", "?", "+", "*", "{2}", "{1,3}", "{3,}", "+?"].randomElement(using: &generator) ?? ""
        }
        return text
    }

    @Test("an expression that matches a text is found by what it requires, whatever both are")
    func soundness() throws {
        var generator = SeededGenerator(seed: 17)
        var required = 0
        var matched = 0
        for _ in 0..<700 {
            let pattern = Self.pattern(&generator)
            guard let rule = try? RulePattern(Array("/\(pattern)/".utf8)[...]), let needs = Requirement(rule),
                let regex = try? PerlRegex(rule.text, rule.options)
            else { continue }
            required += 1
            var index = RequirementIndex()
            index.add(needs, owner: 0)
            index.build()
            var marks = LiteralMarks(count: 1)
            for _ in 0..<20 {
                let text = generator.bytes(Int.random(in: 0...24, using: &generator), of: "aabbccabcABCx 1")
                guard case .match = regex.firstMatch(in: text.span) else { continue }
                matched += 1
                marks.clear()
                index.scan(text.span, into: &marks)
                #expect(marks.contains(0), "\(pattern) in \(String(decoding: text, as: UTF8.self))")
            }
        }
        #expect(required > 100 && matched > 100, "\(required) \(matched)")
    }

    @Test(
        "chains of byte sets tell where no word is required",
        arguments: [
            ("[vV][iI1!|][aA@][gG]", "buy v1@g now", true), ("[vV][iI1!|][aA@][gG]", "buy viag", true),
            ("[vV][iI1!|][aA@][gG]", "v i a g", false), ("[vV]\\W{0,3}[iI1!]\\W{0,3}[aA@]\\W?[gG]", "v.i..a.g", true),
            ("(?:[qQ]|\\xc3\\xb6)[zZ2][xX%]", "..q2%", true), ("(?:[qQ]|\\xc3\\xb6)[zZ2][xX%]", "..q2", false),
            ("(?(DEFINE)(?<T_Q>[qQ9]))(?&T_Q)(?&T_Q)[zZ2]", "q9z", true),
            ("(?(DEFINE)(?<T_Q>[qQ9]))(?&T_Q)(?&T_Q)[zZ2]", "q9", false),
        ])
    func chains(_ pattern: String, _ text: String, _ isFound: Bool) throws {
        let tree = try #require(self.tree(pattern))
        var index = ChainIndex()
        for chain in try #require(RequiredChain.chains(of: tree)) { index.add(chain, owner: 0) }
        var marks = LiteralMarks(count: 1)
        index.scan(Array(text.utf8).span, into: &marks)
        #expect(marks.contains(0) == isFound)
    }

    @Test("more chains than a block has room for, each found by its own text alone")
    func manyChains() throws {
        var index = ChainIndex()
        let letters = Array("bcdfghjkmpqvwxz")
        for owner in 0..<200 {
            let pattern = "[\(letters[owner % 15])0][\(letters[owner / 15])1][qQ2][zZ3][xX4][%!]"
            let chains = try #require(tree(pattern).flatMap { RequiredChain.chains(of: $0) })
            for chain in chains { index.add(chain, owner: owner) }
        }
        for owner in [0, 1, 57, 120, 199] {
            var marks = LiteralMarks(count: 200)
            let text = "..\(letters[owner % 15])\(letters[owner / 15])qzx!.."
            index.scan(Array(text.utf8).span, into: &marks)
            #expect(marks.owners.contains(owner))
            marks.clear()
            index.scan(Array("a text that says nothing".utf8).span, into: &marks)
            #expect(marks.owners.isEmpty)
        }
    }

    @Test("words that must begin in several places")
    func repeatedWords() {
        let words = RepeatedWords([Array("name".utf8), Array("age".utf8)], times: 3)
        for (text, isEnough) in [("Name: age: name", true), ("name age nam", false), ("", false)] {
            let bytes = Array(text.utf8)
            let occurs = words.occur(in: bytes.span)
            #expect(occurs == isEnough)
        }
    }

    @Test("the index finds every word in any case, at the start, at the end and overlapping")
    func index() {
        var index = LiteralIndex()
        for (owner, word) in ["abc", "bcd", "abcd", "xyz", "cde"].enumerated() {
            index.add([Array(word.utf8)], owner: owner)
        }
        index.build()
        var found = LiteralMarks(count: 5)
        index.scan(Array("ABcd..xY".utf8).span, into: &found)
        #expect(Set(found.owners) == [0, 1, 2])
        found.clear()
        index.scan(Array("xyzcd".utf8).span, into: &found)
        #expect(Set(found.owners) == [3] && found.contains(3) && !found.contains(0))
    }
}
