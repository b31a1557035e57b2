import Bytes

/// A file name from mail made fit to create a file by: what a sender writes there must not choose where or as what it
/// lands.
package enum SafeFileName {
    /// No name has more bytes.
    package static let limit = 200

    /// The last component of `name` without control and bidi characters, leading dots and dashes, names with a meaning
    /// to the system, and characters that Windows forbids; empty when nothing is left.
    package static func make(_ name: String) -> String {
        var scalars: [Unicode.Scalar] = []
        for scalar in name.unicodeScalars {
            if scalar == "/" || scalar == "\\" {
                scalars.removeAll()
            } else if !isForbidden(scalar) {
                scalars.append(isReplaced(scalar) ? "_" : scalar)
            }
        }
        while let first = scalars.first, first == "." || first == "-" || first == "~" || first.properties.isWhitespace {
            scalars.removeFirst()
        }
        while let last = scalars.last, last == "." || last.properties.isWhitespace { scalars.removeLast() }
        var text = ""
        text.unicodeScalars.append(contentsOf: scalars)
        if isReserved(text) { text = "_" + text }
        return shortened(text)
    }

    /// The name for a part that has none: `part-1.2.txt`.
    package static func make(path: String, type: String) -> String {
        let stem = path.utf8.count > 100 ? "\(path.prefix(100))-" : path
        return "part-\(stem).\(fileExtension(of: type))"
    }

    /// `name` with a number before its extension: `report-2.pdf`.
    package static func numbered(_ name: String, _ number: Int) -> String {
        let (stem, suffix) = split(name)
        let tail = "-\(number)\(suffix)"
        let room = max(1, limit - tail.utf8.count)
        return UTF8Cut.prefix(Array(stem.utf8), room).text + tail
    }

    /// Whether a name asks for trouble: path parts, control characters, a leading dot, or two extensions of which the
    /// last is that of a program.
    package static func isSuspicious(_ name: String) -> Bool {
        if name.hasPrefix(".") || name.contains("/") || name.contains("\\") { return true }
        if name.unicodeScalars.contains(where: { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }) { return true }
        let pieces = name.split(separator: ".", omittingEmptySubsequences: false)
        guard pieces.count >= 3, let last = pieces.last else { return false }
        return programs.contains(String(last).asciiLowercased.trimmedSpaces)
    }

    private static let programs: Set<String> = [
        "exe", "com", "bat", "cmd", "scr", "pif", "vbs", "vbe", "js", "jse", "wsf", "wsh", "hta", "msi", "jar", "ps1",
        "lnk", "reg", "cpl", "dll", "sh", "app", "desktop", "py", "pl", "apk", "msc", "sct", "chm",
    ]

    private static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0...0x1F, 0x7F...0x9F, 0x061C, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x2069, 0xFEFF, 0xFFFD: true
        default: false
        }
    }

    private static func isReplaced(_ scalar: Unicode.Scalar) -> Bool { ":*?\"<>|".unicodeScalars.contains(scalar) }

    /// Device names of Windows, whatever extension they have.
    private static func isReserved(_ name: String) -> Bool {
        var stem = String(String.UnicodeScalarView(name.unicodeScalars.prefix { $0 != "." })).asciiLowercased
        while stem.utf8.last == ASCII.space { stem.removeLast() }
        if ["con", "prn", "aux", "nul", "conin$", "conout$"].contains(stem) { return true }
        guard stem.hasPrefix("com") || stem.hasPrefix("lpt") else { return false }
        let rest = stem.dropFirst(3)
        return rest.count == 1 && rest.allSatisfy { $0.isASCII && $0.isNumber || "¹²³".contains($0) }
    }

    private static func shortened(_ name: String) -> String {
        guard name.utf8.count > limit else { return name }
        let (stem, suffix) = split(name)
        return UTF8Cut.prefix(Array(stem.utf8), limit - suffix.utf8.count).text + suffix
    }

    /// Stem and extension; an extension is at most 20 bytes long.
    private static func split(_ name: String) -> (stem: String, suffix: String) {
        let bytes = Array(name.utf8)
        guard let dot = bytes.lastIndex(of: ASCII.dot), dot > 0, bytes.count - dot <= 21 else { return (name, "") }
        return (bytes[..<dot].text, bytes[dot...].text)
    }

    private static func fileExtension(of type: String) -> String {
        switch type {
        case "text/plain": "txt"
        case "text/html": "html"
        case "text/csv": "csv"
        case "text/calendar": "ics"
        case "text/vcard", "text/x-vcard": "vcf"
        case "message/rfc822", "message/global", "message/news": "eml"
        case "image/jpeg": "jpg"
        case "image/png": "png"
        case "image/gif": "gif"
        case "image/svg+xml": "svg"
        case "application/pdf": "pdf"
        case "application/zip": "zip"
        case "application/json": "json"
        case "application/pgp-signature": "asc"
        case "application/pkcs7-signature", "application/x-pkcs7-signature": "p7s"
        default: type.hasPrefix("text/") || type.hasPrefix("message/") ? "txt" : "bin"
        }
    }
}

extension String {
    fileprivate var trimmedSpaces: String { String(utf8.prefix { $0 != ASCII.space }) ?? self }
}
