import Bytes
import CommandLineTool
import MessageFormat

/// Header fields, decoded and unfolded, one a line.
struct HeaderViews {
    private let text: ViewText

    init(_ text: ViewText) { self.text = text }

    /// All fields.
    func writeAll(_ message: ParsedMessage, _ bytes: Span<UInt8>, to output: Output) {
        for field in message.structure.fields(of: 0) {
            output.write("\(text.palette.bold("\(text.line(field.nameText(in: bytes))):")) ")
            write(field, bytes, to: output)
        }
    }

    /// The values of the fields of these names, in the order of the names; whether there was any.
    func write(
        _ names: [String], _ message: ParsedMessage, _ bytes: Span<UInt8>, file: String?, to output: Output
    ) -> Bool {
        var found = false
        for name in names {
            let name = Array(name.utf8)
            for field in message.structure.fields(of: 0) where field.isNamed(name.span, in: bytes) {
                found = true
                if let file { output.write("\(text.line(file)): ") }
                write(field, bytes, to: output)
            }
        }
        return found
    }

    /// A value on a line of its own; most can be written as they stand.
    private func write(_ field: HeaderField, _ bytes: Span<UInt8>, to output: Output) {
        if let plain = field.plainText(in: bytes) {
            let value = bytes.extracting(plain)
            if !value.hasControls {
                // In pieces: a line may be as long as it likes.
                var place = 0
                while value.count - place > ViewText.pieceSize {
                    output.write(value.extracting(place..<(place + ViewText.pieceSize)))
                    place += ViewText.pieceSize
                }
                output.writeLine(value.extracting(place..<value.count))
                return
            }
        }
        text.writeLine(field.text(in: bytes), to: output)
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

extension Span where Element == UInt8 {
    fileprivate var hasControls: Bool {
        for index in 0..<count where self[index].isASCIIControl { return true }
        return false
    }
}
