import Bytes

/// Turns a stored message into what RETR and TOP send: CRLF line ends, dots doubled, a last line end supplied
/// (RFC 1939 3). Fed piece by piece; keeps nothing but where it is in a line.
package struct MessageEncoder: Sendable {
    /// How many lines of the body are sent; nil for all.
    private let bodyLines: Int?
    private var isAtLineStart = true
    private var lastIsCR = false
    private var isInBody = false
    private var lineIsEmpty = true
    private var sentLines = 0
    /// Nothing more is to be sent: the lines asked for are out.
    package private(set) var isDone = false

    package init(bodyLines: Int? = nil) { self.bodyLines = bodyLines }

    /// Appends the next piece of the message, encoded, to `output`.
    package mutating func encode(_ piece: Span<UInt8>, into output: inout [UInt8]) {
        let count = piece.count
        var place = 0
        // What stands before it is in the output.
        var copied = 0
        while place < count {
            if isAtLineStart {
                if isInBody, let bodyLines, sentLines >= bodyLines {
                    isDone = true
                    break
                }
                if piece[place] == ASCII.dot {
                    output.append(span: piece.extracting(copied..<place))
                    output.append(ASCII.dot)
                    copied = place
                }
                isAtLineStart = false
                lineIsEmpty = true
            }
            let lf = piece.firstIndex(of: ASCII.lf, from: place)
            let end = lf ?? count
            if end > place {
                let isCR = piece[end &- 1] == ASCII.cr
                if end &- place > 1 || !isCR || lastIsCR { lineIsEmpty = false }
                lastIsCR = isCR
            }
            place = end
            guard lf != nil else { break }
            if !lastIsCR {
                output.append(span: piece.extracting(copied..<end))
                output.append(ASCII.cr)
                copied = end
            }
            place = end &+ 1
            endLine()
        }
        output.append(span: piece.extracting(copied..<place))
    }

    private mutating func endLine() {
        if isInBody {
            sentLines &+= 1
        } else if lineIsEmpty {
            isInBody = true
        }
        isAtLineStart = true
        lastIsCR = false
    }

    /// Ends the message: the missing last line end, and the line with the dot.
    package mutating func finish(into output: inout [UInt8]) {
        if !isAtLineStart { output += lastIsCR ? [ASCII.lf] : [ASCII.cr, ASCII.lf] }
        output += [ASCII.dot, ASCII.cr, ASCII.lf]
        isAtLineStart = true
        isDone = true
    }
}

/// Counts the octets of a message as RETR sends it, without the doubled dots (RFC 1939 11).
package struct MessageSize: Sendable {
    /// So far, without a last line end that is missing.
    private var count = 0
    private var last: UInt8?

    package init() {}

    package mutating func add(_ piece: Span<UInt8>) {
        count += piece.count
        var place = 0
        while let lf = piece.firstIndex(of: ASCII.lf, from: place) {
            let before = lf > 0 ? piece[lf - 1] : last
            if before != ASCII.cr { count += 1 }
            place = lf + 1
        }
        if !piece.isEmpty { last = piece[piece.count - 1] }
    }

    package var octets: Int {
        guard let last, last != ASCII.lf else { return count }
        return count + (last == ASCII.cr ? 1 : 2)
    }
}
