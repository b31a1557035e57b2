import Bytes
import POP3
import SASL
import SMTP

extension FuzzTarget {
    static let protocols = [
        FuzzTarget("smtp-server") { bytes in
            for isLMTP in [false, true] { serve(bytes, isLMTP: isLMTP) }
        },
        FuzzTarget("smtp-client") { bytes in
            var session = ClientSession(ClientConfiguration(heloName: "me.example"))
            var hasMessage = false
            session.receive(bytes.span)
            for _ in 0..<1_000 {
                switch session.next() {
                case .receive: session.connectionLost("was closed")
                case .startTLS: session.tlsStarted()
                case .sendMessage: session.messageSent()
                case .ready:
                    guard !hasMessage else {
                        session.quit()
                        break
                    }
                    hasMessage = true
                    session.begin(
                        ClientTransaction(
                            OutgoingEnvelope(
                                reversePath: "a@example.org", recipients: [.init(path: "b@example.org")]),
                            survey: ClientMessageSurvey(Array("x\r\n".utf8).span)))
                    session.receive(bytes.span)
                case .close: return
                default: break
                }
            }
        },
        FuzzTarget("pop3-server") { bytes in
            var session = POP3Session(
                .init(offersTLS: true, timestamp: "<1@x>", mechanisms: SASLMechanism.allCases))
            session.greet()
            var table = MaildropTable()
            table.append(octets: 3, uniqueID: Array("a".utf8))
            var place = 0
            while place < bytes.count {
                let (consumed, step) = session.next(bytes.span.extracting(place..<bytes.count))
                place += consumed
                require(place <= bytes.count, "a session takes no more than it is given")
                _ = session.takeOutput()
                switch step {
                case .login, .authenticationResponse: session.answerLogin(.success(table))
                case .authenticate: session.challenge("")
                case .retrieve(let index, let lines): session.beginMessage(index, bodyLines: lines, octets: 3)
                case .startTLS: session.tlsStarted()
                case .send: break
                case .needInput, .remove, .close: return
                }
            }
        },
        FuzzTarget("pop3-client") { bytes in
            var session = POP3ClientSession(
                .init(
                    credentials: SASLCredentials(user: Array("a".utf8), secret: .password(Array("b".utf8))),
                    isLocal: true))
            var place = 0
            while place <= bytes.count {
                guard let (consumed, event) = try? session.next(bytes.span.extracting(place..<bytes.count)) else {
                    return
                }
                place += consumed
                require(place <= bytes.count, "a session takes no more than it is given")
                _ = session.takeOutput()
                var size = 0
                session.takeContent { size = $0.count }
                require(size <= bytes.count, "a message is no longer than what came")
                switch event {
                case .needInput: return
                case .startTLS: session.tlsStarted(bindings: [:])
                case .loggedIn:
                    for command: POP3ClientSession.Command in [
                        .status, .sizes, .uniqueIDs, .top(1, lines: 0), .retrieve(1), .delete(1), .quit,
                    ] { session.send(command) }
                case .reply, .entry, .content, .end: break
                }
            }
        },
        FuzzTarget("smtp-path") { bytes in _ = Path(mailbox: bytes.text) },
    ]

    /// Feeds a server session everything; every request of it is granted.
    private static func serve(_ bytes: [UInt8], isLMTP: Bool) {
        var configuration = ServerSession.Configuration(hostName: "mx.example")
        configuration.isLMTP = isLMTP
        configuration.maximumSize = 1_000
        configuration.offersTLS = true
        configuration.mechanisms = ["PLAIN", "LOGIN"]
        var session = ServerSession(configuration)
        session.greet()
        var recipients = 0
        var place = 0
        while true {
            let (consumed, step) = session.next(bytes.span.extracting(place..<bytes.count))
            place += consumed
            require(place <= bytes.count, "a session takes no more than it is given")
            require(session.takeOutput().count < 1 << 20, "answers stay small")
            switch step {
            case .inspect: session.proceed()
            case .checkSender: session.answerSender(nil)
            case .checkRecipient: session.answerRecipient(nil)
            case .verify, .expand, .flushQueue: session.answerCommand(Reply(252, "2.0.0", "perhaps"))
            case .authenticate, .authenticationResponse: session.challenge("")
            case .beginData(let envelope): recipients = envelope.recipients.count
            case .data, .abandonData: break
            case .endData:
                _ = session.takeLastPiece()
                session.answerData(Array(repeating: Reply(250, "2.0.0", "stored"), count: recipients))
            case .startTLS: session.tlsStarted()
            case .needInput, .close: return
            }
        }
    }
}
