import Bytes
import CommandLineTool
import MessageFormat

/// Text and parts of a message, as content.
struct ContentViews {
    private let text: ViewText

    init(_ text: ViewText) { self.text = text }

    /// The readable text.
    func writeText(_ message: ParsedMessage, _ bytes: Span<UInt8>, limit: Int, to output: Output) {
        guard let readable = message.readable,
            let content = ReadableText(message.structure, readable, in: bytes, limit: limit).text
        else { return }
        output.write(text.block(content))
        if content.last != ASCII.lf, !content.isEmpty { output.writeLine("") }
    }

    /// The HTML parts that are no attachments; whether there was any.
    func writeHTML(_ message: ParsedMessage, _ bytes: Span<UInt8>, to output: Output) -> Bool {
        var found = false
        for part in message.structure.walk()
        where message.structure.parts[part].contentType.name == "text/html" && !message.headers[part].isAttachment {
            found = true
            let content = message.structure.text(of: part, in: bytes).text
            output.write(text.block(content))
            if content.last != ASCII.lf { output.writeLine("") }
        }
        return found
    }

    /// The transfer-decoded bytes of one part; whether there is such a part.
    func writePart(_ path: String, _ message: ParsedMessage, _ bytes: Span<UInt8>, to output: Output) -> Bool {
        guard let part = message.structure.part(at: path) else { return false }
        if message.structure.parts[part].isLeaf {
            _ = message.structure.decode(part, in: bytes, passed: message.passed) { output.write($0) }
            return true
        }
        return writeRawPart(path, message, bytes, to: output)
    }

    /// The bytes of one part's body as they stand; whether there is such a part.
    func writeRawPart(_ path: String, _ message: ParsedMessage, _ bytes: Span<UInt8>, to output: Output) -> Bool {
        guard let part = message.structure.part(at: path) else { return false }
        message.writeBody(of: part, bytes) { output.write($0) }
        return true
    }
}
