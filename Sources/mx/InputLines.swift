import Bytes

/// Names out of a stream, one a line, in bounded memory.
struct InputLines {
    /// More of a line than this is dropped; no domain comes near it.
    private static let lineLimit = 65_536

    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false

    /// True when more input is needed for the next line.
    private(set) var wantsMore = true
    /// True when every line was taken and none will come.
    var isDrained: Bool { isAtEnd && start == buffer.count }

    /// Takes in what was read; nothing means the end.
    mutating func append(_ bytes: [UInt8]) {
        if bytes.isEmpty { isAtEnd = true }
        wantsMore = false
        buffer.removeFirst(start)
        start = 0
        buffer += bytes
        dropExcess()
    }

    /// Cuts a line that has no end yet to the limit.
    private mutating func dropExcess() {
        guard buffer.count > InputLines.lineLimit, buffer.span.firstIndex(of: ASCII.lf) == nil else { return }
        buffer.removeLast(buffer.count - InputLines.lineLimit)
    }

    /// The next line without its line end; nil when there is none yet.
    mutating func next() -> String? {
        if start == buffer.count || (!isAtEnd && buffer.span.firstIndex(of: ASCII.lf, from: start) == nil) {
            wantsMore = !isAtEnd
            return nil
        }
        let line = buffer.span.line(at: start)
        start = line.next
        return buffer[line.content.prefix(InputLines.lineLimit)].text
    }
}
