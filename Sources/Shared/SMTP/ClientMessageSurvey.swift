import Bytes

/// What a client must know of a message before it offers it to a server: its size on the wire, whether it has octets beyond
/// ASCII, and whether it consists of lines as RFC 5321 has them. The message is given once, in pieces of any size.
package struct ClientMessageSurvey: Equatable, Sendable {
    /// True when an octet of 128 or more occurs: the message needs 8BITMIME (RFC 6152).
    package private(set) var isEightBit = false
    /// True when there is a NUL, or a line of more than 998 octets without its end (RFC 5321 4.5.3.1.6, RFC 2045 2.8).
    package private(set) var isIrregular = false
    private static let longestLine = 998
    private var octets = 0
    /// Line ends that are an LF alone, and so become an octet longer.
    private var bareLineFeeds = 0
    private var last = ASCII.lf
    /// Octets of the line that has not ended yet.
    private var open = 0

    /// A message of no octets.
    package init() {}

    /// A whole message.
    package init(_ message: Span<UInt8>) { add(message) }

    /// The size as RFC 1870 3 counts it: with CRLF line ends, without dot-stuffing and without the final dot. In octets.
    package var size: Int { octets + bareLineFeeds + (last == ASCII.lf ? 0 : 2) }

    /// The size as it is stored, in octets.
    package var storedSize: Int { octets }

    /// Takes the next piece into account.
    package mutating func add(_ piece: Span<UInt8>) {
        guard !piece.isEmpty else { return }
        octets += piece.count
        var start = 0
        while let lf = piece.firstIndex(of: ASCII.lf, from: start) {
            let previous = lf > 0 ? piece[lf - 1] : last
            if previous != ASCII.cr { bareLineFeeds += 1 }
            note(lineOf: open + lf - start - (previous == ASCII.cr ? 1 : 0))
            open = 0
            start = lf + 1
        }
        open += piece.count - start
        last = piece[piece.count - 1]
        // A CR at the end may belong to the line end.
        note(lineOf: open - (last == ASCII.cr ? 1 : 0))
        if !isIrregular { isIrregular = piece.firstIndex(of: 0) != nil }
        if !isEightBit { isEightBit = piece.hasEightBit }
    }

    private mutating func note(lineOf length: Int) { if length > Self.longestLine { isIrregular = true } }
}

extension Span where Element == UInt8 {
    /// True when an octet has its highest bit set.
    fileprivate var hasEightBit: Bool {
        var seen: UInt8 = 0
        for index in 0..<count { seen |= self[index] }
        return seen >= 0x80
    }
}
