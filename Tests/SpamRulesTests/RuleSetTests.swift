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
        #expect(set.names.compactMap { set.rules[$0]?.points() } == [2.5, -1, 0.01, 0])
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
        "conditions: plugins, features, versions, and, or, not",
        arguments: [
            ("plugin(Mail::SpamAssassin::Plugin::DKIM)", true), ("!plugin(Mail::SpamAssassin::Plugin::TextCat)", true),
            ("can(Mail::SpamAssassin::Conf::feature_bug6558_free)", true),
            ("!(can(Mail::SpamAssassin::Conf::compat_welcomelist_blocklist))", false),
            ("can(Mail::SpamAssassin::Plugin::BodyEval::has_check_body_length)", true),
            ("(version >= 3.004002)", true), ("version < 4.0", false),
            ("version >= 4 && !plugin(X) || plugin(Y)", true), ("local_tests_only", false),
        ])
    func clauses(_ clause: String, _ truth: Bool) {
        #expect(read("if \(clause)\nbody A /x/\nelse\nbody B /x/\nendif\n").names == [truth ? "A" : "B"])
    }

    @Test(
        "loadplugin lines of .pre files take the place of the stock plugins, those of others add to them",
        arguments: [("t.pre", ["A"]), ("t.cf", ["A", "B"])])
    func plugins(_ file: String, _ names: [String]) {
        var set = RuleSet()
        let text =
            "loadplugin Mail::SpamAssassin::Plugin::TextCat\nifplugin Mail::SpamAssassin::Plugin::TextCat\n"
            + "body A /x/\nendif\nifplugin Mail::SpamAssassin::Plugin::DKIM\nbody B /x/\nendif\n"
        set.read(Array(text.utf8), file: file)
        #expect(set.names == names)
    }

    @Test("an escaped # does not begin a comment")
    func comments() {
        let set = read("body A /x\\#y/ # comment\n")
        guard case .body(let pattern)? = set.rules["A"]?.area else {
            Issue.record("no rule")
            return
        }
        #expect(pattern.text == Array("x#y".utf8))
    }

    @Test(
        "lines that are not understood are told with their number",
        arguments: [
            "what A", "body A x", "body A /x/q", "header A Subject ~ /x/", "meta A (B &&", "score A x", "body A- /x/",
            "endif", "if nonsense(\nendif", "header A Subject:what =~ /x/", "body A /x", "header A eval:f('x",
        ])
    func problems(_ line: String) { #expect(read("body OK /x/\n\(line)\n").problems.map(\.line) == [2]) }
}
