import Bytes

/// What a client must know of a message before it offers it to a server: its size on the wire, and whether it has
/// octets beyond ASCII. The message is given once, in pieces of any size.
package struct ClientMessageSurvey: Equatable, Sendable {
    /// True when an octet of 128 or more occurs: the message needs 8BITMIME (RFC 6152).
    package private(set) var isEightBit = false
    private var octets = 0
    /// Line ends that are an LF alone, and so become an octet longer.
    private var bareLineFeeds = 0
    private var last = ASCII.lf

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
            start = lf + 1
        }
        last = piece[piece.count - 1]
        if !isEightBit { isEightBit = piece.hasEightBit }
    }
}

extension Span where Element == UInt8 {
    /// True when an octet has its highest bit set.
    fileprivate var hasEightBit: Bool {
        var seen: UInt8 = 0
        for index in 0..<count { seen |= self[index] }
        return seen >= 0x80
    }
}
