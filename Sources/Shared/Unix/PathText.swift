import Bytes
import Glibc

/// Paths as text. To the kernel a path is bytes of any kind; here it is a String in which each byte that is no part of
/// UTF-8 stands as a character of its own, U+10FF80 to U+10FFFF (the end of the private use area). Characters that a
/// name really has there are taken for bytes too, so that every path can be said, and comes back as it was.
package enum PathText {
    private static let escapes: ClosedRange<UInt32> = 0x10FF80...0x10FFFF

    /// The text of a path.
    package static func text(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self), !hasEscapes(text) { return text }
        var text = String.UnicodeScalarView()
        var place = 0
        while place < bytes.count {
            let length = lengthOfCharacter(bytes, place)
            if length > 0, let character = String(validating: bytes[place..<place + length], as: UTF8.self),
                !hasEscapes(character)
            {
                text.append(contentsOf: character.unicodeScalars)
                place += length
            } else {
                if let scalar = Unicode.Scalar(0x10FF00 + UInt32(bytes[place])) { text.append(scalar) }
                place += 1
            }
        }
        return String(text)
    }

    /// The path of a text.
    package static func bytes(_ text: String) -> [UInt8] {
        guard hasEscapes(text) else { return Array(text.utf8) }
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            if escapes.contains(scalar.value) {
                bytes.append(UInt8(scalar.value & 0xFF))
            } else {
                bytes += UTF8.encode(scalar).map(Array.init) ?? []
            }
        }
        return bytes
    }

    /// A text that is no path: what was not UTF-8 becomes U+FFFD.
    package static func repaired(_ text: String) -> String { hasEscapes(text) ? bytes(text).text : text }

    /// The words of the command line behind the program's name, each as the text of a path.
    package static var commandLine: [String] {
        (1..<max(1, Int(CommandLine.argc))).compactMap { index in
            // Safe: the kernel gives so many NUL-terminated words, which live as long as the process.
            CommandLine.unsafeArgv[index].map {
                text(Array(UnsafeBufferPointer(start: $0, count: strlen($0))).map(UInt8.init(bitPattern:)))
            }
        }
    }

    /// The byte of a character that stands for one; nil of any other.
    package static func byte(_ scalar: Unicode.Scalar) -> UInt8? {
        escapes.contains(scalar.value) ? UInt8(scalar.value & 0xFF) : nil
    }

    /// Whether a text has characters that stand for bytes. Most have no character of the last plane at all.
    private static func hasEscapes(_ text: String) -> Bool {
        text.utf8.contains(0xF4) && text.unicodeScalars.contains { escapes.contains($0.value) }
    }

    /// How many bytes a character that begins at `place` has by its first; 0 where none can begin or too few are left.
    private static func lengthOfCharacter(_ bytes: [UInt8], _ place: Int) -> Int {
        let length =
            switch bytes[place] {
            case ..<0x80: 1
            case 0xC2...0xDF: 2
            case 0xE0...0xEF: 3
            case 0xF0...0xF4: 4
            default: 0
            }
        return place + length <= bytes.count ? length : 0
    }
}

/// Calls `body` with two paths as the kernel wants them.
func withPaths<Result>(
    _ first: String, _ second: String, _ body: (UnsafePointer<CChar>, UnsafePointer<CChar>) -> Result
) -> Result {
    withPath(first) { first in withPath(second) { second in body(first, second) } }
}

/// Calls `body` with a path as the kernel wants it.
func withPath<Result>(_ path: String, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    guard path.utf8.contains(0xF4) else { return path.withCString(body) }
    return (PathText.bytes(path) + [0]).map { CChar(bitPattern: $0) }.withUnsafeBufferPointer { pointer in
        // Safe: there is the NUL at least.
        pointer.baseAddress.map(body) ?? path.withCString(body)
    }
}
