import CommandLineTool

enum Placeholder: Tool {
    static let description = ToolDescription(
        name: "smtp-serve", summary: "not there yet", synopsis: ["[options]"], details: "", options: [],
        exitCodes: [(.ok, "done")])
    static func run(_ arguments: Arguments) throws -> ExitCode { .ok }
}

@main struct Main {
    static func main() { Placeholder.main() }
}
