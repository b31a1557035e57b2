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

    private static let chunkSize = 65_536

    /// Everything that is to be sent for `content`.
    package static func request(_ content: Span<UInt8>) -> [UInt8] {
        var bytes = Array("zINSTREAM\0".utf8)
        bytes.reserveCapacity(content.count + content.count / chunkSize * 4 + 32)
        var place = 0
        while place < content.count {
            let count = min(chunkSize, content.count - place)
            bytes += length(count)
            bytes.append(span: content.extracting(place..<(place + count)))
            place += count
        }
        return bytes + length(0)
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
