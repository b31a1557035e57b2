import Bytes

/// Names of folders as the layouts of mail stores write them.
///
/// A Maildir++ folder is a directory `.Parent.Child` beside `cur/` and `new/`; its parts are IMAP names in modified UTF-7
/// (RFC 3501 5.1.3). What a part may not hold there, a dot or a slash, is written as Dovecot's listescape plugin does:
/// `\2e`, `\2f`. Elsewhere folders are directories or files of plain UTF-8 names.
package enum FolderName {
    /// The directory of Maildir++ for a folder; empty for the inbox, which is the Maildir itself.
    package static func maildirPlusPlus(_ parts: [String]) -> String {
        parts.map { "." + escaped(encode($0)) }.joined()
    }

    /// The parts that the name of a Maildir++ directory says; nil when it is none.
    package static func parts(ofMaildirPlusPlus name: String) -> [String]? {
        guard name.utf8.first == ASCII.dot else { return nil }
        let parts = name.dropFirst().split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard !parts.contains("") else { return nil }
        return parts.map { part in
            let plain = unescaped(part)
            return decode(plain) ?? plain
        }
    }

    /// A part as the name of a file or directory: `/` and NUL cannot be in it, `.` and `..` mean others.
    package static func fileName(_ part: String) -> String {
        let name = part.map { $0 == "/" || $0 == "\0" ? "_" : String($0) }.joined()
        return name.isEmpty || name.utf8.first == ASCII.dot ? "_" + name : name
    }

    private static func escaped(_ part: String) -> String {
        part.map { character in
            switch character {
            case ".": "\\2e"
            case "/": "\\2f"
            case "\0": "_"
            default: String(character)
            }
        }.joined()
    }

    private static func unescaped(_ part: String) -> String {
        var output: [UInt8] = []
        var rest = Array(part.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == ASCII.backslash, rest.starts(with: "2e".utf8) || rest.starts(with: "2f".utf8) {
                output.append(rest.starts(with: "2e".utf8) ? ASCII.dot : ASCII.slash)
                rest = rest.dropFirst(2)
            } else {
                output.append(byte)
            }
        }
        return output.text
    }

    // MARK: Modified UTF-7

    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,".utf8)

    /// A name in modified UTF-7: printable ASCII as it is, `&` as `&-`, other characters as UTF-16 in base64.
    package static func encode(_ name: String) -> String {
        var output: [UInt8] = []
        var units: [UInt16] = []
        for unit in name.utf16 {
            if 0x20...0x7E ~= unit {
                appendShifted(&units, &output)
                output.append(UInt8(unit))
                if unit == 0x26 { output.append(ASCII.dash) }
            } else {
                units.append(unit)
            }
        }
        appendShifted(&units, &output)
        return output.text
    }

    private static func appendShifted(_ units: inout [UInt16], _ output: inout [UInt8]) {
        guard !units.isEmpty else { return }
        output.append(UInt8(ascii: "&"))
        var bits: UInt32 = 0
        var count = 0
        for byte in units.flatMap({ [UInt8($0 >> 8), UInt8($0 & 0xFF)] }) {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                output.append(digits[Int(bits >> UInt32(count)) & 63])
            }
        }
        if count > 0 { output.append(digits[Int(bits << UInt32(6 - count)) & 63]) }
        output.append(ASCII.dash)
        units = []
    }

    /// The name behind modified UTF-7; nil when it is not well formed, or not the form that `encode` would give it.
    package static func decode(_ text: String) -> String? {
        var units: [UInt16] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "&") else {
                units.append(UInt16(byte))
                continue
            }
            guard let end = rest.firstIndex(of: ASCII.dash) else { return nil }
            let shifted = rest[..<end]
            rest = rest[(end + 1)...]
            if shifted.isEmpty {
                units.append(0x26)
                continue
            }
            var bits: UInt32 = 0
            var count = 0
            for digit in shifted {
                guard let value = digits.firstIndex(of: digit) else { return nil }
                bits = bits << 6 | UInt32(value)
                count += 6
                if count >= 16 {
                    count -= 16
                    units.append(UInt16(truncatingIfNeeded: bits >> UInt32(count)))
                }
            }
        }
        let name = String(decoding: units, as: UTF16.self)
        return encode(name) == text ? name : nil
    }
}
