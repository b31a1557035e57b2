import Bytes

/// Takes a server's replies out of a byte stream that is split anywhere (RFC 5321 4.2).
///
/// Lines longer than 512 octets, line ends without CR and lines whose codes differ are taken: of differing codes the
/// last one counts, because it ends the reply. A reply as a whole is bounded.
package struct ReplyParser: Sendable {
    /// Why the stream holds no replies, in words for people.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Octets of one reply, all its lines together.
    private static let sizeLimit = 65_536
    private static let lineLimitInMessages = 80

    private var line: [UInt8] = []
    private var lines: [String] = []
    private var enhanced: String?
    private var size = 0
    private var complete: [Reply] = []
    private var failure: Failure?

    package init() {}

    /// Takes the next bytes.
    package mutating func append(_ bytes: Span<UInt8>) {
        var start = 0
        while start < bytes.count, failure == nil {
            let lf = bytes.firstIndex(of: ASCII.lf, from: start)
            let end = lf ?? bytes.count
            size += end - start + 1
            guard size <= Self.sizeLimit else {
                failure = Failure(description: "a reply without end")
                return
            }
            line.append(span: bytes.extracting(start..<end))
            guard let lf else { return }
            endLine()
            start = lf + 1
        }
    }

    /// The next complete reply; nil when there is none before more bytes come.
    package mutating func next() throws(Failure) -> Reply? {
        if !complete.isEmpty { return complete.removeFirst() }
        if let failure { throw failure }
        return nil
    }

    private mutating func endLine() {
        defer { line.removeAll(keepingCapacity: true) }
        if line.last == ASCII.cr { line.removeLast() }
        guard let code = Self.code(line) else {
            failure = Failure(description: line.prefix(Self.lineLimitInMessages).text)
            return
        }
        lines.append(takeEnhancedCode(line.dropFirst(4)).text)
        guard line.count == 3 || line[3] == ASCII.space else { return }
        complete.append(Reply(code, enhanced, lines: lines))
        lines = []
        enhanced = nil
        size = 0
    }

    /// Three digits, the first from 2 to 5, and then the end, a space or a hyphen.
    private static func code(_ line: [UInt8]) -> Int? {
        guard line.count >= 3, line[..<3].allSatisfy(\.isASCIIDigit), (0x32...0x35).contains(line[0]),
            line.count == 3 || line[3] == ASCII.space || line[3] == ASCII.dash
        else { return nil }
        return line[..<3].reduce(0) { $0 * 10 + Int($1 - ASCII.zero) }
    }

    /// Cuts off an enhanced status code of the reply's class (RFC 2034 4).
    private mutating func takeEnhancedCode(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let word = text.prefix { $0 != ASCII.space }
        let numbers = word.split(separator: ASCII.dot, omittingEmptySubsequences: false)
        guard numbers.count == 3, numbers[0].elementsEqual(line.prefix(1)),
            numbers.dropFirst().allSatisfy({ 1...3 ~= $0.count && $0.allSatisfy(\.isASCIIDigit) })
        else { return text }
        enhanced = word.text
        return text.dropFirst(word.count).drop { $0 == ASCII.space }
    }
}

extension Reply {
    /// All lines, with LF between them.
    var text: String { lines.joined(separator: "\n") }
    /// Code and text in one line, for messages.
    package var oneLine: String { (["\(code)"] + (enhanced.map { [$0] } ?? []) + lines).joined(separator: " ") }
}
