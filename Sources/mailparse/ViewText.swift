import Bytes
import CommandLineTool

/// How text from mail is shown: escaped on a terminal, and one line where one line is promised.
struct ViewText: Sendable {
    private let isRaw: Bool
    let palette: Palette
    private let isTerminal = Terminal.isTerminal(1)

    init(raw: Bool, palette: Palette) {
        isRaw = raw
        self.palette = palette
    }

    /// Text that stays on one line, also in a pipe: line breaks and other controls become visible escapes.
    func line(_ text: String) -> String {
        if !isRaw { return TerminalText.escape(text) }
        return text.replacing("\r", with: "\\x0d").replacing("\n", with: "\\x0a")
    }

    /// More than this is not held in memory as it is shown, in bytes.
    static let pieceSize = 1 << 20

    /// Writes text on a line of its own, in pieces.
    func writeLine(_ text: String, to output: Output) {
        let bytes = Array(text.utf8)
        var place = 0
        while bytes.count - place > Self.pieceSize {
            // Between characters.
            var end = place + Self.pieceSize
            while end > place, bytes[end] & 0xC0 == 0x80 { end -= 1 }
            output.write(line(bytes[place..<end].text))
            place = end
        }
        output.writeLine(place == 0 ? line(text) : line(bytes[place...].text))
    }

    /// Text of many lines: controls are escaped on a terminal.
    func block(_ text: [UInt8]) -> String {
        let text = UTF8Text.repaired(text.span)
        return isTerminal && !isRaw ? TerminalText.escape(text, keepingLines: true) : text
    }

    /// `312 B`, `2.0 kB`, `1.3 MB`.
    static func size(_ bytes: Int) -> String {
        var value = Double(bytes)
        for unit in ["B", "kB", "MB", "GB"] {
            if value < 1_000 || unit == "GB" {
                return unit == "B"
                    ? "\(bytes) B" : "\(DecimalText.format(value, decimals: value < 100 ? 1 : 0)) \(unit)"
            }
            value /= 1_000
        }
        return "\(bytes) B"
    }

    /// Padded with spaces to a count of characters.
    static func padded(_ text: String, _ width: Int) -> String {
        let count = text.utf8.allSatisfy { $0 < 0x80 } ? text.utf8.count : text.count
        return count >= width ? text : text + String(repeating: " ", count: width - count)
    }

    /// One address as people write it.
    static func address(_ name: String?, _ address: String?) -> String {
        switch (name, address) {
        case (let name?, let address?): "\(name) <\(address)>"
        case (nil, let address?): address
        case (let name?, nil): name
        case (nil, nil): ""
        }
    }
}
