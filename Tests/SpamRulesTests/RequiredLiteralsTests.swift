import Testing

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
