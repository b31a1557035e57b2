import Testing

@testable import SpamRules

@Suite("Words that an expression requires")
struct RequiredLiteralsTests {
    @Test(
        "words of which one must occur; none where nothing is sure",
        arguments: [
            ("viagra", ["viagra"]), ("Viagra|CIALIS", ["viagra", "cialis"]), ("v[i1]agra", ["viagra", "v1agra"]),
            ("click (?:here|now)", ["click here", "click now"]), ("colou?r chart", ["r chart"]),
            ("\\bfree\\b.{1,20}money", ["money"]), ("(?:abc)+def", ["abcdef"]), ("(?:abc){2}x", ["abcx"]),
            ("(?i)FREE", ["free"]), ("foo(?!bar)baz", ["foobaz"]), ("(?<=x)hello", ["hello"]), ("a.b", []),
            ("ab|cdef", []), ("(?:abc)?", []), ("[^a]bcd", ["bcd"]), ("\\x41bc\\.", ["abc."]), ("(abc)\\1xy", ["abc"]),
            ("x*yyy", ["yyy"]), ("a{0,3}bcd", ["bcd"]), ("(?(DEFINE)(?<T_A>[xyz)]))(?&T_A)hello", ["hello"]), ("(", []),
        ])
    func words(_ pattern: String, _ expected: [String]) {
        let found = RequiredLiterals(Array(pattern.utf8), []).map { Set($0.words) } ?? []
        #expect(found == Set(expected.map { Array($0.utf8) }))
    }

    @Test("the index finds every word in any case, at the start, at the end and overlapping")
    func index() {
        var index = LiteralIndex()
        for (owner, word) in ["abc", "bcd", "abcd", "xyz", "cde"].enumerated() {
            index.add([Array(word.utf8)], owner: owner)
        }
        index.build()
        var found = Array(repeating: false, count: 5)
        index.scan(Array("ABcd..xY".utf8), into: &found)
        #expect(found == [true, true, true, false, false])
        index.scan(Array("xyz".utf8), into: &found)
        #expect(found == [true, true, true, true, false])
    }
}
