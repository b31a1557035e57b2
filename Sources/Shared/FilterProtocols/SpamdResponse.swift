import Bytes

/// What a server of the spamd protocol says of a message.
package struct SpamdVerdict: Equatable, Sendable {
    package var isSpam: Bool
    package var score: String
    package var required: String

    package init(isSpam: Bool, score: String, required: String) {
        self.isSpam = isSpam
        self.score = score
        self.required = required
    }

    fileprivate var field: String { "Spam: \(isSpam ? "True" : "False") ; \(score) / \(required)\r\n" }
}

/// The answers of a server, as spamd gives them.
package enum SpamdAnswer {
    package static let pong = "SPAMD/1.5 0 PONG\r\n"
    private static let ok = "SPAMD/1.1 0 EX_OK\r\n"

    /// CHECK: the verdict alone.
    package static func check(_ verdict: SpamdVerdict) -> [UInt8] { Array("\(ok)\(verdict.field)\r\n".utf8) }

    /// The verdict and a content. Clients before version 1.3 get no length.
    package static func content(_ content: [UInt8], _ verdict: SpamdVerdict, version: Int) -> [UInt8] {
        let length = version >= 13 ? "Content-length: \(content.count)\r\n" : ""
        return Array("\(ok)\(length)\(verdict.field)\r\n".utf8) + content
    }

    /// TELL: what was done.
    package static func told(didSet: Bool, didRemove: Bool) -> [UInt8] {
        var text = ok
        if didSet { text += "DidSet: local\r\n" }
        if didRemove { text += "DidRemove: local\r\n" }
        return Array("\(text)\r\n\r\n".utf8)
    }
}

/// The client's side: what is sent, and how the answer is read.
package enum SpamdClientMessage {
    /// A request with its message.
    package static func request(_ request: SpamdRequest) -> [UInt8] {
        var text = "\(request.method.rawValue) SPAMC/1.5\r\n"
        if request.method != .ping {
            if let user = request.user { text += "User: \(user)\r\n" }
            if request.method == .tell {
                if let kind = request.telling.kind { text += "Message-class: \(kind == .spam ? "spam" : "ham")\r\n" }
                if request.telling.setsLocal { text += "Set: local\r\n" }
                if request.telling.removesLocal { text += "Remove: local\r\n" }
            }
            text += "Content-length: \(request.message.count)\r\n"
        }
        return Array("\(text)\r\n".utf8) + request.message
    }

    /// A whole answer.
    package struct Answer: Equatable, Sendable {
        /// 0, or a number of sysexits.
        package var code = 0
        /// `EX_OK`, or what is wrong.
        package var text = ""
        package var verdict: SpamdVerdict?
        package var didSet = false
        package var didRemove = false
        package var content: [UInt8] = []
    }

    /// Reads all that a server has sent before it closed; nil when that is no answer, or one cut short.
    package static func answer(_ bytes: [UInt8]) -> Answer? {
        let span = bytes.span
        var answer = Answer()
        let first = span.line(at: 0)
        let words = bytes[first.content].split(separator: ASCII.space, maxSplits: 2).map(\.text)
        guard first.isTerminated, words.count >= 2, words[0].hasPrefix("SPAMD/"), let code = Int(words[1]) else {
            return nil
        }
        answer.code = code
        answer.text = words.count > 2 ? words[2] : ""
        var place = first.next
        var length: Int?
        while place < bytes.count {
            let line = span.line(at: place)
            place = line.next
            if line.content.isEmpty { break }
            let text = bytes[line.content].text
            guard let colon = text.firstIndex(of: ":") else { return nil }
            let value = text[text.index(after: colon)...].split(separator: " ").map(String.init)
            switch text[..<colon].lowercased() {
            case "content-length": length = value.first.flatMap { Int($0) }
            case "spam" where value.count == 5:
                let word = value[0].asciiLowercased
                answer.verdict = SpamdVerdict(
                    isSpam: word == "true" || word == "yes", score: value[2], required: value[4])
            case "didset": answer.didSet = true
            case "didremove": answer.didRemove = true
            default: break
            }
        }
        answer.content = Array(bytes[place...])
        if let length, length != answer.content.count { return nil }
        return answer
    }
}
