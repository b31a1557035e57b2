import CommandLineTool
import TestSupport
import Testing

@Suite("Command lines are read as getopt_long reads them")
struct ArgumentsTests {
    static let short = Option.flag("short", short: "s", "short lines", group: "Output")
    static let quiet = Option.flag("quiet", short: "q", "say nothing", group: "Output")
    static let server = Option.list("server", "ADDR", "ask ADDR", group: "DNS")
    static let name = Option.text("name", short: "n", "NAME", "a name", group: "DNS")
    static let json = Option.optionalText("json", "headers", "JSON", group: "Output", choices: ["headers"])
    static let tries = Option.integer("tries", "N", in: 1...9, default: 2, "tries", group: "DNS")
    static let size = Option.size("size", "SIZE", "a size", group: "DNS")
    static let wait = Option.duration("wait", "S", default: .seconds(2), "a time", group: "DNS")
    static let color = Option.choice("color", ["auto", "always", "never"], default: "auto", "colour", group: "Output")
    static let verbose = Option.count("verbose", short: "v", "say more", group: "Output")
    static let description = ToolDescription(
        name: "demo", summary: "show options", synopsis: ["[options] [FILE...]"], details: "Shows options.",
        options: [
            AnyOption(short), AnyOption(quiet), AnyOption(server), AnyOption(name), AnyOption(json), AnyOption(tries),
            AnyOption(size), AnyOption(wait), AnyOption(color), AnyOption(verbose),
        ], exitCodes: [(.ok, "done")])

    static let config = Option.text("config", "FILE", "options", group: "General")

    func parse(_ words: String...) throws(ToolFailure) -> Arguments {
        try Arguments(parsing: words, options: Self.description.options + [AnyOption(Self.config)])
    }

    @Test("nothing given leaves every default")
    func defaults() throws {
        let arguments = try parse()
        #expect(!arguments[Self.short] && arguments[Self.server] == [] && arguments[Self.name] == nil)
        #expect(arguments[Self.json] == nil && arguments[Self.tries] == 2 && arguments[Self.color] == "auto")
        #expect(arguments[Self.wait] == .seconds(2) && arguments[Self.verbose] == 0 && arguments.operands == [])
    }

    @Test("short options bundle, the last may take the rest as its argument")
    func bundles() throws {
        let arguments = try parse("-sqvvnanna", "x")
        #expect(arguments[Self.short] && arguments[Self.quiet] && arguments[Self.verbose] == 2)
        #expect(arguments[Self.name] == "anna" && arguments.operands == ["x"])
        #expect(try parse("-n", "anna")[Self.name] == "anna")
    }

    @Test("long options take =VALUE or the next word, and repeat")
    func long() throws {
        let arguments = try parse("--server=a", "one", "--server", "b", "--name=", "--json", "-")
        #expect(arguments[Self.server] == ["a", "b"] && arguments[Self.name]?.isEmpty == true)
        #expect(arguments[Self.json]?.isEmpty == true && arguments.operands == ["one", "-"])
        #expect(try parse("--json=headers")[Self.json] == "headers")
    }

    @Test("-- ends the options")
    func doubleDash() throws {
        #expect(try parse("-s", "--", "--server", "-q").operands == ["--server", "-q"])
    }

    @Test("sizes and times have suffixes")
    func units() throws {
        #expect(try parse("--size", "64K")[Self.size] == 65_536)
        #expect(try parse("--size=2G")[Self.size] == 2 << 30)
        #expect(try parse("--wait=500ms")[Self.wait] == .milliseconds(500))
        #expect(try parse("--wait", "2m")[Self.wait] == .seconds(120))
        #expect(try parse("--wait", "1.5")[Self.wait] == .milliseconds(1_500))
    }

    @Test(
        "what is wrong is refused with 64 and the option's name",
        arguments: [
            ["--serv", "a"], ["--nope"], ["-x"], ["--short=1"], ["--server"], ["--tries=0"], ["--tries=10"],
            ["--tries=two"], ["--tries=99999999999999999999"], ["--color=blue"], ["--json=x"], ["--size=9999999999G"],
            ["--size=-1"], ["--wait=soon"], ["-n"], ["-sx"],
        ])
    func refused(_ words: [String]) {
        #expect {
            _ = try Arguments(parsing: words, options: Self.description.options)
        } throws: { error in
            (error as? ToolFailure)?.exitCode == .usage
        }
    }

    @Test("a configuration file holds one long option a line, and the command line wins")
    func configuration() throws {
        let folder = try TestDirectory()
        let file = try folder.write("c", "# comment\n\nshort\nserver = 192.0.2.1\nserver 192.0.2.2\ntries=3\r\n")
        let arguments = try parse("--config", file, "--tries", "4", "--server=last")
        #expect(arguments[Self.short] && arguments[Self.tries] == 4)
        #expect(arguments[Self.server] == ["192.0.2.1", "192.0.2.2", "last"])
    }

    @Test(
        "an unknown word in a configuration file is told with file and line", arguments: ["nope", "short yes", "tries"])
    func badConfiguration(_ line: String) throws {
        let folder = try TestDirectory()
        let file = try folder.write("c", "quiet\n\(line)\n")
        #expect {
            _ = try parse("--config", file)
        } throws: { error in
            guard let failure = error as? ToolFailure else { return false }
            return failure.exitCode == .configuration && failure.message.contains("\(file):2: ")
        }
    }
}
