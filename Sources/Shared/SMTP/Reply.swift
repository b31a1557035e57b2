import Bytes

/// A server's reply: a code, an enhanced status code where one belongs, and lines of text (RFC 5321 4.2, RFC 2034).
package struct Reply: Equatable, Sendable {
    package let code: Int
    /// As `5.1.1`; nil in the greeting, in answers to HELO and EHLO, and in 3yz replies.
    package let enhanced: String?
    package let lines: [String]

    package init(_ code: Int, _ enhanced: String? = nil, _ lines: String...) {
        self.init(code, enhanced, lines: lines)
    }

    package init(_ code: Int, _ enhanced: String? = nil, lines: [String]) {
        self.code = code
        self.enhanced = enhanced
        self.lines = lines.isEmpty ? [""] : lines
    }

    /// 2yz or 3yz.
    package var isPositive: Bool { code < 400 }

    /// 4yz: the same may work later.
    package var isTemporary: Bool { (400..<500).contains(code) }

    /// Reads a reply of several lines, as it stands on the wire, with the code and the enhanced code of the first one.
    package init?(wireLines text: String) {
        let lines = text.split(whereSeparator: \.isNewline).map { line in
            let mark = line.utf8.dropFirst(3).first
            return String(line.prefix(3)) + (mark == ASCII.dash ? " " + line.dropFirst(4) : String(line.dropFirst(3)))
        }
        let replies = lines.compactMap { Reply($0) }
        guard let first = replies.first, replies.count == lines.count, replies.allSatisfy({ $0.code == first.code })
        else { return nil }
        self.init(first.code, first.enhanced, lines: replies.flatMap(\.lines))
    }

    /// Reads `451 4.3.0 text` or `550 text`: a code from 200 to 599, an enhanced code when one is there, text.
    package init?(_ text: String) {
        let words = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard let first = words.first, first.utf8.count == 3, let code = Int(first), (200...599).contains(code) else {
            return nil
        }
        var rest = words.count > 1 ? String(words[1]) : ""
        var enhanced: String?
        let next = rest.split(separator: " ", maxSplits: 1)
        if let word = next.first {
            let parts = word.split(separator: ".", omittingEmptySubsequences: false)
            if parts.count == 3, parts[0] == String(code / 100),
                parts.allSatisfy({ (1...3).contains($0.utf8.count) && $0.utf8.allSatisfy(\.isASCIIDigit) })
            {
                enhanced = String(word)
                rest = next.count > 1 ? String(next[1]) : ""
            }
        }
        self.init(code, enhanced, rest)
    }

    /// The reply on the wire. Control characters and 8-bit bytes in the text become `?`; a line is cut at 512 octets, except a
    /// challenge (RFC 4954 4).
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for (index, line) in lines.enumerated() {
            let mark = index == lines.count - 1 ? " " : "-"
            let head = "\(code)\(mark)" + (enhanced.map { "\($0) " } ?? "")
            let text = (head + line).utf8.prefix(code == 334 ? 12_286 : 510).map {
                $0 >= 0x20 && $0 < 0x7F ? $0 : ASCII.question
            }
            bytes += text
            bytes += [ASCII.cr, ASCII.lf]
        }
        return bytes
    }
}

extension Reply {
    static let badSequence = Reply(503, "5.5.1", "bad sequence of commands")
    static let noSuchCommand = Reply(500, "5.5.2", "command not recognized")
    static let bareLineEnd = Reply(500, "5.5.2", "a line ends with CR LF, and with nothing else")
    static let lineTooLong = Reply(500, "5.5.2", "line too long")
    /// RFC 4954 4.
    static let responseTooLong = Reply(500, "5.5.6", "authentication exchange line is too long")
    /// RFC 3207 4.
    static let needsTLS = Reply(530, "5.7.0", "say STARTTLS first")
    static let needsUTF8 = Reply(553, "5.6.7", "an address outside of ASCII needs the parameter SMTPUTF8")
    static let takesNoArgument = Reply(501, "5.5.4", "this command takes no argument")
    /// Said when the server is stopping.
    package static func shuttingDown(_ host: String) -> Reply { Reply(421, "4.3.2", "\(host) is shutting down") }
    /// Said when nothing was heard for too long.
    package static func idleTooLong(_ host: String) -> Reply {
        Reply(421, "4.4.2", "\(host) heard nothing for too long")
    }
    /// Said when there are too many connections.
    package static func tooManyConnections(_ host: String) -> Reply {
        Reply(421, "4.3.2", "\(host) has too many connections, try again later")
    }
}
