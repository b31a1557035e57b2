import CommandLineTool
import TestSupport
import Testing

@Suite("Help, man page and completions of every tool")
struct DocumentationTests {
    static let tools = ["mx", "smtp-send", "smtp-serve", "pop3d", "mboxconv", "mailparse", "spamscore"]

    @Test("--help names every option within 80 columns", arguments: tools)
    func help(_ tool: String) throws {
        let result = try ToolProcess.run(tool, ["--help"])
        #expect(result.status == 0 && result.diagnostics.isEmpty)
        #expect(result.text.hasPrefix("usage: \(tool) "))
        for line in result.lines { #expect(line.count <= 80, "\(line)") }
    }

    @Test("--version", arguments: tools)
    func version(_ tool: String) throws {
        let result = try ToolProcess.run(tool, ["--version"])
        #expect(result.status == 0)
        #expect(result.text.wholeMatch(of: /[a-z0-9-]+ \(Facteur\) [0-9]+\.[0-9]+\.[0-9]+\n/) != nil)
    }

    @Test("an unknown option is 64 and says where to look", arguments: tools)
    func unknownOption(_ tool: String) throws {
        let result = try ToolProcess.run(tool, ["--no-such-option"])
        #expect(result.status == 64 && result.text.isEmpty)
        #expect(result.diagnostics == "\(tool): --no-such-option: unknown option: --help lists them\n")
    }

    @Test("the man page names every option that the help names", arguments: tools)
    func manPage(_ tool: String) throws {
        let help = try ToolProcess.run(tool, ["--help"]).text
        let page = try ToolProcess.run(tool, ["--generate", "man"]).text
        #expect(page.hasPrefix(".TH \(tool.uppercased()) 1 "))
        for match in help.matches(of: /--([a-z0-9-]+)/) {
            let name = String(match.1).replacing("-", with: "\\-")
            #expect(page.contains(name), "\(name)")
        }
    }

    @Test("completions are accepted by their shells", arguments: tools)
    func completions(_ tool: String) throws {
        for (shell, check) in [("bash", ["-n"]), ("zsh", ["-n"]), ("fish", ["--no-execute"])] {
            let text = try ToolProcess.run(tool, ["--generate", shell]).bytes
            #expect(!text.isEmpty)
            guard let path = ToolProcess.peer(shell) else { continue }
            let folder = try TestDirectory()
            let file = try folder.write("completion", text)
            let result = try ToolProcess.run(path, check + [file])
            #expect(result.status == 0, "\(shell): \(result.diagnostics)")
        }
    }
}
