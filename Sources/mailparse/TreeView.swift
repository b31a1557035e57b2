import Bytes
import CommandLineTool
import MessageFormat

/// The MIME tree with types, encodings, sizes and names.
struct TreeView {
    /// Deeper parts are shown at this depth, so that a hostile nesting does not make lines of any length.
    private static let deepest = 40
    private static let typeColumn = 44

    private let text: ViewText

    init(_ text: ViewText) { self.text = text }

    func write(_ message: ParsedMessage, _ bytes: Span<UInt8>, to output: Output) {
        /// For each open level, whether more parts follow on it.
        var levels: [Bool] = []
        for part in message.structure.walk() {
            let node = message.structure.parts[part]
            let depth = message.structure.depth(of: part)
            var branch = ""
            if let parent = node.parent {
                let isLast = message.structure.parts[parent].children.last == part
                levels = Array(levels.prefix(depth - 1))
                let shown = levels.suffix(TreeView.deepest)
                branch = shown.map { $0 ? "│ " : "  " }.joined() + (isLast ? "└ " : "├ ")
                levels.append(!isLast)
            }
            output.writeLine(text.palette.dim(branch) + line(part, message, bytes))
        }
    }

    private func line(_ part: Int, _ message: ParsedMessage, _ bytes: Span<UInt8>) -> String {
        let node = message.structure.parts[part]
        let header = message.headers[part]
        let path = message.structure.path(of: part)
        var type = node.contentType.name
        if let charset = node.contentType["charset"] { type += "; charset=\(charset)" }
        var line = "\(ViewText.padded(path, 7))  \(ViewText.padded(text.line(type), TreeView.typeColumn))"
        if node.isLeaf {
            line += "  \(ViewText.padded(node.encodingName == "7bit" ? "" : text.line(node.encodingName), 16))"
        } else {
            line += "  " + ViewText.padded("", 16)
        }
        line += "  \(ViewText.size(message.size(of: part, bytes)))"
        if let name = header.filename { line += "  \"\(text.line(name))\"" }
        if let disposition = header.disposition { line += " (\(text.line(disposition)))" }
        return line
    }
}
