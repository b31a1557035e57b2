import Bytes

/// Puts a `>` before lines that would look like From_ lines, in pieces of any size.
package struct LineQuoting: Sendable {
    /// Which lines: none, those that begin with `From `, or with `>` before it, too.
    package enum Rule { case none, from, fromAndQuoted }
    private enum State { case lineStart, quotes, inside }

    private static let from: [UInt8] = [0x46, 0x72, 0x6F, 0x6D, ASCII.space]

    private let rule: Rule
    private var state = State.lineStart
    /// How much of `From ` the current line has begun with; held back.
    private var matched = 0

    package init(_ rule: Rule) { self.rule = rule }

    /// Writes what is held back.
    package mutating func finish(into output: inout [UInt8]) {
        output += Self.from[..<matched]
        matched = 0
        state = .lineStart
    }

    package mutating func write(_ bytes: Span<UInt8>, into output: inout [UInt8]) {
        guard rule != .none else {
            output.append(span: bytes)
            return
        }
        var start = state == .inside ? 0 : decide(bytes, into: &output)
        guard state == .inside else { return }
        var searched = start
        while let place = bytes.firstIndex(of: "From ", in: searched..<bytes.count) {
            searched = place + 5
            let lineStart = quotesStart(bytes, before: place, limit: start)
            guard lineStart > start, bytes[lineStart - 1] == ASCII.lf else { continue }
            output.append(span: bytes.extracting(start..<place))
            output.append(ASCII.greater)
            start = place
        }
        // The end of the piece may be the start of such a line.
        for length in stride(from: 4, through: 0, by: -1) where bytes.count - length > start {
            let place = bytes.count - length
            guard bytes.matches(Self.from[..<length], at: place) else { continue }
            let lineStart = quotesStart(bytes, before: place, limit: start)
            guard lineStart > start, bytes[lineStart - 1] == ASCII.lf else { continue }
            output.append(span: bytes.extracting(start..<place))
            matched = length
            state = lineStart < place ? .quotes : .lineStart
            return
        }
        output.append(span: bytes.extracting(start..<bytes.count))
        state = .inside
    }

    /// Goes on at the start of a line until it is known whether it is to be quoted; returns the place reached.
    private mutating func decide(_ bytes: Span<UInt8>, into output: inout [UInt8]) -> Int {
        for index in 0..<bytes.count {
            let byte = bytes[index]
            if byte == Self.from[matched] {
                matched += 1
                if matched == Self.from.count {
                    output.append(ASCII.greater)
                    output += Self.from
                    matched = 0
                    state = .inside
                    return index + 1
                }
            } else if byte == ASCII.greater, matched == 0, rule == .fromAndQuoted {
                output.append(byte)
                state = .quotes
            } else {
                output += Self.from[..<matched]
                matched = 0
                if byte == ASCII.lf {
                    output.append(byte)
                    state = .lineStart
                } else {
                    state = .inside
                    return index
                }
            }
        }
        return bytes.count
    }

    private func quotesStart(_ bytes: Span<UInt8>, before place: Int, limit: Int) -> Int {
        var start = place
        if rule == .fromAndQuoted { while start > limit, bytes[start - 1] == ASCII.greater { start -= 1 } }
        return start
    }
}

extension Span where Element == UInt8 {
    fileprivate func matches(_ text: ArraySlice<UInt8>, at place: Int) -> Bool {
        guard place >= 0, place <= count, count - place >= text.count else { return false }
        var index = place
        for byte in text {
            if self[index] != byte { return false }
            index += 1
        }
        return true
    }
}
