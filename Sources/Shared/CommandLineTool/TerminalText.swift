import Bytes
import Glibc
import Unix

/// Text from mail made safe for a terminal: controls and bidi marks are shown as escapes, never sent.
package enum TerminalText {
    /// Escapes C0, C1, DEL and what `PathText` has for a byte as `\x1b`, bidi controls and line separators as `\u202e`. With `keepingLines`, line feeds
    /// and tabs stay.
    package static func escape(_ text: String, keepingLines: Bool = false) -> String {
        // Most text is plain ASCII.
        if text.utf8.allSatisfy({ $0 &- 0x20 < 0x5F }) { return text }
        if !text.unicodeScalars.contains(where: { mustEscape($0, keepingLines) }) { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            if let byte = PathText.byte(scalar) {
                result += "\\x" + hexadecimal(UInt32(byte), 2)
            } else if !mustEscape(scalar, keepingLines) {
                result.unicodeScalars.append(scalar)
            } else if scalar.value < 0x100 {
                result += "\\x" + hexadecimal(scalar.value, 2)
            } else {
                result += "\\u" + hexadecimal(scalar.value, 4)
            }
        }
        return result
    }

    private static func mustEscape(_ scalar: Unicode.Scalar, _ keepingLines: Bool) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A: !keepingLines
        case 0x00...0x1F, 0x7F...0x9F: true
        case 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: PathText.byte(scalar) != nil
        }
    }

    private static func hexadecimal(_ value: UInt32, _ width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

/// What is known of the terminal.
package enum Terminal {
    /// Whether a descriptor is a terminal.
    package static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// The width in columns of the terminal on standard output; 80 when it is none.
    package static var width: Int {
        var size = winsize()
        guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}

/// Colour: only on a terminal, and never with NO_COLOR (unless asked for).
package struct Palette: Sendable {
    package let isOn: Bool

    /// `when` is `auto`, `always` or `never`.
    package init(_ when: String, descriptor: Int32 = 1) {
        switch when {
        case "always": isOn = true
        case "never": isOn = false
        default:
            let refused = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
            let dumb = getenv("TERM").map { String(cString: $0) == "dumb" } ?? false
            isOn = !refused && !dumb && Terminal.isTerminal(descriptor)
        }
    }

    package func bold(_ text: String) -> String { wrap("1", text) }
    package func dim(_ text: String) -> String { wrap("2", text) }
    package func red(_ text: String) -> String { wrap("31", text) }
    package func green(_ text: String) -> String { wrap("32", text) }
    package func yellow(_ text: String) -> String { wrap("33", text) }
    package func cyan(_ text: String) -> String { wrap("36", text) }

    private func wrap(_ code: String, _ text: String) -> String { isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text }
}
