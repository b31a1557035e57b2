import Bytes
import CommandLineTool
import MessageFormat
import SpamRules

/// What templates take from the message: looked for when one asks.
final class TemplateSource {
    /// Without an mbox line.
    private let message: [UInt8]
    private let plan: RulePlan

    init(_ message: [UInt8], _ plan: RulePlan) {
        self.message = message
        self.plan = plan
    }

    /// Its fields and relays.
    private(set) lazy var tags = TemplateSource.tags(message, plan)

    /// The first words of its text.
    private(set) lazy var preview = TemplateSource.preview(message)

    private static func tags(_ message: [UInt8], _ plan: RulePlan) -> TemplateTags { TemplateTags(message.span, plan) }

    private static func preview(_ message: [UInt8]) -> String {
        let bytes = message.span.extracting(0..<min(message.count, 20_000))
        let structure = MessageStructure(bytes)
        let headers = structure.parts.indices.map { structure.header(of: $0, in: bytes) }
        let text =
            ReadableText(structure, ReadableParts(structure, headers: headers), in: bytes, limit: 2_000).text ?? []
        let words = text.split(whereSeparator: \.isMailWhitespace).map(\.text)
        var preview = ""
        for word in words {
            if preview.count + word.count > 180 { return TerminalText.escape(preview + " [...]") }
            preview += preview.isEmpty ? word : " \(word)"
        }
        return TerminalText.escape(preview)
    }
}
