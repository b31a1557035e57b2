import CommandLineTool

/// A diagnosis for people: a line for each thing that was looked at, with its verdict, the evidence and the finding.
struct CheckText {
    let palette: Palette
    let width: Int

    private static let titleWidth = 8
    private static let verdictWidth = 7
    private static var margin: Int { titleWidth + verdictWidth }

    init(_ palette: Palette, width: Int) {
        self.palette = palette
        self.width = min(max(width, 60), 120)
    }

    /// The domain, and on the right how many findings there are.
    func heading(_ domain: String, _ summary: String) -> String {
        let domain = TerminalText.escape(domain)
        return palette.bold(domain) + spaces(max(3, width - domain.count - summary.count)) + summary
    }

    func lines(_ section: CheckSection) -> [String] {
        var lines: [String] = []
        for item in section.items {
            let title = lines.isEmpty ? section.part.title : ""
            lines += self.lines(item, title: title)
        }
        return lines
    }

    private func lines(_ item: CheckItem, title: String) -> [String] {
        let area = width - CheckText.margin
        var ids: [String] = []
        for finding in item.findings where !ids.contains(finding.id.rawValue) { ids.append(finding.id.rawValue) }
        let mark = ids.joined(separator: " ")
        var text = CheckText.wrapped(TerminalText.escape(item.text), area)
        if !mark.isEmpty {
            // The finding stands at the right of the first line that has room for it at the end of the evidence.
            let last = text[text.count - 1].count
            if last + 2 + mark.count > area { text.append("") }
            let start = text.removeLast()
            text.append(start + spaces(area - start.count - mark.count) + palette.dim(mark))
        }
        let details = item.details.flatMap { CheckText.wrapped(TerminalText.escape($0), area) }.map(palette.dim)
        let head =
            (title.isEmpty ? "" : palette.bold(title)) + spaces(CheckText.titleWidth - title.count) + word(item.verdict)
        return (text + details).enumerated().map { index, line in
            index == 0 ? head + line : spaces(CheckText.margin) + line
        }
    }

    private func word(_ verdict: CheckItem.Verdict) -> String {
        let (word, coloured) =
            switch verdict {
            case .ok: ("ok", palette.green("ok"))
            case .warning: ("warn", palette.yellow("warn"))
            case .error: ("ERROR", palette.bold(palette.red("ERROR")))
            case .unknown: ("?", palette.cyan("?"))
            case .notApplicable: ("n/a", palette.dim("n/a"))
            }
        return coloured + spaces(CheckText.verdictWidth - word.count)
    }

    /// Lines of at most `width` characters, cut at spaces; a longer word is cut where the line ends. Each line begins with
    /// the spaces that the text begins with.
    static func wrapped(_ text: String, _ width: Int) -> [String] {
        let indent = text.prefix { $0 == " " }
        guard indent.isEmpty || indent.count * 2 > width else {
            return wrapped(String(text.dropFirst(indent.count)), width - indent.count).map { indent + $0 }
        }
        var lines: [String] = []
        var line = ""
        var length = 0
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            var word = word[...]
            if length > 0, length + 1 + word.count > width {
                while line.last == " " { line.removeLast() }
                lines.append(line)
                (line, length) = ("", 0)
            }
            if length > 0 {
                line += " "
                length += 1
            }
            while word.count > width {
                lines.append(String(word.prefix(width)))
                word = word.dropFirst(width)
            }
            if length == 0, word.isEmpty, !lines.isEmpty { continue }
            line += word
            length += word.count
        }
        if length > 0 || lines.isEmpty { lines.append(line) }
        return lines
    }

    private func spaces(_ count: Int) -> String { String(repeating: " ", count: max(0, count)) }
}
