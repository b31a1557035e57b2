/// `--help`: a screen of at most 80 columns.
enum HelpText {
    private static let column = 30

    static func render(_ tool: ToolDescription) -> String {
        var text = ""
        for (index, form) in tool.synopsis.enumerated() {
            text += (index == 0 ? "usage: " : "       ") + "\(tool.name) \(form)\n"
        }
        text += "\(tool.summary)\n"
        for group in tool.groupedOptions {
            text += "\n\(group.title):\n"
            for option in group.options { text += line(option) }
        }
        text += "\nExit: " + wrapped(exitCodes(tool), indent: 6) + "\n"
        text += "Manual: man \(tool.name)\n"
        return text
    }

    private static func exitCodes(_ tool: ToolDescription) -> String {
        tool.exitCodes.map { "\($0.0.number) \($0.1)" }.joined(separator: "; ")
    }

    private static func line(_ option: OptionDeclaration) -> String {
        let head = "  " + option.synopsis
        let gap =
            head.count < column - 1
            ? String(repeating: " ", count: column - head.count) : "\n" + String(repeating: " ", count: column)
        return head + gap + wrapped(option.help, indent: column) + "\n"
    }

    /// Breaks at spaces so that no line passes column 80; lines after the first are indented.
    static func wrapped(_ text: String, indent: Int, width: Int = 80) -> String {
        var lines: [String] = []
        var current = ""
        for word in text.split(separator: " ") {
            if !current.isEmpty, indent + current.count + 1 + word.count > width {
                lines.append(current)
                current = ""
            }
            current += (current.isEmpty ? "" : " ") + word
        }
        lines.append(current)
        return lines.joined(separator: "\n" + String(repeating: " ", count: indent))
    }
}
