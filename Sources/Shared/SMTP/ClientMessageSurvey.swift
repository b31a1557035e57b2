import Bytes

/// What a client must know of a message before it offers it to a server: its size on the wire, and
/// whether it has octets beyond ASCII.
package struct ClientMessageSurvey: Equatable, Sendable {
    /// The size as RFC 1870 counts it: with CRLF line ends, without dot-stuffing and without the final dot. In octets.
    package var size = 0
    /// True when an octet of 128 or more occurs: the message needs 8BITMIME (RFC 6152).
    package var isEightBit = false
    /// The length of the longest line without its line end, in octets.
    package var longestLine = 0

    /// A message of no octets.
    package init() {}

    /// Reads a whole message once.
    package init(_ message: Span<UInt8>) { add(message) }

    /// Takes the next piece of the message into account; every piece but the last must end with a line end.
    package mutating func add(_ message: Span<UInt8>) {
        var start = 0
        while start < message.count {
            let line = message.line(at: start)
            survey(message, line)
            start = line.next
        }
    }

    private mutating func survey(_ message: Span<UInt8>, _ line: LineRange) {
        let content = line.content
        if !isEightBit { isEightBit = message.hasEightBit(in: content) }
        size += content.count + 2
        longestLine = max(longestLine, content.count)
    }
}

extension Span where Element == UInt8 {
    /// True when an octet of `range`, which must lie within the span, has its highest bit set.
    fileprivate func hasEightBit(in range: Range<Int>) -> Bool {
        var seen: UInt8 = 0
        for index in range { seen |= self[index] }
        return seen >= 0x80
    }
}
