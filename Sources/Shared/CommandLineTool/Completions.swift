/// Completion files for the three common shells.
enum Completions {
    private static func visible(_ tool: ToolDescription) -> [OptionDeclaration] {
        tool.groupedOptions.flatMap(\.options)
    }

    private static func takesArgument(_ option: OptionDeclaration) -> Bool {
        if case .required = option.argument { true } else { false }
    }

    static func bash(_ tool: ToolDescription) -> String {
        let function = "_" + String(tool.name.map { $0 == "-" ? "_" : $0 })
        var cases = ""
        for option in visible(tool) where takesArgument(option) {
            let names = "--\(option.long)" + (option.short.map { "|-\($0)" } ?? "")
            cases += "        \(names)) COMPREPLY=($(\(bashReply(option.completion)))); return;;\n"
        }
        let words = visible(tool).flatMap { ["--\($0.long)"] + ($0.short.map { ["-\($0)"] } ?? []) }
        return """
            # bash completion for \(tool.name)
            \(function)() {
                local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
                case $prev in
            \(cases)    esac
                case $cur in
                    -*) COMPREPLY=($(compgen -W '\(words.joined(separator: " "))' -- "$cur"));;
                    *) COMPREPLY=($(\(bashReply(tool.operands))));;
                esac
            }
            complete -o filenames -F \(function) \(tool.name)

            """
    }

    private static func bashReply(_ completion: OptionDeclaration.Completion) -> String {
        switch completion {
        case .nothing: "true"
        case .file: "compgen -f -- \"$cur\""
        case .directory: "compgen -d -- \"$cur\""
        case .words(let words): "compgen -W '\(words.joined(separator: " "))' -- \"$cur\""
        }
    }

    static func zsh(_ tool: ToolDescription) -> String {
        var lines = ""
        for option in visible(tool) {
            let action =
                switch option.argument {
                case .none: ""
                case .required(let name): ":\(zshText(name)):\(zshAction(option.completion))"
                case .optional(let name): "::\(zshText(name)):\(zshAction(option.completion))"
                }
            let equals =
                switch option.argument {
                case .none: ""
                case .required: "="
                case .optional: "=-"
                }
            lines += "    '*--\(option.long)\(equals)[\(zshText(option.help))]\(action)' \\\n"
            if let short = option.short {
                lines += "    '*-\(short)[\(zshText(option.help))]\(takesArgument(option) ? action : "")' \\\n"
            }
        }
        return "#compdef \(tool.name)\n_arguments -s \\\n\(lines)    '*:operand:\(zshAction(tool.operands))'\n"
    }

    private static func zshText(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "'": result += "'\\''"
            case "[", "]", ":", "\\": result += "\\\(character)"
            default: result.append(character)
            }
        }
    }

    private static func zshAction(_ completion: OptionDeclaration.Completion) -> String {
        switch completion {
        case .nothing: " "
        case .file: "_files"
        case .directory: "_files -/"
        case .words(let words): "(\(words.joined(separator: " ")))"
        }
    }

    static func fish(_ tool: ToolDescription) -> String {
        var text = tool.operands == .file ? "" : "complete -c \(tool.name) -f\n"
        for option in visible(tool) {
            text += "complete -c \(tool.name) -l \(option.long)"
            if let short = option.short { text += " -s \(short)" }
            if takesArgument(option) { text += " -r" }
            switch option.completion {
            case .file: text += " -F"
            case .directory: text += " -x -a '(__fish_complete_directories)'"
            case .words(let words) where takesArgument(option): text += " -x -a '\(words.joined(separator: " "))'"
            default: break
            }
            let help = option.help.reduce(into: "") { $0 += $1 == "'" || $1 == "\\" ? "\\\($1)" : String($1) }
            text += " -d '\(help)'\n"
        }
        return text
    }
}
