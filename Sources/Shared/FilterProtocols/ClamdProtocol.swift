import Bytes

/// INSTREAM of clamd: the content in chunks with their lengths before them, a chunk of length 0 at the end, and one line
/// as the answer (clamd(8)).
package enum ClamdProtocol {
    package enum Answer: Equatable, Sendable {
        case clean
        /// The name of what was found.
        case found(String)
        case failed(String)
    }

    /// What stands before the first chunk.
    package static let beginning = Array("zINSTREAM\0".utf8)

    /// The most that one chunk should hold, in octets.
    package static let chunkSize = 65_536

    /// A part of the content, not empty, as one chunk.
    package static func chunk(_ part: [UInt8]) -> [UInt8] { length(part.count) + part }

    /// The chunk that ends the content.
    package static let end: [UInt8] = length(0)

    /// Everything that is to be sent for `content`.
    package static func request(_ content: Span<UInt8>) -> [UInt8] {
        var bytes = beginning
        bytes.reserveCapacity(content.count + content.count / chunkSize * 4 + 32)
        for place in stride(from: 0, to: content.count, by: chunkSize) {
            bytes += chunk(content.array(place..<(place + chunkSize)))
        }
        return bytes + end
    }

    private static func length(_ count: Int) -> [UInt8] {
        let number = UInt32(truncatingIfNeeded: count)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
    }

    /// Reads an answer without its NUL: `stream: OK`, `stream: Eicar-Test-Signature FOUND`, `INSTREAM size limit exceeded.
    /// ERROR`.
    package static func answer(_ line: [UInt8]) -> Answer {
        let text = line.text
        let rest = text.hasPrefix("stream: ") ? String(text.dropFirst(8)) : text
        if rest == "OK" { return .clean }
        if rest.hasSuffix(" FOUND") { return .found(String(rest.dropLast(6))) }
        return .failed(rest.isEmpty ? "no answer" : rest)
    }
}
