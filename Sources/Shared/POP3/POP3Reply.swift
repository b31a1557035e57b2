import Bytes

/// The first line of an answer (RFC 1939 3), with its response code (RFC 2449 8, RFC 3206).
package struct POP3Reply: Equatable, Sendable {
    package let isPositive: Bool
    /// What stands in brackets behind the indicator, in capital letters: `IN-USE`, `SYS/TEMP`; nil when nothing does.
    package let code: String?
    /// What the server says to people, without indicator and code.
    package let text: String

    /// Reads a line without its line end; nil for one that is no answer.
    package init?(_ line: some BidirectionalCollection<UInt8>) {
        let word = line.prefix { $0 != ASCII.space }
        if word.equalsIgnoringCase("+OK") {
            isPositive = true
        } else if word.equalsIgnoringCase("-ERR") {
            isPositive = false
        } else {
            return nil
        }
        var rest = Array(line.dropFirst(word.count)).drop { $0 == ASCII.space }
        var code: String?
        if rest.first == ASCII.openBracket, let end = rest.firstIndex(of: ASCII.closeBracket) {
            code = String(decoding: rest[rest.startIndex + 1..<end].map(\.asciiUppercased), as: UTF8.self)
            rest = rest[(end + 1)...].drop { $0 == ASCII.space }
        }
        self.code = code
        text = String(decoding: rest, as: UTF8.self)
    }

    /// The code is `name`, or one below it, as SYS/TEMP is below SYS.
    func hasCode(_ name: String) -> Bool { code == name || code?.hasPrefix("\(name)/") ?? false }
}

/// What a server says that it can do (RFC 2449).
package struct POP3Capabilities: Equatable, Sendable {
    /// The tags in capital letters, with their arguments as they stand there.
    private var tags: [String: [String]] = [:]

    package init() {}

    /// Takes in a line of the answer to CAPA.
    mutating func add(_ line: [UInt8]) {
        let words = line.split(separator: ASCII.space).map { $0.text }
        guard let tag = words.first else { return }
        tags[tag.uppercased()] = Array(words.dropFirst())
    }

    /// Whether the server has answered with anything at all.
    package var areKnown: Bool { !tags.isEmpty }
    package func has(_ tag: String) -> Bool { tags[tag] != nil }
    /// The names of its SASL mechanisms, in capital letters.
    package var mechanisms: [String] { tags["SASL"]?.map { $0.uppercased() } ?? [] }
}
