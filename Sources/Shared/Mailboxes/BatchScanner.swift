import Bytes

/// Finds the messages of a batch SMTP stream (RFC 2442): the client's half of an SMTP session, in pieces of any size.
///
/// The caller keeps the bytes, as with `MboxScanner`: it takes events until there are none, drops the first `consumed`
/// bytes, and comes again with the rest and more behind it. Dot-stuffing is undone.
package struct BatchScanner: Sendable {
    package enum Event: Equatable, Sendable {
        /// The lines of a message begin: `DATA` was said, or the first `BDAT`.
        case begin
        /// The next bytes of the message.
        case content(Range<Int>)
        /// The message is complete.
        case end
    }

    /// What was said of a message before it.
    package struct Envelope: Equatable, Sendable {
        /// The path of `MAIL FROM`, without its brackets; nil when there was none.
        package var reversePath: [UInt8]?
        /// The paths of `RCPT TO`.
        package var recipients: [[UInt8]] = []
        /// The words `keyword=value` of `NOOP`.
        package var notes: [String: String] = [:]

        package init() {}
    }

    private enum State: Equatable {
        case commands
        case data
        /// Within a chunk of so many bytes more (RFC 3030).
        case chunk(Int, isLast: Bool)
    }

    /// A command longer than this, in bytes, is not looked at.
    private static let commandLimit = 64 << 10

    /// How many bytes of the span given to `next` are done with.
    package private(set) var consumed = 0
    /// What was said of the message just begun.
    package private(set) var envelope = Envelope()
    /// The message just begun comes in chunks: its bytes are as they were stored, not in lines that end with CRLF.
    package private(set) var isChunked = false
    /// The bytes ended within a message.
    package private(set) var isCutOff = false
    private var next = Envelope()
    private var state = State.commands
    private var isAtLineStart = true
    private var isWithinMessage = false

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
        while true {
            switch state {
            case .data: return nextOfData(bytes, isFinal)
            case .chunk(let left, let isLast):
                if left > 0, consumed < bytes.count {
                    let start = consumed
                    consumed = start + Swift.min(left, bytes.count - start)
                    state = .chunk(left - (consumed - start), isLast: isLast)
                    return .content(start..<consumed)
                }
                guard left == 0 || isFinal else { return nil }
                isCutOff = left > 0
                state = .commands
                if isLast || isFinal, isWithinMessage {
                    isWithinMessage = false
                    return .end
                }
            case .commands:
                guard consumed < bytes.count else {
                    guard isFinal, isWithinMessage else { return nil }
                    isCutOff = true
                    isWithinMessage = false
                    return .end
                }
                let line = bytes.line(at: consumed)
                guard line.isTerminated || isFinal || line.content.count > Self.commandLimit else { return nil }
                consumed = line.next
                if line.content.count <= Self.commandLimit, command(bytes.array(line.content)) { return .begin }
            }
        }
    }

    /// Says that the first `consumed` bytes were dropped.
    package mutating func dropConsumed() { consumed = 0 }

    // MARK: Commands

    /// Takes a command; true when a message begins with it.
    private mutating func command(_ line: [UInt8]) -> Bool {
        let words = line.split { $0.isMailWhitespace }
        guard let verb = words.first else { return false }
        if words.count == 1, verb.equalsIgnoringCase("DATA") {
            begin(isChunked: false)
            state = .data
            isAtLineStart = true
            return true
        }
        if verb.equalsIgnoringCase("BDAT"), 2...3 ~= words.count, let size = Int(words[1].text), size >= 0 {
            state = .chunk(size, isLast: words.count == 3 && words[2].equalsIgnoringCase("LAST"))
            if isWithinMessage { return false }
            begin(isChunked: true)
            return true
        }
        if verb.equalsIgnoringCase("NOOP") {
            for word in words.dropFirst() {
                let sides = word.split(separator: ASCII.equals, maxSplits: 1)
                if sides.count == 2 { next.notes[sides[0].text] = sides[1].text }
            }
        } else if let path = Self.path(line, "MAIL FROM:") {
            next.reversePath = path
        } else if let path = Self.path(line, "RCPT TO:") {
            next.recipients.append(path)
        } else if verb.equalsIgnoringCase("RSET") {
            next = Envelope()
        }
        return false
    }

    private mutating func begin(isChunked: Bool) {
        envelope = next
        next = Envelope()
        self.isChunked = isChunked
        isWithinMessage = true
    }

    /// What stands between the brackets behind `start`.
    private static func path(_ line: [UInt8], _ start: StaticString) -> [UInt8]? {
        let count = start.utf8CodeUnitCount
        guard line.count > count, line.prefix(count).equalsIgnoringCase(start) else { return nil }
        let rest = line.dropFirst(count).drop { $0.isMailWhitespace }
        guard rest.first == ASCII.less else { return nil }
        var isQuoted = false
        var isEscaped = false
        for (index, byte) in zip(rest.indices, rest).dropFirst() {
            if byte == ASCII.greater, !isQuoted { return Array(rest[(rest.startIndex + 1)..<index]) }
            if byte == ASCII.quote, !isEscaped { isQuoted.toggle() }
            isEscaped = isQuoted && byte == ASCII.backslash && !isEscaped
        }
        return nil
    }

    // MARK: DATA

    private mutating func nextOfData(_ bytes: Span<UInt8>, _ isFinal: Bool) -> Event? {
        if isAtLineStart, consumed < bytes.count, bytes[consumed] == ASCII.dot {
            let line = bytes.line(at: consumed)
            // A dot alone needs its line end to be known.
            guard line.isTerminated || isFinal || bytes.count - consumed > 2 else { return nil }
            if line.content.count == 1 {
                consumed = line.next
                state = .commands
                isWithinMessage = false
                return .end
            }
            consumed += 1
            isAtLineStart = false
        }
        guard consumed < bytes.count else {
            guard isFinal else { return nil }
            state = .commands
            isWithinMessage = false
            isCutOff = true
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
