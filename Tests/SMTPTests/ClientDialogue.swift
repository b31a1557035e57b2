import Bytes
import SMTP
import Testing

/// A session written down line by line: `S:` is what the server says, `C:` a line that the client must send, `!` what
/// the session must ask of its caller or report.
struct ClientDialogue: CustomTestStringConvertible, Sendable {
    var name: String
    var configuration = ClientConfiguration(heloName: "me.example")
    var messages = [ClientDialogue.message(to: "b@example.org")]
    var script: String

    var testDescription: String { name }

    /// How the server's bytes arrive.
    enum Arrival: CaseIterable { case together, byLine, byByte }

    static func message(
        from: String = "a@example.org", to recipients: String..., content: String = "Subject: x\r\n\r\nhello\r\n"
    ) -> ClientTransaction {
        ClientTransaction(
            OutgoingEnvelope(reversePath: from, recipients: recipients.map { .init(path: $0) }),
            survey: ClientMessageSurvey(Array(content.utf8).span))
    }

    var expected: [String] {
        script.split(separator: "\n").map { line in String(line.drop { $0 == " " }) }
    }

    /// What happens when the server says its lines of the script to a session.
    func run(_ arrival: Arrival) -> [String] {
        var session = ClientSession(configuration)
        var server = ServerLines(expected)
        var waiting = messages[...]
        var log: [String] = []
        for _ in 0..<10_000 {
            switch session.next() {
            case .write(let bytes, let isConcealed):
                for line in bytes.text.split(separator: "\r\n") { log.append((isConcealed ? "C* " : "C: ") + line) }
            case .receive:
                guard !server.isEmpty else {
                    session.connectionLost("was closed")
                    continue
                }
                for line in server.take(arrival == .together) {
                    log.append("S: " + line)
                    if arrival != .together { feed(&session, line + "\r\n", arrival) }
                }
                if arrival == .together { feed(&session, server.taken, arrival) }
            case .startTLS:
                log.append("! TLS")
                session.tlsStarted()
            case .sendMessage(let form):
                log.append(form == .data ? "! message" : "! \(form)")
                session.messageSent()
            case .results(let results): log += results.map { "! " + describe($0) }
            case .ready:
                if let next = waiting.popFirst() { session.begin(next) } else { session.quit() }
            case .close(nil): return log + ["! close"]
            case .close(.some(let result)): return log + ["! close " + describe(result)]
            }
        }
        return log + ["! endless"]
    }

    private func feed(_ session: inout ClientSession, _ text: String, _ arrival: Arrival) {
        switch arrival {
        case .together, .byLine: session.receive(Array(text.utf8).span)
        case .byByte: for byte in text.utf8 { session.receive([byte].span) }
        }
    }

    private func describe(_ result: ClientResult) -> String {
        "\(result.outcome.rawValue) \(result.code.map(String.init) ?? "-") \(result.enhanced ?? "-") "
            + result.text.split(separator: "\n").joined(separator: "|")
    }
}

/// The server's lines of a script, given out group by group or one by one.
private struct ServerLines {
    private var lines: ArraySlice<(group: Int, text: String)>
    /// The bytes of the lines given out last.
    private(set) var taken = ""

    init(_ script: [String]) {
        var group = 0
        var lines: [(group: Int, text: String)] = []
        for line in script {
            if line.hasPrefix("S: ") { lines.append((group, String(line.dropFirst(3)))) } else { group += 1 }
        }
        self.lines = lines[...]
    }

    var isEmpty: Bool { lines.isEmpty }

    mutating func take(_ wholeGroup: Bool) -> [String] {
        guard let first = lines.first else { return [] }
        let group = wholeGroup ? Array(lines.prefix { $0.group == first.group }) : [first]
        lines.removeFirst(group.count)
        taken = group.map { $0.text + "\r\n" }.joined()
        return group.map(\.text)
    }
}
