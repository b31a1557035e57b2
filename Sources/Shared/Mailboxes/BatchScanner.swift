import Bytes

/// Finds the messages of a batch SMTP stream (RFC 2442): the client's half of an SMTP session, in pieces of any size.
///
/// The caller keeps the bytes, as with `MboxScanner`: it takes events until there are none, drops the first `consumed`
/// bytes, and comes again with the rest and more behind it. Dot-stuffing is undone.
package struct BatchScanner: Sendable {
    package enum Event: Equatable, Sendable {
        /// The lines of a message begin: `DATA` was said.
        case begin
        /// The next bytes of the message.
        case content(Range<Int>)
        /// The message is complete.
        case end
    }

    private enum State { case commands, data }

    /// How many bytes of the span given to `next` are done with.
    package private(set) var consumed = 0
    private var state = State.commands
    private var isAtLineStart = true

    package init() {}

    /// Whether the bytes begin as a batch does: with a greeting or `MAIL FROM:`.
    package static func begins(_ bytes: Span<UInt8>) -> Bool {
        let line = bytes.line(at: 0, limit: 1_024).content
        return ["HELO ", "EHLO ", "LHLO ", "MAIL FROM:"].contains { (word: StaticString) in
            line.count > word.utf8CodeUnitCount
                && line.prefix(word.utf8CodeUnitCount).map { bytes[$0] }.equalsIgnoringCase(word)
        }
    }

    /// The next event within `bytes`; nil when there is none before more bytes come, or at the end.
    package mutating func next(in bytes: Span<UInt8>, isFinal: Bool) -> Event? {
        if state == .data { return nextOfData(bytes, isFinal) }
        while consumed < bytes.count {
            let line = bytes.line(at: consumed)
            guard line.isTerminated || isFinal else { return nil }
            consumed = line.next
            let word = line.content.map { bytes[$0] }.filter { !$0.isMailWhitespace }
            if word.equalsIgnoringCase("DATA") {
                state = .data
                isAtLineStart = true
                return .begin
            }
        }
        return nil
    }

    /// Says that the first `consumed` bytes were dropped.
    package mutating func dropConsumed() { consumed = 0 }

    private mutating func nextOfData(_ bytes: Span<UInt8>, _ isFinal: Bool) -> Event? {
        if isAtLineStart, consumed < bytes.count, bytes[consumed] == ASCII.dot {
            let line = bytes.line(at: consumed)
            // A dot alone needs its line end to be known.
            guard line.isTerminated || isFinal || bytes.count - consumed > 2 else { return nil }
            if line.content.count == 1 {
                consumed = line.next
                state = .commands
                return .end
            }
            consumed += 1
            isAtLineStart = false
        }
        guard consumed < bytes.count else {
            guard isFinal else { return nil }
            state = .commands
            return .end
        }
        let start = consumed
        if let place = bytes.firstIndex(of: "\n.", in: start..<bytes.count) {
            consumed = place + 1
            isAtLineStart = true
        } else {
            consumed = bytes.count
            isAtLineStart = bytes[bytes.count - 1] == ASCII.lf
        }
        return .content(start..<consumed)
    }
}
