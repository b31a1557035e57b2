import Bytes

/// A server's reply (RFC 5321 4.2).
package struct ClientReply: Equatable, Sendable, CustomStringConvertible {
    package var code: Int
    package var enhanced: String?
    package var lines: [String]

    package init(code: Int, enhanced: String? = nil, lines: [String]) {
        self.code = code
        self.enhanced = enhanced
        self.lines = lines
    }
    package init(code: Int, text: String) { self.init(code: code, lines: [text]) }

    package var text: String { lines.joined(separator: "\n") }
    package var description: String { "\(code) " + (enhanced.map { $0 + " " } ?? "") + lines.joined(separator: " ") }
}

package struct ClientReplyError: Error, CustomStringConvertible {
    package var description: String
}

package struct ClientReplyParser: Sendable {
    private var line: [UInt8] = []
    private var lines: [String] = []
    private var enhanced: String?
    private var size = 0
    private var ready: [ClientReply] = []
    private var error: ClientReplyError?

    package init() {}

    package mutating func append(_ bytes: Span<UInt8>) {
        var start = 0
        while start < bytes.count, error == nil {
            let lf = bytes.firstIndex(of: ASCII.lf, from: start)
            let end = lf ?? bytes.count
            size += end - start
            if size > 65_536 {
                error = ClientReplyError(description: "a reply without end")
                return
            }
            line.append(span: bytes.extracting(start..<end))
            guard let lf else { return }
            endLine()
            start = lf + 1
        }
    }

    private mutating func endLine() {
        if line.last == ASCII.cr { line.removeLast() }
        let digits = line.prefix(3)
        guard digits.count == 3, digits.allSatisfy(\.isASCIIDigit),
            line.count == 3 || line[3] == 0x20 || line[3] == 0x2d
        else {
            error = ClientReplyError(description: line.prefix(80).text)
            return
        }
        let code = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        var text = line.dropFirst(4)
        let word = text.prefix { $0 != 0x20 }
        let parts = word.split(separator: 0x2e, omittingEmptySubsequences: false)
        if parts.count == 3, parts.allSatisfy({ !$0.isEmpty && $0.count <= 3 && $0.allSatisfy(\.isASCIIDigit) }),
            word.first == line.first
        {
            enhanced = word.text
            text = text.dropFirst(word.count).drop { $0 == 0x20 }
        }
        lines.append(text.text)
        if line.count == 3 || line[3] == 0x20 {
            ready.append(ClientReply(code: code, enhanced: enhanced, lines: lines))
            lines = []
            enhanced = nil
            size = 0
        }
        line = []
    }

    package mutating func next() throws(ClientReplyError) -> ClientReply? {
        if !ready.isEmpty { return ready.removeFirst() }
        if let error { throw error }
        return nil
    }
}
