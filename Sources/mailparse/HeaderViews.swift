import Bytes
import CommandLineTool
import MessageFormat

/// Header fields, decoded and unfolded, one a line.
struct HeaderViews {
    private let text: ViewText

    init(_ text: ViewText) { self.text = text }

    /// All fields.
    func writeAll(_ message: ParsedMessage, to output: Output) {
        for field in message.summary.fields {
            output.writeLine("\(text.palette.bold("\(text.line(field.name)):")) \(text.line(field.value))")
        }
    }

    /// The values of the fields of these names, in the order of the names; whether there was any.
    func write(_ names: [String], _ message: ParsedMessage, file: String?, to output: Output) -> Bool {
        var found = false
        for name in names {
            for field in message.summary.fields where field.name.equalsIgnoringCase(name) {
                found = true
                output.writeLine((file.map { "\(text.line($0)): " } ?? "") + text.line(field.value))
            }
        }
        return found
    }

    /// Every address of the address fields, one a line.
    func writeAddresses(_ message: ParsedMessage, to output: Output) {
        let summary = message.summary
        let all = summary.from + summary.sender + summary.replyTo + summary.to + summary.cc + summary.bcc
        for address in all where address.address != nil {
            output.writeLine(text.line(ViewText.address(address.name, address.address)))
        }
    }
}
