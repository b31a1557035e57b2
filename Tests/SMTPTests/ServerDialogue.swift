import Bytes
import SMTP

/// A server session driven with text: what the driver would do, with every message kept.
struct ServerDialogue {
    var session: ServerSession
    private(set) var messages: [(envelope: Envelope, content: String)] = []
    private(set) var isClosed = false
    private(set) var hasStartedTLS = false
    private(set) var abandoned = 0
    private var input: [UInt8] = []
    private var envelope: Envelope?
    private var content: [UInt8] = []

    init(
        offersTLS: Bool = false, requiresTLS: Bool = false, maximumSize: Int = 1_000_000, maximumRecipients: Int = 100
    ) {
        session = ServerSession(
            .init(
                hostName: "mx.example", maximumSize: maximumSize, maximumRecipients: maximumRecipients,
                offersTLS: offersTLS, requiresTLS: requiresTLS))
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
            case .checkRecipient(let path):
                session.answerRecipient(
                    path.localPart.hasPrefix("nobody") ? Reply(550, "5.1.1", "no such mailbox") : nil)
            case .beginData(let envelope):
                self.envelope = envelope
                content = []
            case .data(let piece): content += piece
            case .endData:
                content += session.takeLastPiece()
                if let envelope { messages.append((envelope, content.text)) }
                session.answerData(Reply(250, "2.0.0", "stored"))
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

    private mutating func replies() -> [String] {
        session.takeOutput().text.split(separator: "\r\n").map(String.init)
    }
}
