import Bytes

/// Reads a message as DATA sends it: takes the dots away, turns CRLF to LF, and finds the one end, CRLF `.` CRLF.
///
/// Nothing else ends the data (RFC 5321 4.1.1.4), whatever a sender hopes that another server takes for the end. A lone
/// LF is a line end of the content that is never looked at for a dot; a lone CR is noted, for the message to be refused.
package struct DataDecoder: Sendable {
    private enum State: Sendable {
        /// After CRLF, or at the beginning.
        case lineStart
        case lineStartDot
        case lineStartDotCR
        case inLine
        case inLineCR
    }

    private var state = State.lineStart
    /// A CR without LF was seen.
    package private(set) var hasBareCR = false

    package init() {}

    /// Reads from `input` as far as possible, appends content to `content`.
    ///
    /// - Returns: how many bytes were read, and whether the end was reached (then the rest is the next command).
    package mutating func decode(
        _ input: Span<UInt8>, into content: inout [UInt8]
    ) -> (consumed: Int, isAtEnd: Bool) {
        var place = 0
        while place < input.count {
            if state == .inLine {
                // Most bytes are here: everything up to the next CR or LF at once.
                let lf = input.firstIndex(of: ASCII.lf, from: place) ?? input.count
                let cr = input.firstIndex(of: ASCII.cr, in: place..<lf) ?? lf
                if cr > place {
                    content.append(span: input.extracting(place..<cr))
                    place = cr
                    continue
                }
            }
            let byte = input[place]
            place += 1
            switch (state, byte) {
            case (.inLine, ASCII.cr), (.lineStart, ASCII.cr): state = .inLineCR
            case (.inLine, ASCII.lf):
                content.append(ASCII.lf)
            case (.inLine, _):
                content.append(byte)
            case (.inLineCR, ASCII.lf):
                content.append(ASCII.lf)
                state = .lineStart
            case (.inLineCR, ASCII.cr):
                hasBareCR = true
                content.append(ASCII.cr)
            case (.inLineCR, _):
                hasBareCR = true
                content += [ASCII.cr, byte]
                state = .inLine
            case (.lineStart, ASCII.dot): state = .lineStartDot
            case (.lineStart, _):
                content.append(byte)
                state = .inLine
            case (.lineStartDot, ASCII.cr): state = .lineStartDotCR
            case (.lineStartDot, _):
                // The dot that the sender put before the line is dropped (RFC 5321 4.5.2).
                content.append(byte)
                state = .inLine
            case (.lineStartDotCR, ASCII.lf):
                state = .lineStart
                return (place, true)
            case (.lineStartDotCR, ASCII.cr):
                hasBareCR = true
                content.append(ASCII.cr)
                state = .inLineCR
            case (.lineStartDotCR, _):
                hasBareCR = true
                content += [ASCII.cr, byte]
                state = .inLine
            }
        }
        return (place, false)
    }
}
