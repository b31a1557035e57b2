import Bytes

/// Reads a message as DATA or BDAT sends it: turns CRLF to LF, and for DATA takes the dots away and finds the one end,
/// CRLF `.` CRLF.
///
/// Nothing else ends the data (RFC 5321 4.1.1.4), whatever a sender hopes that another server takes for the end. A lone
/// LF is a line end of the content that is never looked at for a dot; a lone CR is noted, for the message to be refused.
package struct DataDecoder: Sendable {
    /// How the content comes.
    package enum Transfer: Equatable, Sendable {
        /// By DATA.
        case dotted
        /// By BDAT, in lines: no dot means anything.
        case text
        /// By BDAT with BODY=BINARYMIME: nothing is changed.
        case binary
    }

    private enum State: Sendable {
        /// After CRLF, or at the beginning.
        case lineStart
        case lineStartDot
        case lineStartDotCR
        case inLine
        case inLineCR
    }

    private let transfer: Transfer
    private var state: State
    /// A CR without LF was seen.
    package private(set) var hasBareCR = false
    /// Octets of content so far, line ends counted as CRLF.
    package private(set) var size = 0

    package init(_ transfer: Transfer = .dotted) {
        self.transfer = transfer
        state = transfer == .dotted ? .lineStart : .inLine
    }

    /// Reads from `input` as far as possible, appends content to `content`.
    ///
    /// - Returns: how many bytes were read, and whether the end was reached (then the rest is the next command).
    package mutating func decode(
        _ input: Span<UInt8>, into content: inout [UInt8]
    ) -> (consumed: Int, isAtEnd: Bool) {
        let before = content.count
        defer { size += content.count - before }
        if transfer == .binary {
            content.append(span: input)
            return (input.count, false)
        }
        content.reserveCapacity(before + input.count)
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
            if read(byte, into: &content) { return (place, true) }
        }
        return (place, false)
    }

    /// The data has come to its end by count: a CR that still waits for its LF was a lone one.
    package mutating func finish(into content: inout [UInt8]) {
        if state == .inLineCR { appendBareCR(&content) }
        state = .inLine
    }

    /// One byte; true at the end.
    private mutating func read(_ byte: UInt8, into content: inout [UInt8]) -> Bool {
        switch (state, byte) {
        case (.inLine, ASCII.cr), (.lineStart, ASCII.cr): state = .inLineCR
        case (.inLine, ASCII.lf):
            content.append(ASCII.lf)
            size += 1
        case (.inLine, _):
            content.append(byte)
        case (.inLineCR, ASCII.lf):
            content.append(ASCII.lf)
            size += 1
            state = transfer == .dotted ? .lineStart : .inLine
        case (.inLineCR, ASCII.cr): appendBareCR(&content)
        case (.inLineCR, _):
            appendBareCR(&content)
            content.append(byte)
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
            return true
        case (.lineStartDotCR, ASCII.cr):
            appendBareCR(&content)
            state = .inLineCR
        case (.lineStartDotCR, _):
            appendBareCR(&content)
            content.append(byte)
            state = .inLine
        }
        return false
    }

    private mutating func appendBareCR(_ content: inout [UInt8]) {
        hasBareCR = true
        content.append(ASCII.cr)
    }
}
