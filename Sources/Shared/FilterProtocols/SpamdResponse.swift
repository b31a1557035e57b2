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

    /// To REPORT_IFSPAM, too, `True` and `False`: spamd says `Yes` and `No` there, which spamc takes for neither.
    fileprivate var field: String { "Spam: \(isSpam ? "True" : "False") ; \(score) / \(required)\r\n" }
}

/// The answers of a server, as spamd gives them.
package enum SpamdAnswer {
    package static let pong = "SPAMD/1.5 0 PONG\r\n"
    private static let ok = "SPAMD/1.1 0 EX_OK\r\n"

    /// CHECK: the verdict alone.
    package static func check(_ verdict: SpamdVerdict) -> [UInt8] {
        Array("\(ok)\(verdict.field)\r\n".utf8)
    }

    /// The verdict and a content. Clients before version 1.3 get no length; of messages and headers those before 1.2
    /// get the content alone, those of 1.2 its length and no verdict.
    package static func content(
        _ content: [UInt8], _ verdict: SpamdVerdict, for method: SpamdMethod, version: Int
    ) -> [UInt8] {
        let length = "Content-length: \(content.count)\r\n"
        let isMessage = method == .process || method == .headers
        let head =
            switch version {
            case 13...: "\(ok)\(length)\(verdict.field)\r\n"
            case 12 where isMessage: "\(ok)\(length)\r\n"
            default: isMessage ? "SPAMD/1.0 0 EX_OK\r\n" : "\(ok)\(verdict.field)\r\n"
            }
        return Array(head.utf8) + content
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

    /// Reads all that a server has sent to a `request` before it closed; nil when that is no answer to it, or one cut
    /// short: a content without its length, or of another one, is not taken for whole.
    package static func answer(_ bytes: [UInt8], to method: SpamdMethod) -> Answer? {
        let span = bytes.span
        var answer = Answer()
        let first = span.line(at: 0)
        let words = bytes[first.content].split(separator: ASCII.space, maxSplits: 2).map(\.text)
        guard first.isTerminated, words.count >= 2, words[0].hasPrefix("SPAMD/"), let code = Int(words[1]) else {
            return nil
        }
        answer.code = code
        answer.text = words.count > 2 ? words[2] : ""
        if code != 0 || method == .ping { return answer }
        var isWhole = false
        var place = first.next
        var length: Int?
        while place < bytes.count {
            let line = span.line(at: place)
            place = line.next
            if line.content.isEmpty {
                isWhole = true
                break
            }
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
        guard isWhole else { return nil }
        if method == .tell { return answer }
        guard answer.verdict != nil else { return nil }
        if method == .check { return answer }
        answer.content = Array(bytes[place...])
        return length == answer.content.count ? answer : nil
    }
}
