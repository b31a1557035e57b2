import SpamRules
import Testing

@Suite("Rule files")
struct RuleSetTests {
    func read(_ text: String) -> RuleSet {
        var set = RuleSet()
        set.read(Array(text.utf8), file: "t.cf")
        return set
    }

    @Test("scores, descriptions and flags find their rules wherever they stand; defaults are those of the language")
    func attributes() {
        let set = read(
            "score A 2.5\nbody A /x/\nbody B /x/\ntflags B nice\nbody T_C /x/\nbody __D /x/\ndescribe A words here\n")
        #expect(set.names == ["A", "B", "T_C", "__D"])
        #expect(set.names.compactMap { set.rules[$0]?.points } == [2.5, -1, 0.01, 0])
        #expect(set.rules["A"]?.description == "words here")
    }

    @Test("conditions are evaluated")
    func conditions() {
        let set = read(
            "if (version >= 3.004000)\nbody A /x/\nelse\nbody B /x/\nendif\nifplugin Mail::X\nbody C /x/\nendif\nbody D /x/\n"
        )
        #expect(set.names == ["A", "D"] && set.problems.isEmpty)
    }

    @Test(
        "lines that are not understood are told with their number",
        arguments: [
            "what A", "body A x", "body A /x/z", "header A Subject ~ /x/", "meta A (B &&", "score A x", "body A- /x/",
        ])
    func problems(_ line: String) { #expect(read("body OK /x/\n\(line)\n").problems.map(\.line) == [2]) }
}
