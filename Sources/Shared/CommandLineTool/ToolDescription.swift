/// A tool in words: what help, man page and completions are made of.
package struct ToolDescription: Sendable {
    /// A part of the man page: a heading and paragraphs; lines that begin with four spaces stand as they are.
    package struct Section: Sendable {
        package let title: String
        package let text: String

        package init(_ title: String, _ text: String) {
            self.title = title
            self.text = text
        }
    }

    /// An example: what it shows, and the command with its output.
    package struct Example: Sendable {
        package let purpose: String
        package let command: String

        package init(_ purpose: String, _ command: String) {
            self.purpose = purpose
            self.command = command
        }
    }

    package let name: String
    /// What the tool is for, in one line without a full stop.
    package let summary: String
    /// What follows the tool's name, one form a line: `[options] [FILE...]`.
    package let synopsis: [String]
    /// One or a few paragraphs, divided by blank lines.
    package let details: String
    package let options: [AnyOption]
    /// What a shell offers for operands.
    package let operands: OptionDeclaration.Completion
    /// Further sections of the man page (JSON keys, events, files).
    package let sections: [Section]
    package let examples: [Example]
    /// The exit codes and what they mean here.
    package let exitCodes: [(ExitCode, String)]
    /// Names of related man pages: `mx(1)`.
    package let seeAlso: [String]

    package init(
        name: String, summary: String, synopsis: [String], details: String, options: [AnyOption],
        operands: OptionDeclaration.Completion = .file, sections: [Section] = [], examples: [Example] = [],
        exitCodes: [(ExitCode, String)], seeAlso: [String] = []
    ) {
        self.name = name
        self.summary = summary
        self.synopsis = synopsis
        self.details = details
        self.options = options
        self.operands = operands
        self.sections = sections
        self.examples = examples
        self.exitCodes = exitCodes
        self.seeAlso = seeAlso
    }

    /// The tool's options and those that every tool has.
    var allOptions: [AnyOption] {
        options + [
            AnyOption(StandardOptions.config), AnyOption(StandardOptions.help), AnyOption(StandardOptions.version),
            AnyOption(StandardOptions.generate),
        ]
    }

    /// The options that people see, by group, in the order of their first appearance.
    var groupedOptions: [(title: String, options: [OptionDeclaration])] {
        var titles: [String] = []
        var groups: [String: [OptionDeclaration]] = [:]
        for option in allOptions.map(\.declaration) where option.group != StandardOptions.hiddenGroup {
            if groups[option.group] == nil { titles.append(option.group) }
            groups[option.group, default: []].append(option)
        }
        return titles.map { ($0, groups[$0] ?? []) }
    }
}
