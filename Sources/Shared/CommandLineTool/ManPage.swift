/// The man page, in man(7).
enum ManPage {
    static func render(_ tool: ToolDescription) -> String {
        var page = ".TH \(tool.name.uppercased()) 1 \"\" \"Facteur \(facteurVersion)\" \"Facteur manual\"\n"
        page += ".SH NAME\n\(escape(tool.name)) \\- \(escape(tool.summary))\n"
        page += ".SH SYNOPSIS\n"
        for form in tool.synopsis { page += ".B \(escape(tool.name))\n\(escape(form))\n.br\n" }
        page += ".SH DESCRIPTION\n" + paragraphs(tool.details)
        page += ".SH OPTIONS\n"
        for group in tool.groupedOptions {
            page += ".SS \(escape(group.title))\n"
            for option in group.options { page += ".TP\n\(synopsis(option))\n\(escape(sentence(option.help)))\n" }
        }
        for section in tool.sections {
            page += ".SH \(escape(section.title.uppercased()))\n" + paragraphs(section.text)
        }
        if !tool.examples.isEmpty {
            page += ".SH EXAMPLES\n"
            for example in tool.examples {
                page += ".PP\n\(escape(example.purpose))\n.PP\n.nf\n.RS 4\n\(escape(example.command))\n.RE\n.fi\n"
            }
        }
        page += ".SH EXIT STATUS\n"
        for (code, meaning) in tool.exitCodes { page += ".TP\n.B \(code.number)\n\(escape(meaning))\n" }
        if !tool.seeAlso.isEmpty { page += ".SH SEE ALSO\n\(escape(tool.seeAlso.joined(separator: ", ")))\n" }
        return page
    }

    private static func synopsis(_ option: OptionDeclaration) -> String {
        let short = option.short.map { "\\fB\\-\($0)\\fR, " } ?? ""
        let long = "\\fB\\-\\-\(escape(option.long))\\fR"
        switch option.argument {
        case .none: return short + long
        case .required(let value): return short + long + " \\fI\(escape(value))\\fR"
        case .optional(let value): return short + long + "[=\\fI\(escape(value))\\fR]"
        }
    }

    private static func sentence(_ text: String) -> String {
        (text.first.map { $0.uppercased() } ?? "") + text.dropFirst() + "."
    }

    /// Paragraphs divided by blank lines; runs of lines that begin with four spaces are kept as they stand.
    private static func paragraphs(_ text: String) -> String {
        var page = ""
        var isLiteral = false
        func switchTo(_ literal: Bool) {
            if literal != isLiteral { page += literal ? ".PP\n.nf\n.RS 4\n" : ".RE\n.fi\n" }
            isLiteral = literal
        }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("    ") {
                switchTo(true)
                page += escape(String(line.dropFirst(4))) + "\n"
            } else if line.isEmpty {
                page += isLiteral ? "\n" : ".PP\n"
            } else {
                switchTo(false)
                page += escape(String(line)) + "\n"
            }
        }
        switchTo(false)
        return page
    }

    /// Backslashes, dashes and quotes as roff wants them; a leading dot or apostrophe of a line made harmless.
    private static func escape(_ text: String) -> String {
        var result = ""
        var atLineStart = true
        for character in text {
            switch character {
            case "\\": result += "\\e"
            case "-": result += "\\-"
            case "." where atLineStart, "'" where atLineStart: result += "\\&" + String(character)
            default: result.append(character)
            }
            atLineStart = character == "\n"
        }
        return result
    }
}
