import Bytes

/// Turns what RETR and TOP send back into the message: doubled dots undone, CRLF line ends as LF, the line with the dot
/// taken for the end (RFC 1939 3). Fed piece by piece; keeps nothing but where it is in a line.
///
/// Only CRLF ends a line, so that a message in which bare LF stands next to dots is not cut; with a server that ends its
/// lines with LF alone, LF does.
package struct MessageDecoder: Sendable {
    private enum Place {
        case lineStart
        /// Behind a dot at the start of a line.
        case dot
        /// Behind `.` CR at the start of a line.
        case dotCR
        case text
        /// Behind a CR that may begin a line end.
        case textCR
    }

    private let endsLinesWithLF: Bool
    private var place = Place.lineStart
    /// The line with the dot has come.
    package private(set) var isComplete = false

    package init(endsLinesWithLF: Bool = false) { self.endsLinesWithLF = endsLinesWithLF }

    /// Appends what `input` holds of the message to `output`; returns how many bytes were used up, which are all unless
    /// the end is among them.
    package mutating func decode(_ input: Span<UInt8>, into output: inout [UInt8]) -> Int {
        let count = input.count
        var index = 0
        while index < count, !isComplete {
            let byte = input[index]
            switch place {
            case .lineStart:
                place = byte == ASCII.dot ? .dot : .text
                if byte == ASCII.dot { index += 1 }
            case .dot:
                if byte == ASCII.cr {
                    place = .dotCR
                    index += 1
                } else if byte == ASCII.lf, endsLinesWithLF {
                    isComplete = true
                    index += 1
                } else {
                    place = .text
                }
            case .dotCR:
                if byte == ASCII.lf {
                    isComplete = true
                    index += 1
                } else {
                    // The dot was a doubled one, or should have been.
                    output.append(ASCII.cr)
                    place = .text
                }
            case .textCR:
                if byte == ASCII.lf {
                    output.append(ASCII.lf)
                    place = .lineStart
                    index += 1
                } else {
                    output.append(ASCII.cr)
                    place = .text
                }
            case .text: index = decodeLine(input, from: index, into: &output)
            }
        }
        return index
    }

    /// Goes on within a line, up to its end or that of the input.
    private mutating func decodeLine(_ input: Span<UInt8>, from start: Int, into output: inout [UInt8]) -> Int {
        guard let lf = input.firstIndex(of: ASCII.lf, from: start) else {
            let endsWithCR = input[input.count - 1] == ASCII.cr
            output.append(span: input.extracting(start..<(endsWithCR ? input.count - 1 : input.count)))
            if endsWithCR { place = .textCR }
            return input.count
        }
        let hasCR = lf > start && input[lf - 1] == ASCII.cr
        output.append(span: input.extracting(start..<(hasCR ? lf - 1 : lf)))
        output.append(ASCII.lf)
        if hasCR || endsLinesWithLF { place = .lineStart }
        return lf + 1
    }
}
