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

    /// The reply on the wire. Control characters and 8-bit bytes in the text become `?`; a line is cut at 512 octets.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for (index, line) in lines.enumerated() {
            let mark = index == lines.count - 1 ? " " : "-"
            let head = "\(code)\(mark)" + (enhanced.map { "\($0) " } ?? "")
            let text = (head + line).utf8.prefix(510).map { $0 >= 0x20 && $0 < 0x7F ? $0 : ASCII.question }
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
