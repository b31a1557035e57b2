import TestSupport
import Testing

@testable import SpamRules

@Suite("What SpamAssassin 4.0.1 and its plugins have: used, or told")
struct LanguageTests {
    static func lines(_ name: String) throws -> [[String]] {
        String(decoding: try TestData.bytes(name), as: UTF8.self).split(separator: "\n").map {
            $0.split(separator: "\t").map(String.init)
        }
    }

    private func read(_ text: String) -> RuleSet {
        var set = RuleSet()
        set.read(Array(text.utf8), file: "t.cf")
        return set
    }

    @Test("each test is there, or its rule is told with the reason")
    func tests() throws {
        let names = try Self.lines("tests.txt").compactMap(\.first)
        #expect(names.count > 230)
        for name in names {
            let arguments = name.hasPrefix("check_hashbl_") ? "'list.example'" : ""
            let problems = read("body OK /x/\nheader X eval:\(name)(\(arguments))\n").problems
            let isThere = EvalTests.all[name] != nil || EvalTests.reputationTests.contains(name)
            #expect(problems.count == (isThere ? 0 : 1), "\(name)")
            #expect(problems.allSatisfy { $0.line == 2 && !$0.reason.contains("no such test") }, "\(name)")
        }
        #expect(read("header X eval:check_nonsense()\n").problems.first?.reason.contains("no such test") == true)
    }

    @Test(
        "a word that a test does not know is told",
        arguments: [
            ("body X eval:html_test('no')", 1), ("body X eval:html_test('html')", 0),
            ("body X eval:check_for_mime('mime_no')", 1), ("body X eval:check_msg_parse_flags('truncated_header')", 1),
        ])
    func words(_ line: String, _ count: Int) { #expect(read(line + "\n").problems.count == count) }

    /// Lines of rules, whose values cannot be just anything.
    static let examples = [
        "header": "header A Subject =~ /x/", "body": "body A /x/", "rawbody": "rawbody A /x/", "full": "full A /x/",
        "uri": "uri A /x/", "meta": "meta A B", "mimeheader": "mimeheader A Content-Type =~ /x/",
        "uri_detail": "uri_detail A raw =~ /x/", "askdns": "askdns A _AUTHORDOMAIN_.x A", "score": "score A 1",
        "shortcircuit": "shortcircuit A on", "priority": "priority A 1", "replace_start": "replace_start <",
        "replace_end": "replace_end >", "if": "if (version > 3)\nendif", "ifplugin": "ifplugin X\nendif",
        "else": "if (version > 3)\nelse\nendif", "endif": "if (version > 3)\nendif", "include": "include other.cf",
        "trusted_networks": "trusted_networks 192.0.2.0/24", "internal_networks": "internal_networks 10/8",
        "msa_networks": "msa_networks 2001:db8::/32", "add_header": "add_header all A x",
        "remove_header": "remove_header spam A",
    ]

    @Test("each directive is used, refused, or told to have no effect, with the reason")
    func directives() throws {
        let rows = try Self.lines("directives.txt")
        #expect(rows.count > 370)
        for row in rows {
            var set = RuleSet()
            let line = Self.examples[row[0]] ?? "\(row[0]) 1"
            set.read(Array("\(line)\n".utf8), file: "/etc/t.cf") { _ in [] }
            let outcome = !set.problems.isEmpty ? "refused" : set.notes.isEmpty ? "used" : "idle"
            #expect(outcome == row[1], "\(row[0]): \(set.problems)")
            #expect(set.notes.allSatisfy { $0.line == 1 && !$0.reason.isEmpty && $0.count == 1 })
        }
    }

    @Test(
        "values that make no sense are told",
        arguments: [
            "required_score many", "time_limit x", "trusted_networks 192.0.2.300", "priority A soon",
            "shortcircuit A maybe", "uri_detail A colour =~ /x/", "uri_detail A raw /x/", "uri_detail A raw =~ /x",
            "askdns A _NOSUCHTAG_.x A", "askdns A x.example SRV", "askdns A x.example A [NXDOMAIN]", "askdns A",
            "add_header", "add_header all", "add_header all A", "add_header some A x", "remove_header",
            "remove_header all", "header A eval:check_hashbl_emails()", "header A eval:check_hashbl_uris('/')",
            "header A eval:check_hashbl_uris('x.example/MX')",
        ])
    func values(_ line: String) { #expect(read("body OK /x/\n\(line)\n").problems.map(\.line) == [2]) }

    @Test("what has no effect is told once for a keyword; lines in false branches are not")
    func notes() {
        let set = read("if (version < 3)\nbayes_path x\nendif\nrazor_config a\nrazor_config b\n")
        #expect(set.notes.map(\.keyword) == ["razor_config"] && set.notes.map(\.count) == [2])
        #expect(set.notes.map(\.line) == [4] && set.problems.isEmpty)
    }

    @Test("included files are read in place, relative to the file that names them; circles end")
    func include() {
        let files = ["/etc/a/b.cf": "body B /x/\ninclude c.cf\n", "/etc/a/c.cf": "body C /x/\ninclude b.cf\n"]
        var set = RuleSet()
        set.read(Array("body A /x/\ninclude a/b.cf\nbody D /x/\ninclude none.cf\n".utf8), file: "/etc/t.cf") { path in
            files[path].map { Array($0.utf8) }
        }
        #expect(set.names == ["A", "B", "C", "D"] && Set(set.included) == Set(files.keys))
        #expect(set.problems.contains { $0.file == "/etc/t.cf" && $0.line == 4 })
        #expect(set.problems.contains { $0.reason.contains("include each other") })
    }

    @Test("tags of tags of tags are written out to some size, and the expression is refused")
    func largeTags() throws {
        var rules = "replace_tag A0 [ab]\n"
        for number in 1..<6 {
            rules += "replace_tag A\(number) \(String(repeating: "<A\(number - 1)>", count: 40))\n"
        }
        let set = read("\(rules)body X /<A5>/\nreplace_rules X\n")
        let rule = try #require(set.rules["X"])
        #expect(try #require(set.pattern(of: rule)).text.count < 1 << 18)
        #expect(RuleScorer(set).compileAll().keys.contains("X"))
    }

    @Test("a file that includes itself many times is read so often that it ends")
    func manyIncluded() {
        var set = RuleSet()
        let text = Array(String(repeating: "include t.cf\n", count: 8).utf8)
        set.read(text, file: "/etc/t.cf") { _ in text }
        #expect(set.included.count <= 1_000)
        #expect(set.problems.contains { $0.reason.contains("too many files") })
    }
}
