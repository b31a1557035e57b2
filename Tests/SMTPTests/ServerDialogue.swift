import Bytes
import SMTP

/// A server session driven with text: what the driver would do, with every message kept.
struct ServerDialogue {
    var session: ServerSession
    private(set) var messages: [(envelope: Envelope, content: String)] = []
    private(set) var isClosed = false
    private(set) var hasStartedTLS = false
    private(set) var abandoned = 0
    private(set) var inspected: [String] = []
    private var input: [UInt8] = []
    private var envelope: Envelope?
    private var content: [UInt8] = []

    init(isTLS: Bool = false, _ configure: (inout ServerSession.Configuration) -> Void = { _ in }) {
        var configuration = ServerSession.Configuration(hostName: "mx.example")
        configuration.maximumSize = 1_000_000
        configuration.maximumRecipients = 100
        configure(&configuration)
        session = ServerSession(configuration, isTLS: isTLS)
    }

    /// Feeds bytes; recipients that begin with `nobody` are refused. Returns the reply lines that came.
    mutating func send(_ bytes: [UInt8]) -> [String] {
        input += bytes
        while true {
            let pending = input
            let (consumed, step) = session.next(pending.span)
            input.removeFirst(consumed)
            switch step {
            case .needInput: return replies()
            case .close:
                isClosed = true
                return replies()
            case .inspect(let verb, let argument):
                inspected.append("\(verb) \(argument)")
                if argument.contains("refuse") {
                    session.refuse(Reply(451, "4.3.0", "refused"))
                } else {
                    session.proceed()
                }
            case .checkSender(let envelope):
                session.answerSender(
                    envelope.reversePath.localPart.hasPrefix("banned") ? Reply(550, "5.7.1", "banned") : nil)
            case .checkRecipient(let recipient):
                session.answerRecipient(
                    recipient.path.localPart.hasPrefix("nobody") ? Reply(550, "5.1.1", "no such mailbox") : nil)
            case .verify(let text), .expand(let text), .flushQueue(let text):
                session.answerCommand(Reply(250, "2.0.0", text))
            case .authenticate(let mechanism, let initial):
                if let initial { judge(initial) } else { session.challenge(mechanism == "LOGIN" ? "VXNlcm5hbWU6" : "") }
            case .authenticationResponse(let line): judge(line)
            case .beginData(let envelope):
                self.envelope = envelope
                content = []
            case .data(let piece): content += piece
            case .endData:
                content += session.takeLastPiece()
                if let envelope { messages.append((envelope, content.text)) }
                session.answerData(
                    envelope?.recipients.map {
                        $0.path.localPart == "full" ? Reply(452, "4.2.2", "full") : Reply(250, "2.0.0", "stored")
                    } ?? [])
            case .abandonData: abandoned += 1
            case .startTLS:
                hasStartedTLS = true
                let lines = replies()
                session.tlsStarted()
                return lines
            }
        }
    }

    mutating func send(_ text: String) -> [String] { send(Array(text.utf8)) }

    /// The codes of the replies to `text`.
    mutating func codes(_ text: String) -> [String] {
        send(text).filter { $0.utf8.count < 4 || Array($0.utf8)[3] != UInt8(ascii: "-") }.map { String($0.prefix(3)) }
    }

    /// `Z29vZA==` is the right secret.
    private mutating func judge(_ line: [UInt8]) {
        switch line.text {
        case "Z29vZA==": session.answerAuthentication(user: "anna")
        case "*": session.answerAuthentication(user: nil, Reply(501, "5.7.0", "cancelled"))
        case "%": session.answerAuthentication(user: nil, Reply(501, "5.5.2", "not base64"))
        default: session.answerAuthentication(user: nil)
        }
    }

    private mutating func replies() -> [String] {
        session.takeOutput().text.split(separator: "\r\n").map(String.init)
    }
}
